//! slidegrid
pub mod export;
pub mod geometry;
pub mod hdf5_file;
pub mod patches;
pub mod scores;
pub mod staged;
pub mod tissue;
