//! Reads PNG, JPEG and TIFF pictures that OpenSlide does not know, decoded whole.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::flat_tiff::FlatTiff;
use super::raster::{Alpha, Raster};
use super::region_reader::check_region;
use super::{Level, Region, RegionError, Resolution, Slide, SlideError, resolution_tags};
use crate::crash::LibraryCall;
use crate::jpeg_check;
use crate::png_profile;

/// Largest number of pixels of a picture. At this size 805 MB of RGB stay in memory, and
/// decoding also needs up to 8 bytes per pixel for the picture's own form.
const LIMIT_PX: u64 = 1 << 28;

/// The kind of file that the first bytes suggest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sniffed {
    Png,
    Jpeg,
    Tiff,
    Empty,
    Text,
    /// A kind that is not read as a picture, by name.
    Known(&'static str),
    Other,
}

/// First bytes of kinds that people take for slides, each with where they stand and the kind's name.
const KNOWN: [(usize, &[u8], &str); 15] = [
    (
        128,
        b"DICM",
        "DICOM, which OpenSlide reads from version 4 on where the file is a whole-slide image",
    ),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"ZISRAWFILE", "Zeiss CZI"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an OLE file (Zeiss ZVI, Olympus OIB)"),
    (8, b"WEBP", "WebP"),
    (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"ftypavif", "AVIF"),
    (0, b"\x89HDF\r\n\x1a\n", "HDF5"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"%PDF", "PDF"),
];

/// The name of a kind of [`KNOWN`].
fn known(head: &[u8]) -> Option<&'static str> {
    let is = |&&(at, bytes, _): &&(usize, &[u8], &str)| {
        head.get(at..).is_some_and(|rest| rest.starts_with(bytes))
    };
    KNOWN.iter().find(is).map(|&(_, _, name)| name)
}

impl fmt::Display for Sniffed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Png => "a PNG",
            Self::Jpeg => "a JPEG",
            Self::Tiff => "a TIFF",
            Self::Empty => "an empty file",
            Self::Text => "a text file",
            Self::Known(name) => name,
            Self::Other => "binary data of no known kind",
        })
    }
}

impl Sniffed {
    /// Whether the file begins as one that is decoded whole.
    pub(crate) fn is_picture(self) -> bool {
        self.format().is_some()
    }

    fn format(self) -> Option<(ImageFormat, &'static str)> {
        match self {
            Self::Png => Some((ImageFormat::Png, "image (png)")),
            Self::Jpeg => Some((ImageFormat::Jpeg, "image (jpeg)")),
            Self::Tiff => Some((ImageFormat::Tiff, "image (tiff)")),
            _ => None,
        }
    }
}

/// Determines the kind of a file from its first bytes.
pub(crate) fn sniff(path: &Path) -> io::Result<Sniffed> {
    let mut head = Vec::with_capacity(512);
    File::open(path)?.take(512).read_to_end(&mut head)?;
    let is_text = |bytes: &[u8]| bytes.iter().all(|b| matches!(b, 9 | 10 | 13 | 32..=126 | 128..));
    Ok(match head.as_slice() {
        [] => Sniffed::Empty,
        [0x89, b'P', b'N', b'G', ..] => Sniffed::Png,
        [0xFF, 0xD8, 0xFF, ..] => Sniffed::Jpeg,
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Sniffed::Tiff,
        bytes => match known(bytes) {
            Some(name) => Sniffed::Known(name),
            None if is_text(bytes) => Sniffed::Text,
            None => Sniffed::Other,
        },
    })
}

/// A picture held in memory, as a slide of one level.
#[derive(Debug)]
pub(crate) struct PlainSlide {
    path: PathBuf,
    reader: &'static str,
    level: [Level; 1],
    raster: Raster,
    resolution: Resolution,
    icc_profile: Option<Vec<u8>>,
}

