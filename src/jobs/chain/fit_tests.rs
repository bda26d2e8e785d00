//! The fit over the slides in the chain: after all splits, once, and before any group is scored.

use super::fake::Fake;
use super::tests::{advance, chain, planned};
use super::*;
use crate::config::{ClusterKeys, RunConfig, Stage};
use crate::jobs::fit::NoFit;
use crate::jobs::listing::RunListing;
use crate::jobs::scheduler::StartCondition;
use crate::jobs::work::WorkItem;
use crate::number::GroupNumber;
use crate::run_dir::{RunDir, SlideRecord, SlideStatus};
use crate::staged;

const SLIDES: [&str; 4] = ["a", "b", "c", "d"];

/// The configuration of a cascade of a network that pads, changed by `resolved` and `predict`.
fn configure(run: &RunDir, resolved: &str, predict: &str) {
    let text = include_str!("../../../tests/data/run_files/current.toml");
    let text = text
        .replacen("[slides]", &format!("margin = 100\n{resolved}\n[slides]"), 1)
        .replacen("method = \"window\"", predict, 1);
    staged::write(&run.root().join("run.toml"), text.as_bytes()).unwrap();
    RunConfig::read(run.root()).unwrap();
}

const CASCADE: &str = "method = \"cascade\"";

/// A run of a cascade whose four slides are split.
fn split_run() -> (tempfile::TempDir, RunDir) {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(folder.path());
    configure(&run, "", CASCADE);
    planned(&run, SLIDES.map(|name| (name, 2)));
    (folder, run)
}

fn stages(advanced: &Advanced) -> Vec<Stage> {
    advanced.submitted.iter().map(|submission| submission.stage).collect()
}

fn after(id: &str) -> Option<StartCondition> {
    Some(StartCondition { after: vec![id.into()], delay_min: None })
}

#[test]
fn groups_are_scored_once_the_fit_is_made() {
    let (_folder, run) = split_run();
    let (keys, fake) = (ClusterKeys::default(), Fake::default());
    let first = advance(&chain(&run, &keys, &fake)).unwrap();
    assert_eq!((stages(&first), &first.next), (vec![Stage::Calibrate], &after("1")));
    let script = std::fs::read_to_string(&first.submitted[0].script).unwrap();
    let command = format!("/opt/slidegrid calibrate --run {}", run.root().display());
    assert!(script.contains(&command), "{script}");
    // Another command finds the job in the queue.
    let second = advance(&chain(&run, &keys, &fake)).unwrap();
    assert_eq!((stages(&second), &second.next), (vec![], &after("1")));
    assert!(!second.lacks_fit);
    // The master job of the round.
    fake.queue.borrow_mut().clear();
    configure(&run, "fit_sha256 = \"90\"", CASCADE);
    let round = Some(first.round);
    let third = advance(&Chain { round, ..chain(&run, &keys, &fake) }).unwrap();
    assert_eq!(stages(&third), [Stage::Predict, Stage::Stitch].repeat(4));
    assert!(third.next.is_none() && !third.lacks_fit);
}

#[test]
fn a_round_whose_fit_failed_scores_nothing_and_the_next_one_tries_again() {
    let (_folder, run) = split_run();
    let (keys, fake) = (ClusterKeys::default(), Fake::default());
    let first = advance(&chain(&run, &keys, &fake)).unwrap();
    fake.queue.borrow_mut().clear();
    let round = Some(first.round);
    let master = advance(&Chain { round, ..chain(&run, &keys, &fake) }).unwrap();
    assert!(master.submitted.is_empty() && master.next.is_none() && master.lacks_fit);
    assert!(RunListing::read(&run).unwrap().missing().contains(&WorkItem::Calibrate));
    let retry = advance(&chain(&run, &keys, &fake)).unwrap();
    assert_eq!((stages(&retry), retry.lacks_fit), (vec![Stage::Calibrate], false));
    assert_ne!(retry.submitted[0].script, first.submitted[0].script);
}

