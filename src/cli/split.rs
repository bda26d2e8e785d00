//! `slidegrid split`

use std::path::PathBuf;

use clap::Parser;
use rayon::ThreadPool;

use super::options::{RunOptions, ThreadOptions, catch_signals};
use super::{Exit, Failure, inputs};
use crate::config::RunConfig;
use crate::number::{ArrayShare, NumberList, TaskNumber};
use crate::progress::Progress;
use crate::run_dir::{self, RunDir, SlideRecord, SlideStatus};
use crate::split::{self, Extent};

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
    /// [`Failure`] if nothing can be done. Slides that fail are listed; the exit is then
    /// [`Exit::Partial`], or [`Exit::Input`] if all of them fail.
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        let (run, progress) = (self.options.dir(), self.options.progress());
        let inputs::GivenSlides { slides, keys } =
            self.given.collect(&run, &self.slides, &progress)?;
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
        let extent = if self.masks_only { Extent::Masks } else { Extent::Patches };
        let exit = split_all(&run, &config, &wanted, extent, &pool, &progress)?;
        if self.task.is_none() && run.slides_csv().exists() {
            run_dir::write_slides(&run, &run_dir::read_slides(&run)?)?;
        }
        Ok(exit)
    }
}

/// Adds the slides to the run's table.
pub(super) fn register(run: &RunDir, slides: &[PathBuf]) -> Result<Vec<SlideRecord>, Failure> {
    if slides.is_empty() && run_dir::list_slides(run).is_err() && !run.slides_csv().exists() {
        return Err(Failure::new(
            Exit::Usage,
            format!(
                "{}: this run has no slides yet; name some: files, folders or .txt lists",
                run.root().display()
            ),
        ));
    }
    Ok(run_dir::register(run, slides)?)
}

/// Row `task` of the table.
pub(super) fn record_of_task<'a>(
    run: &RunDir,
    records: &'a [SlideRecord],
    task: TaskNumber,
) -> Result<&'a SlideRecord, Failure> {
    records.get(task.index()).ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            format!(
                "{}: --task {task} is out of range: the run has {} slides, numbered from 1",
                run.slides_csv().display(),
                records.len()
            ),
        )
    })
}

/// The rows of `slides`, or all rows if no slides were named.
pub(super) fn select_records<'a>(
    records: &'a [SlideRecord],
    slides: &[PathBuf],
) -> Vec<&'a SlideRecord> {
    let stems: Vec<_> = slides.iter().filter_map(|slide| slide.file_stem()).collect();
    records
        .iter()
        .filter(|record| stems.is_empty() || stems.iter().any(|stem| *stem == record.name.as_str()))
        .collect()
}

/// Splits the slides one after the other and lists those that failed.
pub(super) fn split_all(
    run: &RunDir,
    config: &RunConfig,
    records: &[&SlideRecord],
    extent: Extent,
    pool: &ThreadPool,
    progress: &Progress,
) -> Result<Exit, Failure> {
    let signals = catch_signals()?;
    let workers = split::Workers { pool, interrupt: signals.interrupt() };
    let (mut whole, mut failed) = (0, 0);
    let mut partial = false;
    for record in records {
        let outcome = split::split_slide(run, config, record, extent, &workers, progress)?;
        if workers.interrupt.requested().is_some() && outcome.status == SlideStatus::Waiting {
            progress.note(&outcome_line(&outcome));
            return Ok(Exit::Partial);
        }
        // A slide of which only the mask was made keeps the status "waiting".
        let masked = extent == Extent::Masks
            && outcome.status == SlideStatus::Waiting
            && outcome.tissue_tiles.is_some_and(|tiles| tiles > 0);
        if outcome.status.has_patches() || masked {
            whole += 1;
        } else {
            failed += 1;
        }
        partial |= !outcome.reason.is_empty();
        if outcome.reason.is_empty() && outcome.note.is_empty() {
            progress.note(&outcome_line(&outcome));
        } else {
            progress.warn(&outcome_line(&outcome));
        }
    }
    Ok(match Exit::from_counts(whole, failed) {
        Exit::Done if partial => Exit::Partial,
        exit => exit,
    })
}

fn outcome_line(outcome: &SlideRecord) -> String {
    let figures = match (outcome.tissue_tiles, outcome.patches, outcome.groups) {
        (Some(tiles), Some(patches), Some(groups)) => {
            format!(" ({tiles} tissue tiles, {patches} patches, {groups} groups)")
        }
        (Some(tiles), ..) => format!(" ({tiles} tissue tiles)"),
        _ => String::new(),
    };
    let reasons: String = [&outcome.reason, &outcome.note]
        .into_iter()
        .filter(|text| !text.is_empty())
        .map(|text| format!(": {text}"))
        .collect();
    format!("split {}: {}{figures}{reasons}", outcome.name, outcome.status.name())
}
