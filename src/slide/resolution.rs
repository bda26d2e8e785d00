//! What a slide's resolution is: the file's statements, judged.
//!
//! In order: the value given by the user; the file's micrometres per pixel;
//! its objective power (10 / power um/px); its TIFF or PNG resolution tags.
//! A statement that no microscope makes is not trusted: it is passed over, and
//! named when nothing better is found.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Micrometres per pixel that slides can have. Readers report values such as
/// 1000 for files that state nothing.
pub const PLAUSIBLE_MPP: std::ops::RangeInclusive<f64> = 0.05..=100.0;

/// Coarsest resolution believed of TIFF or PNG tags, um/px: those of ordinary
/// pictures are for printers and screens (1200 per inch is 21 um/px).
pub const COARSEST_TAG_MPP: f64 = 20.0;

/// Objective powers that microscopes have.
pub const PLAUSIBLE_POWER: std::ops::RangeInclusive<f64> = 0.5..=200.0;

/// Largest tolerated difference between the two axes, relative to the finer.
/// Scanners' axes differ by less than 1 %; networks are trained on square
/// pixels, so the slide is taken as square with the geometric mean as side.
pub const AXES_TOLERANCE: f64 = 0.02;

/// What a file states about its resolution, believable or not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resolution {
    /// Micrometres per level-0 px along x.
    pub mpp_x: Option<f64>,
    /// Micrometres per level-0 px along y.
    pub mpp_y: Option<f64>,
    /// Objective power, 40 for "40x".
    pub objective_power: Option<f64>,
    /// Resolution tags of the TIFF (or PNG) container.
    pub tags: Option<ResolutionTags>,
}

/// Resolution tags: pixels per unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ResolutionTags {
    /// Pixels per unit along x.
    pub x: f64,
    /// Pixels per unit along y.
    pub y: f64,
    /// The unit.
    pub unit: ResolutionUnit,
}

/// The unit of resolution tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResolutionUnit {
    /// No absolute unit: the tags only give the pixels' shape.
    None,
    /// 25,400 um.
    Inch,
    /// 10,000 um.
    Centimeter,
}

impl fmt::Display for ResolutionUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no unit",
            Self::Inch => "inch",
            Self::Centimeter => "centimetre",
        })
    }
}

/// Where a slide's resolution comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MppSource {
    /// Given by the user for this slide.
    User,
    /// Micrometres per pixel in the file.
    Mpp,
    /// 10 / objective power.
    ObjectivePower,
    /// Resolution tags of the container.
    TiffResolution,
}

impl fmt::Display for MppSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Mpp => "mpp",
            Self::ObjectivePower => "objective-power",
            Self::TiffResolution => "tiff-resolution",
        })
    }
}

/// A slide's resolution at level 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlideMpp {
    /// Micrometres per level-0 px along x.
    pub x: f64,
    /// Micrometres per level-0 px along y.
    pub y: f64,
    /// Where it comes from.
    pub source: MppSource,
}

impl SlideMpp {
    /// The geometric mean of both axes, um/px: what `downsample` is made with.
    pub fn mean(&self) -> f64 {
        (self.x * self.y).sqrt()
    }

    /// Both axes, [x, y].
    pub fn axes(&self) -> [f64; 2] {
        [self.x, self.y]
    }
}

/// A slide's resolution cannot be had.
#[derive(Debug, Error, Clone, PartialEq)]
pub enum ResolutionError {
    /// Nothing believable is known.
    #[error(
        "{}: its resolution is unknown: {found}; expected micrometres per pixel, an objective power, or TIFF resolution tags. Give it with --mpp 0.25 (typical of 40x; 0.5 of 20x) or [slides] mpp in the configuration, for this slide alone with --mpp NAME=0.25 or under [slides.mpp_of], or work at [model] mpp = \"level0\" if the model does not care",
        path.display()
    )]
    Unknown {
        /// The slide.
        path: PathBuf,
        /// What the file states instead.
        found: String,
    },
    /// The value given by the user is impossible.
    #[error(
        "{}: a resolution of {found} um/px was given for it, expected {} to {}",
        path.display(), PLAUSIBLE_MPP.start(), PLAUSIBLE_MPP.end()
    )]
    BadUserMpp {
        /// The slide.
        path: PathBuf,
        /// The value given.
        found: f64,
    },
    /// Pixels are not square.
    #[error(
        "{}: its pixels are {x} x {y} um ({stated_by}), expected square ones (within {} %): resample the slide, or give one value with --mpp NAME=UM or under [slides.mpp_of] in the configuration",
        path.display(), 100.0 * AXES_TOLERANCE
    )]
    NotSquare {
        /// The slide.
        path: PathBuf,
        /// Width of a pixel in um.
        x: f64,
        /// Height of a pixel in um.
        y: f64,
        /// Where the values come from.
        stated_by: MppSource,
    },
}

