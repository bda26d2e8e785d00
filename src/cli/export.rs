//! `slidegrid export`

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;

use super::{Exit, Failure, print};
use crate::config::{Config, RunConfig};
use crate::export::coords::{CoordsFormat, write_coords};
use crate::export::{ExportError, ExportFormat, GeoJsonObjects, GeoJsonRules, export_heatmap};
use crate::geometry::CoordinateOrigin;
use crate::heatmap_h5::read_heatmap_meta;
use crate::patches::PatchesFile;
use crate::progress::Progress;
use crate::run_dir::RunDir;
use crate::stages::Completion;

/// Write heatmaps in formats of other programs.
///
/// Formats of heatmaps: asap (overlay for ASAP, SLIDE_likelihood_map.tif), ome-tiff and
/// ome-zarr (the scores), geojson (objects for QuPath), csv (with WSInfer's columns), deepzoom
/// (tiles for web viewers; many small files). Formats of patch files: clam-coords and
/// trident-coords (the coordinates of tissue tiles). Existing files are replaced. A run
/// writes exports by itself if its configuration sets stitch.export or tiling.coords.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slidegrid export --run run --all --format asap --format geojson
  slidegrid export --run run --slide tumor_001 --format ome-zarr --out viewer
  slidegrid export run/heatmaps/tumor_001.h5 --format geojson --objects detections
  slidegrid export run/patches/tumor_001.h5 --format clam-coords --out coords")]
pub(crate) struct ExportArgs {
    /// Heatmap files; for clam-coords and trident-coords, patch files.
    #[arg(value_name = "H5", required_unless_present = "run", conflicts_with = "run")]
    files: Vec<PathBuf>,

    /// Run directory that holds the heatmaps and patch files.
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,

    /// Slide of the run to export. Repeatable.
    #[arg(long, value_name = "NAME", requires = "run")]
    slide: Vec<String>,

    /// Export every slide of the run that has a heatmap, or patches for coordinates.
    #[arg(long, requires = "run", conflicts_with = "slide")]
    all: bool,

    /// Format to write: asap, ome-tiff, ome-zarr, geojson, csv, deepzoom, clam-coords or
    /// trident-coords. Repeatable.
    #[arg(long, value_name = "FORMAT", required = true)]
    format: Vec<Format>,

    /// Folder to write to [default: the heatmap's folder; RUN/coords for coordinates of a
    /// run]. Required for coordinates of single patch files.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// For geojson: write tiles with at least this score, or detections above this score
    /// [default: 0.5, or that of the run]. 0 writes every scored point.
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    min_score: Option<f32>,

    /// For geojson: tiles (one square per point) or detections (the maxima after non-maximum
    /// suppression) [default: tiles, or those of the run].
    #[arg(long, value_name = "tiles|detections")]
    objects: Option<GeoJsonObjects>,

    /// For geojson: where coordinates begin on slides that state the bounds of the scanned area:
    /// at the corner of the bounds, as in QuPath, or of the plane [default: bounds, or that of
    /// the run].
    #[arg(long, value_name = "bounds|plane")]
    origin: Option<CoordinateOrigin>,

    /// Print no progress, only warnings and errors.
    #[arg(long, short)]
    quiet: bool,
}

/// A format of heatmaps or of tile coordinates.
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
struct ExportFile {
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
        let problem = "coordinates of single patch files need a folder to write to: give --out DIR";
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
        for ExportFile { slide, file, folder } in args.files(RunDir::heatmaps, RunDir::heatmaps)? {
            // A file that was given by its path may have any name.
            let belongs = match &args.run {
                Some(_) => read_heatmap_meta(&file).and_then(|meta| meta.check_named(&file)),
                None => Ok(()),
            };
            let made = belongs
                .map_err(ExportError::from)
                .and_then(|()| export_heatmap(&file, &folder, &slide, &heatmap_formats, &rules));
            tell(&slide, made)?;
        }
    }
    if !coords_formats.is_empty() {
        for file in args.files(|run| run.root().join("patches"), RunDir::coords)? {
            tell(&file.slide, export_coords(&file, &coords_formats))?;
        }
    }
    Ok(Completion::from_counts(done, failed).into())
}

fn export_coords(file: &ExportFile, formats: &[CoordsFormat]) -> Result<Vec<PathBuf>, ExportError> {
    let patches = PatchesFile::open(&file.file)?;
    let write = |&format: &CoordsFormat| write_coords(&patches, &file.folder, &file.slide, format);
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

    /// The run's rules, or the default ones, with the given options in their place.
    fn rules(&self) -> Result<GeoJsonRules, Failure> {
        let config = match &self.run {
            Some(run) => RunConfig::read(run)?.config,
            None => Config::default(),
        };
        let mut rules = config.stitch.geojson_rules(&config.study, &config.slides);
        rules.origin = self.origin.unwrap_or(rules.origin);
        rules.objects = self.objects.unwrap_or(rules.objects);
        rules.min_score = self.min_score.unwrap_or(rules.min_score);
        if !rules.min_score.is_finite() {
            let problem = format!("--min-score {}: expected a score", rules.min_score);
            return Err(Failure::new(Exit::Usage, problem));
        }
        Ok(rules)
    }

    /// The files to export: those that were given, or those in the run's folder `from`. The
    /// results go to `--out`, or else to the run's folder `into`.
    fn files(
        &self,
        from: impl Fn(&RunDir) -> PathBuf,
        into: impl Fn(&RunDir) -> PathBuf,
    ) -> Result<Vec<ExportFile>, Failure> {
        let Some(run) = self.run.as_deref().map(RunDir::new) else {
            return Ok(self.files.iter().map(|file| self.file_of(file)).collect());
        };
        let (folder, out) = (from(&run), self.out.clone().unwrap_or_else(|| into(&run)));
        let names = match (self.all, self.slide.as_slice()) {
            (true, _) => stems(&folder),
            (false, []) => {
                let problem = "no slides were named: give --slide NAME or --all";
                return Err(Failure::new(Exit::Usage, problem));
            }
            (false, names) => names.to_vec(),
        };
        if names.is_empty() {
            let problem = format!(
                "{}: no .h5 files to export here; `slidegrid status` shows what the run has",
                folder.display()
            );
            return Err(Failure::new(Exit::Input, problem));
        }
        let file = |slide: String| ExportFile {
            file: folder.join(format!("{slide}.h5")),
            folder: out.clone(),
            slide,
        };
        Ok(names.into_iter().map(file).collect())
    }

    fn file_of(&self, file: &Path) -> ExportFile {
        let above = file.parent().unwrap_or(Path::new("")).to_owned();
        ExportFile {
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
