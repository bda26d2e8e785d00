//! What `run`, `master submit` and `master retry` do with a scheduler.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::options::RunOptions;
use super::output::print;
use super::{Exit, Failure, retry};
use crate::config::{ClusterKeys, RunConfig, SchedulerKind, SubmitFrom};
use crate::jobs::chain::{Advanced, Chain, ChainError, Refused, adopt_pending};
use crate::jobs::listing::RunListing;
use crate::jobs::raised::Raised;
use crate::jobs::retry::Factors;
use crate::jobs::scheduler::{JobQuery, System, scheduler};
use crate::jobs::state::RunState;
use crate::jobs::submitted::{Journal, Submission};
use crate::jobs::work::WorkItem;
use crate::number::{GroupNumber, counted, ranges};
use crate::progress::Progress;
use crate::run_dir::{self, RunDir};
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

/// What a command wants besides.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted {
    /// The round to go on with.
    pub(super) round: Option<usize>,
    /// Look at why work failed, ask for more where that helps, and say so.
    pub(super) retry: Option<Factors>,
}

impl Wanted {
    /// How long a scheduler that does not answer is waited for. A master job has nobody who would
    /// repeat the command.
    fn patience(&self) -> System {
        if self.round.is_some() { System::PATIENT } else { System::BRIEF }
    }
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

    /// The keys of `[cluster]`. Unlike the rest of `run.toml` they may change from command to
    /// command: those of the last command are kept, and `--set` changes single ones.
    fn keys(
        &self,
        options: &RunOptions,
        run: &RunDir,
        config: &RunConfig,
    ) -> Result<ClusterKeys, Failure> {
        let path = run.cluster_toml();
        let last = std::fs::read_to_string(&path).ok().filter(|_| options.config.is_none());
        let keys = match last {
            Some(text) => {
                let origin = path.display().to_string();
                ClusterKeys::parse(&text, &origin, &options.set).map_err(|error| {
                    let problem = format!("{error}; give --config to write the file again");
                    Failure::new(Exit::Configuration, problem)
                })?
            }
            None => config.config.cluster.clone(),
        };
        Ok(ClusterKeys { scheduler: self.scheduler.unwrap_or(keys.scheduler), ..keys })
    }
}

/// Keeps the keys for the jobs and commands that follow.
fn write_keys(run: &RunDir, keys: &ClusterKeys) -> Result<(), Failure> {
    let path = run.cluster_toml();
    let text = toml::to_string(keys).expect("the keys are plain values");
    let text = format!("# [cluster] as last given; the jobs of this run request this.\n{text}");
    if std::fs::read_to_string(&path).ok().as_ref() != Some(&text) {
        staged::write(&path, text.as_bytes())?;
    }
    Ok(())
}

/// Submits what is missing, and what is needed to go on by itself.
pub(super) fn submit(
    options: &RunOptions,
    cluster: &ClusterOptions,
    command: &Wanted,
) -> Result<Exit, Failure> {
    let progress = options.progress();
    let config = options.settle()?;
    let root = std::fs::canonicalize(&options.run)
        .map_err(|e| Failure::new(Exit::Input, format!("{}: {e}", options.run.display())))?;
    let run = RunDir::new(&root);
    let keys = cluster.keys(options, &run, &config)?;
    if !cluster.dry_run {
        write_keys(&run, &keys)?;
    }
    let program = std::env::current_exe()
        .map_err(|e| Failure::new(Exit::Input, format!("cannot tell where slidegrid is: {e}")))?;
    let scheduler = scheduler(keys.scheduler);
    let known = Known::read(&run, (keys.scheduler, cluster.dry_run), command, &progress)?;
    let raised = match command.retry {
        Some(factors) => {
            let raised = retry::raise(&run, &keys, &known.state, factors, &progress)?;
            if !cluster.dry_run {
                raised.write(&run)?;
            }
            raised
        }
        None => Raised::read(&run)?,
    };
    let unprinted = RefCell::new(None);
    let commands = match keys.submit_from {
        SubmitFrom::Login => System::PATIENT,
        SubmitFrom::Job => command.patience(),
    };
    let mut chain = Chain {
        run: &run,
        cluster: &keys,
        scheduler: scheduler.as_ref(),
        commands: &commands,
        program: &umbrella(program),
        request: &|item| raised.get(item),
        groups_per_task: groups_per_task(&run, &keys, &known.state.listing, &progress),
        stitch: !cluster.no_stitch,
        study: config.config.study.truth.is_some() && !cluster.no_stitch,
        dry_run: cluster.dry_run,
        round: command.round,
        on_wait: &|| {
            progress.note("the queue is full: waiting up to an hour for room for the master job; when this is interrupted, run the same command again");
        },
        on_submit: &|submission| {
            if let Err(failure) = print_submission(submission, cluster.dry_run) {
                unprinted.borrow_mut().get_or_insert(failure);
            }
        },
    };
    let exit = pursue(&mut chain, command, known, &progress)?;
    // The jobs are submitted and recorded by now, even if a line about one cannot be printed.
    unprinted.into_inner().map_or(Ok(exit), Err)
}

