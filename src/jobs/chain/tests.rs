use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;

use super::fake::Fake;
use super::*;
use crate::config::{ClusterKeys, Stage};
use crate::jobs::lookup::Lookup;
use crate::jobs::scheduler::{Slurm, StartCondition};
use crate::jobs::state::RunState;
use crate::jobs::submitted::{Journal, Submission};
use crate::jobs::work::Request;
use crate::number::GroupNumber;
use crate::run_dir::{RunDir, SlideRecord, SlideStatus};
use crate::staged;

pub(super) fn chain<'a>(run: &'a RunDir, keys: &'a ClusterKeys, fake: &'a Fake) -> Chain<'a> {
    Chain {
        run,
        cluster: keys,
        scheduler: &Slurm,
        commands: fake,
        program: Path::new("/opt/slidegrid"),
        libraries: &[],
        request: &|_| Request::NONE,
        groups_per_task: 1,
        stitch: true,
        study: false,
        effect: Effect::Submit,
        round: None,
        on_wait: &|| {},
        on_submit: &|_, _| {},
    }
}

/// Reads the state of the run, and goes on from there.
pub(super) fn advance(chain: &Chain) -> Result<Advanced, ChainError> {
    let mut journal = Journal::open(chain.run)?;
    let mut state = RunState::read(chain.run, &journal.list, chain.commands, false).unwrap();
    chain.advance(&mut state, &mut journal)
}

/// Runs a chain to its end and returns what was computed, in order.
fn play(
    run: &RunDir,
    keys: &ClusterKeys,
    fake: &Fake,
    packing: u32,
    fails: &dyn Fn(&str, GroupNumber) -> bool,
) -> Vec<(String, GroupNumber)> {
    let mut log = Vec::new();
    let mut chain = chain(run, keys, fake);
    chain.groups_per_task = packing;
    for _ in 0..500 {
        let advanced = advance(&chain).unwrap();
        if let Some(condition) = &advanced.next {
            chain.round = Some(advanced.round);
            let mut journal = Journal::open(run).unwrap();
            chain.submit_master(condition, advanced.round, &mut journal).unwrap();
        }
        fake.run_all(run, fails, &mut log);
        if advanced.next.is_none() {
            return log;
        }
    }
    panic!("the chain does not end");
}

/// Slides that have patches, each with this many groups.
pub(super) fn planned<'a>(run: &RunDir, slides: impl IntoIterator<Item = (&'a str, u32)>) {
    let slides: Vec<(&str, u32)> = slides.into_iter().collect();
    for (name, _) in &slides {
        staged::write(&run.patches(name), b"x").unwrap();
    }
    Lookup::plan(slides.iter().map(|&(name, groups)| (name, groups, 0)))
        .unwrap()
        .write(run)
        .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the limit, and whether or not the scheduler reports it, every
    /// group is computed once, and a retry computes what failed and nothing else.
    #[test]
    fn every_group_once_and_a_retry_the_failed(
        groups in prop::collection::vec(1u32..20, 1..4), limit in prop::option::of(4usize..14),
        reports in any::<bool>(), packing in 1u32..4, bad in 1u32..6,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        let names: Vec<String> = (0..groups.len()).map(|i| format!("s{i}")).collect();
        planned(&run, names.iter().map(String::as_str).zip(groups.iter().copied()));
        let keys = ClusterKeys::default();
        // A limit that the scheduler does not report may leave no place for the master job, which would
        // wait in real time; one more place than it knows of.
        let fake = Fake { limit, reports_limit: reports || limit.is_some(), ..Fake::default() };
        let fails = |_: &str, group: GroupNumber| group.get().is_multiple_of(bad);
        let mut first = play(&run, &keys, &fake, packing, &fails);
        first.sort();
        let all: Vec<(String, GroupNumber)> = names.iter().zip(&groups)
            .flat_map(|(n, &g)| GroupNumber::up_to(g).map(move |k| (n.clone(), k))).collect();
        prop_assert_eq!(first, all.clone());
        let mut second = play(&run, &keys, &fake, packing, &|_, _| false);
        second.sort();
        let failed: Vec<(String, GroupNumber)> = all.into_iter().filter(|(n, g)| fails(n, *g)).collect();
        prop_assert_eq!(second, failed);
    }
}

fn two_slides(run: &RunDir) {
    planned(run, [("a", 9), ("b", 2)]);
}

