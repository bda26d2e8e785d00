//! Reads pictures whose pixels are labels: masks of lesions and of tissue.
//!
//! The values are those that the file stores: palette indices of an indexed picture and not its
//! colours, 16-bit values and not their upper halves. Transparent pixels are 0. In a picture of
//! three channels, the largest channel is the value.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use image::{
    DynamicImage, ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits,
};
use ndarray::Array2;

use crate::jpeg_check;
use crate::png_profile;
use crate::regular_file;

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

/// Largest number of pixels. The labels of such a picture take 540 MB.
const LIMIT_PX: u64 = 1 << 28;

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
        require_plain_values(path).map_err(cannot)??;
        check_size(decoder.dimensions())?;
        let picture = DynamicImage::from_decoder(decoder).map_err(not_read)?;
        if is_jpeg_file {
            jpeg_check::check(&std::fs::read(path).map_err(cannot)?)?;
        }
        Self::from_picture(&picture, is_jpeg(path).map_err(cannot)?)
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

/// Checks the number of pixels before any is decoded.
fn check_size((width_px, height_px): (u32, u32)) -> Result<(), String> {
    if u64::from(width_px) * u64::from(height_px) <= LIMIT_PX {
        return Ok(());
    }
    Err(format!(
        "it is {width_px} x {height_px} px, expected at most {LIMIT_PX} px in all; make it smaller, a pixel per tile is enough"
    ))
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

/// Refuses a TIFF whose values grow from white to black. Programs disagree on whether its stored
/// values or its brightness are the labels (tifffile writes 1 where a mask is true, ImageMagick where
/// it is black).
fn require_plain_values(path: &Path) -> std::io::Result<Result<(), String>> {
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
fn is_jpeg(path: &Path) -> std::io::Result<bool> {
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

/// The indices of a PNG with a palette; `None` for every other file.
fn palette_indices(path: &Path) -> Result<Option<Array2<u16>>, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, picture: &DynamicImage) -> LabelImage {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        picture.save(&path).unwrap();
        LabelImage::read(&path).unwrap()
    }

    fn grey16(values: &[u16]) -> DynamicImage {
        let width = u32::try_from(values.len()).unwrap();
        DynamicImage::ImageLuma16(image::ImageBuffer::from_raw(width, 1, values.to_vec()).unwrap())
    }

    #[test]
    fn sixteen_bits_are_not_scaled() {
        for name in ["a.png", "a.tif"] {
            let image = written(name, &grey16(&[0, 1, 1, 0]));
            assert_eq!(image.binary(&[]).unwrap().mask.as_slice().unwrap(), [0, 1, 1, 0]);
        }
        let labels = written("a.png", &grey16(&[0, 1, 2, 300]));
        let problem = labels.binary(&[]).unwrap_err();
        assert!(problem.contains("3 values") && problem.contains("--lesion-value"), "{problem}");
        assert_eq!(labels.binary(&[2, 300]).unwrap().mask.as_slice().unwrap(), [0, 0, 1, 1]);
        assert!(labels.classes().unwrap_err().contains("300"));
        assert_eq!(labels.nonzero().as_slice().unwrap(), [0, 1, 1, 1]);
    }

    #[test]
    fn values_that_programs_read_differently_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        // One strip of 8 x 1 px at 1 bit, as tifffile writes [False, True, ...].
        let entry = |tag: u16, value: u32| -> Vec<u8> {
            let head = [tag, 4].map(u16::to_le_bytes).concat();
            [head, [1, value].map(u32::to_le_bytes).concat()].concat()
        };
        let tiff = |photometric: u32| {
            let entries = [
                (256, 8),
                (257, 1),
                (258, 1),
                (259, 1),
                (262, photometric),
                (273, 8),
                (277, 1),
                (278, 1),
                (279, 1),
            ];
            let mut bytes = b"II*\0\x0a\0\0\0\x55\0".to_vec();
            bytes.extend(9_u16.to_le_bytes());
            entries.iter().for_each(|&(tag, value)| bytes.extend(entry(tag, value)));
            bytes.extend([0; 4]);
            let path = folder.path().join("m.tif");
            std::fs::write(&path, bytes).unwrap();
            LabelImage::read(&path)
        };
        let mask = tiff(1).unwrap().nonzero();
        assert_eq!(mask.as_slice().unwrap(), [0, 1, 0, 1, 0, 1, 0, 1]);
        let problem = tiff(0).unwrap_err();
        assert!(problem.contains("WhiteIsZero") && problem.contains("PNG"), "{problem}");
    }

    #[test]
    fn indices_count_and_not_colours() {
        let folder = tempfile::tempdir().unwrap();
        for (depth, packed, expected) in [
            (png::BitDepth::One, vec![0b0110_0000], [0, 1, 1, 0]),
            (png::BitDepth::Two, vec![0b0001_1000], [0, 1, 2, 0]),
            (png::BitDepth::Eight, vec![0, 1, 2, 0], [0, 1, 2, 0]),
        ] {
            let path = folder.path().join("indexed.png");
            let mut encoder = png::Encoder::new(File::create(&path).unwrap(), 4, 1);
            encoder.set_color(png::ColorType::Indexed);
            encoder.set_depth(depth);
            encoder.set_palette(vec![255, 255, 255, 1, 1, 1, 9, 0, 0]);
            encoder.write_header().unwrap().write_image_data(&packed).unwrap();
            assert_eq!(LabelImage::read(&path).unwrap().values.as_slice().unwrap(), expected);
        }
    }

    #[test]
    fn transparent_pixels_are_background_and_any_channel_counts() {
        let rgba = image::RgbaImage::from_raw(
            3,
            1,
            vec![255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 255],
        );
        let image = written("a.png", &DynamicImage::ImageRgba8(rgba.unwrap()));
        assert_eq!(image.binary(&[]).unwrap().mask.as_slice().unwrap(), [1, 0, 0]);
        let blue = image::RgbImage::from_raw(3, 1, vec![0, 0, 9, 0, 0, 0, 0, 0, 9]).unwrap();
        let image = written("a.png", &DynamicImage::ImageRgb8(blue));
        assert_eq!(image.binary(&[]).unwrap().mask.as_slice().unwrap(), [1, 0, 1]);
        let two = image::RgbImage::from_raw(3, 1, vec![0, 0, 9, 0, 0, 0, 9, 0, 0]).unwrap();
        let problem = written("a.png", &DynamicImage::ImageRgb8(two)).binary(&[]).unwrap_err();
        assert!(problem.contains("several colours"), "{problem}");
    }

    #[test]
    fn shapes_may_differ_by_rounding_only() {
        for (rows, cols) in [(200, 250), (201, 250), (7, 9), (8, 9), (800, 1000)] {
            assert_eq!(check_shape(rows, cols, 10_000.0, 8000.0), Ok(()), "{rows} x {cols}");
        }
        for (rows, cols) in [(250, 200), (100, 250), (1000, 800), (40, 100)] {
            let problem = check_shape(rows, cols, 10_000.0, 8000.0).unwrap_err();
            assert!(problem.contains("10000 x 8000"), "{problem}");
        }
    }

    #[test]
    fn ringing_of_jpeg_is_cut_at_half() {
        let square = |x: u32, y: u32| (20..61).contains(&x) && (13..50).contains(&y);
        let drawn = image::GrayImage::from_fn(80, 64, |x, y| {
            image::Luma([if square(x, y) { 255 } else { 0 }])
        });
        let image = written("a.jpg", &DynamicImage::ImageLuma8(drawn));
        let found = image.binary(&[]).unwrap();
        let wrong = found.mask.indexed_iter().filter(|&((row, col), &value)| {
            value != u8::from(square(u32::try_from(col).unwrap(), u32::try_from(row).unwrap()))
        });
        assert_eq!(wrong.count(), 0);
        assert!(found.note.unwrap().contains("at least"));
    }
}
