//! Makes a folder of synthetic slides with their truth.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use image::ImageFormat;
use rayon::ThreadPool;
use thiserror::Error;

use super::asap_xml::{self, AsapPolygon};
use super::lesions::{LesionClass, trace};
use super::models;
use super::noise::mix;
use super::pyramid;
use super::render::Scene;
use super::tissue_map;
use crate::staged::{self, StageError};
use crate::threads;

/// The settings of a cohort of synthetic slides.
#[derive(Debug, Clone, PartialEq)]
pub struct Cohort {
    /// Number of slides.
    pub slides: u32,
    /// Seed from which all slides follow.
    pub seed: u64,
    /// Width of every slide, px, 1,000 to 100,000.
    pub width_px: u32,
    /// Height of every slide, px, 1,000 to 100,000.
    pub height_px: u32,
    /// Resolution, um per px, 0.1 to 2.
    pub um_per_px: f64,
    /// Share of slides with metastases, 0 to 1.
    pub tumor_fraction: f64,
    /// Number of drawing threads; the files do not depend on this number.
    pub threads: usize,
    /// Whether existing files are made again.
    pub force: bool,
}

/// One synthetic slide, made now or found complete.
#[derive(Debug, Clone, PartialEq)]
pub struct SyntheticSlide {
    /// The slide's name, for example `demo_tumor_001`.
    pub name: String,
    /// Path of the slide.
    pub slide: PathBuf,
    /// Path of the outlines of the lesions; `None` for slides without tumor.
    pub truth: Option<PathBuf>,
    /// Path of the tissue map, a grey PNG that shows tissue and fat.
    pub tissue: PathBuf,
    /// Class and longest diameter (um) of each lesion.
    pub lesions: Vec<(LesionClass, f32)>,
    /// Whether the files existed and were kept.
    pub kept: bool,
}

/// The reason why a cohort could not be made.
#[derive(Debug, Error)]
pub enum SynthError {
    /// A setting is out of range.
    #[error("{setting} is {found}; it must be {expected}")]
    Setting {
        /// The setting's name.
        setting: &'static str,
        /// The value of the setting.
        found: String,
        /// The allowed values.
        expected: &'static str,
    },
    /// The folder holds slides made with other settings.
    #[error(
        "{}: the slides in this folder were made with other settings ({found}), expected ({expected}); choose another --out, or replace them with --force",
        path.display()
    )]
    OtherSettings {
        /// The settings file.
        path: PathBuf,
        /// The settings in the file.
        found: String,
        /// The settings of the cohort to be made.
        expected: String,
    },
    /// A tissue map could not be written.
    #[error("{}: cannot encode the tissue map: {source}", path.display())]
    TissueMap {
        /// The map.
        path: PathBuf,
        /// The encoder's error.
        source: image::ImageError,
    },
    /// A file could not be read.
    #[error("{}: cannot read it: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file could not be written.
    #[error(transparent)]
    Stage(#[from] StageError),
}

impl Cohort {
    fn check(&self) -> Result<(), SynthError> {
        let fail = |setting, found: String, expected| {
            Err(SynthError::Setting { setting, found, expected })
        };
        let sides = 1_000..=100_000;
        match self {
            c if c.slides == 0 => fail("slides", "0".into(), "at least 1"),
            c if !sides.contains(&c.width_px) => {
                fail("width", c.width_px.to_string(), "1000 to 100000 px")
            }
            c if !sides.contains(&c.height_px) => {
                fail("height", c.height_px.to_string(), "1000 to 100000 px")
            }
            c if !(0.1..=2.0).contains(&c.um_per_px) => {
                fail("mpp", c.um_per_px.to_string(), "0.1 to 2 um per px")
            }
            c if !(0.0..=1.0).contains(&c.tumor_fraction) => {
                fail("tumor-fraction", c.tumor_fraction.to_string(), "0 to 1")
            }
            c if c.threads == 0 => fail("threads", "0".into(), "at least 1"),
            _ => Ok(()),
        }
    }

    /// Whether slide `number` (counted from 1) has metastases. The slides that have some are
    /// spread evenly over the cohort, and the first slide is one of them.
    fn is_tumor(&self, number: u32) -> bool {
        let tumor_slides_among = |n: u32| (f64::from(n) * self.tumor_fraction - 1e-9).ceil();
        tumor_slides_among(number) > tumor_slides_among(number - 1)
    }

    fn name(&self, number: u32) -> String {
        let kind = if self.is_tumor(number) { "tumor" } else { "normal" };
        format!("demo_{kind}_{number:03}")
    }

    /// The settings that determine a slide's pixels, in the form of `synth.toml`.
    fn settings(&self) -> String {
        format!(
            "seed = {}\nwidth = {}\nheight = {}\nmpp = {:?}\ntumor_fraction = {:?}\n",
            self.seed, self.width_px, self.height_px, self.um_per_px, self.tumor_fraction
        )
    }