/// What is known of the run while no other command submits.
struct Known {
    journal: Journal,
    state: RunState,
    /// How planning ended.
    exit: Exit,
}

impl Known {
    /// Writes the table of tasks over what is split so far, waits for other commands that
    /// submit, asks the schedulers and lists the files.
    fn read(
        run: &RunDir,
        (kind, dry_run): (SchedulerKind, bool),
        command: &Wanted,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        let exit = plan_split(run, progress)?;
        let mut journal = Journal::open(run).map_err(ChainError::from)?;
        if !dry_run {
            let scheduler = scheduler(kind);
            if let Some(found) =
                adopt_pending(scheduler.as_ref(), &command.patience(), &mut journal)?
            {
                progress.note(&format!(
                    "job {} was submitted by a command that ended before it recorded the job; it is recorded now",
                    found.id
                ));
            }
        }
        let mut state =
            RunState::read(run, &journal.list, &command.patience(), command.retry.is_some())?;
        // A dry run may be far from the cluster.
        if !dry_run {
            state.require_queue(kind).map_err(ChainError::from)?;
        }
        for warning in &state.answers.warnings {
            progress.warn(&format!("warning: {warning}"));
        }
        Ok(Self { journal, state, exit })
    }
}

/// Submits until nothing is missing, or a master job or an end has been found.
fn pursue(
    chain: &mut Chain,
    command: &Wanted,
    mut known: Known,
    progress: &Progress,
) -> Result<Exit, Failure> {
    let keys = chain.cluster;
    let from_jobs = keys.submit_from == SubmitFrom::Job && keys.scheduler != SchedulerKind::Local;
    let mut exit = Exit::Done;
    loop {
        let Known { journal, state, exit: planned } = &mut known;
        let advanced = chain.advance(state, journal)?;
        if command.retry.is_some() {
            explain(&advanced, state, progress);
        }
        exit = exit.worst(*planned).worst(refused(&advanced, progress));
        let Some(hold) = &advanced.next else { return Ok(exit) };
        if chain.dry_run {
            progress.note("then a master job, when these have ended, submits what follows");
            return Ok(exit);
        }
        if from_jobs {
            if !chain.has_master(state, &advanced) {
                chain.submit_master(hold, advanced.round, journal)?;
            }
            return Ok(exit);
        }
        // Others may submit while this command waits.
        drop(known);
        chain.round = Some(advanced.round);
        wait(chain, &hold.after, progress)?;
        let again = Wanted { retry: None, ..*command };
        known = Known::read(chain.run, (keys.scheduler, false), &again, progress)?;
    }
}

