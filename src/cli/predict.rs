//! `slidegrid predict`

use std::path::Path;

use clap::{Args, Parser};
use rayon::ThreadPool;

use super::options::{EngineOptions, RunOptions, ThreadOptions, select_engine};
use super::{Exit, Failure};
use crate::config::{Method, RunConfig};
use crate::jobs::lookup::{Lookup, LookupError};
use crate::model::{EngineChoice, EngineError, Precision};
use crate::number::{ArrayShare, GroupNumber, Number, NumberList, TaskNumber};
use crate::predict::{GroupOutcome, Predictor, share};
use crate::progress::Progress;
use crate::run_dir::RunDir;
use crate::staged;

/// Score groups of patches with the network.
///
/// Writes RUN/scores/SLIDE/tK.h5. Groups that are done are kept, so repeating the command
/// scores only what is missing. The exit code is also 5 if the audit of a cascade finds
/// points that the screen missed; `slidegrid redo` then scores the slide again.
#[derive(Debug, Parser)]
#[command(
    name = "predict",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  slidegrid predict --run run --all
  slidegrid predict --run run --slide tumor_001 --group 3 --threads 7
  slidegrid predict --run run --slide tumor_001 --group 3-10,17
  slidegrid predict --run run --slide tumor_001 --group 1-40 --part 2/10
                                             the second tenth of these groups, as an array job does
  slidegrid predict --run run --task 118     task 118 of run/lookup.csv
  slidegrid predict --run run --all --method dense
                                             one network run per patch, not per window
  slidegrid predict --run run --all --engine openvino --precision bf16
                                             faster where the processor has bf16"
)]
pub(crate) struct PredictArgs {
    #[command(flatten)]
    options: RunOptions,

    #[command(flatten)]
    selection: GroupSelection,

    /// Distance between scored points, working px. It cannot change once the run has scores.
    #[arg(long, value_name = "S")]
    stride: Option<u32>,

    /// How points get their scores: window, dense or cascade. The method cannot change once
    /// the run has scores. For dense and cascade, a network that pads needs patches with a
    /// margin: set predict.method in the configuration before `split`.
    #[arg(long, value_name = "METHOD")]
    method: Option<Method>,

    /// Number type that the network computes in: f32, or bf16 with --engine openvino. It
    /// cannot change once the run has scores.
    #[arg(long, value_name = "f32|bf16")]
    precision: Option<Precision>,

    /// Accept dense scores and scores of lower precision however much they differ from exact
    /// scores in f32, and dense scores whose calibration the sample does not determine.
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    threads: ThreadOptions,

    #[command(flatten)]
    engine: EngineOptions,
}

#[derive(Debug, Args)]
#[group(skip)]
struct GroupSelection {
    /// Tasks of lookup.csv to score, counted from 1: 118, or 3-10,17.
    #[arg(long, value_name = "LIST", required_unless_present_any = ["slide", "all"], conflicts_with_all = ["slide", "group", "all"])]
    task: Option<NumberList<TaskNumber>>,

    /// Slide to score: all its groups, or those given with --group.
    #[arg(long, value_name = "NAME", conflicts_with = "all")]
    slide: Option<String>,

    /// Groups of the slide to score, counted from 1: 3, or 3-10,17.
    #[arg(long, value_name = "LIST", requires = "slide")]
    group: Option<NumberList<GroupNumber>>,

    /// Score all groups of the run.
    #[arg(long)]
    all: bool,

    /// Score only part I of N of these groups, as task I of an array of N tasks does.
    #[arg(long, value_name = "I/N", conflicts_with = "all")]
    part: Option<ArrayShare>,
}

impl PredictArgs {
    /// Scores the groups.
    ///
    /// # Errors
    /// [`Failure`] if nothing can be done. Groups that fail are listed.
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        let (run, progress) = (self.options.dir(), self.options.progress());
        let mut config = self.options.settle()?;
        config = self.with_keys(&run, config)?;
        config.config.predict.dense_force |= self.force;
        config.config.predict.precision_force |= self.force;
        self.engine.over(&mut config);
        let lookup = Lookup::read(&run)?;
        let groups = self.selection.groups(&run, &lookup)?;
        let pool = self.threads.pool(config.config.predict.threads, &progress);
        predict_all(&run, &config, &groups, &pool, &progress)
    }
}

