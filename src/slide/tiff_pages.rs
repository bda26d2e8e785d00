//! Decides which picture of a TIFF file is the slide.
//!
//! A TIFF holds a chain of pictures. For the formats of scanners OpenSlide knows their roles.
//! For other TIFF files the roles follow from the subfile type, the sizes, and the OME-XML or
//! ImageJ text of the first picture. A file whose pictures are channels, focal planes or
//! several scenes is refused, because no single one of them is the slide.

use std::fmt;
use std::fs::File;
use std::io;

use super::ome::{self, OmeImage};
use super::resolution::{ResolutionTags, ResolutionUnit};
use super::resolution_tags::tiff_tags;
use super::tiff_file::{
    BITS_PER_SAMPLE, COMPRESSION, DESCRIPTION, EXTRA_SAMPLES, HEIGHT, PHOTOMETRIC, PLANAR,
    SAMPLE_FORMAT, SAMPLES_PER_PIXEL, SUBFILE_TYPE, TILE_WIDTH, Tiff, TiffTag, WIDTH,
};

/// One picture of a TIFF file, as its directory describes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TiffPage {
    pub(super) width_px: u64,
    pub(super) height_px: u64,
    pub(super) is_tiled: bool,
    /// Whether the directory calls the picture a smaller version of another one.
    pub(super) is_reduced: bool,
    /// Whether the directory calls the picture a transparency mask.
    is_mask: bool,
    bits: Vec<u64>,
    samples: u64,
    pub(super) compression: u64,
    photometric: u64,
    is_planar: bool,
    is_float: bool,
    /// Meaning of the samples beyond the colour's own: 1 is premultiplied alpha, 2 is alpha, 0
    /// is unspecified.
    pub(super) extra_samples: Vec<u64>,
    pub(super) tags: Option<ResolutionTags>,
}

/// The pictures of a TIFF file.
#[derive(Debug)]
pub(super) struct TiffPages {
    pub(super) pages: Vec<TiffPage>,
    /// The images of the OME-XML in the first picture's description; empty without OME-XML.
    ome: Vec<OmeImage>,
    /// The text of ImageJ in the first picture's description.
    imagej: Option<String>,
}

/// The reason why no picture of a TIFF can be taken for the slide, as a clause for a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoSlidePage(pub(super) String);

impl TiffPages {
    pub(super) fn read(file: &File) -> io::Result<Self> {
        let (tiff, first) = Tiff::open(file)?;
        let directories = tiff.directories(first)?;
        let pages =
            directories.iter().map(|entries| page(&tiff, entries)).collect::<Result<_, _>>()?;
        let description = directories.first().map(|entries| tiff.text(entries, DESCRIPTION));
        let description = description.transpose()?.flatten().unwrap_or_default();
        let ome = ome::images(&description).unwrap_or_default();
        let imagej = description.starts_with("ImageJ=").then_some(description);
        Ok(Self { pages, ome, imagej })
    }

    /// The index of the picture that is the slide.
    pub(super) fn slide_page(&self) -> Result<usize, NoSlidePage> {
        self.check_ome()?;
        self.check_imagej()?;
        let full = |page: &&TiffPage| !page.is_reduced && !page.is_mask;
        let candidates: Vec<&TiffPage> = match self.pages.iter().filter(full).collect::<Vec<_>>() {
            none if none.is_empty() => self.pages.iter().collect(),
            found => found,
        };
        let Some(main) = candidates.iter().copied().reduce(larger) else {
            return Err(NoSlidePage("it holds no picture".to_owned()));
        };
        let same_size = candidates.iter().filter(|page| page.size() == main.size()).count();
        if same_size > 1 {
            return Err(NoSlidePage(format!(
                "it holds {same_size} pictures of {} x {} px as pages, which are channels, focal planes or scenes",
                main.width_px, main.height_px
            )));
        }
        if let Some(scene) = candidates.iter().find(|page| is_scene_beside(page, main)) {
            return Err(NoSlidePage(format!(
                "it holds several pictures, of {} x {} px and of {} x {} px, and does not say which is the slide",
                main.width_px, main.height_px, scene.width_px, scene.height_px
            )));
        }
        Ok(self.pages.iter().position(|page| std::ptr::eq(page, main)).unwrap_or(0))
    }

    /// Micrometres per px, [x, y], that OME-XML or ImageJ state for the slide.
    pub(super) fn mpp(&self) -> [Option<f64>; 2] {
        let slide = self.ome.iter().filter(|image| !image.is_associated());
        let largest =
            slide.max_by_key(|image| u64::from(image.width_px) * u64::from(image.height_px));
        match largest {
            Some(image) => image.mpp,
            None => self.imagej_mpp(),
        }
    }

