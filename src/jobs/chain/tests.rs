use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;

use super::*;
use crate::config::ClusterKeys;
use crate::jobs::lookup::Lookup;
use crate::jobs::scheduler::{Answer, Call, Slurm};
use crate::jobs::todo::SlideFiles;
use crate::number::{ArrayShare, GroupNumber, NumberList, TaskNumber};
use proptest::prelude::*;

/// A SLURM that queues what it is given and runs nothing until told.
#[derive(Default)]
struct Fake {
    limit: Option<usize>,
    tells_limit: bool,
    /// id, array tasks, script.
    queue: RefCell<Vec<(String, Option<u32>, String)>>,
    next: RefCell<usize>,
    calls: RefCell<Vec<String>>,
}

fn answer(ok: bool, text: &str) -> io::Result<Answer> {
    let (stdout, stderr) = if ok { (text, "") } else { ("", text) };
    Ok(Answer { ok, status: "1".into(), stdout: stdout.into(), stderr: stderr.into() })
}

impl Commands for Fake {
    fn run(&self, call: &Call) -> io::Result<Answer> {
        self.calls.borrow_mut().push(call.line());
        match call.program.as_str() {
            "scontrol" => answer(true, "MaxArraySize = 8\n"),
            "id" => answer(true, "ann\n"),
            "sacctmgr" if call.args.iter().any(|arg| arg == "qos") => answer(true, ""),
            "sacctmgr" => match self.limit.filter(|_| self.tells_limit) {
                Some(limit) => answer(true, &format!("{limit}\n")),
                None => answer(false, "no accounting"),
            },
            "squeue" => answer(true, &self.listed()),
            _ if call.args[0] == "--test-only" => answer(true, ""),
            _ => self.take(call),
        }
    }
}

impl Fake {
    fn listed(&self) -> String {
        let mut text = String::new();
        for (id, tasks, _) in self.queue.borrow().iter() {
            match tasks {
                None => text.push_str(&format!("{id}|N/A|PENDING|None\n")),
                Some(tasks) => (1..=*tasks)
                    .for_each(|index| text.push_str(&format!("{id}|{index}|PENDING|None\n"))),
            }
        }
        text
    }

    fn jobs(&self) -> usize {
        self.queue.borrow().iter().map(|(_, tasks, _)| tasks.unwrap_or(1) as usize).sum()
    }

    fn take(&self, call: &Call) -> io::Result<Answer> {
        let script = std::fs::read_to_string(call.args.last().unwrap())?;
        let array = script.lines().find_map(|line| line.strip_prefix("#SBATCH --array=1-"));
        let tasks: Option<u32> = array.map(|tasks| tasks.parse().unwrap());
        assert!(tasks.unwrap_or(1) <= 7, "an index above MaxArraySize - 1");
        if self.limit.is_some_and(|limit| self.jobs() + tasks.unwrap_or(1) as usize > limit) {
            return answer(false, "sbatch: error: AssocMaxSubmitJobLimit");
        }
        *self.next.borrow_mut() += 1;
        let id = self.next.borrow().to_string();
        let command = script.lines().find(|line| line.contains("/opt/slidegrid ")).unwrap();
        let command = command.trim().to_owned();
        self.queue.borrow_mut().push((id.clone(), tasks, command));
        answer(true, &id)
    }

    /// Runs everything in the queue: predict writes its files.
    fn run_all(
        &self,
        run: &RunDir,
        fails: &dyn Fn(&str, GroupNumber) -> bool,
        log: &mut Vec<(String, GroupNumber)>,
    ) {
        for (_, tasks, command) in self.queue.borrow_mut().drain(..) {
            let words: Vec<&str> = command.split(' ').collect();
            let after = |flag: &str| {
                words.iter().position(|word| *word == flag).map(|at| words[at + 1].to_owned())
            };
            let (Some(slide), Some(groups)) = (after("--slide"), after("--group")) else {
                continue;
            };
            let groups: NumberList<GroupNumber> = groups.parse().unwrap();
            for share in ArrayShare::all(tasks.unwrap()) {
                for &group in groups.share(share) {
                    log.push((slide.clone(), group));
                    if !fails(&slide, group) {
                        crate::staged::write(&run.scores(&slide, group), b"x").unwrap();
                    }
                }
            }
        }
    }
}

