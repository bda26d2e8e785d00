//! `slidegrid split`

use std::path::PathBuf;

use clap::Parser;

use super::options::{RunOptions, ThreadOptions, catch_signals};
use super::{CommandEnd, Failure, inputs};
use crate::number::{ArrayShare, NumberList, TaskNumber};
use crate::run_dir::{self, SlideRecord};
use crate::slide_inputs::GivenSlides;
use crate::split::Extent;
use crate::staged;
use crate::stages::dense_cost::warn_before_split;
use crate::stages::slides::{record_of_task, register, select_records};
use crate::stages::split::split_all;
use crate::threads::Workers;

/// Find tissue and write it as grouped patches, one HDF5 file per slide.
///
/// Writes RUN/patches/SLIDE.h5, RUN/masks/SLIDE.png, and one row per slide in RUN/slides.csv
/// with the outcome and its reason. Slides that are done are kept, and a slide that fails
/// does not stop the others.
#[derive(Debug, Parser)]
#[command(
    name = "split",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  slidegrid split --run run --config configs/quickstart.toml slides/
  slidegrid split --run run --config c.toml a.svs b.ndpi more.txt
  slidegrid split --run run --config c.toml --masks-only slides/    masks to check first
  slidegrid split --run run --config c.toml --manifest cohort.csv   settings per slide
  slidegrid split --run run --task 7        row 7 of run/slides.csv, as an array job does"
)]
pub(crate) struct SplitArgs {
    #[command(flatten)]
    options: RunOptions,

    #[command(flatten)]
    given: inputs::SlideOptions,

    #[command(flatten)]
    threads: ThreadOptions,

    /// Rows of slides.csv to split, counted from 1: 7, or 3-10,17.
    #[arg(long, value_name = "LIST")]
    task: Option<NumberList<TaskNumber>>,

    /// Split only part I of N of these rows, as task I of an array of N tasks does.
    #[arg(long, value_name = "I/N", requires = "task")]
    part: Option<ArrayShare>,

    /// Only find the tissue and write its masks: RUN/masks/SLIDE.png, a picture to check, and
    /// RUN/masks/tiles/SLIDE.png, which can be edited and used as a mask.
    #[arg(long)]
    masks_only: bool,

    /// Slides: files, folders, or .txt lists with one path per line [default: all slides of
    /// the run].
    #[arg(value_name = "SLIDE")]
    slides: Vec<PathBuf>,
}

impl SplitArgs {
    /// Splits the slides.
    ///
    /// # Errors
    /// [`Failure`] if nothing can be done. Slides that fail are listed; the exit code
    /// is then 5, or 4 if all of them fail.
    pub(crate) fn run(&self) -> Result<CommandEnd, Failure> {
        let (run, progress) = (self.options.dir(), self.options.progress());
        let GivenSlides { slides, keys } = self.given.collect(&run, &self.slides, &progress)?;
        let config = self.options.settle_with(&keys)?;
        let pool = self.threads.pool(config.config.predict.threads, &progress);
        let records = register(&run, &slides)?;
        let wanted: Vec<&SlideRecord> = match &self.task {
            Some(tasks) => {
                let tasks = self.part.map_or(tasks.as_slice(), |share| tasks.share(share));
                tasks
                    .iter()
                    .map(|&task| record_of_task(&run, &records, task))
                    .collect::<Result<_, _>>()?
            }
            None => select_records(&records, &slides),
        };
        if self.task.is_none() && !self.masks_only {
            warn_before_split(&run, &config, &wanted, &progress);
        }
        let extent = if self.masks_only { Extent::Masks } else { Extent::Patches };
        let signals = catch_signals()?;
        let workers = Workers { pool: &pool, interrupt: signals.interrupt() };
        let end = split_all(&run, &config, &wanted, extent, &workers, &progress)?;
        if self.task.is_none() && staged::is_there(&run.slides_csv())? {
            run_dir::refresh_slides(&run)?;
        }
        Ok(end.into())
    }
}
