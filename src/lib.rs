//! slidegrid
pub mod geometry;
pub mod staged;
pub mod tissue;