impl PlainSlide {
    /// Decodes a picture of the kind `found`.
    pub(crate) fn open(path: &Path, found: Sniffed) -> Result<Self, SlideError> {
        let _call = LibraryCall::start();
        let Some((format, reader)) = found.format() else {
            return Err(SlideError::Unrecognised {
                path: path.to_owned(),
                found: found.to_string(),
                reader: "image".to_owned(),
            });
        };
        if format == ImageFormat::Tiff {
            let FlatTiff { raster, resolution, icc_profile } =
                FlatTiff::open(path, reader, LIMIT_PX)?;
            return Ok(Self::new(path, reader, raster, resolution, icc_profile));
        }
        let (picture, icc_profile) = decode(path, format, reader)?;
        let tags = match format {
            ImageFormat::Png => resolution_tags::png_tags(path),
            _ => resolution_tags::jfif_tags(path),
        };
        let resolution = Resolution { tags, ..Resolution::default() };
        Ok(Self::new(
            path,
            reader,
            Raster::opaque(picture, Alpha::Straight),
            resolution,
            icc_profile,
        ))
    }

    fn new(
        path: &Path,
        reader: &'static str,
        raster: Raster,
        resolution: Resolution,
        icc_profile: Option<Vec<u8>>,
    ) -> Self {
        let (width_px, height_px) = (raster.width_px, raster.height_px);
        let level = [Level { width_px, height_px, downsample: 1.0 }];
        Self { path: path.to_owned(), reader, level, raster, resolution, icc_profile }
    }
}

fn decode(
    path: &Path,
    format: ImageFormat,
    reader: &'static str,
) -> Result<(DynamicImage, Option<Vec<u8>>), SlideError> {
    let broken = |error: ImageError| {
        let (path, reader) = (path.to_owned(), reader.to_owned());
        match error {
            ImageError::Unsupported(error) => {
                SlideError::Unsupported { path, reader, found: error.to_string() }
            }
            error => SlideError::Broken { path, reader, reason: error.to_string() },
        }
    };
    let system = |source| SlideError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(system)?;
    png_profile::check(&file).map_err(|reason| {
        let (path, reader) = (path.to_owned(), reader.to_owned());
        SlideError::Broken { path, reader, reason }
    })?;
    file.rewind().map_err(system)?;
    let mut pictures = ImageReader::with_format(BufReader::new(file), format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(16 * LIMIT_PX);
    pictures.limits(limits);
    let mut decoder = pictures.into_decoder().map_err(broken)?;
    let (width_px, height_px) = decoder.dimensions();
    if u64::from(width_px) * u64::from(height_px) > LIMIT_PX {
        let path = path.to_owned();
        return Err(SlideError::TooLarge { path, width_px, height_px, limit_px: LIMIT_PX });
    }
    let icc_profile = decoder.icc_profile().ok().flatten();
    let picture = DynamicImage::from_decoder(decoder).map_err(broken)?;
    if format == ImageFormat::Jpeg {
        let bytes = std::fs::read(path)
            .map_err(|source| SlideError::Io { path: path.to_owned(), source })?;
        jpeg_check::check(&bytes).map_err(|reason| {
            let (path, reader) = (path.to_owned(), reader.to_owned());
            SlideError::Broken { path, reader, reason }
        })?;
    }
    Ok((picture, icc_profile))
}

impl Slide for PlainSlide {
    fn path(&self) -> &Path {
        &self.path
    }

    fn reader(&self) -> String {
        self.reader.to_owned()
    }

    fn levels(&self) -> &[Level] {
        &self.level
    }

    fn resolution(&self) -> &Resolution {
        &self.resolution
    }

    fn read_region(&self, level: usize, region: Region, out: &mut [u8]) -> Result<(), RegionError> {
        check_region(self, level, region, out.len())?;
        self.raster.copy_region(region, out);
        Ok(())
    }

    fn icc_profile(&self) -> Option<Vec<u8>> {
        self.icc_profile.clone()
    }

    fn bounds_px(&self) -> Option<[u32; 2]> {
        None
    }
}