impl PredictArgs {
    /// Changes the stride, method or precision of the run, as long as the run has no scores.
    fn with_keys(&self, run: &RunDir, mut config: RunConfig) -> Result<RunConfig, Failure> {
        let keys = &mut config.config.predict;
        let stride = self.stride.filter(|&stride| stride != keys.stride);
        let method = self.method.filter(|&method| method != keys.method);
        let precision = self.precision.filter(|&precision| precision != keys.precision);
        let option = match (stride, method, precision) {
            (None, None, None) => return Ok(config),
            (Some(stride), ..) => format!("--stride {stride}"),
            (None, Some(method), _) => format!("--method {}", method.name()),
            (None, None, Some(precision)) => format!("--precision {precision}"),
        };
        let scored = run.root().join("scores").read_dir().is_ok_and(|mut dir| dir.next().is_some());
        if stride == Some(0) || scored {
            let problem = match stride {
                Some(0) => "expected at least 1",
                _ => "this run has scores already",
            };
            let root = run.root().display();
            let (own_stride, own_method, own_precision) =
                (keys.stride, keys.method.name(), keys.precision);
            return Err(Failure::new(
                Exit::Configuration,
                format!(
                    "{root}: {option}: {problem} (its stride is {own_stride}, its method {own_method}, its precision {own_precision}); for another stride, method or precision use another run directory, or delete {root}/scores"
                ),
            ));
        }
        keys.stride = stride.unwrap_or(keys.stride);
        keys.method = method.unwrap_or(keys.method);
        if let Some(precision) = precision {
            // Precision and engine are written together, because bf16 needs OpenVINO.
            keys.precision = precision;
            keys.engine = self.engine.engine.unwrap_or(keys.engine);
            if precision != Precision::F32 && keys.engine != EngineChoice::OpenVino {
                let engine = keys.engine.name();
                return Err(EngineError::Precision { engine, precision }.into());
            }
        }
        config.write(run.root())?;
        Ok(config)
    }
}

impl GroupSelection {
    fn groups(
        &self,
        run: &RunDir,
        lookup: &Lookup,
    ) -> Result<Vec<(String, GroupNumber)>, LookupError> {
        let path = run.lookup_csv();
        if let Some(tasks) = &self.task {
            let find = |&task: &TaskNumber| {
                let found = lookup.find(task).map(|(slide, group)| (slide.to_owned(), group));
                let path = path.clone();
                found.ok_or(LookupError::Task { path, task, tasks: lookup.tasks() })
            };
            return self.select(tasks).iter().map(find).collect();
        }
        let Some(slide) = &self.slide else { return Ok(all_groups(lookup)) };
        let row = lookup.of_slide(slide).ok_or_else(|| LookupError::Slide {
            path: path.clone(),
            problem: format!("no slide {slide} with groups; `slidegrid status` lists the slides"),
        })?;
        let all = row.group_numbers().collect();
        let groups = self.group.as_ref().unwrap_or(&all);
        if let Some(group) = groups.as_slice().iter().find(|group| group.get() > row.groups) {
            return Err(LookupError::Slide {
                path,
                problem: format!(
                    "--group {group} is out of range: {slide} has {} groups, numbered from 1",
                    row.groups
                ),
            });
        }
        Ok(self.select(groups).iter().map(|&group| (slide.clone(), group)).collect())
    }

    /// The numbers that `--part` selects; all of them without `--part`.
    fn select<'n, N: Number>(&self, numbers: &'n NumberList<N>) -> &'n [N] {
        self.part.map_or(numbers.as_slice(), |share| numbers.share(share))
    }
}

/// Every group of the run, in task order.
pub(super) fn all_groups(lookup: &Lookup) -> Vec<(String, GroupNumber)> {
    groups_where(lookup, &|_| true)
}

/// The groups of the slides that `wanted` names, in task order.
pub(super) fn groups_where(
    lookup: &Lookup,
    wanted: &dyn Fn(&str) -> bool,
) -> Vec<(String, GroupNumber)> {
    let groups = |row: &crate::jobs::lookup::LookupRow| {
        let name = row.name.clone();
        row.group_numbers().map(move |group| (name.clone(), group))
    };
    lookup.rows().iter().filter(|row| wanted(&row.name)).flat_map(groups).collect()
}

