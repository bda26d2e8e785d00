//! [`SlideError`] and [`RegionError`], the errors of opening and of reading a slide.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// The reason why a file cannot be opened as a slide.
#[derive(Debug, Error)]
pub enum SlideError {
    /// There is no file of this name.
    #[error("{}: no such slide{hint}; check the path", path.display())]
    NotFound {
        /// The path given.
        path: PathBuf,
        /// The folder in which a relative path was looked for, as a clause for the
        /// message; empty for an absolute path.
        hint: String,
    },
    /// The path is a folder, and a file is expected.
    #[error(
        "{}: is a folder, expected one slide file; name the slide inside it (for MRXS the .mrxs file, for DICOM any .dcm file)",
        path.display()
    )]
    IsFolder {
        /// The path given.
        path: PathBuf,
    },
    /// The path is that of a pipe, a socket or a device.
    #[error("{}: is a pipe, a socket or a device, expected a file; copy the slide to a file", path.display())]
    NoFile {
        /// The path given.
        path: PathBuf,
    },
    /// The system cannot read the file.
    #[error("{}: cannot read the slide: {source}; check permissions and the file system", path.display())]
    Io {
        /// The slide.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The program has died of the slide before it started again.
    #[error(
        "{}: the program died while it read this slide: {how}; the file is probably damaged: compare size and checksum with its source, or convert it to a pyramidal TIFF",
        path.display()
    )]
    Died {
        /// The slide.
        path: PathBuf,
        /// How the program died, as a clause for the message.
        how: String,
    },
    /// The slide's format needs OpenSlide, which is not installed or does not work.
    #[error("{}: reading this slide needs OpenSlide: {message}", path.display())]
    NoOpenSlide {
        /// The slide.
        path: PathBuf,
        /// The reason, and how to get OpenSlide.
        message: String,
    },
    /// The library for JPEG tiles that the user named does not load.
    #[error(
        "{}: {variable} is {}, which does not load: {reason}; expected the path of libturbojpeg.so.0, or unset it to search the usual places, or set it to `none` to do without",
        path.display(), library.display()
    )]
    NoTurboJpeg {
        /// The slide.
        path: PathBuf,
        /// The environment variable.
        variable: &'static str,
        /// The value of the variable.
        library: PathBuf,
        /// The loader's error.
        reason: String,
    },
    /// No reader recognises the format.
    #[error(
        "{}: not a slide: found {found}, expected a format {reader} reads, or PNG, JPEG, TIFF; convert it to one of these; if it should be one, is the file complete (compare size and checksum with its source)?",
        path.display()
    )]
    Unrecognised {
        /// The file.
        path: PathBuf,
        /// The kind of file that its first bytes suggest.
        found: String,
        /// The reader that was tried.
        reader: String,
    },
    /// The file has the name of a format of several files, and begins as a picture: the files
    /// that hold the slide are missing.
    #[error(
        "{}: found {found} with the name of a whole-slide format, which {reader} does not recognise: the files that belong to it are missing; keep them together (a MIRAX slide NAME.mrxs with its folder NAME)",
        path.display()
    )]
    PartsMissing {
        /// The file.
        path: PathBuf,
        /// The kind of file that its first bytes suggest.
        found: String,
        /// The reader that was tried.
        reader: String,
    },
    /// A reader recognises the format, and the content is damaged or unsupported.
    #[error(
        "{}: {reader} cannot open it: {reason}; the file is probably truncated or damaged: compare size and checksum with its source, or convert it to a pyramidal TIFF",
        path.display()
    )]
    Broken {
        /// The slide.
        path: PathBuf,
        /// The reader that failed.
        reader: String,
        /// The reader's error.
        reason: String,
    },
    /// The file is intact and stores its pixels in a way that no reader here knows.
    #[error(
        "{}: {reader} does not read its kind: {found}; convert it to a tiled pyramidal TIFF, for example: vips tiffsave IN OUT.tif --tile --pyramid --compression jpeg --bigtiff",
        path.display()
    )]
    Unsupported {
        /// The picture.
        path: PathBuf,
        /// The reader that was tried.
        reader: String,
        /// How the pixels are stored.
        found: String,
    },
    /// No single picture of the file is the slide.
    #[error(
        "{}: {found}, expected one colour picture of the slide; write that picture to a file of its own, for example: vips tiffsave 'IN[page=0]' OUT.tif --tile --pyramid --compression jpeg --bigtiff (join channels first: vips bandjoin)",
        path.display()
    )]
    NoSlidePage {
        /// The file.
        path: PathBuf,
        /// The pictures that were found.
        found: String,
    },
    /// The file is a plain picture, which is decoded whole, and it is too large for that.
    #[error(
        "{}: is {width_px} x {height_px} px in one piece, expected at most {limit_px} px in all, since such a picture is decoded whole into memory; convert it to a tiled pyramidal TIFF, for example: vips tiffsave IN OUT.tif --tile --pyramid --compression jpeg --bigtiff",
        path.display()
    )]
    TooLarge {
        /// The picture.
        path: PathBuf,
        /// Width of the picture, px.
        width_px: u32,
        /// Height of the picture, px.
        height_px: u32,
        /// Largest number of pixels that is accepted.
        limit_px: u64,
    },
}

/// The reason why a region cannot be read. Other regions of the slide may still be
/// readable.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RegionError {
    /// The reader cannot decode the region.
    #[error(
        "{}: level {level}, {width_px} x {height_px} px at level-0 position ({level0_x}, {level0_y}): cannot be decoded: {reason}; this part of the file is damaged or unsupported, the rest can still be read",
        path.display()
    )]
    Unreadable {
        /// The slide.
        path: PathBuf,
        /// The level; 0 is the finest.
        level: usize,
        /// Left edge of the region, level-0 px.
        level0_x: i64,
        /// Top edge of the region, level-0 px.
        level0_y: i64,
        /// Width of the region, px of `level`.
        width_px: u32,
        /// Height of the region, px of `level`.
        height_px: u32,
        /// The reader's error.
        reason: String,
    },
    /// So many reads have failed that the slide is given up.
    #[error(
        "{}: {failed} reads of {what} have failed{took}; the file is damaged: compare size and checksum with its source, or convert it to a pyramidal TIFF",
        path.display()
    )]
    GivenUp {
        /// The slide.
        path: PathBuf,
        /// The level, or "the slide".
        what: String,
        /// Number of reads that have failed.
        failed: u64,
        /// What else was counted, as a clause for the message.
        took: String,
    },
    /// A signal has ended the work.
    #[error("{}: not read, because of {signal}", path.display())]
    Stopped {
        /// The slide.
        path: PathBuf,
        /// The name of the signal.
        signal: &'static str,
    },
    /// The slide has no such level.
    #[error("{}: the slide has no level {level}, expected 0 to {last}", path.display())]
    NoLevel {
        /// The slide.
        path: PathBuf,
        /// The level given.
        level: usize,
        /// The coarsest level of the slide.
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
        /// Width of the region, px.
        width_px: u32,
        /// Height of the region, px.
        height_px: u32,
        /// Length of the buffer, bytes.
        found: usize,
    },
}
