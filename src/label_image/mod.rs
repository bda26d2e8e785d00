//! Reads pictures whose pixels are labels: masks of lesions and of tissue.
//!
//! The values are those that the file stores: palette indices of an indexed picture and not its
//! colours, 16-bit values and not their upper halves. Transparent pixels are 0. In a picture of
//! three channels, the largest channel is the value.

use std::collections::BTreeMap;
use std::path::Path;

use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits,
};
use ndarray::Array2;

mod stored;

use crate::jpeg_check;
use crate::png_profile;
use crate::regular_file;

use stored::{LIMIT_PX, StoredValues, check_size, palette_indices};

/// A picture of labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LabelImage {
    /// The labels, `[row, col]`.
    pub values: Array2<u16>,
    /// Whether the picture was stored with loss, so that values are only near what was drawn.
    is_lossy: bool,
    /// Number of colours other than black, where the channels of some pixel differ; 0 in a grey
    /// or indexed picture.
    colours: usize,
}

/// Which pixels of a [`LabelImage`] are set, and what a reader should know about the choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BinaryMask {
    /// 1 where the pixel is set, `[row, col]`.
    pub mask: Array2<u8>,
    /// A sentence on how the values were understood, where that is not "all but 0".
    pub note: Option<String>,
}

/// Number of distinct values above which a picture of 0 and 255 counts as smoothed: its edges
/// were resampled or compressed.
const SMOOTHED_VALUES: usize = 16;

/// Share of the pixels of a smoothed picture that lie within an eighth of black or of white.
const SMOOTHED_SHARE: f64 = 0.9;

/// Number of values that a message lists.
const LISTED_VALUES: usize = 6;

impl LabelImage {
    /// Reads a PNG, TIFF or JPEG picture.
    ///
    /// # Errors
    /// What was found in place of a picture of labels, as a clause for a message that names the
    /// file.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let cannot = |error: std::io::Error| format!("cannot read it: {error}");
        let file = regular_file::open(path).map_err(cannot)?;
        png_profile::check(&file)?;
        if let Some(indices) = palette_indices(path)? {
            return Ok(Self { values: indices, is_lossy: false, colours: 0 });
        }
        let not_read = |error: ImageError| {
            format!("not a picture that slidegrid reads: {error}; expected PNG, TIFF or JPEG")
        };
        let reader = ImageReader::open(path).and_then(ImageReader::with_guessed_format);
        let mut reader = reader.map_err(cannot)?;
        let is_jpeg_file = reader.format() == Some(ImageFormat::Jpeg);
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(8 * LIMIT_PX);
        reader.limits(limits);
        let decoder = reader.into_decoder().map_err(not_read)?;
        if decoder.original_color_type() == ExtendedColorType::Cmyk8 {
            return Err(
                "its pixels are CMYK, of which none says what is marked; save it as PNG".to_owned()
            );
        }
        let stored = StoredValues::read(path).map_err(cannot)?;
        stored.check()?;
        let (width_px, height_px) = decoder.dimensions();
        check_size(width_px, height_px)?;
        let picture = DynamicImage::from_decoder(decoder).map_err(not_read)?;
        if is_jpeg_file {
            jpeg_check::check(&std::fs::read(path).map_err(cannot)?)?;
        }
        Self::from_picture(&picture, stored.is_jpeg)
    }

    fn from_picture(picture: &DynamicImage, is_lossy: bool) -> Result<Self, String> {
        let shape = (picture.height() as usize, picture.width() as usize);
        let channels = usize::from(picture.color().channel_count());
        // No copy of the samples is made: a mask may have a quarter of a billion pixels.
        let bytes = picture.as_bytes();
        let sample: &dyn Fn(usize) -> u16 = match picture {
            DynamicImage::ImageLuma8(_)
            | DynamicImage::ImageLumaA8(_)
            | DynamicImage::ImageRgb8(_)
            | DynamicImage::ImageRgba8(_) => &|at| u16::from(bytes[at]),
            DynamicImage::ImageLuma16(_)
            | DynamicImage::ImageLumaA16(_)
            | DynamicImage::ImageRgb16(_)
            | DynamicImage::ImageRgba16(_) => {
                &|at| u16::from_ne_bytes([bytes[2 * at], bytes[2 * at + 1]])
            }
            other => {
                return Err(format!(
                    "its pixels are {:?}, expected 8 or 16 bits per sample",
                    other.color()
                ));
            }
        };
        let is_deep = picture.color().bytes_per_pixel() > picture.color().channel_count();
        let opaque = if is_deep { 1 << 15 } else { 1 << 7 };
        let has_alpha = picture.color().has_alpha();
        let mut colours = BTreeMap::new();
        let mut is_coloured = false;
        let mut pixel = [0; 4];
        let values: Vec<u16> = (0..shape.0 * shape.1)
            .map(|index| {
                let pixel = &mut pixel[..channels];
                for (channel, value) in pixel.iter_mut().enumerate() {
                    *value = sample(index * channels + channel);
                }
                let (colour, alpha) = pixel.split_at(channels - usize::from(has_alpha));
                if alpha.first().is_some_and(|&alpha| alpha < opaque) {
                    return 0;
                }
                let value = colour.iter().copied().max().unwrap_or(0);
                if colour.len() == 3 && value > 0 {
                    is_coloured |= colour.iter().any(|&channel| channel != value);
                    if colours.len() <= LISTED_VALUES {
                        colours.insert([colour[0], colour[1], colour[2]], ());
                    }
                }
                value
            })
            .collect();
        let values = Array2::from_shape_vec(shape, values).map_err(|error| error.to_string())?;
        Ok(Self { values, is_lossy, colours: if is_coloured { colours.len() } else { 0 } })
    }

    /// The labels as 8-bit classes.
    ///
    /// # Errors
    /// A clause for a message when a label is above 255.
    pub(crate) fn classes(&self) -> Result<Array2<u8>, String> {
        if let Some(large) = self.values.iter().find(|&&value| value > 255) {
            return Err(format!("it holds the label {large}, expected classes from 0 to 255"));
        }
        Ok(self.values.mapv(|value| u8::try_from(value).expect("labels above 255 are errors")))
    }

    /// The pixels that are set: those of `wanted` values, or all but 0 where `wanted` is empty and
    /// the picture has one value besides 0. A smoothed picture is cut at half of its range.
    ///
    /// # Errors
    /// A clause for a message when the picture has several values and the user named none of
    /// them.
    pub(crate) fn binary(&self, wanted: &[u16]) -> Result<BinaryMask, String> {
        let set = |is_set: &dyn Fn(u16) -> bool, note| {
            Ok(BinaryMask { mask: self.values.mapv(|value| u8::from(is_set(value))), note })
        };
        if !wanted.is_empty() {
            return set(&|value| wanted.contains(&value), None);
        }
        let counts = self.counts();
        let largest = counts.keys().next_back().copied().unwrap_or(0);
        if self.is_lossy || is_smoothed(&counts, self.values.len()) {
            let half = largest.div_ceil(2).max(1);
            let note = format!(
                "its values run from 0 to {largest}, smoothed or compressed: those of at least {half} are set"
            );
            return set(&|value| value >= half, Some(note).filter(|_| counts.len() > 2));
        }
        if self.colours > 1 {
            return Err(
                "it holds several colours, expected black and one other, or one value per class"
                    .to_owned(),
            );
        }
        match counts.keys().filter(|&&value| value > 0).count() {
            0 | 1 => set(&|value| value > 0, None),
            several => Err(several_values(&counts, several)),
        }
    }

    /// The pixels that are set: all but 0, whatever their values. A picture stored with loss is
    /// cut at half of its range.
    pub(crate) fn nonzero(&self) -> Array2<u8> {
        let counts = self.counts();
        let largest = counts.keys().next_back().copied().unwrap_or(0);
        let least = if self.is_lossy { largest.div_ceil(2).max(1) } else { 1 };
        self.values.mapv(|value| u8::from(value >= least))
    }

    /// Number of pixels of each value.
    fn counts(&self) -> BTreeMap<u16, usize> {
        let mut counts = vec![0_usize; 1 << 16];
        for &value in &self.values {
            counts[usize::from(value)] += 1;
        }
        (0..=u16::MAX).zip(counts).filter(|&(_, count)| count > 0).collect()
    }
}

