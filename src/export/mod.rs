//! Files that other programs read.

pub mod npy;
pub mod png;