/// Scores the groups one after the other with one set of sessions.
pub(super) fn predict_all(
    run: &RunDir,
    config: &RunConfig,
    groups: &[(String, GroupNumber)],
    pool: &ThreadPool,
    progress: &Progress,
) -> Result<Exit, Failure> {
    let signals = super::options::catch_signals()?;
    let interrupt = signals.interrupt();
    if let Some(share) = config.config.predict.audit_share {
        progress.note(&format!("note: predict.audit_share = {share} is a key of earlier versions: the share of points that the cascade missed has no bound; predict.audit_bound sets one"));
    }
    let engine = select_engine(config, progress)?;
    let mut predictor =
        Predictor::load(run, config, engine, pool)?.with_interrupt(interrupt.clone());
    let overall = progress.start("predict", "groups", groups.len());
    let (mut done, mut failed, mut exit) = (0, 0, Exit::Done);
    for (slide, group) in groups {
        if let Some(signal) = interrupt.requested() {
            progress.note(&format!("predict: {signal}: ended before {slide} t{group}; {GO_ON}"));
            return Ok(Exit::Partial);
        }
        let marker = run.failure("predict", &format!("{slide}_t{group}"));
        match predictor.predict(slide, *group, progress) {
            Ok(outcome) => {
                done += 1;
                clear(&marker);
                exit = exit.worst(report_outcome(run, (slide, *group), &outcome, progress));
            }
            Err(error) => {
                failed += 1;
                mark(&marker, &error, progress);
                if groups.len() == 1 {
                    return Err(error.into());
                }
                progress.warn(&format!("error: {error}"));
            }
        }
        overall.advance(1);
    }
    Ok(Exit::from_counts(done, failed).worst(exit))
}

/// The end of an interrupted task's message.
pub(super) const GO_ON: &str = "run the same command again to go on";

/// Prints the outcome of a group and returns its exit code.
fn report_outcome(
    run: &RunDir,
    (slide, group): (&str, GroupNumber),
    outcome: &GroupOutcome,
    progress: &Progress,
) -> Exit {
    match *outcome {
        GroupOutcome::Present { failed_patches, missed } => {
            report_complete(run, (slide, group), (failed_patches, missed), progress)
        }
        GroupOutcome::Interrupted { signal, scored, windows } => {
            let saved = share(scored, windows);
            progress.note(&format!("predict {slide} t{group}: {signal}: {saved} saved; {GO_ON}"));
            Exit::Partial
        }
        GroupOutcome::Scored { windows, resumed, failed_patches, unnormalized, missed, wall_s } => {
            let count = windows - resumed;
            let rate = count as f64 / wall_s.max(1e-9);
            progress.note(&format!(
                "predict {slide} t{group}: {count} windows in {wall_s:.1} s ({rate:.1}/s)"
            ));
            if unnormalized > 0 {
                progress.note(&format!("warning: {slide} t{group}: the stains of {unnormalized} patches could not be determined; /unnormalized in the score file says what was done"));
            }
            report_complete(run, (slide, group), (failed_patches, missed), progress)
        }
    }
}

/// Warns of scores that a finished group lacks, and returns its exit code.
fn report_complete(
    run: &RunDir,
    (slide, group): (&str, GroupNumber),
    (failed_patches, missed): (u64, u64),
    progress: &Progress,
) -> Exit {
    if failed_patches > 0 {
        progress.warn(&format!("warning: {slide} t{group}: {failed_patches} patches have no scores: they could not be decoded (see slides.csv), or their stains could not be determined (see the score file)"));
    }
    if missed > 0 {
        progress.warn(&format!(
            "warning: {slide} t{group}: the audit found {missed} points at 0.5 or above that the screen had ruled out; more points may have been missed; `{}` scores the slide again",
            run.redo_by_window(slide)
        ));
    }
    if failed_patches == 0 && missed == 0 { Exit::Done } else { Exit::Partial }
}

/// Writes the reason of a failure to the file that `slidegrid status` reads.
pub(super) fn mark(marker: &Path, error: &dyn std::error::Error, progress: &Progress) {
    if let Err(unwritten) = staged::write(marker, format!("{error}\n").as_bytes()) {
        progress.warn(&format!("warning: {unwritten}"));
    }
}

/// Removes the reason of an earlier failure after a success.
pub(super) fn clear(marker: &Path) {
    // Usually there is no such file.
    drop(std::fs::remove_file(marker));
}