/// Decides a slide's resolution from what its file states and what the user
/// gave for it (um/px, wins over everything).
///
/// # Errors
/// [`ResolutionError`] when nothing believable is known or pixels are not
/// square; it says what was found and names the ways out.
pub fn slide_mpp(
    path: &Path,
    stated: &Resolution,
    user_mpp: Option<f64>,
) -> Result<SlideMpp, ResolutionError> {
    if let Some(found) = user_mpp {
        if !PLAUSIBLE_MPP.contains(&found) {
            return Err(ResolutionError::BadUserMpp { path: path.to_owned(), found });
        }
        return Ok(SlideMpp { x: found, y: found, source: MppSource::User });
    }
    let mut found = Vec::new();
    for statement in [stated_mpp, stated_power, stated_tags] {
        match statement(stated) {
            Statement::Believed(mpp) => return square(path, mpp),
            Statement::Doubted(words) => found.push(words),
        }
    }
    Err(ResolutionError::Unknown { path: path.to_owned(), found: found.join(", ") })
}

enum Statement {
    Believed(SlideMpp),
    Doubted(String),
}

fn stated_mpp(stated: &Resolution) -> Statement {
    // One axis alone is taken for both.
    let axes = (stated.mpp_x.or(stated.mpp_y), stated.mpp_y.or(stated.mpp_x));
    match axes {
        (Some(x), Some(y)) if PLAUSIBLE_MPP.contains(&x) && PLAUSIBLE_MPP.contains(&y) => {
            Statement::Believed(SlideMpp { x, y, source: MppSource::Mpp })
        }
        (Some(x), Some(y)) => Statement::Doubted(format!(
            "it states {x} x {y} um/px, outside {} to {}",
            PLAUSIBLE_MPP.start(),
            PLAUSIBLE_MPP.end()
        )),
        _ => Statement::Doubted("no micrometres per pixel".to_owned()),
    }
}

fn stated_power(stated: &Resolution) -> Statement {
    match stated.objective_power {
        Some(power) if PLAUSIBLE_POWER.contains(&power) => {
            let mpp = 10.0 / power;
            Statement::Believed(SlideMpp { x: mpp, y: mpp, source: MppSource::ObjectivePower })
        }
        Some(power) => Statement::Doubted(format!("an impossible objective power of {power}")),
        None => Statement::Doubted("no objective power".to_owned()),
    }
}

fn stated_tags(stated: &Resolution) -> Statement {
    let Some(ResolutionTags { x, y, unit }) = stated.tags else {
        return Statement::Doubted("no resolution tags".to_owned());
    };
    let unit_um = match unit {
        ResolutionUnit::None => {
            return Statement::Doubted(format!("resolution tags of {x} x {y} without a unit"));
        }
        ResolutionUnit::Inch => 25_400.0,
        ResolutionUnit::Centimeter => 10_000.0,
    };
    let (mpp_x, mpp_y) = (unit_um / x, unit_um / y);
    let believable = |mpp: f64| (*PLAUSIBLE_MPP.start()..=COARSEST_TAG_MPP).contains(&mpp);
    if believable(mpp_x) && believable(mpp_y) {
        let source = MppSource::TiffResolution;
        return Statement::Believed(SlideMpp { x: mpp_x, y: mpp_y, source });
    }
    Statement::Doubted(format!(
        "resolution tags of {x} x {y} per {unit} ({mpp_x:.4} um/px, a printer's or screen's rather than a microscope's: expected {} to {COARSEST_TAG_MPP})",
        PLAUSIBLE_MPP.start()
    ))
}

