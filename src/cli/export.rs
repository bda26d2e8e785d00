//! `slidegrid export`

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;

use super::{Exit, Failure, print};
use crate::config::{RunConfig, StitchKeys, StudyKeys};
use crate::export::coords::{CoordsFormat, write_coords};
use crate::export::{ExportError, ExportFormat, GeoJsonObjects, GeoJsonRules, export_heatmap};
use crate::patches::PatchesFile;
use crate::progress::Progress;
use crate::run_dir::RunDir;

/// Write heatmaps in formats that other programs open.
///
/// Formats: asap (overlay for ASAP, SLIDE_likelihood_map.tif), ome-tiff, ome-zarr
/// (the scores), geojson (objects for QuPath), csv (WSInfer's columns), deepzoom
/// (tiles for web viewers; many small files); and of patch files clam-coords,
/// trident-coords (where the tissue tiles are). What is there is replaced. A run
/// writes them by itself with stitch.export and tiling.coords in its configuration.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slidegrid export --run run --all --format asap --format geojson
  slidegrid export --run run --slide tumor_001 --format ome-zarr --out viewer
  slidegrid export run/heatmaps/tumor_001.h5 --format geojson --objects detections
  slidegrid export run/patches/tumor_001.h5 --format clam-coords --out coords")]
pub(crate) struct ExportArgs {
    /// Heatmap files, for clam-coords and trident-coords patch files.
    #[arg(value_name = "H5", required_unless_present = "run", conflicts_with = "run")]
    files: Vec<PathBuf>,

    /// Run directory: heatmaps and patches are found in it.
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,

    /// These slides of the run.
    #[arg(long, value_name = "NAME", requires = "run")]
    slide: Vec<String>,

    /// Every slide of the run that has one.
    #[arg(long, requires = "run", conflicts_with = "slide")]
    all: bool,

    /// asap (overlay), ome-tiff, ome-zarr (the scores), geojson (for QuPath), csv
    /// (WSInfer's columns), deepzoom (web tiles: many small files), clam-coords,
    /// trident-coords (places of tissue tiles); may be given several times.
    #[arg(long, value_name = "FORMAT", required = true)]
    format: Vec<Format>,

    /// Folder to write to; default: that of the heatmap, RUN/coords for coordinates
    /// of a run. Needed for coordinates of single patch files.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// geojson: tiles from this score on, detections above it; default 0.5, or the
    /// run's. 0 writes every point that was scored.
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    min_score: Option<f32>,

    /// geojson: tiles (a square a point) or detections (the maxima that
    /// non-maximum suppression leaves); default tiles, or the run's.
    #[arg(long, value_name = "tiles|detections")]
    objects: Option<GeoJsonObjects>,

    /// No progress, only warnings and errors.
    #[arg(long, short)]
    quiet: bool,
}

/// A format of heatmaps or of coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Heatmap(ExportFormat),
    Coords(CoordsFormat),
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(format) = text.parse() {
            return Ok(Self::Coords(format));
        }
        let heatmap = text.parse().map(Self::Heatmap);
        heatmap.map_err(|e| format!("{e}, clam-coords, trident-coords"))
    }
}

/// One file to export.
struct Job {
    slide: String,
    file: PathBuf,
    folder: PathBuf,
}

pub(super) fn run(args: &ExportArgs) -> Result<Exit, Failure> {
    let progress = Progress::on_stderr(args.quiet);
    let rules = args.rules()?;
    let heatmap_formats: Vec<ExportFormat> = args.heatmap_formats();
    let coords_formats: Vec<CoordsFormat> = args.coords_formats();
    if !coords_formats.is_empty() && args.run.is_none() && args.out.is_none() {
        let problem = "coordinates of patch files: where to? Give --out DIR";
        return Err(Failure::new(Exit::Usage, problem));
    }
    let (mut done, mut failed) = (0, 0);
    let mut tell = |slide: &str, result: Result<Vec<PathBuf>, ExportError>| match result {
        Ok(files) => {
            done += 1;
            progress.note(&format!("export {slide}: {} written", files.len()));
            files.iter().try_for_each(|file| print(&file.display().to_string()))
        }
        Err(error) => {
            failed += 1;
            progress.warn(&format!("error: {error}"));
            Ok(())
        }
    };
    if !heatmap_formats.is_empty() {
        for Job { slide, file, folder } in args.jobs(RunDir::heatmaps, RunDir::heatmaps)? {
            let made = export_heatmap(&file, &folder, &slide, &heatmap_formats, &rules);
            tell(&slide, made)?;
        }
    }
    if !coords_formats.is_empty() {
        for job in args.jobs(|run| run.root().join("patches"), RunDir::coords)? {
            tell(&job.slide, export_coords(&job, &coords_formats))?;
        }
    }
    Ok(Exit::of(done, failed))
}

