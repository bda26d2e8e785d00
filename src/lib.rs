//! slidegrid
pub mod cli;
pub mod export;
pub mod geometry;
pub mod hdf5_file;
pub mod heatmap;
pub mod model;
pub mod patches;
pub mod scores;
pub mod slide;
pub mod staged;
pub mod threads;
pub mod tissue;
