//! slidegrid
pub mod cli;
pub mod geometry;
pub mod slide;
pub mod staged;
