//! `patches/<slide>.h5`: the pixels of every block that holds tissue.
//!
//! [`PatchesWriter`] streams patches in any order; [`PatchesFile`] reads one
//! group and one patch at a time. Neither holds more than one patch. Files of
//! the original HPC_DPAI code are read through the same reader.

mod colours;
mod group;
mod legacy;
mod reader;
mod schema;
mod writer;

pub use colours::SlideColours;
pub use group::GroupReader;
pub use reader::PatchesFile;
pub use schema::{FORMAT, PatchesMeta, VERSION};
pub use writer::{Compression, PatchCompressor, PatchesWriter, compress_patch};
