//! slidegrid
pub mod geometry;
pub mod model;
pub mod staged;
pub mod threads;
