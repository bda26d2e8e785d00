//! What the file of a picture says of how its pixels are stored.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use ndarray::Array2;
use tiff::decoder::Decoder;
use tiff::tags::Tag;

/// Largest number of pixels. The labels of such a picture take 540 MB.
pub(super) const LIMIT_PX: u64 = 1 << 28;

/// Checks the number of pixels before any is decoded.
pub(super) fn check_size(width_px: u32, height_px: u32) -> Result<(), String> {
    if u64::from(width_px) * u64::from(height_px) <= LIMIT_PX {
        return Ok(());
    }
    Err(format!(
        "it is {width_px} x {height_px} px, expected at most {LIMIT_PX} px in all; make it smaller, a pixel per tile is enough"
    ))
}

/// How a file that is no PNG stores its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoredValues {
    /// Whether the picture is a JPEG, or a TIFF of JPEG strips or tiles.
    pub(super) is_jpeg: bool,
    /// Whether the values of a TIFF grow from white to black. Programs disagree on whether its stored
    /// values or its brightness are the labels (tifffile writes 1 where a mask is true, ImageMagick
    /// where it is black).
    is_white_zero: bool,
}

impl StoredValues {
    /// Reads the first bytes of a file, and the directory of a TIFF.
    pub(super) fn read(path: &Path) -> std::io::Result<Self> {
        let mut head = Vec::new();
        File::open(path)?.take(3).read_to_end(&mut head)?;
        let plain = Self { is_jpeg: head == [0xFF, 0xD8, 0xFF], is_white_zero: false };
        if !head.starts_with(b"II") && !head.starts_with(b"MM") {
            return Ok(plain);
        }
        let Ok(mut tiff) = Decoder::new(BufReader::new(File::open(path)?)) else {
            return Ok(plain);
        };
        let mut number = |tag| tiff.find_tag_unsigned::<u16>(tag);
        Ok(Self {
            is_jpeg: matches!(number(Tag::Compression), Ok(Some(6 | 7))),
            is_white_zero: matches!(number(Tag::PhotometricInterpretation), Ok(Some(0))),
        })
    }

    /// Refuses values of which programs disagree on which are marked.
    pub(super) fn check(self) -> Result<(), String> {
        if !self.is_white_zero {
            return Ok(());
        }
        Err("its values are stored with 0 for white (PhotometricInterpretation WhiteIsZero), and programs disagree on which of them are marked; save it as PNG, or with photometric=\"minisblack\"".to_owned())
    }
}

/// The indices of a PNG with a palette; `None` for every other file.
pub(super) fn palette_indices(path: &Path) -> Result<Option<Array2<u16>>, String> {
    let file = File::open(path).map_err(|error| format!("cannot read it: {error}"))?;
    let mut decoder = png::Decoder::new(BufReader::new(file));
    decoder.set_transformations(png::Transformations::IDENTITY);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_ignore_text_chunk(true);
    // What is no PNG is read by another decoder.
    let Ok(mut reader) = decoder.read_info() else { return Ok(None) };
    if reader.info().color_type != png::ColorType::Indexed {
        return Ok(None);
    }
    let (width_px, height_px) = reader.info().size();
    check_size(width_px, height_px)?;
    let bits = reader.info().bit_depth as usize;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    let length = reader.output_buffer_size().ok_or("it is too large")?;
    let mut packed = vec![0; length];
    let frame =
        reader.next_frame(&mut packed).map_err(|error| format!("it is damaged: {error}"))?;
    let mut indices = Vec::with_capacity(width * height);
    for line in packed.chunks_exact(frame.line_size).take(height) {
        let index = |col: usize| {
            let (byte, offset) = (line[col * bits / 8], col * bits % 8);
            u16::from(byte >> (8 - bits - offset)) & ((1 << bits) - 1)
        };
        indices.extend((0..width).map(index));
    }
    Array2::from_shape_vec((height, width), indices).map(Some).map_err(|error| error.to_string())
}
