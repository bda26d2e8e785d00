//! Applies a slide's embedded colour profile to its pixels as they are read.

use std::path::Path;
use std::sync::Arc;

use moxcms::{ColorProfile, Layout, ProfileText, TransformExecutor, TransformOptions};

use super::{Level, Region, RegionError, Resolution, Slide};

/// What was done with a slide's colour profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IccOutcome {
    /// Pixels are converted from the profile to sRGB.
    Applied {
        /// The profile's description of itself.
        profile: String,
    },
    /// The file has no profile, or the reader cannot read it.
    Absent,
    /// The file has a profile that cannot be used.
    Unusable {
        /// The reason.
        reason: String,
    },
}

impl std::fmt::Display for IccOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Applied { profile } => write!(f, "applied: {profile}"),
            Self::Absent => f.write_str("absent: the file has none, its colours are as stored"),
            Self::Unusable { reason } => {
                write!(f, "unusable: {reason}, its colours are as stored")
            }
        }
    }
}

/// Converts a slide's pixels to sRGB with the embedded profile (relative colorimetric).
/// A slide without a usable profile stays unchanged; the outcome states which is the case.
pub(crate) fn through_icc(slide: Box<dyn Slide>) -> (Box<dyn Slide>, IccOutcome) {
    let Some(bytes) = slide.icc_profile() else { return (slide, IccOutcome::Absent) };
    match to_srgb(&bytes) {
        Ok((transform, profile)) => {
            let slide = Box::new(SrgbSlide { slide, transform });
            (slide, IccOutcome::Applied { profile })
        }
        Err(reason) => (slide, IccOutcome::Unusable { reason }),
    }
}

type Transform = Arc<dyn TransformExecutor<u8> + Send + Sync>;

/// Largest colour profile that is used, bytes. Profiles of scanners have up to a few megabytes.
pub(super) const PROFILE_BYTES: usize = 16 << 20;

fn to_srgb(bytes: &[u8]) -> Result<(Transform, String), String> {
    if bytes.len() > PROFILE_BYTES {
        return Err(format!("it has more than {} MB", PROFILE_BYTES / 1_000_000));
    }
    let profile = ColorProfile::new_from_slice(bytes).map_err(|error| error.to_string())?;
    let options = TransformOptions {
        rendering_intent: moxcms::RenderingIntent::RelativeColorimetric,
        ..TransformOptions::default()
    };
    let transform = profile
        .create_transform_8bit(Layout::Rgb, &ColorProfile::new_srgb(), Layout::Rgb, options)
        .map_err(|error| error.to_string())?;
    let name = match &profile.description {
        Some(ProfileText::PlainString(name)) => name.clone(),
        Some(ProfileText::Localizable(names)) => {
            names.first().map_or(String::new(), |name| name.value.clone())
        }
        Some(ProfileText::Description(name)) => name.ascii_string.clone(),
        None => String::new(),
    };
    let name = name.trim_matches(|c: char| c.is_control() || c.is_whitespace());
    Ok((transform, if name.is_empty() { "a profile without a name".into() } else { name.into() }))
}

/// A slide whose pixels are converted to sRGB.
struct SrgbSlide {
    slide: Box<dyn Slide>,
    transform: Transform,
}

/// Number of pixels converted at once.
const CHUNK_PX: usize = 4096;

impl SrgbSlide {
    fn convert(&self, rgb: &mut [u8]) -> Result<(), String> {
        let mut stored = [0; 3 * CHUNK_PX];
        for pixels in rgb.chunks_mut(3 * CHUNK_PX) {
            let stored = &mut stored[..pixels.len()];
            stored.copy_from_slice(pixels);
            self.transform.transform(stored, pixels).map_err(|error| error.to_string())?;
            // White marks what lies outside the slide, so it stays white.
            for (pixel, stored) in pixels.chunks_exact_mut(3).zip(stored.chunks_exact(3)) {
                if stored == [255; 3] {
                    pixel.fill(255);
                }
            }
        }
        Ok(())
    }
}

impl Slide for SrgbSlide {
    fn path(&self) -> &Path {
        self.slide.path()
    }

    fn reader(&self) -> String {
        format!("{}, in sRGB by its profile", self.slide.reader())
    }

    fn levels(&self) -> &[Level] {
        self.slide.levels()
    }

