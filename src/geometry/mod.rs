//! The geometry of a run: working plane, tiles, blocks, groups and the score lattice.
//! Every stage computes its places from these types. The module does no I/O.
//!
//! All coordinates are pixels of the *working plane* (the slide resampled to
//! the model's resolution) unless a name says `level0`.

pub mod blocks;
mod dense_cover;
pub(crate) mod dense_tiles;
pub mod groups;
pub mod lattice;
mod origin;
pub mod plane;
pub mod tiling;

pub use blocks::{BlockPlan, PatchCoord};
pub use lattice::Lattice;
pub use origin::CoordinateOrigin;
pub use plane::WorkingPlane;
pub use tiling::Tiling;