#[test]
fn a_second_command_submits_nothing_that_is_queued() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(folder.path());
    let (keys, fake) = (ClusterKeys::default(), Fake::default());
    two_slides(&run);
    let first = advance(&chain(&run, &keys, &fake)).unwrap();
    let what: Vec<_> = first.submitted.iter().map(|s| (s.stage, s.items.as_str())).collect();
    assert_eq!(
        what,
        [
            (Stage::Predict, "1-7"),
            (Stage::Predict, "8-9"),
            (Stage::Stitch, ""),
            (Stage::Predict, "1-2"),
            (Stage::Stitch, "")
        ]
    );
    assert!(first.next.is_none());
    let held = fake.calls.borrow().iter().any(|call| call.contains("--dependency=afterany:1:2 "));
    assert!(held, "the stitch of a waits for both its arrays: {:?}", fake.calls.borrow());
    let second = advance(&chain(&run, &keys, &fake)).unwrap();
    assert!(second.submitted.is_empty() && second.next.is_none());
    let scripts: BTreeSet<_> = first.submitted.iter().map(|s| s.script.clone()).collect();
    assert_eq!(scripts.len(), 5, "every job has a script of its own");
}

#[test]
fn a_study_is_submitted_last_and_once_per_round() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(folder.path());
    let (keys, fake) = (ClusterKeys::default(), Fake::default());
    two_slides(&run);
    let studying = Chain { study: true, ..chain(&run, &keys, &fake) };
    let first = advance(&studying).unwrap();
    let last = first.submitted.last().unwrap();
    assert_eq!((first.submitted.len(), last.stage), (6, Stage::Study));
    let script = std::fs::read_to_string(&last.script).unwrap();
    assert!(script.contains("/opt/slidegrid study --run "), "{script}");
    let stitches = first.submitted.iter().filter(|s| s.stage == Stage::Stitch);
    let ids: Vec<&str> = stitches.map(|s| s.id.as_str()).collect();
    let held = format!("--dependency=afterany:{} ", ids.join(":"));
    assert!(fake.calls.borrow().iter().any(|call| call.contains(&held)), "{held}");
    assert!(advance(&studying).unwrap().submitted.is_empty(), "it is queued");
    // Everything has ended without a heatmap: nothing to study in this round.
    fake.queue.borrow_mut().clear();
    let same = Chain { study: true, round: Some(first.round), ..chain(&run, &keys, &fake) };
    assert!(advance(&same).unwrap().submitted.is_empty());
    // Heatmaps that nobody has studied yet, and then somebody has.
    for (slide, groups) in [("a", 9), ("b", 2)] {
        for group in GroupNumber::up_to(groups) {
            staged::write(&run.scores(slide, group), b"x").unwrap();
        }
        staged::write(&run.heatmap(slide, "h5"), b"x").unwrap();
    }
    let later = advance(&studying).unwrap().submitted;
    assert_eq!(later.iter().map(|s| s.stage).collect::<Vec<_>>(), [Stage::Study]);
    fake.queue.borrow_mut().clear();
    staged::write(&run.study().join("study.json"), b"{}").unwrap();
    assert!(advance(&studying).unwrap().submitted.is_empty());
}

#[test]
fn a_limit_that_cannot_be_read_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(folder.path());
    let fake = Fake { limit: Some(5), ..Fake::default() };
    let keys = ClusterKeys::default();
    two_slides(&run);
    let advanced = advance(&chain(&run, &keys, &fake)).unwrap();
    assert!((3..=5).contains(&fake.jobs()), "{}", fake.jobs());
    assert!(advanced.unsent_tasks > 0 && advanced.next.is_some());
}

#[test]
fn a_dry_run_writes_nothing_and_submits_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(folder.path());
    let (keys, fake) = (ClusterKeys::default(), Fake::default());
    two_slides(&run);
    let printed = std::cell::RefCell::new(Vec::new());
    let on_submit = |submission: &Submission, script: &str| {
        printed.borrow_mut().push((submission.script.clone(), script.to_owned()));
    };
    let dry =
        Chain { effect: Effect::PrintScripts, on_submit: &on_submit, ..chain(&run, &keys, &fake) };
    let mut journal = Journal::read(&run).unwrap();
    let mut state = RunState::read(&run, &[], &fake, false).unwrap();
    let advanced = dry.advance(&mut state, &mut journal).unwrap();
    assert_eq!(advanced.submitted.len(), 5);
    assert!(!run.jobs().exists() && !run.logs("predict").exists());
    assert!(fake.queue.borrow().is_empty());
    // The scripts are those that are submitted otherwise.
    advance(&chain(&run, &keys, &fake)).unwrap();
    for (path, script) in printed.into_inner() {
        assert_eq!(std::fs::read_to_string(path).unwrap(), script);
    }
}

