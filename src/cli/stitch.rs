//! `slidegrid stitch`

use clap::Parser;

use super::options::{RunOptions, catch_signals};
use super::output::print_path;
use super::{CommandEnd, Failure};
use crate::number::TaskNumber;
use crate::run_dir::{self, RunDir};
use crate::stages::StagesError;
use crate::stages::slides::record_of_task;
use crate::stages::stitch::{StitchOptions, require_patches, stitch_all, stitchable, with_patches};

/// Assemble the scores of slides into heatmaps.
///
/// Writes RUN/heatmaps/SLIDE.h5, a picture of the heatmap over the slide's thumbnail, and the
/// formats of stitch.export. Prints the paths of the files. Heatmaps that are done are kept.
#[derive(Debug, Parser)]
#[command(
    name = "stitch",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  slidegrid stitch --run run --all
  slidegrid stitch --run run --slide tumor_001 --allow-missing
  slidegrid stitch --run run --all --set 'stitch.export=[\"asap\",\"geojson\"]'
  slidegrid stitch --run run --task 7        row 7 of run/slides.csv, as an array job does"
)]
pub(crate) struct StitchArgs {
    #[command(flatten)]
    options: RunOptions,

    /// Row of slides.csv to stitch, counted from 1.
    #[arg(long, value_name = "N", required_unless_present_any = ["slide", "all"], conflicts_with_all = ["slide", "all"])]
    task: Option<TaskNumber>,

    /// Slide to stitch.
    #[arg(long, value_name = "NAME", conflicts_with = "all")]
    slide: Option<String>,

    /// Stitch all slides of the run.
    #[arg(long)]
    all: bool,

    /// Make heatmaps even if groups have no scores; their points are NaN.
    #[arg(long)]
    allow_missing: bool,
}

impl StitchArgs {
    /// Stitches the slides.
    ///
    /// # Errors
    /// [`Failure`] if nothing can be done. Slides that fail are listed.
    pub(crate) fn run(&self) -> Result<CommandEnd, Failure> {
        let (run, progress) = (self.options.dir(), self.options.progress());
        let config = self.options.settle()?;
        let names = self.names(&run)?;
        let signals = catch_signals()?;
        let options = StitchOptions {
            allow_missing: self.allow_missing,
            interrupt: signals.interrupt(),
            on_file: &print_path,
        };
        Ok(stitch_all(&run, &config, &names, &options, &progress)?.into())
    }

    fn names(&self, run: &RunDir) -> Result<Vec<String>, StagesError> {
        if let Some(slide) = &self.slide {
            require_patches(run, slide)?;
            return Ok(vec![slide.clone()]);
        }
        let records = run_dir::list_slides(run)?;
        if let Some(task) = self.task {
            return Ok(vec![with_patches(run, record_of_task(run, &records, task)?)?]);
        }
        Ok(stitchable(run, records))
    }
}
