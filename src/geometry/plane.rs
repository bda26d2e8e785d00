//! The working plane: the slide at the model's resolution, in whose pixels all sizes and
//! places are given.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Largest relative difference between the model's and the slide's resolution at which the
/// slide is not resampled. Scanners state their resolution no more exactly than this, and
/// resampling by less would blur every pixel without gain.
pub const SAME_RESOLUTION: f64 = 0.02;

/// The resolution of a run's working plane. In files it is a number or the word `level0`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawTarget", into = "RawTarget")]
pub enum TargetMpp {
    /// The slide's own finest level, whatever its resolution.
    Level0,
    /// Micrometres per pixel.
    Um(f64),
}

/// [`TargetMpp`] as files hold it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum RawTarget {
    Um(f64),
    Word(String),
}

impl TryFrom<RawTarget> for TargetMpp {
    type Error = String;

    fn try_from(raw: RawTarget) -> Result<Self, String> {
        match raw {
            RawTarget::Um(um) if um.is_finite() && um > 0.0 => Ok(Self::Um(um)),
            RawTarget::Um(um) => Err(format!("mpp is {um}, expected micrometres per px above 0")),
            RawTarget::Word(word) if word == "level0" => Ok(Self::Level0),
            RawTarget::Word(word) => {
                Err(format!("mpp is \"{word}\", expected a number or \"level0\""))
            }
        }
    }
}

impl From<TargetMpp> for RawTarget {
    fn from(target: TargetMpp) -> Self {
        match target {
            TargetMpp::Um(um) => Self::Um(um),
            TargetMpp::Level0 => Self::Word("level0".to_owned()),
        }
    }
}

/// Why a slide has no working plane.
#[derive(Debug, Error, Clone, Copy, PartialEq)]
pub enum PlaneError {
    /// The run has a resolution, and that of the slide is unknown.
    #[error(
        "the slide's resolution is unknown, expected micrometres per pixel: give it with --mpp, [slides] mpp or [slides.mpp_of], or work at [model] mpp = \"level0\""
    )]
    UnknownMpp,
    /// A resolution is zero, negative or not finite.
    #[error("a resolution of {found} um/px, expected a positive number")]
    BadMpp {
        /// The value found.
        found: f64,
    },
    /// The slide has no pixels.
    #[error("the slide is {width_px} x {height_px} px, expected at least one pixel")]
    Empty {
        /// Width at level 0.
        width_px: u32,
        /// Height at level 0.
        height_px: u32,
    },
    /// The plane would have more columns or rows than signed 32-bit arithmetic can address.
    #[error(
        "a slide of {slide_mpp} um/px resampled to {target_mpp} um/px would be {width_px} x {height_px} px, more than fits: is the resolution right?"
    )]
    TooLarge {
        /// Geometric mean of the slide's resolutions along x and y, um/px.
        slide_mpp: f64,
        /// Resolution of the plane, um/px.
        target_mpp: f64,
        /// Columns the plane would have.
        width_px: f64,
        /// Rows the plane would have.
        height_px: f64,
    },
    /// The slide would be enlarged more than 8 times.
    #[error(
        "the slide has {slide_mpp} um/px and is to be worked on at {target_mpp} um/px, enlarged {factor:.0} times along each side, expected at most 8 times: correct [model] mpp or the model card's, or the slide's resolution (--mpp, [slides] mpp), all in micrometres per px, such as 0.25; model.mpp_force = true does it all the same"
    )]
    Upsampled {
        /// Resolution of the slide, um per level-0 px.
        slide_mpp: f64,
        /// Resolution of the working plane, um/px.
        target_mpp: f64,
        /// Working px per level-0 px along each side.
        factor: f64,
    },
}

/// The slide resampled to the model's resolution.
///
/// Pixel (x, y) of the plane covers the level-0 square
/// [x * downsample, (x + 1) * downsample) x [y * downsample, ...).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WorkingPlane {
    /// Width at level 0.
    pub level0_width_px: u32,
    /// Height at level 0.
    pub level0_height_px: u32,
    /// Level-0 px per working px; below 1 where the model is finer.
    pub downsample: f64,
    /// Width of the plane. The last column may lie partly outside the slide.
    pub width_px: u32,
    /// Height of the plane. The last row may lie partly outside the slide.
    pub height_px: u32,
    /// Micrometres per working px, along x; `None` if unknown.
    pub mpp_x: Option<f64>,
    /// Micrometres per working px, along y; `None` if unknown.
    pub mpp_y: Option<f64>,
}

