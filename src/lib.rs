//! slidegrid
pub mod export;
pub mod geometry;
pub mod hdf5_file;
pub mod patches;
pub mod scores;
pub mod slide;
pub mod staged;
pub mod tissue;
