//! What `run`, `master submit` and `master retry` do with a scheduler.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::options::RunOptions;
use super::{Exit, Failure, print, retry};
use crate::config::{ClusterKeys, RunConfig, SchedulerKind, SubmitFrom};
use crate::jobs::chain::{Advanced, Chain, Files, Refused, files_of};
use crate::jobs::grown::Grown;
use crate::jobs::lookup::Lookup;
use crate::jobs::retry::Factors;
use crate::jobs::scheduler::{System, scheduler};
use crate::jobs::submitted::Submission;
use crate::number::{GroupNumber, TaskNumber, ranges};
use crate::progress::Progress;
use crate::run_dir::{self, RunDir, SlideStatus};
use crate::scores::read_scores_meta;
use crate::staged;
use crate::stages::plan::plan;

/// How often a login node looks at the queue: soon at first, then less often.
const POLL_S: std::ops::RangeInclusive<u64> = 1..=20;

/// Who runs the tasks, and how.
#[derive(Debug, Args)]
pub(super) struct ClusterOptions {
    /// Who runs the tasks; default: what the configuration says.
    #[arg(long, value_enum)]
    scheduler: Option<SchedulerKind>,

    /// Write the job scripts and show them, and submit nothing.
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Make no heatmaps.
    #[arg(long)]
    no_stitch: bool,
}

/// What a command asks for besides.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The round to go on with.
    pub(super) round: Option<usize>,
    /// Look at why things failed, ask for more where that helps, and say so.
    pub(super) retry: Option<Factors>,
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
    /// Who runs the tasks of this run.
    pub(super) fn kind(&self, config: &RunConfig) -> SchedulerKind {
        self.scheduler.unwrap_or(config.config.cluster.scheduler)
    }

    /// `[cluster]` as given now, or else as last given.
    ///
    /// It may change from command to command, unlike the rest of `run.toml`.
    fn keys(
        &self,
        options: &RunOptions,
        run: &RunDir,
        config: &RunConfig,
    ) -> Result<ClusterKeys, Failure> {
        let path = run.cluster_toml();
        let given = options.config.is_some() || !options.set.is_empty();
        let mut keys = match std::fs::read_to_string(&path) {
            Ok(text) if !given => toml::from_str(&text).map_err(|e| {
                let problem = format!("{}: {e}; give --config to write it again", path.display());
                Failure::new(Exit::Configuration, problem)
            })?,
            _ => config.config.cluster.clone(),
        };
        keys.scheduler = self.scheduler.unwrap_or(keys.scheduler);
        let text = toml::to_string(&keys).expect("the keys are plain values");
        let text = format!("# [cluster] as last given; the jobs of this run ask for this.\n{text}");
        if std::fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            staged::write(&path, text.as_bytes())?;
        }
        Ok(keys)
    }
}

/// Submits what is missing, and what is needed to go on by itself.
pub(super) fn submit(
    options: &RunOptions,
    asked_of: &ClusterOptions,
    asked: &Asked,
) -> Result<Exit, Failure> {
    let progress = options.progress();
    let config = options.settle()?;
    let root = std::fs::canonicalize(&options.run)
        .map_err(|e| Failure::new(Exit::Input, format!("{}: {e}", options.run.display())))?;
    let run = RunDir::new(&root);
    let keys = asked_of.keys(options, &run, &config)?;
    let program = std::env::current_exe()
        .map_err(|e| Failure::new(Exit::Input, format!("cannot tell where slidegrid is: {e}")))?;
    let scheduler = scheduler(keys.scheduler);
    let (files, exit) = known(&run, &progress)?;
    let grown = match asked.retry {
        Some(factors) => {
            let grown = retry::grow(&run, &keys, scheduler.as_ref(), &files, factors, &progress)?;
            if !asked_of.dry_run {
                grown.write(&run)?;
            }
            grown
        }
        None => Grown::read(&run)?,
    };
    let untold = RefCell::new(None);
    let mut chain = Chain {
        run: &run,
        cluster: &keys,
        scheduler: scheduler.as_ref(),
        commands: &System,
        program: &umbrella(program),
        grow: &|piece| grown.of(piece),
        groups_per_task: groups_per_task(&run, &keys, &progress),
        stitch: !asked_of.no_stitch,
        study: config.config.study.truth.is_some() && !asked_of.no_stitch,
        dry_run: asked_of.dry_run,
        round: asked.round,
        told: &|submission| {
            if let Err(failure) = tell(submission, asked_of.dry_run) {
                untold.borrow_mut().get_or_insert(failure);
            }
        },
    };
    let exit = pursue(&mut chain, (asked_of, asked), (files, exit), &progress)?;
    // The jobs are submitted and written down by now, also those not told of.
    untold.into_inner().map_or(Ok(exit), Err)
}

