//! Decides a slide's resolution from what the file states and what the user gives.
//!
//! The first plausible value wins, in this order: the value given by the user; the file's
//! micrometres per pixel; its objective power (10 / power um/px); its TIFF or PNG
//! resolution tags. Values that no microscope has are skipped, and named in the error when
//! no plausible value is found.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Plausible micrometres per pixel of a slide. Readers report values such as 1000 for files
/// that state nothing.
pub const PLAUSIBLE_MPP: std::ops::RangeInclusive<f64> = 0.05..=100.0;

/// Coarsest plausible resolution in TIFF or PNG tags, um/px. The tags of ordinary pictures
/// are meant for printers and screens (1200 px per inch is 21 um/px).
pub const COARSEST_TAG_MPP: f64 = 20.0;

/// Plausible objective powers of a microscope.
pub const PLAUSIBLE_POWER: std::ops::RangeInclusive<f64> = 0.5..=200.0;

/// Largest tolerated difference between the resolutions along x and y, relative to the
/// finer. The axes of scanners differ by less than 1 %. Networks are trained on square
/// pixels, so pixels count as squares whose side is the geometric mean.
pub const AXES_TOLERANCE: f64 = 0.02;

/// What a file states about its resolution, plausible or not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resolution {
    /// Micrometres per level-0 px along x.
    pub mpp_x: Option<f64>,
    /// Micrometres per level-0 px along y.
    pub mpp_y: Option<f64>,
    /// Objective power; 40 stands for "40x".
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
    /// No absolute unit; the tags state only the shape of the pixels.
    None,
    /// Inch, 25,400 um.
    Inch,
    /// Centimetre, 10,000 um.
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

/// The source of a slide's resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MppSource {
    /// The value that the user gave for the slide.
    User,
    /// The micrometres per pixel in the file.
    Mpp,
    /// The objective power in the file: 10 / power um/px.
    ObjectivePower,
    /// The resolution tags of the TIFF or PNG container.
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
    /// The source of these values.
    pub source: MppSource,
}

impl SlideMpp {
    /// The geometric mean of both axes, um/px. The plane's `downsample` is computed from it.
    pub fn mean(&self) -> f64 {
        (self.x * self.y).sqrt()
    }

    /// Micrometres per level-0 px, [x, y].
    pub fn axes(&self) -> [f64; 2] {
        [self.x, self.y]
    }
}

/// The reason why a slide's resolution cannot be decided.
#[derive(Debug, Error, Clone, PartialEq)]
pub enum ResolutionError {
    /// The file states no plausible resolution, and the user gave none.
    #[error(
        "{}: its resolution is unknown: {found}; expected micrometres per pixel, an objective power, or TIFF resolution tags. Give it with --mpp 0.25 (typical of 40x; 0.5 of 20x) or [slides] mpp in the configuration, for this slide alone with --mpp NAME=0.25 or under [slides.mpp_of], or work at [model] mpp = \"level0\" if the model does not care",
        path.display()
    )]
    Unknown {
        /// The slide.
        path: PathBuf,
        /// What the file states instead, as a list for the message.
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
    /// The pixels are not square.
    #[error(
        "{}: its pixels are {x} x {y} um ({stated_by}), expected square ones (within {} %): resample the slide, or give one value with --mpp NAME=UM or under [slides.mpp_of] in the configuration",
        path.display(), 100.0 * AXES_TOLERANCE
    )]
    NotSquare {
        /// The slide.
        path: PathBuf,
        /// Width of a pixel, um.
        x: f64,
        /// Height of a pixel, um.
        y: f64,
        /// The source of the values.
        stated_by: MppSource,
    },
}

/// Decides a slide's resolution from what its file states and from the value that the user
/// gave for the slide, um/px, which wins over all others.
///
/// # Errors
/// [`ResolutionError`] when no plausible value is known or the pixels are not square. The
/// message says what was found and what to do.
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
            Statement::Plausible(mpp) => return check_square(path, mpp),
            Statement::Unusable(reason) => found.push(reason),
        }
    }
    Err(ResolutionError::Unknown { path: path.to_owned(), found: found.join(", ") })
}

/// What one of the file's statements says about the resolution.
enum Statement {
    /// The statement is plausible.
    Plausible(SlideMpp),
    /// The statement is missing or implausible; the text says which, for the message.
    Unusable(String),
}

