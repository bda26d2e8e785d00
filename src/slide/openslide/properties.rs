//! What OpenSlide states about a slide: levels and resolution.

use std::ffi::CStr;

use super::library::Handle;
use crate::slide::region_reader::level_downsample;
use crate::slide::resolution::{ResolutionTags, ResolutionUnit};
use crate::slide::{Level, Resolution};

/// The levels of a slide, and for each the downsample that OpenSlide states.
pub(super) fn levels_of(handle: &Handle) -> Result<(Vec<Level>, Vec<f64>), String> {
    let mut levels: Vec<Level> = Vec::new();
    let mut address_scale = Vec::new();
    for index in 0..handle.level_count() {
        let size = handle.level_dimensions(index);
        let [width_px, height_px] = size.map(|side| u32::try_from(side).unwrap_or(0));
        let scale = handle.level_downsample(index);
        if width_px == 0 || height_px == 0 || !scale.is_finite() || scale < 1.0 {
            return Err(format!(
                "level {index} is {} x {} px with downsample {scale}",
                size[0], size[1]
            ));
        }
        let level0 = levels.first().map_or([width_px, height_px], |l| [l.width_px, l.height_px]);
        let downsample = level_downsample(level0, [width_px, height_px]);
        levels.push(Level { width_px, height_px, downsample });
        address_scale.push(scale);
    }
    if levels.is_empty() {
        return Err(handle.error().unwrap_or_else(|| "it has no levels".to_owned()));
    }
    Ok((levels, address_scale))
}

/// Where the area that the scanner covered begins, x and y, level-0 px; `None` when the file does
/// not say, or names a place outside the slide.
pub(super) fn bounds_of(handle: &Handle, level0: Level) -> Option<[u32; 2]> {
    let number = |name: &CStr| handle.property(name)?.trim().parse::<u32>().ok();
    let [x, y] = [number(c"openslide.bounds-x")?, number(c"openslide.bounds-y")?];
    (x < level0.width_px && y < level0.height_px).then_some([x, y])
}

/// What the properties of a slide say about its resolution.
pub(super) fn resolution_of(handle: &Handle, vendor: &str) -> Resolution {
    let number = |name: &CStr| handle.property(name)?.trim().parse::<f64>().ok();
    let unit = match handle.property(c"tiff.ResolutionUnit").as_deref() {
        Some("none") => ResolutionUnit::None,
        Some("centimeter") => ResolutionUnit::Centimeter,
        _ => ResolutionUnit::Inch,
    };
    let tags = match (number(c"tiff.XResolution"), number(c"tiff.YResolution")) {
        (Some(x), Some(y)) => Some(ResolutionTags { x, y, unit }),
        (Some(any), None) | (None, Some(any)) => Some(ResolutionTags { x: any, y: any, unit }),
        (None, None) => None,
    };
    // For a generic TIFF, OpenSlide 4 derives micrometres from the tags, however
    // implausible, and OpenSlide 3.4 does not. These values are ignored, so that both give
    // the same resolution.
    let derived = vendor == "generic-tiff";
    Resolution {
        mpp_x: number(c"openslide.mpp-x").filter(|_| !derived),
        mpp_y: number(c"openslide.mpp-y").filter(|_| !derived),
        objective_power: number(c"openslide.objective-power"),
        tags,
    }
}
