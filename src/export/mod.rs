//! Files that other programs read.

pub mod heatmap_h5;
pub mod npy;
pub mod png;
