//! A slide held in memory, for tests, demonstrations and pictures made by programs.

use std::path::{Path, PathBuf};

use ndarray::Array3;

use super::raster::{Alpha, Raster};
use super::region_reader::{check_region, level_downsample};
use super::{Level, Region, RegionError, Resolution, Slide};

/// A slide held in memory. Chosen areas can be made to fail, as those of damaged files do.
///
/// ```
/// use ndarray::Array3;
/// use slidegrid::slide::{Region, Slide, memory::MemorySlide};
///
/// let slide = MemorySlide::new(Array3::from_elem((40, 60, 3), 128)).with_mpp(0.5);
/// let mut pixel = [0; 3];
/// slide.read_region(0, Region::new(-1, 0, 1, 1), &mut pixel).unwrap();
/// assert_eq!(pixel, [255; 3]);
/// ```
#[derive(Debug, Clone)]
pub struct MemorySlide {
    path: PathBuf,
    rasters: Vec<Raster>,
    levels: Vec<Level>,
    resolution: Resolution,
    /// Areas that cannot be read: left, top, right and bottom, level-0 px.
    bad_areas: Vec<[i64; 4]>,
}

impl MemorySlide {
    /// Makes a slide of one level from u8 [row, col, channel]. The channels are RGB or
    /// RGBA; RGBA is not premultiplied and is composited over white. The slide's path is
    /// `memory`.
    ///
    /// # Panics
    /// Panics when the picture has neither 3 nor 4 channels, when it has no pixels, and
    /// when a side does not fit 32 bits.
    pub fn new(picture: Array3<u8>) -> Self {
        let (rows, cols, channels) = picture.dim();
        assert!(
            rows > 0 && cols > 0 && matches!(channels, 3 | 4),
            "a picture of [{rows}, {cols}, {channels}], expected [row, col, 3 or 4]"
        );
        let rgb = if channels == 3 {
            picture.iter().copied().collect()
        } else {
            let pixels = picture.rows().into_iter();
            pixels.flat_map(|p| Alpha::Straight.over_white([p[0], p[1], p[2]], p[3])).collect()
        };
        let side = |side: usize| u32::try_from(side).expect("a side fits 32 bits");
        let raster = Raster { width_px: side(cols), height_px: side(rows), rgb };
        let level =
            Level { width_px: raster.width_px, height_px: raster.height_px, downsample: 1.0 };
        Self {
            path: PathBuf::from("memory"),
            rasters: vec![raster],
            levels: vec![level],
            resolution: Resolution::default(),
            bad_areas: Vec::new(),
        }
    }

    /// Sets the path that names and messages show.
    #[must_use]
    pub fn with_path(mut self, path: &Path) -> Self {
        self.path = path.to_owned();
        self
    }

    /// Sets the stated resolution, um/px, the same along x and y.
    #[must_use]
    pub fn with_mpp(mut self, mpp: f64) -> Self {
        self.resolution.mpp_x = Some(mpp);
        self.resolution.mpp_y = Some(mpp);
        self
    }

    /// Sets everything that a file can state about its resolution.
    #[must_use]
    pub fn with_resolution(mut self, resolution: Resolution) -> Self {
        self.resolution = resolution;
        self
    }

    /// Adds a coarser level, whose pixels are means of `downsample` x `downsample` level-0
    /// px. Levels must be added from fine to coarse.
    #[must_use]
    pub fn with_level(mut self, downsample: u32) -> Self {
        let raster = self.rasters[0].reduced(downsample.max(1));
        let level0_px = [self.rasters[0].width_px, self.rasters[0].height_px];
        let size = [raster.width_px, raster.height_px];
        self.levels.push(Level {
            width_px: size[0],
            height_px: size[1],
            downsample: level_downsample(level0_px, size),
        });
        self.rasters.push(raster);
        self
    }

    /// Makes every region that touches this rectangle, in level-0 px, fail on all levels.
    #[must_use]
    pub fn with_bad_area(mut self, x: i64, y: i64, width_px: u32, height_px: u32) -> Self {
        self.bad_areas.push([x, y, x + i64::from(width_px), y + i64::from(height_px)]);
        self
    }

    fn touches_bad_area(&self, left: f64, top: f64, right: f64, bottom: f64) -> bool {
        self.bad_areas.iter().any(|&[x0, y0, x1, y1]| {
            left < x1 as f64 && right > x0 as f64 && top < y1 as f64 && bottom > y0 as f64
        })
    }
}

impl Slide for MemorySlide {
    fn path(&self) -> &Path {
        &self.path
    }

    fn reader(&self) -> String {
        "memory".to_owned()
    }

    fn levels(&self) -> &[Level] {
        &self.levels
    }

    fn resolution(&self) -> &Resolution {
        &self.resolution
    }

    fn read_region(&self, level: usize, region: Region, out: &mut [u8]) -> Result<(), RegionError> {
        let downsample = check_region(self, level, region, out.len())?.downsample;
        let [left, top] = [region.x_px, region.y_px].map(|start| start as f64 * downsample);
        let right = left + f64::from(region.width_px) * downsample;
        let bottom = top + f64::from(region.height_px) * downsample;
        if self.touches_bad_area(left, top, right, bottom) {
            #[expect(clippy::cast_possible_truncation, reason = "saturates, for a message")]
            let [level0_x, level0_y] = [left as i64, top as i64];
            let reason = "this area was made to fail".to_owned();
            let path = self.path.clone();
            let Region { width_px, height_px, .. } = region;
            return Err(RegionError::Unreadable {
                path,
                level,
                level0_x,
                level0_y,
                width_px,
                height_px,
                reason,
            });
        }
        self.rasters[level].copy_region(region, out);
        Ok(())
    }

    fn icc_profile(&self) -> Option<Vec<u8>> {
        None
    }

    fn bounds_px(&self) -> Option<[u32; 2]> {
        None
    }
}
