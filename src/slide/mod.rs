//! Whole-slide images.
pub mod synth;
