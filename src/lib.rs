//! slidegrid
pub mod geometry;
pub mod slide;
pub mod staged;