    fn check_ome(&self) -> Result<(), NoSlidePage> {
        let mut slides: Vec<&OmeImage> =
            self.ome.iter().filter(|image| !image.is_associated()).collect();
        let area = |image: &OmeImage| u64::from(image.width_px) * u64::from(image.height_px);
        slides.sort_by_key(|image| std::cmp::Reverse(area(image)));
        let Some((slide, others)) = slides.split_first() else { return Ok(()) };
        let level_of = |other: &OmeImage| {
            same_shape(
                [other.width_px.into(), other.height_px.into()],
                [slide.width_px.into(), slide.height_px.into()],
            ) && area(other) < area(slide)
        };
        let scene =
            |other: &&&OmeImage| !level_of(other) && SCENE_SHARE * area(other) >= area(slide);
        if others.iter().any(|other| scene(&other)) {
            let list: Vec<String> = slides
                .iter()
                .map(|image| {
                    format!("{:?} of {} x {} px", image.name, image.width_px, image.height_px)
                })
                .collect();
            return Err(NoSlidePage(format!(
                "its OME-XML names several images: {}",
                list.join(", ")
            )));
        }
        if let Some(size) = &slide.unreadable {
            return Err(NoSlidePage(format!("its OME-XML states {size}, which is not a number")));
        }
        if slide.planes > 1 || slide.times > 1 {
            return Err(NoSlidePage(format!(
                "its OME-XML states {} focal planes and {} points in time",
                slide.planes, slide.times
            )));
        }
        let samples = self.pages.first().map_or(1, |page| page.samples);
        if slide.channels > 1 && samples < u64::from(slide.channels) {
            let names = match slide.channel_names.join(", ") {
                none if none.is_empty() => none,
                names => format!(" ({names})"),
            };
            let count = slide.channels;
            return Err(NoSlidePage(format!("its {count} channels are pages of their own{names}")));
        }
        Ok(())
    }

    fn check_imagej(&self) -> Result<(), NoSlidePage> {
        let samples = self.pages.first().map_or(1, |page| page.samples);
        for (key, what) in
            [("channels", "channels"), ("slices", "focal planes"), ("frames", "points in time")]
        {
            let Some(text) = self.imagej_value(key) else { continue };
            let Ok(count) = text.parse::<u64>() else {
                return Err(NoSlidePage(format!(
                    "ImageJ states {text:?} {what}, which is not a number"
                )));
            };
            if count > 1 && !(key == "channels" && samples >= count) {
                return Err(NoSlidePage(format!(
                    "ImageJ stored {count} {what} in it, as pages or one after the other"
                )));
            }
        }
        Ok(())
    }

    fn imagej_value(&self, key: &str) -> Option<&str> {
        let text = self.imagej.as_deref()?;
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(str::trim)
    }

    /// ImageJ states the unit of the resolution tags in its own text.
    fn imagej_mpp(&self) -> [Option<f64>; 2] {
        let unit_um = match self.imagej_value("unit") {
            Some("micron" | "um" | "\u{b5}m" | "\\u00B5m") => 1.0,
            Some("nm") => 1e-3,
            Some("mm") => 1e3,
            Some("cm") => 1e4,
            Some("inch") => 25_400.0,
            _ => return [None; 2],
        };
        let tags = self.pages.first().and_then(|page| page.tags);
        // With a unit of length in the tags, the tags stand for themselves.
        match tags.filter(|tags| tags.unit == ResolutionUnit::None) {
            Some(ResolutionTags { x, y, .. }) => [x, y].map(|per_unit| Some(unit_um / per_unit)),
            None => [None; 2],
        }
    }
}

impl TiffPage {
    pub(super) fn size(&self) -> [u64; 2] {
        [self.width_px, self.height_px]
    }

    fn area(&self) -> u64 {
        self.width_px.saturating_mul(self.height_px)
    }

    /// Whether the colours are stored multiplied by alpha.
    pub(super) fn is_premultiplied(&self) -> bool {
        self.extra_samples.first() == Some(&1)
    }

    /// Whether this is 8-bit JPEG, YCbCr, in which case samples need the conversion to RGB.
    pub(super) fn is_ycbcr_jpeg(&self) -> bool {
        self.photometric == 6 && self.compression == 7 && self.bits == [8; 3]
    }

    /// Whether the pixels are stored in a way that every reader of TIFF knows.
    pub(super) fn is_common(&self) -> bool {
        matches!(self.compression, 1 | 5 | 7 | 8 | 32_773 | 32_946)
            && !self.is_float
            && self.bits.iter().all(|bits| matches!(bits, 1 | 8 | 16))
    }

    /// Whether an RGB picture has a fourth sample of unspecified meaning.
    pub(super) fn has_unspecified_sample(&self) -> bool {
        self.photometric == 2 && self.extra_samples.first() == Some(&0)
    }
}

