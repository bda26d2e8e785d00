//! What `run`, `master submit` and `master retry` have in common: the options of a cluster.

use std::cell::RefCell;

use clap::Args;

use super::options::RunOptions;
use super::output::print;
use super::{Exit, Failure};
use crate::config::{ClusterKeys, RunConfig, SchedulerKind, Slides};
use crate::jobs::chain::Effect;
use crate::jobs::kept_keys;
use crate::jobs::retry::Factors;
use crate::jobs::submitted::Submission;
use crate::run_dir::{NamedSlide, RunDir};
use crate::stages::submit::{self, SubmitRequest};

/// Who runs the tasks, and how.
#[derive(Debug, Args)]
pub(super) struct ClusterOptions {
    /// Scheduler that runs the tasks [default: cluster.scheduler].
    #[arg(long, value_enum)]
    scheduler: Option<SchedulerKind>,

    /// Print the job scripts and submit nothing. `master submit` writes the scripts and
    /// the look-up table, to be submitted by hand; otherwise nothing is written.
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Do not submit stitch jobs.
    #[arg(long)]
    no_stitch: bool,
}

/// What a command wants besides.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SubmitOptions<'a> {
    /// Whether a dry run writes the scripts, to be submitted by hand.
    pub(super) keeps_scripts: bool,
    /// The round to go on with.
    pub(super) round: Option<usize>,
    /// Look at why work failed, ask for more where that helps, and say so.
    pub(super) retry: Option<Factors>,
    /// Slides that a dry run adds to those of the run.
    pub(super) given: &'a [NamedSlide],
}

/// Factors as given on the command line.
pub(super) fn factors(memory: Option<f64>, time: Option<f64>) -> Result<Factors, Failure> {
    for (flag, factor) in [("--memory-factor", memory), ("--time-factor", time)] {
        if let Some(factor) = factor.filter(|factor| !(1.0..=100.0).contains(factor)) {
            let problem = format!("{flag} {factor}: expected a factor from 1 to 100");
            return Err(Failure::new(Exit::Usage, problem));
        }
    }
    Ok(Factors { memory, time })
}

impl ClusterOptions {
    /// The scheduler of this run: the one that is given, or else the one of the last command.
    pub(super) fn kind(
        &self,
        options: &RunOptions,
        config: &RunConfig,
    ) -> Result<SchedulerKind, Failure> {
        Ok(self.keys(options, &options.dir(), config)?.scheduler)
    }

    /// The keys of `[cluster]`: those of the last command, of which `--set` changes single ones,
    /// or else those of the configuration.
    fn keys(
        &self,
        options: &RunOptions,
        run: &RunDir,
        config: &RunConfig,
    ) -> Result<ClusterKeys, Failure> {
        let kept = match &options.config {
            None => kept_keys::read(run, &options.set)?,
            Some(_) => None,
        };
        let keys = kept.unwrap_or_else(|| config.config.cluster.clone());
        Ok(ClusterKeys { scheduler: self.scheduler.unwrap_or(keys.scheduler), ..keys })
    }
}

/// Submits what is missing, and prints a line per job.
pub(super) fn submit(
    options: &RunOptions,
    cluster: &ClusterOptions,
    command: &SubmitOptions<'_>,
) -> Result<Exit, Failure> {
    let progress = options.progress();
    let config = options.settle_unless(cluster.dry_run, &Slides::default())?;
    let run = submit::absolute(&options.run, cluster.dry_run)?;
    let unprinted = RefCell::new(None);
    let request = SubmitRequest {
        run: &run,
        predict: &config.config.predict,
        keys: &cluster.keys(options, &run, &config)?,
        stitch: !cluster.no_stitch,
        study: config.config.study.truth.is_some() && !cluster.no_stitch,
        effect: match (cluster.dry_run, command.keeps_scripts) {
            (false, _) => Effect::Submit,
            (true, true) => Effect::WriteScripts,
            (true, false) => Effect::PrintScripts,
        },
        given: command.given,
        round: command.round,
        retry: command.retry,
        on_submit: &|submission, script| {
            let script = Some(script).filter(|_| cluster.dry_run);
            if let Err(failure) = print_submission(submission, script) {
                unprinted.borrow_mut().get_or_insert(failure);
            }
        },
    };
    let completion = submit::submit(&request, &progress)?;
    // The jobs are submitted and recorded by now, even if a line about one cannot be printed.
    unprinted.into_inner().map_or(Ok(completion.into()), Err)
}

/// Prints a line about a job, and in a dry run its script.
fn print_submission(submission: &Submission, script: Option<&str>) -> Result<(), Failure> {
    let slide = submission.slide.as_deref().unwrap_or_default();
    let tasks = submission.tasks.map_or(String::new(), |tasks| format!(" ({tasks} tasks)"));
    let items = &submission.items;
    let what = format!("{} {slide} {items}", submission.stage.name());
    let what = what.split_whitespace().collect::<Vec<_>>().join(" ");
    print(&format!("{} {what}{tasks}", submission.id))?;
    if let Some(script) = script {
        print(&format!("# {}\n{}", submission.script.display(), script.trim_end()))?;
    }
    Ok(())
}
