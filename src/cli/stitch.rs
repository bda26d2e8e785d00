//! `slidegrid stitch`

use std::time::Instant;

use clap::Parser;

use super::options::RunOptions;
use super::predict::{GO_ON, clear, mark};
use super::{Exit, Failure, print, split};
use crate::config::RunConfig;
use crate::jobs::cost::StitchRecord;
use crate::number::{TaskNumber, ranges};
use crate::process;
use crate::progress::Progress;
use crate::run_dir::{self, RunDir};
use crate::staged;
use crate::stitch::{self, Stitched};

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
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        let (run, progress) = (self.options.dir(), self.options.progress());
        let config = self.options.settle()?;
        let names = self.names(&run)?;
        stitch_all(&run, &config, &names, self.allow_missing, &progress)
    }

    fn names(&self, run: &RunDir) -> Result<Vec<String>, Failure> {
        if let Some(slide) = &self.slide {
            if run.patches(slide).exists() {
                return Ok(vec![slide.clone()]);
            }
            let problem = format!(
                "{}: no patches of a slide {slide}; `slidegrid status` lists the slides",
                run.root().display()
            );
            return Err(Failure::new(Exit::Usage, problem));
        }
        let records = run_dir::list_slides(run)?;
        if let Some(task) = self.task {
            let record = split::record_of_task(run, &records, task)?;
            return match run.patches(&record.name).exists() {
                true => Ok(vec![record.name.clone()]),
                false => Err(without_patches(run, record)),
            };
        }
        Ok(stitchable(run, records))
    }
}

fn without_patches(run: &RunDir, record: &run_dir::SlideRecord) -> Failure {
    let why = match record.reason.as_str() {
        "" => "run `slidegrid split` first",
        reason => reason,
    };
    let name = &record.name;
    let problem = format!("{}: {name} has no patches to stitch: {why}", run.root().display());
    Failure::new(Exit::Input, problem)
}

/// The names of the slides that have patches.
pub(super) fn stitchable(run: &RunDir, records: Vec<run_dir::SlideRecord>) -> Vec<String> {
    let names = records.into_iter().map(|record| record.name);
    names.filter(|name| run.patches(name).exists()).collect()
}

/// Stitches the slides one after the other and lists those that failed.
pub(super) fn stitch_all(
    run: &RunDir,
    config: &RunConfig,
    names: &[String],
    allow_missing: bool,
    progress: &Progress,
) -> Result<Exit, Failure> {
    let signals = super::options::catch_signals()?;
    let task = progress.start("stitch", "slides", names.len());
    let (mut done, mut failed, mut exit) = (0, 0, Exit::Done);
    for name in names {
        if let Some(signal) = signals.interrupt().requested() {
            progress.note(&format!("stitch: {signal}: ended before {name}; {GO_ON}"));
            return Ok(Exit::Partial);
        }
        let marker = run.failure("stitch", name);
        let (started_unix_s, started, cpu_s) =
            (process::unix_s(), Instant::now(), process::cpu_s());
        match stitch::stitch_slide(run, config, name, allow_missing) {
            Ok(stitched) => {
                done += 1;
                clear(&marker);
                if !stitched.already_there {
                    let wall_s = started.elapsed().as_secs_f64();
                    let cpu_s = process::cpu_s() - cpu_s;
                    let record = StitchRecord { started_unix_s, wall_s, cpu_s };
                    let text = serde_json::to_vec(&record).expect("a record is plain data");
                    staged::write(&run.stitch_record(name), &text)?;
                }
                exit = exit.worst(report_result(run, name, &stitched, progress)?);
            }
            Err(error) => {
                failed += 1;
                progress.warn(&format!("error: {error}"));
                mark(&marker, &error, progress);
            }
        }
        task.advance(1);
    }
    Ok(Exit::from_counts(done, failed).worst(exit))
}

/// Prints the result for a slide and returns its exit code.
fn report_result(
    run: &RunDir,
    name: &str,
    stitched: &Stitched,
    progress: &Progress,
) -> Result<Exit, Failure> {
    for file in &stitched.files {
        print(&file.display().to_string())?;
    }
    if stitched.already_there {
        let added = match stitched.added {
            0 => String::new(),
            1 => ", 1 export added".to_owned(),
            added => format!(", {added} exports added"),
        };
        progress.note(&format!("stitch {name}: was done{added}"));
    } else {
        let max = stitched.max.map_or("none".to_owned(), |max| format!("{max:.3}"));
        progress.note(&format!("stitch {name}: {} points scored, largest {max}", stitched.scored));
    }
    if let Some(reason) = &stitched.audit_failure {
        let redo = run.redo_by_window(name);
        progress.warn(&format!("warning: {name}: {reason}; `{redo}` scores the slide again"));
    }
    if stitched.missing.is_empty() {
        return Ok(if stitched.audit_failure.is_some() { Exit::Partial } else { Exit::Done });
    }
    progress.warn(&format!(
        "warning: {name}: left out {} without scores: {}",
        match stitched.missing.len() {
            1 => "1 group".to_owned(),
            n => format!("{n} groups"),
        },
        ranges(&stitched.missing)
    ));
    Ok(Exit::Partial)
}
