//! `slidegrid export`

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::{Exit, Failure, print};
use crate::config::{Config, RunConfig};
use crate::export::coords::CoordsFormat;
use crate::export::{ExportError, ExportFormat, GeoJsonObjects, GeoJsonRules};
use crate::geometry::CoordinateOrigin;
use crate::progress::Progress;
use crate::run_dir::RunDir;
use crate::stages::Completion;
use crate::stages::export::ExportInput;

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
    let (input, out) = (args.input()?, args.out.as_deref());
    if !heatmap_formats.is_empty() {
        for heatmap in input.heatmaps(out)? {
            let made = input.export_heatmap(&heatmap, &heatmap_formats, &rules);
            tell(&heatmap.slide, made)?;
        }
    }
    if !coords_formats.is_empty() {
        for patches in input.patches(out)? {
            tell(&patches.slide, input.export_coords(&patches, &coords_formats))?;
        }
    }
    Ok(Completion::from_counts(done, failed).into())
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

    fn input(&self) -> Result<ExportInput<'_>, Failure> {
        let Some(run) = self.run.as_deref().map(RunDir::new) else {
            return Ok(ExportInput::Files(&self.files));
        };
        let slides = match (self.all, self.slide.as_slice()) {
            (true, _) => None,
            (false, []) => {
                let problem = "no slides were named: give --slide NAME or --all";
                return Err(Failure::new(Exit::Usage, problem));
            }
            (false, names) => Some(names),
        };
        Ok(ExportInput::Run { run, slides })
    }
}