    /// Writes the settings to `synth.toml`; an error when the folder holds slides of other
    /// settings and `force` is not set.
    fn write_settings(&self, out: &Path) -> Result<(), SynthError> {
        let path = out.join("synth.toml");
        let expected = self.settings();
        match fs::read_to_string(&path) {
            Ok(text) => {
                let found: String = text
                    .lines()
                    .filter(|line| !line.starts_with('#'))
                    .flat_map(|line| [line, "\n"])
                    .collect();
                if found != expected && !self.force {
                    let one_line = |text: &str| text.trim().replace('\n', ", ");
                    let (found, expected) = (one_line(&found), one_line(&expected));
                    return Err(SynthError::OtherSettings { path, found, expected });
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(SynthError::Read { path, source }),
        }
        let version = env!("CARGO_PKG_VERSION");
        staged::write(
            &path,
            format!("# made by slidegrid synth {version}\n{expected}").as_bytes(),
        )?;
        Ok(())
    }

    fn make_slide(
        &self,
        out: &Path,
        number: u32,
        pool: &ThreadPool,
    ) -> Result<SyntheticSlide, SynthError> {
        let name = self.name(number);
        let tumor = self.is_tumor(number);
        let slide = out.join("slides").join(format!("{name}.tif"));
        let truth = tumor.then(|| out.join("truth").join(format!("{name}.xml")));
        let seed = mix(self.seed ^ mix(u64::from(number)));
        let scene = Scene::new(seed, self.width_px, self.height_px, self.um_per_px, tumor);
        let tissue = out.join("tissue").join(format!("{name}.png"));
        if self.force || !tissue.exists() {
            self.write_tissue_map(&scene, &tissue, pool)?;
        }
        let lesions = &scene.anatomy.lesions;
        let kept = !self.force && slide.exists() && truth.as_ref().is_none_or(|path| path.exists());
        if !kept {
            if let Some(path) = &truth {
                staged::write(path, asap_xml::document(&self.polygons(&scene)).as_bytes())?;
            }
            let description = format!(
                "Synthetic lymph node, no patient: slidegrid synth, seed {}, slide {number}, {} um/px",
                self.seed, self.um_per_px
            );
            let (width_px, height_px, um_per_px) = (self.width_px, self.height_px, self.um_per_px);
            let threads = self.threads;
            pyramid::write(&slide, &scene, width_px, height_px, um_per_px, &description, threads)?;
        }
        let lesions = lesions.iter().map(|lesion| (lesion.class(), lesion.diameter_um)).collect();
        Ok(SyntheticSlide { name, slide, truth, tissue, lesions, kept })
    }

    fn write_tissue_map(
        &self,
        scene: &Scene,
        path: &Path,
        pool: &ThreadPool,
    ) -> Result<(), SynthError> {
        let map = tissue_map::draw(scene, self.width_px, self.height_px, pool);
        let mut png = io::Cursor::new(Vec::new());
        map.write_to(&mut png, ImageFormat::Png)
            .map_err(|source| SynthError::TissueMap { path: path.to_owned(), source })?;
        Ok(staged::write(path, png.get_ref())?)
    }

    /// The outlines of a slide's lesions, level-0 px.
    fn polygons(&self, scene: &Scene) -> Vec<AsapPolygon> {
        #[expect(clippy::cast_possible_truncation, reason = "drawn with the same precision")]
        let um_per_px = self.um_per_px as f32;
        let to_px = |points: Vec<(f32, f32)>| {
            points.into_iter().map(|(x, y)| (x / um_per_px, y / um_per_px)).collect::<Vec<_>>()
        };
        let mut polygons = Vec::new();
        for (lesion, group) in scene.anatomy.lesions.iter().zip(["_0", "_1"].into_iter().cycle()) {
            polygons.push(AsapPolygon { group, points: to_px(trace(&lesion.outline, um_per_px)) });
            if let Some(hole) = &lesion.hole {
                polygons.push(AsapPolygon { group: "_2", points: to_px(trace(hole, um_per_px)) });
            }
        }
        polygons
    }
}

/// The content of `reference.csv`: one row per slide with its name and kind, as in
/// CAMELYON16's file, and the number of lesions of each class.
fn reference(all: &[SyntheticSlide]) -> String {
    let mut csv = String::from("image,type,itc,micro,macro,largest_um\n");
    for made in all {
        let count = |class| made.lesions.iter().filter(|lesion| lesion.0 == class).count();
        let largest = made.lesions.iter().map(|lesion| lesion.1).fold(0.0, f32::max);
        csv += &format!(
            "{},{},{},{},{},{largest:.0}\n",
            made.name,
            if made.truth.is_some() { "Tumor" } else { "Normal" },
            count(LesionClass::Itc),
            count(LesionClass::Micro),
            count(LesionClass::Macro),
        );
    }
    csv
}

/// Makes `cohort` in the folder `out`, which gets `slides/`, `truth/`, `tissue/`, `model/`,
/// `synth.toml` and `quickstart.toml`. `on_slide` is called after each slide. Complete slides
/// that exist are kept unless [`Cohort::force`] is set.
///
/// # Errors
/// [`SynthError`] when a setting is out of range, when the folder holds slides of other
/// settings, and when a file cannot be written.
pub fn make(
    cohort: &Cohort,
    out: &Path,
    mut on_slide: impl FnMut(&SyntheticSlide),
) -> Result<Vec<SyntheticSlide>, SynthError> {
    cohort.check()?;
    cohort.write_settings(out)?;
    let pool = threads::pool(cohort.threads);
    let mut all = Vec::new();
    for number in 1..=cohort.slides {
        let made = cohort.make_slide(out, number, &pool)?;
        on_slide(&made);
        all.push(made);
    }
    models::write(&out.join("model"))?;
    staged::write(&out.join("quickstart.toml"), models::CONFIG.as_bytes())?;
    staged::write(&out.join("truth/reference.csv"), reference(&all).as_bytes())?;
    Ok(all)
}