#[test]
fn the_fit_waits_for_splits_and_goes_on_without_those_that_failed() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(folder.path());
    configure(&run, "", CASCADE);
    let (keys, fake) = (ClusterKeys::default(), Fake::default());
    let names = ["a", "b", "c", "d", "e"];
    let paths = names.map(|name| folder.path().join(format!("{name}.svs")));
    let records = crate::run_dir::register_files(&run, &paths).unwrap();
    let set = |record: &SlideRecord, status| {
        let record = SlideRecord { status, groups: Some(2), ..record.clone() };
        let outcome = serde_json::to_vec(&record).unwrap();
        staged::write(&run.split_outcome(&record.name), &outcome).unwrap();
    };
    for record in &records[..3] {
        set(record, SlideStatus::Done);
    }
    planned(&run, names[..3].iter().map(|name| (*name, 2)));
    let first = advance(&chain(&run, &keys, &fake)).unwrap();
    assert_eq!((stages(&first), &first.next), (vec![Stage::Split], &after("1")));
    // d is split; e is not, whether its task runs or has failed.
    set(&records[3], SlideStatus::Done);
    planned(&run, SLIDES.map(|name| (name, 2)));
    let round = Some(first.round);
    let running = advance(&Chain { round, ..chain(&run, &keys, &fake) }).unwrap();
    assert_eq!((stages(&running), &running.next), (vec![], &after("1")));
    fake.queue.borrow_mut().clear();
    let failed = advance(&Chain { round, ..chain(&run, &keys, &fake) }).unwrap();
    assert_eq!(stages(&failed), [Stage::Calibrate]);
}

#[test]
fn three_slides_are_scored_without_a_fit_once_the_fourth_has_failed() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(folder.path());
    configure(&run, "", CASCADE);
    let (keys, fake) = (ClusterKeys::default(), Fake::default());
    let paths = SLIDES.map(|name| folder.path().join(format!("{name}.svs")));
    let records = crate::run_dir::register_files(&run, &paths).unwrap();
    for record in &records[..3] {
        let done = SlideRecord { status: SlideStatus::Done, groups: Some(2), ..record.clone() };
        let outcome = serde_json::to_vec(&done).unwrap();
        staged::write(&run.split_outcome(&record.name), &outcome).unwrap();
    }
    planned(&run, SLIDES[..3].iter().map(|name| (*name, 2)));
    let first = advance(&chain(&run, &keys, &fake)).unwrap();
    assert_eq!(stages(&first), [Stage::Split], "a fit over four slides may follow");
    fake.queue.borrow_mut().clear();
    let round = Some(first.round);
    let second = advance(&Chain { round, ..chain(&run, &keys, &fake) }).unwrap();
    assert_eq!(stages(&second), [Stage::Predict, Stage::Stitch].repeat(3));
}

#[test]
fn runs_that_need_no_fit_are_scored_at_once() {
    let (_folder, run) = split_run();
    let keys = ClusterKeys::default();
    let scores_at_once = |case: &str| {
        let fake = Fake::default();
        drop(std::fs::remove_dir_all(run.jobs()));
        let stages = stages(&advance(&chain(&run, &keys, &fake)).unwrap());
        assert!(!stages.contains(&Stage::Calibrate), "{case}");
        assert_eq!(stages[0], Stage::Predict, "{case}");
    };
    configure(&run, "", "method = \"window\"");
    scores_at_once("single windows");
    configure(&run, "fit_sha256 = \"90\"", CASCADE);
    scores_at_once("a fit that is given");
    configure(&run, "", CASCADE);
    let config = RunConfig::read(run.root()).unwrap();
    let slides = SLIDES.map(ToOwned::to_owned);
    NoFit::new("no map".into(), &config, &slides).write(&run).unwrap();
    scores_at_once("no fit can be made");
    NoFit::new("no map".into(), &config, &slides[..3]).write(&run).unwrap();
    let fake = Fake::default();
    drop(std::fs::remove_dir_all(run.jobs()));
    let more = advance(&chain(&run, &keys, &fake)).unwrap();
    assert_eq!(stages(&more), [Stage::Calibrate], "another slide has patches since");
    staged::write(&run.scores("a", GroupNumber::FIRST), b"x").unwrap();
    scores_at_once("scores without a fit");
}
