//! The parts of a BigTIFF: levels, tiles, and the tags of its directories.

/// Side of a tile, px.
pub(crate) const TILE_PX: u32 = 512;

/// The position of a tile's bytes in the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TileLocation {
    pub(super) offset: u64,
    pub(super) bytes: u32,
}

/// One level of the pyramid.
#[derive(Debug)]
pub(crate) struct TiffLevel {
    /// Width, px.
    pub(crate) width: u32,
    /// Height, px.
    pub(crate) height: u32,
    pub(super) tiles: Vec<TileLocation>,
}

impl TiffLevel {
    /// A level whose tiles are not placed yet.
    pub(crate) fn new(width: u32, height: u32) -> Self {
        let mut level = Self { width, height, tiles: Vec::new() };
        level.tiles = vec![TileLocation::default(); (level.columns() * level.rows()) as usize];
        level
    }

    /// Number of tile columns.
    pub(crate) fn columns(&self) -> u32 {
        self.width.div_ceil(TILE_PX)
    }

    /// Number of tile rows.
    pub(crate) fn rows(&self) -> u32 {
        self.height.div_ceil(TILE_PX)
    }
}

/// The encoding of a tile's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TilePixels {
    /// A JPEG stream, YCbCr 4:2:0, of 8-bit RGB.
    JpegRgb,
    /// A zlib stream of one little-endian f32 per pixel.
    DeflatedF32(DeflateCode),
}

/// The number that a directory states for deflate; the compression is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeflateCode {
    /// 8, from Adobe's Technical Notes, which programs write today.
    Adobe,
    /// 32946, the older number, and the only one that ASAP accepts.
    Legacy,
}

/// How the directories of the levels are linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DirectoryLinks {
    /// Each directory points to that of the next level.
    Successive,
    /// The first directory points to those of all other levels (tag 330), as OME-TIFF
    /// requires.
    SubIfds,
}

/// What the directories state besides the positions of the tiles.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tags<'a> {
    pub(crate) pixels: TilePixels,
    pub(crate) links: DirectoryLinks,
    /// Micrometres per pixel of level 0 along x and y.
    pub(crate) um_per_px: Option<[f64; 2]>,
    /// Text of tag 270; empty for none. With [`DirectoryLinks::SubIfds`] only the first
    /// directory has a description.
    pub(crate) description: &'a str,
    /// Smallest and largest sample value (tags 340 and 341).
    pub(crate) range: Option<[f64; 2]>,
}