    fn resolution(&self) -> &Resolution {
        self.slide.resolution()
    }

    fn read_region(&self, level: usize, region: Region, out: &mut [u8]) -> Result<(), RegionError> {
        self.slide.read_region(level, region, out)?;
        self.convert(out).map_err(|reason| {
            let downsample = self.slide.levels()[level].downsample;
            #[expect(clippy::cast_possible_truncation, reason = "positions inside a slide")]
            let level0 = |px: i64| (px as f64 * downsample) as i64;
            RegionError::Unreadable {
                path: self.path().to_owned(),
                level,
                level0_x: level0(region.x_px),
                level0_y: level0(region.y_px),
                width_px: region.width_px,
                height_px: region.height_px,
                reason,
            }
        })
    }

    fn icc_profile(&self) -> Option<Vec<u8>> {
        self.slide.icc_profile()
    }

    fn bounds_px(&self) -> Option<[u32; 2]> {
        self.slide.bounds_px()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of one row with an embedded profile.
    struct Plain {
        rgb: Vec<u8>,
        level: [Level; 1],
        profile: Option<Vec<u8>>,
        resolution: Resolution,
    }

    impl Plain {
        fn boxed(rgb: &[u8], profile: Option<Vec<u8>>) -> Box<dyn Slide> {
            let width_px = (rgb.len() / 3) as u32;
            let level = [Level { width_px, height_px: 1, downsample: 1.0 }];
            Box::new(Self { rgb: rgb.to_vec(), level, profile, resolution: Resolution::default() })
        }
    }

    impl Slide for Plain {
        fn path(&self) -> &Path {
            Path::new("plain.png")
        }

        fn reader(&self) -> String {
            "test".into()
        }

        fn levels(&self) -> &[Level] {
            &self.level
        }

        fn resolution(&self) -> &Resolution {
            &self.resolution
        }

        fn read_region(&self, _: usize, _: Region, out: &mut [u8]) -> Result<(), RegionError> {
            out.copy_from_slice(&self.rgb);
            Ok(())
        }

        fn icc_profile(&self) -> Option<Vec<u8>> {
            self.profile.clone()
        }

        fn bounds_px(&self) -> Option<[u32; 2]> {
            None
        }
    }

    fn read(slide: &dyn Slide) -> Vec<u8> {
        let row = Region::new(0, 0, slide.levels()[0].width_px, 1);
        let mut out = vec![0; 3 * row.width_px as usize];
        slide.read_region(0, row, &mut out).unwrap();
        out
    }

    const PIXELS: [u8; 12] = [255, 255, 255, 0, 0, 0, 180, 90, 140, 90, 60, 120];

    #[test]
    fn a_profile_of_wider_gamut_makes_colours_stronger_and_keeps_white() {
        let profile = ColorProfile::new_adobe_rgb().encode().unwrap();
        let (slide, outcome) = through_icc(Plain::boxed(&PIXELS, Some(profile)));
        assert!(matches!(&outcome, IccOutcome::Applied { .. }), "{outcome}");
        assert!(slide.reader().contains("profile"));
        let out = read(slide.as_ref());
        assert_eq!(out[..6], PIXELS[..6]);
        // The expected values follow from the primaries and curves of the two standards.
        for (found, expected) in out[6..9].iter().zip([205u8, 90, 143]) {
            assert!(found.abs_diff(expected) <= 2, "{out:?}");
        }
    }

    #[test]
    fn an_srgb_profile_changes_nothing() {
        let profile = ColorProfile::new_srgb().encode().unwrap();
        let (slide, _) = through_icc(Plain::boxed(&PIXELS, Some(profile)));
        let out = read(slide.as_ref());
        assert!(out.iter().zip(PIXELS).all(|(a, b)| a.abs_diff(b) <= 1), "{out:?}");
    }

    #[test]
    fn without_a_usable_profile_pixels_are_unchanged() {
        for (profile, expected) in [(None, "absent"), (Some(vec![7; 300]), "unusable")] {
            let (slide, outcome) = through_icc(Plain::boxed(&PIXELS, profile));
            assert!(outcome.to_string().starts_with(expected), "{outcome}");
            assert_eq!(read(slide.as_ref()), PIXELS);
        }
    }
}