fn chain<'a>(run: &'a RunDir, keys: &'a ClusterKeys, fake: &'a Fake) -> Chain<'a> {
    Chain {
        run,
        cluster: keys,
        scheduler: &Slurm,
        commands: fake,
        program: Path::new("/opt/slidegrid"),
        grow: &|_| Growth::NONE,
        groups_per_task: 1,
        stitch: true,
        study: false,
        dry_run: false,
        round: None,
        told: &|_| {},
    }
}

/// Runs a chain to its end; what was computed, in order.
fn play(
    run: &RunDir,
    keys: &ClusterKeys,
    fake: &Fake,
    lookup: &Lookup,
    packing: u32,
    fails: &dyn Fn(&str, GroupNumber) -> bool,
) -> Vec<(String, GroupNumber)> {
    let mut log = Vec::new();
    let mut chain = chain(run, keys, fake);
    chain.groups_per_task = packing;
    for _ in 0..500 {
        let advanced = chain.advance(&files_of(run, Vec::new(), lookup)).unwrap();
        if let Some(hold) = &advanced.next {
            chain.round = Some(advanced.round);
            chain.submit_master(hold, advanced.round).unwrap();
        }
        fake.run_all(run, fails, &mut log);
        if advanced.next.is_none() {
            return log;
        }
    }
    panic!("the chain does not end");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the limit, and whether or not the scheduler tells it, every
    /// group is computed once, and a retry computes what failed and nothing else.
    #[test]
    fn every_group_once_and_a_retry_the_failed(
        groups in prop::collection::vec(1u32..20, 1..4), limit in prop::option::of(4usize..14),
        tells in any::<bool>(), packing in 1u32..4, bad in 1u32..6,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        let names: Vec<String> = (0..groups.len()).map(|i| format!("s{i}")).collect();
        let slides = names.iter().zip(&groups).map(|(n, &g)| (n.as_str(), g, g as usize));
        let lookup = Lookup::plan(slides).unwrap();
        let keys = ClusterKeys::default();
        // An untold limit may leave no place for the master job, which would
        // wait in real time; one more place than it knows of.
        let fake = Fake { limit, tells_limit: tells || limit.is_some(), ..Fake::default() };
        let fails = |_: &str, group: GroupNumber| group.get().is_multiple_of(bad);
        let mut first = play(&run, &keys, &fake, &lookup, packing, &fails);
        first.sort();
        let all: Vec<(String, GroupNumber)> = names.iter().zip(&groups)
            .flat_map(|(n, &g)| GroupNumber::up_to(g).map(move |k| (n.clone(), k))).collect();
        prop_assert_eq!(first, all.clone());
        let mut second = play(&run, &keys, &fake, &lookup, packing, &|_, _| false);
        second.sort();
        let failed: Vec<(String, GroupNumber)> = all.into_iter().filter(|(n, g)| fails(n, *g)).collect();
        prop_assert_eq!(second, failed);
    }
}

fn two_slides(run: &RunDir) -> Lookup {
    let lookup = Lookup::plan([("a", 9, 9), ("b", 2, 2)]).unwrap();
    lookup.write(run).unwrap();
    lookup
}

#[test]
fn a_second_command_submits_nothing_that_is_queued() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(folder.path());
    let (keys, fake, lookup) = (ClusterKeys::default(), Fake::default(), two_slides(&run));
    let files = files_of(&run, Vec::new(), &lookup);
    let first = chain(&run, &keys, &fake).advance(&files).unwrap();
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
    let second = chain(&run, &keys, &fake).advance(&files).unwrap();
    assert!(second.submitted.is_empty() && second.next.is_none());
    let scripts: BTreeSet<_> = first.submitted.iter().map(|s| s.script.clone()).collect();
    assert_eq!(scripts.len(), 5, "every job has a script of its own");
}

