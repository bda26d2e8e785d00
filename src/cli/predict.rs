//! `slidegrid predict`

use clap::{Args, Parser};

use super::options::{EngineOptions, RunOptions, ThreadOptions, catch_signals};
use super::{CommandEnd, Failure};
use crate::config::Method;
use crate::jobs::lookup::Lookup;
use crate::model::Precision;
use crate::number::{ArrayShare, GroupNumber, NumberList, TaskNumber};
use crate::stages::predict::{PredictChanges, predict_all};
use crate::stages::selection::GroupSelection;
use crate::threads::Workers;

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
    selection: SelectionOptions,

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
struct SelectionOptions {
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
    pub(crate) fn run(&self) -> Result<CommandEnd, Failure> {
        let (run, progress) = (self.options.dir(), self.options.progress());
        let mut config = self.options.settle()?;
        let changes = PredictChanges {
            stride: self.stride,
            method: self.method,
            precision: self.precision,
            engine: self.engine.engine,
        };
        changes.apply(&run, &mut config)?;
        config.config.predict.dense_force |= self.force;
        config.config.predict.precision_force |= self.force;
        self.engine.over(&mut config);
        let lookup = Lookup::read(&run)?;
        let groups = self.selection.selection().groups(&run, &lookup)?;
        let pool = self.threads.pool(config.config.predict.threads, &progress);
        let signals = catch_signals()?;
        let workers = Workers { pool: &pool, interrupt: signals.interrupt() };
        Ok(predict_all(&run, &config, &groups, &workers, &progress)?.into())
    }
}

impl SelectionOptions {
    fn selection(&self) -> GroupSelection<'_> {
        match (&self.task, &self.slide) {
            (Some(tasks), _) => GroupSelection::Tasks { tasks, share: self.part },
            (None, Some(slide)) => {
                GroupSelection::Slide { slide, groups: self.group.as_ref(), share: self.part }
            }
            (None, None) => GroupSelection::All,
        }
    }
}