fn export_coords(job: &Job, formats: &[CoordsFormat]) -> Result<Vec<PathBuf>, ExportError> {
    let patches = PatchesFile::open(&job.file)?;
    let write = |&format: &CoordsFormat| write_coords(&patches, &job.folder, &job.slide, format);
    formats.iter().map(write).collect()
}

impl ExportArgs {
    fn heatmap_formats(&self) -> Vec<ExportFormat> {
        let formats = self.format.iter();
        formats
            .filter_map(|format| match format {
                Format::Heatmap(format) => Some(*format),
                Format::Coords(_) => None,
            })
            .collect()
    }

    fn coords_formats(&self) -> Vec<CoordsFormat> {
        let formats = self.format.iter();
        formats
            .filter_map(|format| match format {
                Format::Coords(format) => Some(*format),
                Format::Heatmap(_) => None,
            })
            .collect()
    }

    /// The run's rules, or the usual ones, with what was given.
    fn rules(&self) -> Result<GeoJsonRules, Failure> {
        let (stitch, study) = match &self.run {
            Some(run) => {
                let config = RunConfig::read(run)?.config;
                (config.stitch, config.study)
            }
            None => (StitchKeys::default(), StudyKeys::default()),
        };
        let mut rules = stitch.geojson_rules(&study);
        rules.objects = self.objects.unwrap_or(rules.objects);
        rules.min_score = self.min_score.unwrap_or(rules.min_score);
        if !rules.min_score.is_finite() {
            let problem = format!("--min-score {}: expected a score", rules.min_score);
            return Err(Failure::new(Exit::Usage, problem));
        }
        Ok(rules)
    }

    /// What to export: the files given, or those of the run in `from`, into `--out`
    /// or `into`.
    fn jobs(
        &self,
        from: impl Fn(&RunDir) -> PathBuf,
        into: impl Fn(&RunDir) -> PathBuf,
    ) -> Result<Vec<Job>, Failure> {
        let Some(run) = self.run.as_deref().map(RunDir::new) else {
            return Ok(self.files.iter().map(|file| self.job_of(file)).collect());
        };
        let (folder, out) = (from(&run), self.out.clone().unwrap_or_else(|| into(&run)));
        let names = match (self.all, self.slide.as_slice()) {
            (true, _) => stems(&folder),
            (false, []) => {
                let problem = "which slides? Give --slide NAME or --all";
                return Err(Failure::new(Exit::Usage, problem));
            }
            (false, names) => names.to_vec(),
        };
        if names.is_empty() {
            let problem = format!(
                "{}: no .h5 files to export here; `slidegrid status` says what the run has",
                folder.display()
            );
            return Err(Failure::new(Exit::Input, problem));
        }
        let job = |slide: String| Job {
            file: folder.join(format!("{slide}.h5")),
            folder: out.clone(),
            slide,
        };
        Ok(names.into_iter().map(job).collect())
    }

    fn job_of(&self, file: &Path) -> Job {
        let above = file.parent().unwrap_or(Path::new("")).to_owned();
        Job {
            slide: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            file: file.to_owned(),
            folder: self.out.clone().unwrap_or(above),
        }
    }
}

/// Names of the `.h5` files of a folder, sorted.
fn stems(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let stem = name.strip_suffix(".h5")?;
            (!stem.starts_with('.')).then(|| stem.to_owned())
        })
        .collect();
    names.sort();
    names
}
