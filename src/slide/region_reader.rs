//! [`Slide`], the contract that every reader of slides fulfils, and [`Level`].

use std::path::Path;

use super::error::RegionError;
use super::region::Region;
use super::resolution::Resolution;

/// One resolution of a slide's pyramid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Width, px of this level.
    pub width_px: u32,
    /// Height, px of this level.
    pub height_px: u32,
    /// Level-0 px per px of this level, at least 1.
    ///
    /// Pixel x of the level covers level-0 px [x * downsample, (x + 1) * downsample). The
    /// downsample is a whole number n when the level's size is the slide's size divided by
    /// n, rounded up or down: the remainder at the right and bottom edges does not change
    /// the scale of the other pixels.
    pub downsample: f64,
}

/// A slide, read region by region from any number of threads.
pub trait Slide: Send + Sync {
    /// The path of the file.
    fn path(&self) -> &Path;

    /// The name of the reader, for records: "OpenSlide 4.0.1 (aperio)", "OpenSlide 4.0.1
    /// (aperio), tiles by libturbojpeg" or "image (png)".
    fn reader(&self) -> String;

    /// The levels, finest first. There is at least one, and the first has downsample 1.
    fn levels(&self) -> &[Level];

    /// What the file states about its resolution, plausible or not; `slide_mpp` decides.
    fn resolution(&self) -> &Resolution;

    /// Reads a region of `level` into `out`, u8 [row, col, rgb].
    ///
    /// The region is in px of the level. It may reach outside the slide; pixels outside are
    /// white (255). Transparency is composited over white. A pixel's value does not depend on the region that is read.
    ///
    /// # Errors
    /// [`RegionError`] when a part of the region cannot be decoded (other regions may still
    /// be readable), when the slide has no such level, or when the length of `out` is not
    /// [`Region::rgb_bytes`]. The content of `out` is then undefined.
    fn read_region(&self, level: usize, region: Region, out: &mut [u8]) -> Result<(), RegionError>;

    /// The embedded ICC colour profile; `None` when the file has none or the reader cannot
    /// read it.
    fn icc_profile(&self) -> Option<Vec<u8>>;

    /// Where the area that the scanner covered begins, x and y, level-0 px; `None` when the
    /// file does not say. Programs that show only this area count coordinates from here.
    fn bounds_px(&self) -> Option<[u32; 2]>;
}

/// Checks a region's buffer and level, the same for every reader.
pub(super) fn check_region(
    slide: &dyn Slide,
    level: usize,
    region: Region,
    found: usize,
) -> Result<Level, RegionError> {
    let path = || slide.path().to_owned();
    let levels = slide.levels();
    let info = *levels.get(level).ok_or_else(|| RegionError::NoLevel {
        path: path(),
        level,
        last: levels.len().saturating_sub(1),
    })?;
    if found as u64 != region.rgb_bytes() {
        let Region { width_px, height_px, .. } = region;
        return Err(RegionError::Buffer { path: path(), width_px, height_px, found });
    }
    Ok(info)
}

/// The downsample of a level, from the sizes of level 0 and of the level: a whole number
/// if one explains the sizes, else the mean ratio along x and y.
pub(super) fn level_downsample(level0_px: [u32; 2], level_px: [u32; 2]) -> f64 {
    let ratio = |axis: usize| f64::from(level0_px[axis]) / f64::from(level_px[axis].max(1));
    let mean = (ratio(0) + ratio(1)) / 2.0;
    for whole in [mean.round(), mean.floor(), mean.ceil()] {
        let explains = |axis: usize| {
            let exact = f64::from(level0_px[axis]) / whole;
            (f64::from(level_px[axis]) - exact).abs() < 1.0
        };
        if whole >= 1.0 && explains(0) && explains(1) {
            return whole;
        }
    }
    mean.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_rounded_size_have_whole_downsamples() {
        assert_eq!(level_downsample([4003, 3005], [1000, 751]), 4.0);
        assert_eq!(level_downsample([4003, 3005], [1001, 752]), 4.0);
        assert_eq!(level_downsample([256, 256], [1, 1]), 256.0);
        assert_eq!(level_downsample([46_000, 32_914], [2875, 2057]), 16.0);
        let fractional = level_downsample([10_000, 10_000], [3000, 3000]);
        assert!((fractional - 10.0 / 3.0).abs() < 1e-12);
    }
}
