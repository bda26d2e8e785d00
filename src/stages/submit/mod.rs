//! Submits what is missing in a run to a scheduler, wave after wave, until a master job goes on
//! or nothing is left.

mod error;
mod libraries;
mod notes;
mod request;
mod snapshot;
mod task_size;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::completion::Completion;
use crate::config::{SchedulerKind, Stage, SubmitFrom};
use crate::jobs::chain::{Chain, ChainError};
use crate::jobs::kept_keys;
use crate::jobs::raised::Raised;
use crate::jobs::retry::{Factors, describe, plan_retries};
use crate::jobs::scheduler::{JobQuery, System, scheduler};
use crate::jobs::state::RunState;
use crate::number::counted;
use crate::progress::Progress;
use crate::run_dir::RunDir;

pub(crate) use error::SubmitError;
use libraries::libraries_of_shell;
use notes::{list_refused, note_live, note_missing_fit};
pub(crate) use request::SubmitRequest;
use snapshot::Snapshot;
use task_size::groups_per_task;

/// How often a login node looks at the queue: soon at first, then less often.
const POLL_S: RangeInclusive<u64> = 1..=20;

/// The run directory under its absolute path, which jobs need. For a dry run, there need not be
/// such a folder.
///
/// # Errors
/// [`SubmitError::Folder`] if there is no such folder.
pub(crate) fn absolute(run: &Path, dry_run: bool) -> Result<RunDir, SubmitError> {
    let root = match std::fs::canonicalize(run) {
        Err(e) if dry_run && e.kind() == ErrorKind::NotFound => std::path::absolute(run),
        root => root,
    };
    let root = root.map_err(|source| SubmitError::Folder { run: run.to_owned(), source })?;
    Ok(RunDir::new(&root))
}

/// Submits what is missing, and what is needed to go on without a person.
///
/// The completion is partial if some work needs more than any node has; it is also that of the
/// plan of tasks.
///
/// # Errors
/// [`SubmitError`]. Jobs that were submitted before the error are recorded.
pub(crate) fn submit(
    request: &SubmitRequest<'_>,
    progress: &Progress,
) -> Result<Completion, SubmitError> {
    let SubmitRequest { run, keys, effect, .. } = *request;
    if !effect.is_dry() {
        kept_keys::write(run, keys)?;
    }
    let program = umbrella(std::env::current_exe().map_err(SubmitError::Program)?);
    let scheduler = scheduler(keys.scheduler);
    let read = if effect.is_dry() { Snapshot::foresee } else { Snapshot::read };
    let snapshot = read(request, request.retry.is_some(), progress)?;
    let raised = match request.retry {
        Some(factors) => {
            let raised = raise(request, &snapshot.state, factors, progress)?;
            if !effect.is_dry() {
                raised.write(run)?;
            }
            raised
        }
        None => Raised::read(run)?,
    };
    let commands = match keys.submit_from {
        SubmitFrom::Login => System::PATIENT,
        SubmitFrom::Job => request.patience(),
    };
    let libraries = libraries_of_shell(request.predict, keys);
    let chain = Chain {
        run,
        cluster: keys,
        scheduler: scheduler.as_ref(),
        commands: &commands,
        program: &program,
        libraries: &libraries,
        request: &|item| raised.get(item),
        groups_per_task: groups_per_task(run, keys, &snapshot.state.listing, progress),
        stitch: request.stitch,
        study: request.study,
        effect,
        round: request.round,
        on_wait: &|| {
            progress.note("the queue is full: waiting up to an hour for room for the master job; when this is interrupted, run the same command again");
        },
        on_submit: request.on_submit,
    };
    submit_waves(chain, request, snapshot, progress)
}

/// Submits until nothing is missing, or a master job or an end has been found.
fn submit_waves(
    mut chain: Chain<'_>,
    request: &SubmitRequest<'_>,
    mut snapshot: Snapshot,
    progress: &Progress,
) -> Result<Completion, SubmitError> {
    let keys = chain.cluster;
    let from_jobs = keys.submit_from == SubmitFrom::Job && keys.scheduler != SchedulerKind::Local;
    let mut completion = Completion::Done;
    loop {
        let Snapshot { journal, state, planned } = &mut snapshot;
        let advanced = chain.advance(state, journal)?;
        if request.retry.is_some() {
            note_live(&advanced, state, progress);
        }
        completion = completion
            .and(*planned)
            .and(list_refused(&advanced, progress))
            .and(note_missing_fit(&advanced, state, progress));
        let Some(condition) = &advanced.next else { return Ok(completion) };
        if chain.effect.is_dry() {
            progress.note("then a master job, when these have ended, submits what follows");
            return Ok(completion);
        }
        if from_jobs {
            if !chain.has_master(state, &advanced) {
                chain.submit_master(condition, advanced.round, journal)?;
            }
            return Ok(completion);
        }
        // Others may submit while this command waits.
        drop(snapshot);
        chain.round = Some(advanced.round);
        wait(&chain, &condition.after, progress)?;
        snapshot = Snapshot::read(request, false, progress)?;
    }
}

/// Stays until the jobs have left the queue.
fn wait(chain: &Chain<'_>, after: &[String], progress: &Progress) -> Result<(), SubmitError> {
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

/// Notes why each missing item is missing, and returns the requests from now on.
fn raise(
    request: &SubmitRequest<'_>,
    state: &RunState,
    factors: Factors,
    progress: &Progress,
) -> Result<Raised, SubmitError> {
    let mut raised = Raised::read(request.run)?;
    let (keys, scheduler) = (request.keys, scheduler(request.keys.scheduler));
    let answers = RefCell::new(BTreeMap::new());
    let largest = |stage: Stage| {
        let queue = keys.resources(stage).queue;
        let ask = || scheduler.largest_request(&System::ONCE, queue.as_deref());
        *answers.borrow_mut().entry(queue.clone()).or_insert_with(ask)
    };
    let mut retries = plan_retries(state, keys, &mut raised, factors, &largest);
    if state.submissions.is_empty() {
        // Only what was there and is damaged is made again.
        retries.retain(|retry| retry.reason.is_some());
    }
    for line in describe(&retries) {
        progress.note(&format!("again: {line}"));
    }
    Ok(raised)
}

/// The scripts call `slidegrid master ...`, also when this is `master`.
fn umbrella(program: PathBuf) -> PathBuf {
    let beside = program.with_file_name("slidegrid");
    if beside.exists() { beside } else { program }
}