/// Stays until the jobs have left the queue.
fn wait(chain: &Chain, after: &[String], progress: &Progress) -> Result<(), Failure> {
    if chain.cluster.scheduler == SchedulerKind::Local {
        return Ok(());
    }
    progress.note(&format!(
        "waiting for {} to end before the next are submitted; when this is interrupted, run the same command again",
        counted(after.len(), "job", "jobs")
    ));
    let query = JobQuery { ids: after.iter().cloned().collect(), ..JobQuery::default() };
    let mut pause_s = *POLL_S.start();
    loop {
        std::thread::sleep(Duration::from_secs(pause_s));
        pause_s = (2 * pause_s).min(*POLL_S.end());
        let tasks = chain.scheduler.tasks(chain.commands, &query);
        if let Some(error) = tasks.queue_error {
            return Err(ChainError::from(error).into());
        }
        if !tasks.records.iter().any(|record| record.state.is_live()) {
            return Ok(());
        }
    }
}

/// Writes the table of tasks over what is split so far.
fn plan_split(run: &RunDir, progress: &Progress) -> Result<Exit, Failure> {
    if run.slides_csv().exists() {
        let records = run_dir::refresh_slides(run)?;
        if !records.iter().any(|record| run.patches(&record.name).exists()) {
            return Ok(Exit::Done);
        }
    }
    let (_, completion) = plan(run, progress)?;
    Ok(completion.into())
}

/// The scripts call `slidegrid master ...`, also when this is `master`.
fn umbrella(program: PathBuf) -> PathBuf {
    let beside = program.with_file_name("slidegrid");
    if beside.exists() { beside } else { program }
}

/// How many groups make a task of the wanted length.
fn groups_per_task(
    run: &RunDir,
    keys: &ClusterKeys,
    listing: &RunListing,
    progress: &Progress,
) -> u32 {
    if let Some(groups) = keys.groups_per_task {
        return groups;
    }
    let Some(target) = keys.target_minutes else { return 1 };
    let Some(minutes) = measured_minutes(run, listing).or(keys.group_minutes) else {
        progress.note("note: no group of this run has been timed yet and cluster.group_minutes is not given: one group a task");
        return 1;
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped first")]
    let groups = (target / minutes).floor().clamp(1.0, 1e6) as u32;
    progress.note(&format!("a group takes about {minutes:.2} minutes: {groups} a task"));
    groups
}

/// The median over some groups that are scored.
fn measured_minutes(run: &RunDir, listing: &RunListing) -> Option<f64> {
    const ENOUGH: usize = 25;
    let scored = listing
        .planned()
        .flat_map(|slide| slide.scored().map(|group| run.scores(&slide.record.name, group)));
    let minutes = scored.filter_map(|path| Some(read_scores_meta(&path).ok()?.wall_s / 60.0));
    let mut minutes: Vec<f64> = minutes.take(ENOUGH).collect();
    minutes.sort_by(f64::total_cmp);
    minutes.get(minutes.len() / 2).copied()
}

/// Prints a line about a job; the script too when nothing is submitted.
fn print_submission(submission: &Submission, dry_run: bool) -> Result<(), Failure> {
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
fn explain(advanced: &Advanced, state: &RunState, progress: &Progress) {
    for slide in state.listing.planned() {
        let name = &slide.record.name;
        let is_live =
            |group: &&GroupNumber| state.is_live(&WorkItem::Predict(name.clone(), **group));
        let live: Vec<GroupNumber> = slide.missing.iter().filter(is_live).copied().collect();
        if !live.is_empty() {
            progress.note(&format!("{name}: groups {} are queued or running", ranges(&live)));
        }
    }
    for (id, state) in state.stuck() {
        progress.warn(&format!(
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
    for Refused { stage, request, why } in &advanced.refused {
        let parts = [
            request.memory_mb.map(|mb| format!("{mb} MB")),
            request.time_min.map(|minutes| format!("{minutes} minutes")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        progress.warn(&format!(
            "error: {} tasks that now ask for {} are not submitted, since no node gives that: {why}; --memory-factor 1 or --time-factor 1 asks for what is configured",
            stage.name(),
            parts.join(", ")
        ));
    }
    if advanced.refused.is_empty() { Exit::Done } else { Exit::Partial }
}
