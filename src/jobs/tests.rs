//! `status` and `master retry` agree on every state that a scheduler can give a task.

use std::collections::BTreeSet;
use std::io;

use super::lookup::Lookup;
use super::raised::Raised;
use super::reason::Reason;
use super::retry::{Factors, plan_retries};
use super::scheduler::command::{Answer, Call};
use super::scheduler::{Commands, state_words};
use super::state::RunState;
use super::status::{FilesRead, progress_of};
use super::submitted::Submission;
use super::todo::todo;
use super::view::{SlideView, view_of};
use super::work::Request;
use crate::config::{ClusterKeys, SchedulerKind, Stage};
use crate::run_dir::RunDir;
use crate::staged;

/// What is done about a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Queued,
    Running,
    /// A person must act: it is left alone, and `status` says so.
    Stuck,
    Ended(Reason),
    /// The scheduler does not know the task.
    Unknown,
}

use Verdict::{Ended, Queued, Running, Stuck, Unknown};

/// Canned answers, by program.
struct PreparedAnswers(Vec<(&'static str, String)>);

impl Commands for PreparedAnswers {
    fn run(&self, call: &Call) -> io::Result<Answer> {
        let found = self.0.iter().find(|(program, _)| {
            // PBS has one program for the queue and for the history.
            let program = program.strip_suffix(" -x").map_or((*program, false), |p| (p, true));
            program == (call.program.as_str(), call.args.first().is_some_and(|arg| arg == "-x"))
        });
        let stdout = found.map(|(_, stdout)| stdout.clone()).unwrap_or_default();
        Ok(Answer { ok: true, stdout, ..Answer::default() })
    }
}

/// A run of one slide of one group, which was submitted as task 1 of an array of two.
struct StateWalk {
    _folder: tempfile::TempDir,
    run: RunDir,
    submission: Submission,
}

impl StateWalk {
    fn new(kind: SchedulerKind, id: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        staged::write(&run.patches("a"), b"x").unwrap();
        Lookup::plan([("a", 2, 2)]).unwrap().write(&run).unwrap();
        staged::write(&run.scores("a", "2".parse().unwrap()), b"x").unwrap();
        let submission = Submission {
            id: id.into(),
            scheduler: kind,
            stage: Stage::Predict,
            slide: Some("a".into()),
            items: "1-2".into(),
            tasks: Some(2),
            round: 1,
            time_s: 100,
            script: "s".into(),
            log: folder.path().join("{id}_{index}.log").display().to_string(),
            request: Request { memory_mb: Some(100), time_min: Some(10) },
        };
        Self { _folder: folder, run, submission }
    }

    /// Queries once, and compares what `status`, `master retry` and the chain conclude with the
    /// verdict.
    fn hold(&self, commands: &dyn Commands, expected: Verdict, case: &str) {
        let submissions = [self.submission.clone()];
        let state = RunState::read(&self.run, &submissions, commands, true).unwrap();
        assert_eq!(state.answers.warnings, [""; 0], "{case}");
        let files = progress_of(&self.run, &state.listing.slides[0], &FilesRead::default());
        let view = view_of(files, &state);
        let by_status = verdict(&view);
        assert_eq!(by_status, expected, "status: {case}: {view:?}");
        let retries = plan_retries(
            &state,
            &ClusterKeys::default(),
            &mut Raised::default(),
            Factors::default(),
            &|_| Request::NONE,
        );
        let retried = retries.iter().find(|retry| retry.item.group().is_some());
        let by_chain = todo(&state, 2, &|_| Request::NONE).predict;
        match expected {
            Queued | Running | Stuck => {
                assert!(retried.is_none() && by_chain.is_empty(), "{case}: {retries:?}");
            }
            Ended(reason) => {
                assert_eq!(retried.unwrap().reason, Some(reason), "{case}");
                assert_eq!(by_chain.len(), 1, "{case}");
            }
            Unknown => {
                assert_eq!(retried.unwrap().reason, None, "{case}");
                assert_eq!(by_chain.len(), 1, "{case}");
            }
        }
        // Files win over everything that schedulers say.
        let scores = self.run.scores("a", "1".parse().unwrap());
        staged::write(&scores, b"x").unwrap();
        let done = RunState::read(&self.run, &submissions, commands, true).unwrap();
        assert!(todo(&done, 2, &|_| Request::NONE).predict.is_empty(), "{case}");
        std::fs::remove_file(&scores).unwrap();
    }
}

fn verdict(view: &SlideView) -> Verdict {
    let counts = [view.running.len(), view.waiting.len(), view.stuck.len(), view.ended.len()];
    assert_eq!(counts.iter().sum::<usize>(), 1, "one group is missing: {view:?}");
    match (view.ended.first(), view.queued.len(), counts) {
        (Some(undone), ..) => Ended(undone.reason.unwrap()),
        (None, 1, _) => Queued,
        (None, _, [1, ..]) => Running,
        (None, _, [_, _, 1, _]) => Stuck,
        _ => Unknown,
    }
}

/// Every word of the table of states has a verdict here, and the other way round.
fn all_words_are_here<'a>(kind: SchedulerKind, words: impl IntoIterator<Item = &'a str>) {
    let here: BTreeSet<&str> = words.into_iter().collect();
    assert_eq!(here, state_words(kind).into_iter().collect(), "{kind:?}");
}

#[test]
fn slurm() {
    // The word, what it means in the queue, and what in the accounting.
    let words = [
        ("PENDING", Queued, Unknown),
        ("CONFIGURING", Queued, Unknown),
        ("REQUEUED", Queued, Ended(Reason::Unknown)),
        ("REQUEUE_FED", Queued, Unknown),
        ("RUNNING", Running, Unknown),
        ("COMPLETING", Running, Unknown),
        ("STAGE_OUT", Running, Unknown),
        ("SIGNALING", Running, Unknown),
        ("RESIZING", Running, Unknown),
        ("SUSPENDED", Running, Unknown),
        ("STOPPED", Running, Unknown),
        ("SPECIAL_EXIT", Stuck, Unknown),
        ("REQUEUE_HOLD", Stuck, Unknown),
        ("RESV_DEL_HOLD", Stuck, Unknown),
        ("COMPLETED", Ended(Reason::Unknown), Ended(Reason::Unknown)),
        ("FAILED", Ended(Reason::Unknown), Ended(Reason::ExitCode(4))),
        ("TIMEOUT", Ended(Reason::TimeLimit), Ended(Reason::TimeLimit)),
        ("OUT_OF_MEMORY", Ended(Reason::Memory), Ended(Reason::Memory)),
        ("NODE_FAIL", Ended(Reason::NodeLoss), Ended(Reason::NodeLoss)),
        ("BOOT_FAIL", Ended(Reason::NodeLoss), Ended(Reason::NodeLoss)),
        ("CANCELLED", Ended(Reason::Killed), Ended(Reason::Killed)),
        ("DEADLINE", Ended(Reason::Killed), Ended(Reason::Killed)),
        ("REVOKED", Ended(Reason::Killed), Ended(Reason::Killed)),
        ("PREEMPTED", Ended(Reason::Unknown), Ended(Reason::Unknown)),
    ];
    all_words_are_here(SchedulerKind::Slurm, words.iter().map(|(word, ..)| *word));
    let walk = StateWalk::new(SchedulerKind::Slurm, "7");
    let queue = |word: &str, reason: &str| format!("7_1|{word}|N/A|n1|{reason}\n");
    let accounting = |word: &str| {
        let exit = if word == "FAILED" { "4:0" } else { "0:0" };
        format!("7_1|{word}|{exit}|60|1|61|n1|2|None\n")
    };
    for (word, in_queue, in_accounting) in words.into_iter().chain([("NEW_WORD", Stuck, Unknown)]) {
        walk.hold(&PreparedAnswers(vec![("squeue", queue(word, "None"))]), in_queue, word);
        walk.hold(&PreparedAnswers(vec![("sacct", accounting(word))]), in_accounting, word);
        // The queue is queried last, and wins.
        let queue_and_accounting = PreparedAnswers(vec![
            ("squeue", queue("RUNNING", "None")),
            ("sacct", accounting(word)),
        ]);
        walk.hold(&queue_and_accounting, Running, word);
    }
    for reason in [
        "DependencyNeverSatisfied",
        "JobHeldUser",
        "JobHeldAdmin",
        "PartitionTimeLimit",
        "QOSMaxWallDurationPerJobLimit",
        "BadConstraints",
    ] {
        walk.hold(&PreparedAnswers(vec![("squeue", queue("PENDING", reason))]), Stuck, reason);
    }
    for reason in [
        "Priority",
        "Resources",
        "Dependency",
        "BeginTime",
        "JobArrayTaskLimit",
        "AssocMaxJobsLimit",
        "QOSMaxCpuPerUserLimit",
    ] {
        walk.hold(&PreparedAnswers(vec![("squeue", queue("PENDING", reason))]), Queued, reason);
    }
}

#[test]
fn grid_engine() {
    let words = [
        ("qw", Queued),
        ("hqw", Queued),
        ("hRqw", Queued),
        ("hRwq", Queued),
        ("Rq", Queued),
        ("w", Queued),
        ("r", Running),
        ("hr", Running),
        ("Rr", Running),
        ("t", Running),
        ("Rt", Running),
        ("S", Running),
        ("tS", Running),
        ("T", Running),
        ("RT", Running),
        ("dr", Running),
        ("dt", Running),
        ("dRr", Running),
        ("dS", Running),
        ("s", Stuck),
        ("ts", Stuck),
        ("Rs", Stuck),
        ("Eqw", Stuck),
        ("Ehqw", Stuck),
        ("EhRqw", Stuck),
        ("new", Stuck),
    ];
    for row in state_words(SchedulerKind::Sge) {
        let mut words = words.iter().filter(|(word, _)| *word != "new");
        let is_tried = words.any(|(word, _)| row.chars().all(|letter| word.contains(letter)));
        assert!(is_tried || row == "z", "{row}");
    }
    let walk = StateWalk::new(SchedulerKind::Sge, "7");
    let queue = |word: &str| {
        let job = |state: &str, tasks: &str| {
            format!(
                "<job_list><JB_job_number>7</JB_job_number><state>{state}</state><slots>1</slots><tasks>{tasks}</tasks></job_list>"
            )
        };
        let jobs = if word.is_empty() { String::new() } else { job(word, "1") };
        ("qstat", format!("<job_info>{jobs}</job_info>"))
    };
    for (word, verdict) in words {
        walk.hold(&PreparedAnswers(vec![queue(word)]), verdict, word);
    }
    walk.hold(&PreparedAnswers(vec![queue("z")]), Ended(Reason::Unknown), "z");
    for (failed, exit, reason) in [
        ("0", 0, Reason::Unknown),
        ("0", 4, Reason::ExitCode(4)),
        ("0", 137, Reason::Killed),
        ("25  : rescheduling", 0, Reason::Unknown),
        ("30  : rescheduling on application error", 100, Reason::ExitCode(100)),
        ("37  : qmaster enforced h_rt, h_cpu, or h_vmem limit", 137, Reason::TimeLimit),
        ("100 : assumedly after job", 143, Reason::Killed),
        ("28  : changing into working directory", 0, Reason::Unknown),
    ] {
        let block = format!(
            "==============================================================\njobnumber 7\ntaskid 1\nfailed {failed}\nexit_status {exit}\n"
        );
        let answers = || PreparedAnswers(vec![queue(""), ("qacct", block.clone())]);
        walk.hold(&answers(), Ended(reason), failed);
        let requeued = PreparedAnswers(vec![queue("hRqw"), ("qacct", block.clone())]);
        walk.hold(&requeued, Queued, failed);
    }
}

#[test]
fn pbs() {
    let words = [
        ("Q", Queued),
        ("W", Queued),
        ("T", Queued),
        ("R", Running),
        ("B", Running),
        ("E", Running),
        ("S", Running),
        ("U", Running),
        ("H", Stuck),
        ("M", Stuck),
        ("F", Ended(Reason::ExitCode(4))),
        ("X", Ended(Reason::ExitCode(4))),
    ];
    all_words_are_here(SchedulerKind::Pbs, words.iter().map(|(word, _)| *word));
    let walk = StateWalk::new(SchedulerKind::Pbs, "7[].srv");
    let task = |word: &str, more: &str| {
        format!(
            "Job Id: 7[].srv\n    job_state = B\n\nJob Id: 7[1].srv\n    job_state = {word}\n{more}\n"
        )
    };
    let exit = |status: i32| format!("    Exit_status = {status}\n");
    for (word, verdict) in words.into_iter().chain([("Z", Stuck)]) {
        walk.hold(&PreparedAnswers(vec![("qstat", task(word, &exit(4)))]), verdict, word);
        let in_history = if matches!(verdict, Ended(_)) { verdict } else { Unknown };
        walk.hold(&PreparedAnswers(vec![("qstat -x", task(word, &exit(4)))]), in_history, word);
    }
    let waits = "    depend = afterany:6.srv\n    Hold_Types = s\n";
    walk.hold(&PreparedAnswers(vec![("qstat", task("H", waits))]), Queued, "depend");
    let held = "    depend = afterany:6.srv\n    Hold_Types = us\n";
    walk.hold(&PreparedAnswers(vec![("qstat", task("H", held))]), Stuck, "held by its user too");
    for (status, reason) in [
        (0, Reason::Unknown),
        (137, Reason::Killed),
        (271, Reason::Killed),
        (-29, Reason::TimeLimit),
        (-27, Reason::Memory),
        (-1, Reason::Unknown),
    ] {
        let answers = PreparedAnswers(vec![("qstat -x", task("F", &exit(status)))]);
        walk.hold(&answers, Ended(reason), &status.to_string());
    }
    walk.hold(
        &PreparedAnswers(vec![("qstat -x", task("F", ""))]),
        Ended(Reason::Killed),
        "never began",
    );
}

#[test]
fn lsf() {
    let words = [
        ("PEND", Queued),
        ("WAIT", Queued),
        ("PROV", Queued),
        ("RUN", Running),
        ("SSUSP", Running),
        ("UNKWN", Running),
        ("PSUSP", Stuck),
        ("USUSP", Stuck),
        ("DONE", Ended(Reason::Unknown)),
        ("EXIT", Ended(Reason::ExitCode(4))),
        ("ZOMBI", Ended(Reason::NodeLoss)),
    ];
    all_words_are_here(SchedulerKind::Lsf, words.iter().map(|(word, _)| *word));
    let walk = StateWalk::new(SchedulerKind::Lsf, "7");
    let line = |word: &str, reason: &str| format!("7|1|{word}|4|{reason}|h1|1|60 second(s)\n");
    for (word, verdict) in words.into_iter().chain([("NEW", Stuck)]) {
        walk.hold(&PreparedAnswers(vec![("bjobs", line(word, "-"))]), verdict, word);
    }
    for (words, reason) in [
        ("TERM_RUNLIMIT: job killed after reaching LSF run time limit", Reason::TimeLimit),
        ("TERM_MEMLIMIT: job killed after reaching LSF memory usage limit", Reason::Memory),
        ("TERM_OWNER: job killed by owner", Reason::Killed),
        ("TERM_PREEMPT: job killed after preemption", Reason::Unknown),
        ("TERM_ZOMBIE: job exited while LSF is not available", Reason::NodeLoss),
    ] {
        walk.hold(&PreparedAnswers(vec![("bjobs", line("EXIT", words))]), Ended(reason), words);
    }
}

/// A pool of processes has no queue: what it was given has ended.
#[test]
fn local() {
    assert_eq!(state_words(SchedulerKind::Local), [""; 0]);
    let walk = StateWalk::new(SchedulerKind::Local, "local-9");
    walk.hold(&PreparedAnswers(Vec::new()), Unknown, "local");
}