fn square(path: &Path, mpp: SlideMpp) -> Result<SlideMpp, ResolutionError> {
    let SlideMpp { x, y, source } = mpp;
    if x.max(y) / x.min(y) - 1.0 > AXES_TOLERANCE {
        let path = path.to_owned();
        return Err(ResolutionError::NotSquare { path, x, y, stated_by: source });
    }
    Ok(mpp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(x: f64, unit: ResolutionUnit) -> Option<ResolutionTags> {
        Some(ResolutionTags { x, y: x, unit })
    }

    fn decide(stated: &Resolution, user_mpp: Option<f64>) -> Result<SlideMpp, ResolutionError> {
        slide_mpp(Path::new("a.svs"), stated, user_mpp)
    }

    #[test]
    fn statements_are_taken_in_order() {
        let mut stated = Resolution {
            mpp_x: Some(0.25),
            mpp_y: Some(0.252),
            objective_power: Some(20.0),
            tags: tags(10_000.0, ResolutionUnit::Centimeter),
        };
        let mpp = |stated: &Resolution, user| {
            let mpp = decide(stated, user).unwrap();
            (mpp.x, mpp.source)
        };
        assert_eq!(mpp(&stated, Some(0.3)), (0.3, MppSource::User));
        assert_eq!(mpp(&stated, None), (0.25, MppSource::Mpp));
        assert!((decide(&stated, None).unwrap().mean() - 0.250_998).abs() < 1e-6);
        stated.mpp_x = Some(1000.0);
        assert_eq!(mpp(&stated, None), (0.5, MppSource::ObjectivePower));
        stated.objective_power = None;
        assert_eq!(mpp(&stated, None), (1.0, MppSource::TiffResolution));
        stated.tags = tags(50_800.0, ResolutionUnit::Inch);
        assert_eq!(mpp(&stated, None), (0.5, MppSource::TiffResolution));
    }

    #[test]
    fn one_axis_speaks_for_both() {
        let stated = Resolution { mpp_y: Some(0.5), ..Default::default() };
        assert_eq!(decide(&stated, None).unwrap().axes(), [0.5, 0.5]);
    }

    #[test]
    fn unbelievable_statements_are_named_with_the_ways_out() {
        let stated = Resolution {
            mpp_x: Some(1000.0),
            mpp_y: Some(1000.0),
            objective_power: Some(0.0),
            tags: tags(300.0, ResolutionUnit::Inch),
        };
        let words = decide(&stated, None).unwrap_err().to_string();
        for part in [
            "a.svs",
            "1000",
            "power of 0",
            "300 x 300 per inch",
            "[slides] mpp",
            "[slides.mpp_of]",
            "level0",
        ] {
            assert!(words.contains(part), "{part} missing in: {words}");
        }
        let nothing = decide(&Resolution::default(), None).unwrap_err().to_string();
        assert!(nothing.contains("no objective power"), "{nothing}");
        let unitless = Resolution { tags: tags(1.0, ResolutionUnit::None), ..Default::default() };
        assert!(decide(&unitless, None).unwrap_err().to_string().contains("without a unit"));
    }

    #[test]
    fn broken_numbers_are_never_believed() {
        for bad in [0.0, -0.25, f64::NAN, f64::INFINITY] {
            let stated = Resolution {
                mpp_x: Some(bad),
                objective_power: Some(bad),
                tags: tags(bad, ResolutionUnit::Inch),
                ..Default::default()
            };
            assert!(decide(&stated, None).is_err(), "{bad}");
            assert!(decide(&stated, Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn oblong_pixels_are_refused_beyond_the_tolerance() {
        let at = |y| Resolution { mpp_x: Some(0.5), mpp_y: Some(y), ..Default::default() };
        assert!(decide(&at(0.509), None).is_ok());
        let words = decide(&at(0.6), None).unwrap_err().to_string();
        assert!(words.contains("0.5 x 0.6") && words.contains("(mpp)"), "{words}");
    }
}
