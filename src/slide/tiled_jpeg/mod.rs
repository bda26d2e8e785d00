//! The fast reader of TIFF slides with JPEG tiles, which decodes the tiles without
//! OpenSlide.
//!
//! OpenSlide spends most of its time composing pixels. If a level is a plain grid of JPEG
//! tiles, libturbojpeg decodes them several times as fast and to the same bits. OpenSlide
//! remains the authority: it opens the file and states the levels and the resolution, and
//! sample tiles are compared with its pixels when the slide is opened. OpenSlide also
//! reads everything unusual: other compressions, levels whose downsample is not a whole
//! number, and tiles that are missing, damaged or of an unsupported kind.

mod cache;
mod judge;
mod level;
mod tiled_slide;
mod turbo;

use std::fs::File;

use super::openslide::OpenSlideReader;
use super::{Slide, SlideError, tiff_jpeg_tiles};
use tiled_slide::TiledJpegSlide;

/// Formats whose tiles form a plain grid, with one directory per level.
const VENDORS: [&str; 3] = ["generic-tiff", "aperio", "philips"];

/// Wraps a slide so that libturbojpeg decodes each level for which it gives OpenSlide's
/// pixels. The slide stays unchanged if there is no such level or no libturbojpeg.
pub(super) fn faster(slide: OpenSlideReader) -> Result<Box<dyn Slide>, SlideError> {
    let turbo = turbo::library().map_err(|named| SlideError::NoTurboJpeg {
        path: slide.path().to_owned(),
        variable: turbo::VARIABLE,
        library: named.path,
        reason: named.reason,
    })?;
    let Some(turbo) = turbo.filter(|_| VENDORS.contains(&slide.vendor())) else {
        return Ok(Box::new(slide));
    };
    // OpenSlide has opened the file, so a file that this parser does not understand is not
    // an error.
    let opened = File::open(slide.path());
    let Some((file, found)) = opened
        .and_then(|file| tiff_jpeg_tiles::tiled_jpegs(&file).map(|found| (file, found)))
        .ok()
        .filter(|(_, found)| !found.is_empty())
    else {
        return Ok(Box::new(slide));
    };
    let levels = level::matching(&slide, &found);
    let mut tiled = TiledJpegSlide::new(slide, file, turbo, levels);
    for index in 0..tiled.levels.len() {
        if !judge::agrees(&tiled, index) {
            tiled.levels[index] = None;
        }
    }
    if tiled.levels.iter().all(Option::is_none) {
        return Ok(Box::new(tiled.slide));
    }
    Ok(Box::new(tiled))
}
