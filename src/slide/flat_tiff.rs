//! Decodes the slide's picture of a TIFF file whole.

use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageError, Limits, codecs::tiff::TiffDecoder};
use tiff::decoder::{Decoder, DecodingResult};
use tiff::{ColorType, TiffError};

use super::raster::{Alpha, Raster};
use super::tiff_file::{self, icc_profile};
use super::tiff_pages::{TiffPage, TiffPages};
use super::{Resolution, SlideError};
use crate::jpeg_check;

/// The slide's picture of a TIFF file, in memory.
pub(super) struct FlatTiff {
    pub(super) raster: Raster,
    pub(super) resolution: Resolution,
    pub(super) icc_profile: Option<Vec<u8>>,
}

impl FlatTiff {
    /// Decodes the picture of at most `limit_px` px that is the slide.
    pub(super) fn open(path: &Path, reader: &str, limit_px: u64) -> Result<Self, SlideError> {
        let system = |source: std::io::Error| SlideError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(system)?;
        let pages = TiffPages::read(&file).map_err(|error| SlideError::Broken {
            path: path.to_owned(),
            reader: reader.to_owned(),
            reason: error.to_string(),
        })?;
        let index = pages
            .slide_page()
            .map_err(|found| SlideError::NoSlidePage { path: path.to_owned(), found: found.0 })?;
        let page = &pages.pages[index];
        if page.width_px.saturating_mul(page.height_px) > limit_px {
            let [width_px, height_px] =
                page.size().map(|side| u32::try_from(side).unwrap_or(u32::MAX));
            let path = path.to_owned();
            return Err(SlideError::TooLarge { path, width_px, height_px, limit_px });
        }
        let decoded = if page.has_unspecified_sample() {
            // libtiff takes such a sample for alpha, other readers leave it out.
            Err(DecodeFailure::Unsupported)
        } else if index == 0 && !page.is_ycbcr_jpeg() {
            first_page(&file, page, limit_px)
        } else {
            any_page(&file, page, index)
        };
        let decoded = decoded.and_then(|raster| {
            let is_jpeg = page.compression == 7;
            if is_jpeg { check_jpegs(&file, index).map(|()| raster) } else { Ok(raster) }
        });
        let raster = decoded.map_err(|failure| failure.into_error(path, reader, page))?;
        let [mpp_x, mpp_y] = pages.mpp();
        let resolution = Resolution { mpp_x, mpp_y, tags: page.tags, ..Resolution::default() };
        let icc_profile = icc_profile(&file).ok().flatten();
        Ok(Self { raster, resolution, icc_profile })
    }
}

/// The reason why a picture cannot be decoded.
enum DecodeFailure {
    /// The decoder does not know how the pixels are stored.
    Unsupported,
    /// The data contradict the format.
    Damaged(String),
}

impl DecodeFailure {
    fn into_error(self, path: &Path, reader: &str, page: &TiffPage) -> SlideError {
        let (path, reader) = (path.to_owned(), reader.to_owned());
        match self {
            Self::Unsupported => SlideError::Unsupported { path, reader, found: page.to_string() },
            Self::Damaged(reason) => SlideError::Broken { path, reader, reason },
        }
    }
}

impl From<ImageError> for DecodeFailure {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Unsupported(_) => Self::Unsupported,
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<TiffError> for DecodeFailure {
    fn from(error: TiffError) -> Self {
        match error {
            TiffError::UnsupportedError(_) => Self::Unsupported,
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<std::io::Error> for DecodeFailure {
    fn from(error: std::io::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// Checks each strip or tile of a picture that is stored in JPEG streams.
fn check_jpegs(file: &File, index: usize) -> Result<(), DecodeFailure> {
    for (number, jpeg) in tiff_file::jpeg_streams(file, index)?.enumerate() {
        jpeg_check::check(&jpeg?)
            .map_err(|reason| DecodeFailure::Damaged(format!("part {}: {reason}", number + 1)))?;
    }
    Ok(())
}

/// Decodes the first picture, of any depth.
fn first_page(file: &File, page: &TiffPage, limit_px: u64) -> Result<Raster, DecodeFailure> {
    let mut file = file;
    file.rewind()?;
    let mut decoder = TiffDecoder::new(BufReader::new(file))?;
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(16 * limit_px);
    decoder.set_limits(limits)?;
    Ok(Raster::opaque(DynamicImage::from_decoder(decoder)?, page.alpha()))
}

/// Decodes a picture of 8 bits per sample, grey, RGB or YCbCr.
fn any_page(file: &File, page: &TiffPage, index: usize) -> Result<Raster, DecodeFailure> {
    let mut file = file;
    file.rewind()?;
    let mut decoder = Decoder::new(BufReader::new(file))?;
    decoder.seek_to_image(index)?;
    let (width_px, height_px) = decoder.dimensions()?;
    let colour = decoder.colortype()?;
    let mut decoded = DecodingResult::U8(Vec::new());
    let layout = decoder.read_image_to_buffer(&mut decoded)?;
    let DecodingResult::U8(samples) = decoded else { return Err(DecodeFailure::Unsupported) };
    if layout.planes > 1 {
        return Err(DecodeFailure::Unsupported);
    }
    let alpha = page.alpha();
    let rgb: Vec<u8> = match colour {
        ColorType::Gray(8) => samples.iter().flat_map(|grey| [*grey; 3]).collect(),
        ColorType::RGB(8) => samples,
        ColorType::RGBA(8) => samples
            .chunks_exact(4)
            .flat_map(|p| alpha.over_white([p[0], p[1], p[2]], p[3]))
            .collect(),
        ColorType::YCbCr(8) => {
            samples.chunks_exact(3).flat_map(|p| ycbcr_to_rgb([p[0], p[1], p[2]])).collect()
        }
        _ => return Err(DecodeFailure::Unsupported),
    };
    Ok(Raster { width_px, height_px, rgb })
}

/// Full-range YCbCr of ITU-R BT.601 to RGB, as in JFIF 1.02.
fn ycbcr_to_rgb(ycbcr: [u8; 3]) -> [u8; 3] {
    let [y, blue, red] = ycbcr.map(f32::from);
    let (blue, red) = (blue - 128.0, red - 128.0);
    let rgb = [y + 1.402 * red, y - 0.344_136 * blue - 0.714_136 * red, y + 1.772 * blue];
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to u8")]
    rgb.map(|value| value.round().clamp(0.0, 255.0) as u8)
}

impl TiffPage {
    fn alpha(&self) -> Alpha {
        if self.is_premultiplied() { Alpha::Premultiplied } else { Alpha::Straight }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_of_jpeg_are_those_of_jfif() {
        assert_eq!(ycbcr_to_rgb([255, 128, 128]), [255; 3]);
        assert_eq!(ycbcr_to_rgb([76, 85, 255]), [254, 0, 0]);
        assert_eq!(ycbcr_to_rgb([0, 0, 0]), [0, 135, 0]);
    }
}