/// Largest number of times by which a slide is enlarged along each side without a word. Networks
/// made for 0.25 um/px see a scan of 10x, 1 um/px, enlarged 4 times.
const MOST_UPSAMPLING: f64 = 8.0;

impl WorkingPlane {
    /// Checks that the slide is enlarged at most 8 times along each side. More is a slip in one of
    /// the two resolutions, such as 0.0025 for 0.25 um/px, and would fill the disk with what the
    /// slide does not hold.
    ///
    /// # Errors
    /// [`PlaneError::Upsampled`] with both resolutions.
    pub fn check_upsampling(&self) -> Result<(), PlaneError> {
        let factor = 1.0 / self.downsample;
        if factor <= MOST_UPSAMPLING * (1.0 + 1e-9) {
            return Ok(());
        }
        let mean = |x: f64, y: f64| (x * y).sqrt();
        let target_mpp = self.mpp_x.zip(self.mpp_y).map_or(f64::NAN, |(x, y)| mean(x, y));
        let slide_mpp = target_mpp / self.downsample;
        Err(PlaneError::Upsampled { slide_mpp, target_mpp, factor })
    }

    /// Plans the plane of a slide of `level0_width_px` x `level0_height_px`
    /// and resolution `slide_mpp` ([x, y], um/px).
    ///
    /// `downsample` is `target` divided by the geometric mean of `slide_mpp`. It is exactly
    /// 1 at [`TargetMpp::Level0`], and where that quotient differs from 1 by less than
    /// [`SAME_RESOLUTION`].
    ///
    /// # Errors
    /// [`PlaneError`] for an empty slide, an unknown or impossible resolution,
    /// or a plane too large to address.
    pub fn plan(
        level0_width_px: u32,
        level0_height_px: u32,
        slide_mpp: Option<[f64; 2]>,
        target: TargetMpp,
    ) -> Result<Self, PlaneError> {
        if level0_width_px == 0 || level0_height_px == 0 {
            let (width_px, height_px) = (level0_width_px, level0_height_px);
            return Err(PlaneError::Empty { width_px, height_px });
        }
        for found in slide_mpp.into_iter().flatten() {
            check_mpp(found)?;
        }
        let downsample = match target {
            TargetMpp::Level0 => 1.0,
            TargetMpp::Um(target_mpp) => {
                check_mpp(target_mpp)?;
                let [x, y] = slide_mpp.ok_or(PlaneError::UnknownMpp)?;
                let ratio = target_mpp / (x * y).sqrt();
                if (ratio - 1.0).abs() < SAME_RESOLUTION { 1.0 } else { ratio }
            }
        };
        Self::with_downsample(level0_width_px, level0_height_px, slide_mpp, downsample)
    }

    fn with_downsample(
        level0_width_px: u32,
        level0_height_px: u32,
        slide_mpp: Option<[f64; 2]>,
        downsample: f64,
    ) -> Result<Self, PlaneError> {
        let [width, height] = [level0_width_px, level0_height_px].map(|side| {
            // A remainder below a millionth of a pixel comes from rounding.
            (f64::from(side) / downsample - 1e-6).ceil().max(1.0)
        });
        let (Some(width_px), Some(height_px)) = (count(width), count(height)) else {
            let slide_mpp = slide_mpp.map_or(f64::NAN, |[x, y]| (x * y).sqrt());
            let target_mpp = slide_mpp * downsample;
            let (width_px, height_px) = (width, height);
            return Err(PlaneError::TooLarge { slide_mpp, target_mpp, width_px, height_px });
        };
        Ok(Self {
            level0_width_px,
            level0_height_px,
            downsample,
            width_px,
            height_px,
            mpp_x: slide_mpp.map(|[x, _]| x * downsample),
            mpp_y: slide_mpp.map(|[_, y]| y * downsample),
        })
    }
}

fn check_mpp(found: f64) -> Result<(), PlaneError> {
    if found.is_finite() && found > 0.0 { Ok(()) } else { Err(PlaneError::BadMpp { found }) }
}

