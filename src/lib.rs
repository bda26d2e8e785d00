//! slidegrid
pub mod geometry;
pub mod staged;