#[test]
fn splits_are_followed_by_a_master_job() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(folder.path());
    let (keys, fake) = (ClusterKeys::default(), Fake::default());
    let slides: Vec<_> = (1..=5).map(|row| folder.path().join(format!("s{row}.svs"))).collect();
    for record in crate::run_dir::register_files(&run, &slides).unwrap() {
        let status = match record.name.as_str() {
            "s3" => SlideStatus::Done,
            "s4" => SlideStatus::NoTissue,
            "s5" => SlideStatus::Failed,
            _ => continue,
        };
        let outcome = serde_json::to_vec(&SlideRecord { status, ..record.clone() }).unwrap();
        staged::write(&run.split_outcome(&record.name), &outcome).unwrap();
    }
    let advanced = advance(&chain(&run, &keys, &fake)).unwrap();
    assert_eq!(advanced.submitted[0].items, "1-2,5");
    assert_eq!(advanced.next, Some(StartCondition { after: vec!["1".into()], delay_min: None }));
}

#[test]
fn a_silent_queue_stops_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(folder.path());
    let (keys, fake) = (ClusterKeys::default(), Fake::default());
    two_slides(&run);
    advance(&chain(&run, &keys, &fake)).unwrap();
    *fake.silent.borrow_mut() = true;
    let error = advance(&chain(&run, &keys, &fake)).unwrap_err().to_string();
    assert!(error.contains("squeue") && error.contains("Unable to contact"), "{error}");
}

#[test]
fn a_scheduler_that_fails_is_asked_again_after_growing_pauses() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(folder.path());
    let keys = ClusterKeys::default();
    two_slides(&run);
    let fake = Fake { pauses_s: vec![5, 15, 30, 60], ..Fake::default() };
    *fake.failures.borrow_mut() = 3;
    assert_eq!(advance(&chain(&run, &keys, &fake)).unwrap().submitted.len(), 5);
    assert_eq!(*fake.paused_s.borrow(), [5, 15, 30]);
    // One failure more than there are pauses.
    *fake.failures.borrow_mut() = 5;
    let error = advance(&chain(&run, &keys, &fake)).unwrap_err().to_string();
    assert!(error.contains("Unable to contact slurm controller"), "{error}");
}

#[test]
fn a_job_whose_answer_is_lost_is_found_in_the_queue() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(folder.path());
    let (keys, fake) = (ClusterKeys::default(), Fake::default());
    two_slides(&run);
    *fake.lost_answers.borrow_mut() = 2;
    let submitted = advance(&chain(&run, &keys, &fake)).unwrap().submitted;
    let ids: Vec<&str> = submitted.iter().map(|submission| submission.id.as_str()).collect();
    assert_eq!(ids, ["1", "2", "3", "4", "5"]);
    assert_eq!(fake.queue.borrow().len(), 5);
    assert!(advance(&chain(&run, &keys, &fake)).unwrap().submitted.is_empty());
}

#[test]
fn a_job_that_a_killed_command_did_not_record_is_found_by_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(folder.path());
    let (keys, fake) = (ClusterKeys::default(), Fake::default());
    two_slides(&run);
    let last = advance(&chain(&run, &keys, &fake)).unwrap().submitted.pop().unwrap();
    let adopt = || {
        let mut journal = Journal::open(&run).unwrap();
        let found = adopt_pending(&Slurm, &fake, &mut journal).unwrap();
        assert!(journal.pending().unwrap().is_none());
        (found.map(|submission| submission.id), journal.list.len())
    };
    assert_eq!(adopt(), (None, 5), "every job is recorded");
    let kill_before_the_record = || {
        let text = std::fs::read_to_string(run.submitted()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let kept = lines[..lines.len() - 1].join("\n") + "\n";
        std::fs::write(run.submitted(), kept).unwrap();
        let pending = Submission { id: String::new(), ..last.clone() };
        Journal::open(&run).unwrap().begin(&pending).unwrap();
    };
    kill_before_the_record();
    assert_eq!(adopt(), (Some("5".to_owned()), 5));
    assert!(advance(&chain(&run, &keys, &fake)).unwrap().submitted.is_empty());
    // The command was killed before it submitted: the queue does not have the job.
    kill_before_the_record();
    fake.scripts.borrow_mut().pop();
    fake.queue.borrow_mut().pop();
    assert_eq!(adopt(), (None, 4));
    assert_eq!(advance(&chain(&run, &keys, &fake)).unwrap().submitted.len(), 1);
}

#[test]
fn a_path_that_directives_cannot_hold_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(&folder.path().join("my run"));
    let (keys, fake) = (ClusterKeys::default(), Fake::default());
    two_slides(&run);
    let error = advance(&chain(&run, &keys, &fake)).unwrap_err().to_string();
    assert!(error.contains("my run") && error.contains("letters, digits"), "{error}");
}