/// Submits until nothing is missing, or a master job or an end has been found.
fn pursue(
    chain: &mut Chain,
    (asked_of, asked): (&ClusterOptions, &Asked),
    (mut files, mut exit): (Files, Exit),
    progress: &Progress,
) -> Result<Exit, Failure> {
    let keys = chain.cluster;
    let from_jobs = keys.submit_from == SubmitFrom::Job && keys.scheduler != SchedulerKind::Local;
    loop {
        let advanced = chain.advance(&files)?;
        if asked.retry.is_some() {
            explain(&advanced, progress);
        }
        exit = exit.worst(refused(&advanced, progress));
        let Some(hold) = &advanced.next else { return Ok(exit) };
        if asked_of.dry_run {
            progress.note("then a master job, when these have ended, submits what follows");
            return Ok(exit);
        }
        if from_jobs {
            if !chain.has_master(&advanced) {
                chain.submit_master(hold, advanced.round)?;
            }
            return Ok(exit);
        }
        chain.round = Some(advanced.round);
        wait(chain, &hold.after, progress)?;
        let (now, planned) = known(chain.run, progress)?;
        files = now;
        exit = exit.worst(planned);
    }
}

/// Stays until the jobs have left the queue.
fn wait(chain: &Chain, after: &[String], progress: &Progress) -> Result<(), Failure> {
    if chain.cluster.scheduler == SchedulerKind::Local {
        return Ok(());
    }
    progress.note(&format!(
        "waiting for {} jobs to end before the next are submitted; when this is interrupted, run the same command again",
        after.len()
    ));
    let mut pause_s = *POLL_S.start();
    loop {
        std::thread::sleep(Duration::from_secs(pause_s));
        pause_s = (2 * pause_s).min(*POLL_S.end());
        let queued: BTreeSet<String> = chain.queued()?.into_iter().map(|entry| entry.id).collect();
        if !after.iter().any(|id| queued.contains(id)) {
            return Ok(());
        }
    }
}

/// Writes the table of tasks over what is split so far, and looks at the files.
fn known(run: &RunDir, progress: &Progress) -> Result<(Files, Exit), Failure> {
    let mut unsplit = Vec::new();
    if run.slides_csv().exists() {
        let records = run_dir::read_slides(run)?;
        run_dir::write_slides(run, &records)?;
        // Rows that have no patches and may get some.
        let open = |status| matches!(status, SlideStatus::Waiting | SlideStatus::Failed);
        let rows = records
            .iter()
            .zip(TaskNumber::up_to(u32::MAX))
            .filter(|(record, _)| open(record.status));
        unsplit.extend(rows.map(|(record, row)| (row, record.name.clone())));
        if !records.iter().any(|record| run.patches(&record.name).exists()) {
            return Ok((Files { unsplit, slides: Vec::new() }, Exit::Done));
        }
    }
    let (lookup, completion) = plan(run, progress)?;
    Ok((files_of(run, unsplit, &lookup), completion.into()))
}