/// Whether a picture of `[rows, cols]` has the shape of a slide of this width and height. A picture
/// that was reduced and rounded differs by a pixel or two.
///
/// # Errors
/// A clause for a message with both shapes.
pub(crate) fn check_shape(rows: usize, cols: usize, width: f64, height: f64) -> Result<(), String> {
    let expected = cols as f64 * height / width;
    let tolerance = 2.0 + SHAPE_TOLERANCE * expected.max(rows as f64);
    if (rows as f64 - expected).abs() <= tolerance {
        return Ok(());
    }
    Err(format!(
        "it is {cols} x {rows} px, and the slide is {width} x {height} px, another shape; expected {cols} x {expected:.0} px: is it the mask of another slide, or are rows and columns swapped?"
    ))
}

/// Largest difference of the shapes of a mask and its slide, relative.
const SHAPE_TOLERANCE: f64 = 0.01;

/// Whether the values are 0 and 255 with smoothed edges.
fn is_smoothed(counts: &BTreeMap<u16, usize>, pixels: usize) -> bool {
    let near = counts.iter().filter(|&(&value, _)| value < 32 || (224..256).contains(&value));
    let share = near.map(|(_, count)| count).sum::<usize>() as f64 / pixels.max(1) as f64;
    let reaches_white = counts.keys().next_back().is_some_and(|&value| (224..256).contains(&value));
    counts.len() > SMOOTHED_VALUES && reaches_white && share >= SMOOTHED_SHARE
}

fn several_values(counts: &BTreeMap<u16, usize>, several: usize) -> String {
    let list: Vec<String> = counts
        .iter()
        .filter(|&(&value, _)| value > 0)
        .take(LISTED_VALUES)
        .map(|(value, count)| format!("{value} ({count} px)"))
        .collect();
    let more = if several > LISTED_VALUES { ", ..." } else { "" };
    format!(
        "it holds {several} values besides 0: {}{more}; say which are lesions with --lesion-value or study.lesion_values",
        list.join(", ")
    )
}

#[cfg(test)]
mod tests;