/// `side` as a count of pixels, if signed 32-bit arithmetic can address so many.
fn count(side: f64) -> Option<u32> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number between 1 and i32::MAX"
    )]
    let pixels = side as u32;
    (side >= 1.0 && side <= f64::from(i32::MAX)).then_some(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(side_px: u32, slide: f64, target: f64) -> WorkingPlane {
        WorkingPlane::plan(side_px, side_px, Some([slide; 2]), TargetMpp::Um(target)).unwrap()
    }

    #[test]
    fn close_resolutions_are_not_resampled() {
        assert_eq!(plan(1000, 0.2456, 0.25).downsample, 1.0);
        assert_eq!(plan(1000, 0.25, 0.25).mpp_x, Some(0.25));
        let resampled = plan(1000, 0.243, 0.25);
        assert!((resampled.downsample - 0.25 / 0.243).abs() < 1e-12);
        assert!((resampled.mpp_x.unwrap() - 0.25).abs() < 1e-12);
    }

    #[test]
    fn a_part_of_a_last_column_adds_a_column_and_rounding_does_not() {
        assert_eq!(plan(1000, 0.25, 0.5).width_px, 500);
        assert_eq!(plan(1001, 0.25, 0.5).width_px, 501);
        // 0.3 / 0.1 is 2.9999999999999996.
        assert_eq!(plan(999, 0.1, 0.3).width_px, 333);
        assert_eq!(plan(3, 0.25, 100.0).width_px, 1);
    }

    #[test]
    fn downsample_comes_from_the_mean_resolution_and_each_axis_keeps_its_mpp() {
        let plane = WorkingPlane::plan(100, 100, Some([0.24, 0.25]), TargetMpp::Um(1.0)).unwrap();
        assert!((plane.downsample - 1.0 / (0.24_f64 * 0.25).sqrt()).abs() < 1e-12);
        assert!((plane.mpp_x.unwrap() * plane.mpp_y.unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn level0_needs_no_slide_resolution_and_a_target_in_um_does() {
        let plane = WorkingPlane::plan(7, 9, None, TargetMpp::Level0).unwrap();
        assert_eq!((plane.width_px, plane.height_px, plane.mpp_x), (7, 9, None));
        let error = WorkingPlane::plan(7, 9, None, TargetMpp::Um(0.5)).unwrap_err();
        assert!(error.to_string().contains("[slides] mpp"), "{error}");
    }

    #[test]
    fn a_slide_is_enlarged_at_most_eight_times() {
        for (slide, target, is_allowed) in
            [(0.25, 0.25, true), (0.5, 0.0625, true), (0.25, 0.0025, false), (8.1, 1.0, false)]
        {
            let checked = plan(100, slide, target).check_upsampling();
            assert_eq!(checked.is_ok(), is_allowed, "{slide} {target}");
            if let Err(error) = checked {
                let text = error.to_string();
                assert!(text.contains(&format!("{slide} um/px")), "{text}");
                assert!(text.contains("mpp_force"), "{text}");
            }
        }
        let level0 = WorkingPlane::plan(7, 9, None, TargetMpp::Level0).unwrap();
        level0.check_upsampling().unwrap();
    }

    #[test]
    fn impossible_resolutions_are_refused() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let target = WorkingPlane::plan(7, 9, Some([0.5; 2]), TargetMpp::Um(bad));
            assert!(matches!(target, Err(PlaneError::BadMpp { .. })), "{bad}");
            let slide = WorkingPlane::plan(7, 9, Some([0.5, bad]), TargetMpp::Level0);
            assert!(matches!(slide, Err(PlaneError::BadMpp { .. })), "{bad}");
        }
        let tiny = WorkingPlane::plan(100_000, 9, Some([100.0; 2]), TargetMpp::Um(1e-4));
        assert!(matches!(tiny, Err(PlaneError::TooLarge { .. })));
        let empty = WorkingPlane::plan(0, 9, None, TargetMpp::Level0);
        assert!(matches!(empty, Err(PlaneError::Empty { .. })));
    }

    proptest! {
        #[test]
        fn the_plane_covers_the_slide_and_no_more(
            side in 1u32..300_000, slide in 0.1f64..2.0, target in 0.1f64..20.0,
        ) {
            let plane = plan(side, slide, target);
            let covered = f64::from(plane.width_px) * plane.downsample;
            prop_assert!(covered >= f64::from(side) - 1e-5 * plane.downsample);
            prop_assert!(covered - plane.downsample < f64::from(side));
        }
    }
}