/// The scripts call `slidegrid master ...`, also when this is `master`.
fn umbrella(program: PathBuf) -> PathBuf {
    let beside = program.with_file_name("slidegrid");
    if beside.exists() { beside } else { program }
}

/// How many groups make a task of the wanted length.
fn groups_per_task(run: &RunDir, keys: &ClusterKeys, progress: &Progress) -> u32 {
    if let Some(groups) = keys.groups_per_task {
        return groups;
    }
    let Some(target) = keys.target_minutes else { return 1 };
    let Some(minutes) = measured_minutes(run).or(keys.group_minutes) else {
        progress.note("note: no group of this run has been timed yet and cluster.group_minutes is not given: one group a task");
        return 1;
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped first")]
    let groups = (target / minutes).floor().clamp(1.0, 1e6) as u32;
    progress.note(&format!("a group takes about {minutes:.2} minutes: {groups} a task"));
    groups
}

/// The median over some groups that are scored.
fn measured_minutes(run: &RunDir) -> Option<f64> {
    const ENOUGH: usize = 25;
    let lookup = Lookup::read(run).ok()?;
    let groups = lookup.rows().iter().flat_map(|row| row.group_numbers().map(|k| (&row.name, k)));
    let files = groups.map(|(slide, group)| run.scores(slide, group));
    let mut minutes: Vec<f64> = files
        .filter(|path| Path::exists(path))
        .filter_map(|path| Some(read_scores_meta(&path).ok()?.wall_s / 60.0))
        .take(ENOUGH)
        .collect();
    minutes.sort_by(f64::total_cmp);
    minutes.get(minutes.len() / 2).copied()
}

/// A line on stdout for each job; the script too when nothing is submitted.
fn tell(submission: &Submission, dry_run: bool) -> Result<(), Failure> {
    let slide = submission.slide.as_deref().unwrap_or_default();
    let tasks = submission.tasks.map_or(String::new(), |tasks| format!(" ({tasks} tasks)"));
    let items = &submission.items;
    let what = format!("{} {slide} {items}", submission.stage.name());
    let what = what.split_whitespace().collect::<Vec<_>>().join(" ");
    print(&format!("{} {what}{tasks}", submission.id))?;
    if dry_run {
        let path = submission.script.display();
        let script = std::fs::read_to_string(&submission.script)
            .map_err(|e| Failure::new(Exit::Input, format!("{path}: cannot read it: {e}")))?;
        print(&format!("# {path}\n{}", script.trim_end()))?;
    }
    Ok(())
}

/// What is left alone, and what nothing can be done about from here.
fn explain(advanced: &Advanced, progress: &Progress) {
    for (slide, groups) in &advanced.busy.groups {
        let groups: Vec<GroupNumber> = groups.iter().copied().collect();
        progress.note(&format!("{slide}: groups {} are queued or running", ranges(&groups)));
    }
    for (id, state) in &advanced.busy.stuck {
        progress.note(&format!(
            "warning: job {id} waits for somebody (state {state}): release or delete it, then retry"
        ));
    }
    let nothing = advanced.submitted.is_empty() && advanced.unsent_tasks == 0;
    if nothing && advanced.refused.is_empty() {
        progress.note("nothing is missing that is not queued or running");
    }
}

/// What would need more than there is.
fn refused(advanced: &Advanced, progress: &Progress) -> Exit {
    for Refused { stage, growth, said } in &advanced.refused {
        let asked = [
            growth.memory_mb.map(|mb| format!("{mb} MB")),
            growth.time_min.map(|m| format!("{m} minutes")),
        ];
        let asked: Vec<String> = asked.into_iter().flatten().collect();
        progress.warn(&format!(
            "error: {} tasks that now ask for {} are not submitted, since no node gives that: {said}; --memory-factor 1 or --time-factor 1 asks for what is configured",
            stage.name(),
            asked.join(", ")
        ));
    }
    if advanced.refused.is_empty() { Exit::Done } else { Exit::Partial }
}
