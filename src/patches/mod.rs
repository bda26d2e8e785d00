//! Patch files, `patches/<slide>.h5`: the pixels of every block that holds tissue. `split`
//! writes them and `predict` reads them.
//!
//! [`PatchesWriter`] writes patches in any order. [`PatchesFile`] reads one group and one patch
//! at a time. Neither keeps more than one patch in memory. The same reader reads files of the
//! original HPC_DPAI code.

mod colours;
mod group;
mod legacy;
mod reader;
mod schema;
mod writer;

pub use crate::normalize::{ColourEstimate, ColourMethod, LabStatistics, NormalizeError, Stains};
pub use colours::SlideColours;
pub use group::GroupReader;
pub use reader::PatchesFile;
pub use schema::{FORMAT, PatchesMeta, VERSION};
pub use writer::{Compression, PatchCompressor, PatchesWriter, compress_patch};
