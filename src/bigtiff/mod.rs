//! A writer of pyramidal, tiled BigTIFF files, for exports and synthetic slides. The file
//! is written front to back: tiles first, then the directories; the pointer in the header
//! is filled in last.
//!
//! The layout follows the BigTIFF design (<http://bigtiff.org>) and TIFF 6.0 with its
//! Technical Notes 1 (trees of directories, tag 330) and 2 (JPEG, compression 7). Every
//! JPEG tile is a whole stream, YCbCr 4:2:0, so no shared tables are needed.

mod directory;
mod file;
mod layout;

pub(crate) use file::BigTiff;
pub(crate) use layout::{
    DeflateCode, DirectoryLinks, TILE_PX, Tags, TiffLevel, TileLocation, TilePixels,
};
