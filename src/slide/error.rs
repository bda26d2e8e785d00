//! What can go wrong with a slide.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A file could not be opened as a slide.
#[derive(Debug, Error)]
pub enum SlideError {
    /// Nothing has that name.
    #[error("{}: no such slide{hint}; check the path", path.display())]
    NotFound {
        /// The path asked for.
        path: PathBuf,
        /// Where a relative path was looked for, or empty.
        hint: String,
    },
    /// A folder where a file was expected.
    #[error(
        "{}: is a folder, expected one slide file; name the slide inside it (for MRXS the .mrxs file, for DICOM any .dcm file)",
        path.display()
    )]
    IsFolder {
        /// The path asked for.
        path: PathBuf,
    },
    /// The system does not hand out the file's bytes.
    #[error("{}: cannot read the slide: {source}; check permissions and the file system", path.display())]
    Io {
        /// The slide.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file needs OpenSlide, which is not there.
    #[error("{}: reading this slide needs OpenSlide: {message}", path.display())]
    NoOpenSlide {
        /// The slide.
        path: PathBuf,
        /// Why it was not found, and how to get it.
        message: String,
    },
    /// The library that decodes JPEG tiles, named by the user, does not work.
    #[error(
        "{}: {variable} is {}, which does not load: {reason}; expected the path of libturbojpeg.so.0, or unset it to search the usual places, or set it to `none` to do without",
        path.display(), library.display()
    )]
    NoTurboJpeg {
        /// The slide.
        path: PathBuf,
        /// The environment variable.
        variable: &'static str,
        /// Its value.
        library: PathBuf,
        /// What the loader said.
        reason: String,
    },
    /// No reader knows what this is.
    #[error(
        "{}: not a slide: found {found}, expected a format {reader} reads, or PNG, JPEG, TIFF; is the file complete (compare size and checksum with its source)?",
        path.display()
    )]
    Unrecognised {
        /// The file.
        path: PathBuf,
        /// What its first bytes look like.
        found: String,
        /// The reader that was asked.
        reader: String,
    },
    /// The format is known and the content is damaged or unsupported.
    #[error(
        "{}: {reader} cannot open it: {reason}; the file is probably truncated or damaged: compare size and checksum with its source, or convert it to a pyramidal TIFF",
        path.display()
    )]
    Broken {
        /// The slide.
        path: PathBuf,
        /// The reader that refused.
        reader: String,
        /// The reader's words.
        reason: String,
    },
    /// A plain picture that must be decoded whole, and is too large for that.
    #[error(
        "{}: is {width_px} x {height_px} px in one piece, expected at most {limit_px} px in all, since such a picture is decoded whole into memory; convert it to a tiled pyramidal TIFF, for example: vips tiffsave IN OUT.tif --tile --pyramid --compression jpeg --bigtiff",
        path.display()
    )]
    TooLarge {
        /// The picture.
        path: PathBuf,
        /// Its width.
        width_px: u32,
        /// Its height.
        height_px: u32,
        /// Most pixels that are accepted.
        limit_px: u64,
    },
}

/// A region could not be read. Other regions of the slide still can be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RegionError {
    /// The reader could not decode it.
    #[error(
        "{}: level {level}, {width_px} x {height_px} px at level-0 position ({level0_x}, {level0_y}): cannot be decoded: {reason}; this part of the file is damaged or unsupported, the rest can still be read",
        path.display()
    )]
    Unreadable {
        /// The slide.
        path: PathBuf,
        /// Level, 0 is the finest.
        level: usize,
        /// Left edge in level-0 px.
        level0_x: i64,
        /// Top edge in level-0 px.
        level0_y: i64,
        /// Width in px of `level`.
        width_px: u32,
        /// Height in px of `level`.
        height_px: u32,
        /// The reader's words.
        reason: String,
    },
    /// The slide has no such level.
    #[error("{}: level {level} asked for, the slide has levels 0 to {last}", path.display())]
    NoLevel {
        /// The slide.
        path: PathBuf,
        /// Level asked for.
        level: usize,
        /// Coarsest level there is.
        last: usize,
    },
    /// The caller's buffer does not fit the region.
    #[error(
        "{}: a region of {width_px} x {height_px} px needs a buffer of 3 bytes per pixel, found {found} bytes",
        path.display()
    )]
    Buffer {
        /// The slide.
        path: PathBuf,
        /// Width asked for.
        width_px: u32,
        /// Height asked for.
        height_px: u32,
        /// Bytes offered.
        found: usize,
    },
}