#[test]
fn a_study_comes_last_and_once_a_round() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(folder.path());
    let (keys, fake, lookup) = (ClusterKeys::default(), Fake::default(), two_slides(&run));
    let files = files_of(&run, Vec::new(), &lookup);
    let asked = Chain { study: true, ..chain(&run, &keys, &fake) };
    let first = asked.advance(&files).unwrap();
    let last = first.submitted.last().unwrap();
    assert_eq!((first.submitted.len(), last.stage), (6, Stage::Study));
    let script = std::fs::read_to_string(&last.script).unwrap();
    assert!(script.contains("/opt/slidegrid study --run "), "{script}");
    let stitches = first.submitted.iter().filter(|s| s.stage == Stage::Stitch);
    let ids: Vec<&str> = stitches.map(|s| s.id.as_str()).collect();
    let held = format!("--dependency=afterany:{} ", ids.join(":"));
    assert!(fake.calls.borrow().iter().any(|call| call.contains(&held)), "{held}");
    assert!(asked.advance(&files).unwrap().submitted.is_empty(), "it is queued");
    // Everything has ended without a heatmap: nothing to study in this round.
    fake.queue.borrow_mut().clear();
    let same = Chain { study: true, round: Some(first.round), ..chain(&run, &keys, &fake) };
    assert!(same.advance(&files).unwrap().submitted.is_empty());
    // Heatmaps that nobody has studied yet, and then somebody has.
    let done = |name: &str| SlideFiles { name: name.into(), missing: Vec::new(), heatmap: true };
    let files = Files { unsplit: Vec::new(), slides: vec![done("a"), done("b")] };
    let later = asked.advance(&files).unwrap().submitted;
    assert_eq!(later.iter().map(|s| s.stage).collect::<Vec<_>>(), [Stage::Study]);
    fake.queue.borrow_mut().clear();
    crate::staged::write(&run.study().join("study.json"), b"{}").unwrap();
    assert!(asked.advance(&files).unwrap().submitted.is_empty());
}

#[test]
fn a_limit_that_nobody_tells_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(folder.path());
    let fake = Fake { limit: Some(5), ..Fake::default() };
    let (keys, lookup) = (ClusterKeys::default(), two_slides(&run));
    let advanced = chain(&run, &keys, &fake).advance(&files_of(&run, Vec::new(), &lookup)).unwrap();
    assert!((3..=5).contains(&fake.jobs()), "{}", fake.jobs());
    assert!(advanced.unsent_tasks > 0 && advanced.next.is_some());
}

#[test]
fn a_dry_run_writes_scripts_and_submits_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(folder.path());
    let (keys, fake, lookup) = (ClusterKeys::default(), Fake::default(), two_slides(&run));
    let dry = Chain { dry_run: true, ..chain(&run, &keys, &fake) };
    let advanced = dry.advance(&files_of(&run, Vec::new(), &lookup)).unwrap();
    assert_eq!(advanced.submitted.len(), 5);
    assert!(advanced.submitted.iter().all(|submission| submission.script.exists()));
    assert!(fake.queue.borrow().is_empty());
    assert_eq!(std::fs::read_to_string(run.submitted()).unwrap(), "");
}

#[test]
fn splits_are_followed_by_a_master_job() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(folder.path());
    let (keys, fake) = (ClusterKeys::default(), Fake::default());
    let row = |row: u32| (TaskNumber::try_from(row).unwrap(), format!("s{row}"));
    let unsplit = [1, 2, 5].map(row).to_vec();
    let files = Files { unsplit, slides: Vec::new() };
    let advanced = chain(&run, &keys, &fake).advance(&files).unwrap();
    assert_eq!(advanced.submitted[0].items, "1-2,5");
    assert_eq!(advanced.next, Some(Hold { after: vec!["1".into()], delay_min: None }));
}

#[test]
fn a_path_that_directives_cannot_hold_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::new(&folder.path().join("my run"));
    let (keys, fake) = (ClusterKeys::default(), Fake::default());
    let error = chain(&run, &keys, &fake).advance(&Files::default()).unwrap_err().to_string();
    assert!(error.contains("my run") && error.contains("letters, digits"), "{error}");
}