fn stated_mpp(stated: &Resolution) -> Statement {
    // A value for one axis alone counts for both.
    let axes = (stated.mpp_x.or(stated.mpp_y), stated.mpp_y.or(stated.mpp_x));
    match axes {
        (Some(x), Some(y)) if PLAUSIBLE_MPP.contains(&x) && PLAUSIBLE_MPP.contains(&y) => {
            Statement::Plausible(SlideMpp { x, y, source: MppSource::Mpp })
        }
        (Some(x), Some(y)) => Statement::Unusable(format!(
            "it states {x} x {y} um/px, outside {} to {}",
            PLAUSIBLE_MPP.start(),
            PLAUSIBLE_MPP.end()
        )),
        _ => Statement::Unusable("no micrometres per pixel".to_owned()),
    }
}

fn stated_power(stated: &Resolution) -> Statement {
    match stated.objective_power {
        Some(power) if PLAUSIBLE_POWER.contains(&power) => {
            let mpp = 10.0 / power;
            Statement::Plausible(SlideMpp { x: mpp, y: mpp, source: MppSource::ObjectivePower })
        }
        Some(power) => Statement::Unusable(format!("an impossible objective power of {power}")),
        None => Statement::Unusable("no objective power".to_owned()),
    }
}

fn stated_tags(stated: &Resolution) -> Statement {
    let Some(ResolutionTags { x, y, unit }) = stated.tags else {
        return Statement::Unusable("no resolution tags".to_owned());
    };
    let unit_um = match unit {
        ResolutionUnit::None => {
            return Statement::Unusable(format!("resolution tags of {x} x {y} without a unit"));
        }
        ResolutionUnit::Inch => 25_400.0,
        ResolutionUnit::Centimeter => 10_000.0,
    };
    let (mpp_x, mpp_y) = (unit_um / x, unit_um / y);
    let plausible = |mpp: f64| (*PLAUSIBLE_MPP.start()..=COARSEST_TAG_MPP).contains(&mpp);
    if plausible(mpp_x) && plausible(mpp_y) {
        let source = MppSource::TiffResolution;
        return Statement::Plausible(SlideMpp { x: mpp_x, y: mpp_y, source });
    }
    Statement::Unusable(format!(
        "resolution tags of {x} x {y} per {unit} ({mpp_x:.4} um/px, a printer's or screen's rather than a microscope's: expected {} to {COARSEST_TAG_MPP})",
        PLAUSIBLE_MPP.start()
    ))
}

fn check_square(path: &Path, mpp: SlideMpp) -> Result<SlideMpp, ResolutionError> {
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
    fn the_first_plausible_statement_wins() {
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
    fn a_resolution_of_one_axis_counts_for_both() {
        let stated = Resolution { mpp_y: Some(0.5), ..Default::default() };
        assert_eq!(decide(&stated, None).unwrap().axes(), [0.5, 0.5]);
    }

    #[test]
    fn errors_name_implausible_statements_and_what_to_do() {
        let stated = Resolution {
            mpp_x: Some(1000.0),
            mpp_y: Some(1000.0),
            objective_power: Some(0.0),
            tags: tags(300.0, ResolutionUnit::Inch),
        };
        let message = decide(&stated, None).unwrap_err().to_string();
        for part in [
            "a.svs",
            "1000",
            "power of 0",
            "300 x 300 per inch",
            "[slides] mpp",
            "[slides.mpp_of]",
            "level0",
        ] {
            assert!(message.contains(part), "{part} missing in: {message}");
        }
        let nothing = decide(&Resolution::default(), None).unwrap_err().to_string();
        assert!(nothing.contains("no objective power"), "{nothing}");
        let unitless = Resolution { tags: tags(1.0, ResolutionUnit::None), ..Default::default() };
        assert!(decide(&unitless, None).unwrap_err().to_string().contains("without a unit"));
    }

    #[test]
    fn numbers_that_are_not_positive_and_finite_are_refused() {
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
    fn pixels_beyond_the_tolerance_of_squareness_are_refused() {
        let with_mpp_y = |y| Resolution { mpp_x: Some(0.5), mpp_y: Some(y), ..Default::default() };
        assert!(decide(&with_mpp_y(0.509), None).is_ok());
        let message = decide(&with_mpp_y(0.6), None).unwrap_err().to_string();
        assert!(message.contains("0.5 x 0.6") && message.contains("(mpp)"), "{message}");
    }
}
