//! Commands that submit jobs at the same time, are killed, or lose their reader: no slide and no
//! job is lost, and nothing is submitted twice.

use std::collections::BTreeSet;

use ndarray::Array3;

use crate::common::cli::Outcome;
use crate::common::fake_scheduler::{fake, fake_slurm, path_with_fakes, with_fakes};
use crate::common::{Case, noise};

const CONFIG: &str = "[tissue]\nmethod = \"all\"\n[tiling]\ntile = 24\nblock = 1\npatches_per_group = 9\n[predict]\nstride = 8\nengine = \"tract\"\nthreads = 1\n[cluster]\nscheduler = \"slurm\"\n";

/// A SLURM that keeps what it accepts in its queue. `$kill_at` in `kill_at` kills the command that
/// submits that job, once the job is queued.
const SBATCH: &str = r#"[ "$1" != --test-only ] || exit 0
for script; do :; done
exec 9>lock; flock 9
n=$(($(cat count 2>/dev/null || echo 6) + 1)); echo $n >count
tasks=$(sed -n 's/^#SBATCH --array=1-\([0-9]*\).*/\1/p' "$script")
if [ -z "$tasks" ]; then echo "$n|PENDING||(null)|Priority"; fi >>queue
for t in $(seq ${tasks:-0}); do echo "${n}_$t|PENDING||(null)|Priority"; done >>queue
echo "$n|$script" >>found
if [ "$n" = "$(cat kill_at 2>/dev/null)" ]; then kill -9 $PPID; fi
echo $n"#;
const SQUEUE: &str = r#"case "$*" in *%F*) cat found;; *) cat queue;; esac 2>/dev/null || :"#;

fn keep_queue(case: &Case) {
    fake_slurm(case);
    fake(case, "sbatch", SBATCH);
    fake(case, "squeue", SQUEUE);
}

/// The ids of the jobs in the queue.
fn queued(case: &Case) -> Vec<String> {
    let found = case.read("found");
    found.lines().map(|line| line.split_once('|').unwrap().0.to_owned()).collect()
}

/// The jobs in the journal: id, stage, slide and items.
fn recorded(case: &Case) -> Vec<(String, [String; 3])> {
    let text = case.read("run/jobs/submitted.jsonl");
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let jobs = lines.map(|job| {
        let text = |key: &str| job[key].as_str().unwrap_or_default().to_owned();
        (text("id"), ["stage", "slide", "items"].map(text))
    });
    jobs.collect()
}

/// Every job of the queue is recorded once, and no work is in two jobs.
#[track_caller]
fn assert_recorded(case: &Case) -> BTreeSet<[String; 3]> {
    let recorded = recorded(case);
    let mut ids: Vec<String> = recorded.iter().map(|(id, _)| id.clone()).collect();
    ids.sort_by_key(|id| id.parse::<u32>().unwrap());
    assert_eq!(ids, queued(case), "{recorded:?}");
    let work: Vec<[String; 3]> =
        recorded.into_iter().map(|(_, work)| work).filter(|work| work[0] != "master").collect();
    let different: BTreeSet<[String; 3]> = work.iter().cloned().collect();
    assert_eq!(different.len(), work.len(), "submitted twice: {work:?}");
    different
}

#[test]
fn commands_that_start_a_run_at_once_lose_no_slide() {
    const SLIDES: [&str; 4] = ["a", "b", "c", "d"];
    let rounds = if std::env::var_os("SLIDEGRID_WRITE_FAULTS").is_some() { 100 } else { 3 };
    for round in 0..rounds {
        let case = Case::new();
        let white = Array3::from_elem((30, 30, 3), 250);
        SLIDES.iter().for_each(|name| drop(case.slide(&format!("{name}.png"), &white)));
        case.config("c.toml", "padded", CONFIG);
        keep_queue(&case);
        let start = |name: &str| {
            let line = format!("run --config c.toml --set model.mpp=level0 {name}.png");
            with_fakes(&case, &line).spawn()
        };
        let commands = SLIDES.map(start);
        for command in commands {
            Outcome::wait(command).has_code(0);
        }
        let table = case.read("run/slides.csv");
        let rows: BTreeSet<&str> =
            table.lines().skip(1).map(|row| row.split(',').next().unwrap()).collect();
        assert_eq!(rows, SLIDES.into(), "round {round}: {table}");
        let work = assert_recorded(&case);
        // Rows of slides.csv are split by one job each, whichever command submitted it.
        let split = work.iter().filter(|[stage, ..]| stage == "split").map(|[.., items]| items);
        let split: BTreeSet<u32> = split.flat_map(|items| numbers(items)).collect();
        assert_eq!(split, (1..=4).collect(), "round {round}: {work:?}");
        let tasks = case.read("queue").lines().filter(|line| line.contains('_')).count();
        assert_eq!(tasks, 4, "round {round}: a row is in two jobs: {work:?}");
    }
}

/// The numbers in a list such as `1-3,7`.
fn numbers(list: &str) -> Vec<u32> {
    let ranges = list.split(',').flat_map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        first.parse::<u32>().unwrap()..=last.parse().unwrap()
    });
    ranges.collect()
}

/// A run of three slides that are split and planned.
fn planned() -> Case {
    let case = Case::new();
    let names = ["a.png", "b.png", "c.png"];
    names.iter().zip(1..).for_each(|(name, seed)| drop(case.slide(name, &noise(72, 72, seed))));
    case.config("c.toml", "padded", CONFIG);
    let split = "split -q --run run --config c.toml --set model.mpp=level0 a.png b.png c.png";
    case.slidegrid(split).done();
    case.slidegrid("master plan -q --run run").done();
    keep_queue(&case);
    case
}

#[test]
fn a_closed_pipe_leaves_no_job_unrecorded() {
    let case = planned();
    for command in ["master retry", "master submit", "run"] {
        let mut child = with_fakes(&case, command).spawn();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !stderr.contains("panicked"), "{command}: {stderr}");
        // A predict and a stitch for each slide.
        assert_eq!(assert_recorded(&case).len(), 6, "{command}");
    }
}

#[test]
fn a_command_that_is_killed_while_it_submits_leaves_no_job_unrecorded() {
    // The commands number jobs from 7 on.
    for kill_at in 7..=12 {
        let case = planned();
        case.write("kill_at", kill_at.to_string());
        let killed = case.slidegrid("master submit --run run");
        let killed = killed.env("PATH", path_with_fakes(&case)).while_others_write();
        assert_eq!(killed.run().code, None, "job {kill_at}");
        let queue = queued(&case);
        assert_eq!(queue.len(), recorded(&case).len() + 1, "job {kill_at} is not recorded yet");
        let next = with_fakes(&case, "master submit").while_others_write().done();
        assert!(next.stderr.contains(&format!("job {kill_at} was submitted by")), "{next:?}");
        assert_eq!(assert_recorded(&case).len(), 6, "job {kill_at}");
    }
}
