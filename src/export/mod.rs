//! Files that other programs open.

pub mod heatmap_h5;
