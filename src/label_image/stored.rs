//! What the file of a picture says of how its pixels are stored.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use ndarray::Array2;

/// Largest number of pixels. The labels of such a picture take 540 MB.
pub(super) const LIMIT_PX: u64 = 1 << 28;

/// Checks the number of pixels before any is decoded.
pub(super) fn check_size((width_px, height_px): (u32, u32)) -> Result<(), String> {
    if u64::from(width_px) * u64::from(height_px) <= LIMIT_PX {
        return Ok(());
    }
    Err(format!(
        "it is {width_px} x {height_px} px, expected at most {LIMIT_PX} px in all; make it smaller, a pixel per tile is enough"
    ))
}

/// Refuses a TIFF whose values grow from white to black. Programs disagree on whether its stored
/// values or its brightness are the labels (tifffile writes 1 where a mask is true, ImageMagick where
/// it is black).
pub(super) fn require_plain_values(path: &Path) -> std::io::Result<Result<(), String>> {
    let mut head = Vec::new();
    File::open(path)?.take(2).read_to_end(&mut head)?;
    if head != b"II" && head != b"MM" {
        return Ok(Ok(()));
    }
    let Ok(mut decoder) = tiff::decoder::Decoder::new(BufReader::new(File::open(path)?)) else {
        return Ok(Ok(()));
    };
    let photometric = decoder.find_tag_unsigned::<u16>(tiff::tags::Tag::PhotometricInterpretation);
    if !matches!(photometric, Ok(Some(0))) {
        return Ok(Ok(()));
    }
    Ok(Err("its values are stored with 0 for white (PhotometricInterpretation WhiteIsZero), and programs disagree on which of them are marked; save it as PNG, or with photometric=\"minisblack\"".to_owned()))
}

/// Whether the picture is a JPEG, or a TIFF of JPEG strips or tiles.
pub(super) fn is_jpeg(path: &Path) -> std::io::Result<bool> {
    let mut head = Vec::new();
    File::open(path)?.take(3).read_to_end(&mut head)?;
    if head.starts_with(b"II") || head.starts_with(b"MM") {
        let mut decoder = match tiff::decoder::Decoder::new(BufReader::new(File::open(path)?)) {
            Ok(decoder) => decoder,
            Err(_) => return Ok(false),
        };
        let compression = decoder.find_tag_unsigned::<u16>(tiff::tags::Tag::Compression);
        return Ok(matches!(compression, Ok(Some(6 | 7))));
    }
    Ok(head == [0xFF, 0xD8, 0xFF])
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
    check_size(reader.info().size())?;
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
