//! slidegrid
pub mod export;
pub mod geometry;
pub mod heatmap;
pub mod staged;
pub mod tissue;