/// Describes how the pixels are stored: "RGB, 3 samples of 16 bits, WebP compression".
impl fmt::Display for TiffPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.bits.first().copied().unwrap_or(1);
        let colour = match self.photometric {
            0 => "grey (white is 0)",
            1 => "grey",
            2 => "RGB",
            3 => "palette",
            4 => "transparency mask",
            5 => "CMYK",
            6 => "YCbCr",
            8..=10 => "CIE L*a*b*",
            other => return write!(f, "colours of unknown kind {other}"),
        };
        let samples = if self.samples == 1 { "sample" } else { "samples" };
        write!(f, "{colour}, {} {samples} of {bits} bits", self.samples)?;
        let unspecified =
            if self.has_unspecified_sample() { " (one of no stated meaning)" } else { "" };
        f.write_str(unspecified)?;
        f.write_str(if self.is_float { " (floating point)" } else { "" })?;
        write!(f, ", {}", compression_name(self.compression))?;
        f.write_str(if self.is_planar { ", planar" } else { "" })
    }
}

/// Share of the slide's area, as 1/n, below which another picture is a label or a photograph of
/// the glass and not a second scene.
const SCENE_SHARE: u64 = 16;

/// The first of the larger pictures.
fn larger<'a>(best: &'a TiffPage, page: &'a TiffPage) -> &'a TiffPage {
    if page.area() > best.area() { page } else { best }
}

/// Whether a picture is neither a level of the slide nor small enough to be its label.
fn is_scene_beside(page: &TiffPage, slide: &TiffPage) -> bool {
    let is_other = page.size() != slide.size() && page.is_tiled == slide.is_tiled;
    let is_large = page.area().saturating_mul(SCENE_SHARE) >= slide.area();
    is_other && is_large && !same_shape(page.size(), slide.size())
}

/// Whether the first picture is the second one reduced: both sides are divided by the same
/// factor, up to 2 px from rounding at every level.
fn same_shape(reduced: [u64; 2], full: [u64; 2]) -> bool {
    let [width, height] = [0, 1].map(|axis| full[axis] as f64 / reduced[axis].max(1) as f64);
    let rounding = |factor: f64, axis: usize| 2.0 * factor / reduced[axis].max(1) as f64;
    (width - height).abs() <= rounding(width, 0) + rounding(height, 1)
}

fn page(tiff: &Tiff<'_>, entries: &[TiffTag]) -> io::Result<TiffPage> {
    let numbers = |tag| tiff.numbers(entries, tag);
    let number =
        |tag, default| Ok::<_, io::Error>(numbers(tag)?.first().copied().unwrap_or(default));
    let subfile = number(SUBFILE_TYPE, 0)?;
    Ok(TiffPage {
        width_px: number(WIDTH, 0)?,
        height_px: number(HEIGHT, 0)?,
        is_tiled: entries.iter().any(|entry| entry.tag == TILE_WIDTH),
        is_reduced: subfile & 1 != 0,
        is_mask: subfile & 4 != 0,
        bits: Some(numbers(BITS_PER_SAMPLE)?).filter(|bits| !bits.is_empty()).unwrap_or(vec![1]),
        samples: number(SAMPLES_PER_PIXEL, 1)?,
        compression: number(COMPRESSION, 1)?,
        photometric: number(PHOTOMETRIC, 1)?,
        is_planar: number(PLANAR, 1)? == 2,
        is_float: number(SAMPLE_FORMAT, 1)? == 3,
        extra_samples: numbers(EXTRA_SAMPLES)?,
        tags: tiff_tags(tiff, entries)?,
    })
}

/// The name of a compression, from TIFF 6.0 and libtiff's list of registered values.
fn compression_name(number: u64) -> String {
    let name = match number {
        1 => "no compression",
        2..=4 => "CCITT fax compression",
        5 => "LZW compression",
        6 => "old-style JPEG compression",
        7 => "JPEG compression",
        8 | 32_946 => "Deflate compression",
        32_773 => "PackBits compression",
        33_003 | 33_004 | 33_005 | 34_712 => "JPEG 2000 compression",
        34_887 => "LERC compression",
        34_892 => "lossy JPEG (DNG) compression",
        34_925 => "LZMA compression",
        34_933 => "PNG compression",
        34_934 | 22_610 => "JPEG XR compression",
        50_000 | 34_926 => "Zstandard compression",
        50_001 | 34_927 => "WebP compression",
        50_002 | 52_546 => "JPEG XL compression",
        _ => "compression",
    };
    if matches!(number, 1 | 5 | 7 | 8) { name.to_owned() } else { format!("{name} ({number})") }
}

#[cfg(test)]
#[path = "tiff_pages_tests.rs"]
mod tests;
