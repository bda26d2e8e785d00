//! `status` of a run with jobs in a scheduler, the cost of a finished run, and the estimate of
//! a planned one.

use std::path::PathBuf;

use ndarray::Array3;

use crate::common::cli::Outcome;
use crate::common::fake_scheduler::{fake, fake_slurm, fake_text, with_fakes};
use crate::common::{Case, noise};

const CONFIG: &str = "[tissue]\nmethod = \"all\"\n[tiling]\ntile = 24\nblock = 1\npatches_per_group = 9\n[predict]\nstride = 8\nengine = \"tract\"\nthreads = 1\n";

/// Two slides of 4 groups, split and planned.
fn planned(case: &Case) -> PathBuf {
    for name in ["a.png", "b.png"] {
        case.slide(name, &noise(144, 144, 3));
    }
    case.config("c.toml", "padded", CONFIG);
    let split = "split -q --run run --config c.toml --set model.mpp=level0 a.png b.png";
    case.slidegrid(split).done();
    case.slidegrid("master plan -q --run run").done();
    case.path("run")
}

fn status(case: &Case, more: &str) -> Outcome {
    with_fakes(case, &format!("status {more}")).done()
}

/// Submits jobs 7 and 9 that score `a` and `b`, and 8 and 10 that stitch them.
fn submitted(case: &Case) -> PathBuf {
    let run = planned(case);
    fake_slurm(case);
    let printed = with_fakes(case, "master submit --scheduler slurm").done().stdout;
    let expected =
        "7 predict a 1-4 (4 tasks)\n8 stitch a\n9 predict b 1-4 (4 tasks)\n10 stitch b\n";
    assert_eq!(printed, expected);
    run
}

#[test]
fn files_and_slurm_make_one_view() {
    let case = Case::new();
    let run = submitted(&case);
    case.slidegrid("predict -q --run run --slide a --group 2").done();
    let log = run.join("logs/predict/a.7_4.log");
    std::fs::write(&log, "slurmstepd: error: Detected 1 oom-kill event\n").unwrap();
    fake_text(
        &case,
        "sacct",
        "7_1|TIMEOUT|0:0|60|1|61|n1|2|None\n7_2|FAILED|1:0|60|1|61|n1|2|None\n7_4|FAILED|0:9|30|1|31|n1|2|None\n",
    );
    fake_text(&case, "squeue", "7_3|RUNNING|5|n1|None\n6_1|RUNNING|5|n1|None\n");
    let report = status_exits(&case, "--json", 5).json();
    let slide = &report["slides"][0];
    assert_eq!((&slide["scored"], &slide["running"]), (&1.into(), &serde_json::json!([3])));
    let ended: Vec<_> = slide["ended"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["group"].clone(), e["reason"].clone()))
        .collect();
    assert_eq!(ended, [(1.into(), "time-limit".into()), (4.into(), "memory".into())]);
    assert_eq!(slide["ended"][1]["log"], log.to_str().unwrap());
    assert_eq!(report["totals"]["groups_failed"], 2);
    assert_eq!(report["slides"][1]["waiting"], serde_json::json!([1, 2, 3, 4]));
    let table = status_exits(&case, "", 5).stdout;
    assert!(table.contains("time limit") && table.contains("a.7_4.log"), "{table}");
    assert!(table.contains("1 of 8 groups scored, 1 running, 4 waiting, 2 failed"), "{table}");
    // A failed try of a group that is done by now, and tries without a result.
    let cost = status(&case, "--json --cost").json();
    assert_eq!(cost["retries"]["tries"], 3);
    assert_eq!(cost["retries"]["lost_core_s"], 300.0);
    // A retry reports the same, and does not submit running tasks again.
    let retry = with_fakes(&case, "master retry --dry-run").done();
    for line in [
        "again: predict a t1: time limit; the same request, since [cluster] time_min",
        "again: predict a t4: memory; the same request, since [cluster] memory_mb",
        "again: predict b t1-4: no earlier try is known; the same request",
        "a: groups 3 are queued or running",
    ] {
        assert!(retry.stderr.contains(line), "{line}: {}", retry.stderr);
    }
    assert!(retry.stdout.contains("predict a 1,4 (2 tasks)"), "{}", retry.stdout);
}

#[test]
fn a_retry_requests_no_more_than_the_partition_allows() {
    let case = Case::new();
    planned(&case);
    fake_slurm(&case);
    fake(
        &case,
        "scontrol",
        "case \"$2\" in config) echo 'MaxArraySize = 1001';; *) echo 'PartitionName=p Default=YES MaxTime=00:30:00 MaxMemPerNode=UNLIMITED';; esac",
    );
    let submit = "master submit --scheduler slurm --set cluster.time_min=20";
    with_fakes(&case, submit).done();
    fake_text(&case, "sacct", "7_1|TIMEOUT|0:0|1200|1|61|n1|2|None\n");
    with_fakes(&case, "master retry")
        .done()
        .mentions(&["again: predict a t1: time limit; 30 minutes instead of 20"]);
    let submitted = case.read("run/jobs/submitted.jsonl");
    let retried = submitted.lines().find(|line| line.contains("\"time_min\":30")).unwrap();
    let id = serde_json::from_str::<serde_json::Value>(retried).unwrap()["id"].clone();
    let ended = format!("{}_1|TIMEOUT|0:0|1800|1|61|n1|2|None\n", id.as_str().unwrap());
    fake_text(&case, "sacct", &ended);
    let words = ["predict a t1: time limit; the same request, the largest that the queue allows"];
    with_fakes(&case, "master retry").done().mentions(&words);
}

#[test]
fn without_a_scheduler_status_reads_files_alone_and_says_so() {
    let case = Case::new();
    submitted(&case);
    for program in ["sacct", "squeue"] {
        fake(&case, program, "echo 'slurm_load_jobs error: down' >&2\nexit 1");
    }
    let table = status(&case, "").stdout;
    assert!(table.contains("0 of 8 groups scored, 0 running, 8 waiting, 0 failed"), "{table}");
    assert!(table.contains("squeue does not answer (slurm_load_jobs error: down)"), "{table}");
}

#[test]
fn a_finished_run_reports_its_cost() {
    let case = Case::new();
    let run = planned(&case);
    case.slidegrid("run -q --run run").done();
    let cost = status(&case, "--json --cost").json();
    let stages = cost["stages"].as_array().unwrap();
    let names: Vec<_> =
        stages.iter().map(|stage| (stage["stage"].clone(), stage["tasks"].clone())).collect();
    assert_eq!(
        names,
        [("split".into(), 2.into()), ("predict".into(), 8.into()), ("stitch".into(), 2.into())]
    );
    for stage in stages {
        let number = |key: &str| stage[key].as_f64().unwrap();
        assert_eq!(number("untimed"), 0.0);
        assert!(number("parallel_s") > 0.0 && number("serial_s") > 0.0, "{stage}");
        assert!(number("read_bytes") > 0.0 && number("written_bytes") > 0.0, "{stage}");
        let product = number("efficiency") * number("peak_cores");
        assert!((product - number("speed_up")).abs() < 1e-9, "{stage}");
    }
    // One process, one group at a time.
    assert_eq!(stages[1]["peak_cores"], 1.0);
    let svg = std::fs::read_to_string(run.join("report/tasks.svg")).unwrap();
    assert_eq!(svg.matches("<path").count(), 3);
    // Done: a watch shows it once and ends.
    let watched = status(&case, "--watch 1").stdout;
    assert_eq!(
        watched,
        "2 of 2 slides done, 0 failed; 8 of 8 groups scored, 0 running, 0 waiting, 0 failed\n"
    );
}

#[test]
fn an_estimate_times_groups_and_keeps_their_scores() {
    let case = Case::new();
    planned(&case);
    let estimate = |more: &str| {
        let line = format!("master estimate -q --run run --cores 4 --price 2 {more}");
        case.slidegrid(&line).done()
    };
    estimate("--groups 2");
    let report = status(&case, "--json").json();
    assert_eq!(report["totals"]["groups_scored"], 2);
    // One of each slide.
    assert_eq!(
        (&report["slides"][0]["scored"], &report["slides"][1]["scored"]),
        (&1.into(), &1.into())
    );
    // More than there are: the rest is scored, and nothing is left.
    estimate("--groups 50 --json");
    assert_eq!(status(&case, "--json").json()["totals"]["groups_scored"], 8);
    estimate("");
}

#[test]
fn status_names_a_chain_that_has_stopped_and_a_watch_ends() {
    let case = Case::new();
    submitted(&case);
    let stopped =
        "stopped: no job of this run is queued or running; `slidegrid master retry --run ";
    fake_text(&case, "squeue", "7_3|PENDING||(null)|Priority\n9_1|RUNNING|5|n1|None\n");
    let table = status(&case, "").stdout;
    assert!(table.contains("waiting: 1 in the queue, 6 not submitted or forgotten"), "{table}");
    assert!(!table.contains("stopped"), "{table}");
    fake_text(&case, "squeue", "");
    let table = status_exits(&case, "", 5).stdout;
    assert!(table.contains("waiting: 0 in the queue, 8 not") && table.contains(stopped), "{table}");
    assert_eq!(status_exits(&case, "--json", 5).json()["stopped"], true);
    // The watch looks twice, because there may be no job for a moment.
    let watched = with_fakes(&case, "status --watch 1").exits(5).stdout;
    assert_eq!(watched.matches("0 of 8 groups scored").count(), 2, "{watched}");
    assert!(watched.contains(stopped), "{watched}");
    // A queue that does not answer may have the jobs.
    fake(&case, "squeue", "exit 1");
    let table = status(&case, "").stdout;
    assert!(!table.contains("stopped"), "{table}");
}

#[test]
fn a_watch_ends_when_the_slides_that_are_left_failed() {
    let case = Case::new();
    planned(&case);
    case.slidegrid("run -q --run run").done();
    case.write("bad.png", "no picture");
    case.slidegrid("split -q --run run bad.png").exits(4);
    let watched = status_exits(&case, "--watch 1", 5).stdout;
    assert!(watched.contains("2 of 3 slides done, 1 failed"), "{watched}");
}

#[test]
fn a_run_with_a_blank_slide_is_over_and_has_not_stopped() {
    let case = Case::new();
    case.slide("a.png", &noise(144, 144, 3));
    case.slide("white.png", &Array3::from_elem((144, 144, 3), 255));
    case.config("c.toml", "padded", &CONFIG.replace("method = \"all\"", "method = \"stain\""));
    let split = "split -q --run run --config c.toml --set model.mpp=level0 a.png white.png";
    case.slidegrid(split).run();
    assert!(case.read("run/slides.csv").contains(",no-tissue,"));
    fake_slurm(&case);
    with_fakes(&case, "master submit --scheduler slurm").done();
    // The jobs are gone, and the work is done.
    fake_text(&case, "squeue", "");
    case.slidegrid("run -q --run run --scheduler local").exits(5);
    // The jobs make none.
    std::fs::remove_file(case.path("run/heatmaps/white.h5")).unwrap();
    // As `run` ends with a slide without tissue.
    let table = status_exits(&case, "", 5).stdout;
    assert!(
        table.contains("1 of 2 slides done, 0 failed") && !table.contains("stopped"),
        "{table}"
    );
    let watched = status_exits(&case, "--watch 1", 5).stdout;
    assert_eq!(watched.lines().count(), 1, "{watched}");
}

/// With `--scheduler local`, the command that submits computes, and no scheduler knows its jobs.
#[test]
fn a_run_that_a_command_computes_has_not_stopped() {
    let case = Case::new();
    let run = submitted(&case);
    fake_text(&case, "squeue", "");
    let journal = std::fs::File::open(run.join("jobs/submitted.jsonl")).unwrap();
    journal.lock().unwrap();
    let report = status(&case, "--json").json();
    assert_eq!(report["stopped"], false);
    journal.unlock().unwrap();
    assert_eq!(status_exits(&case, "--json", 5).json()["stopped"], true);
}

#[test]
fn a_partial_slide_is_not_counted_as_done() {
    let case = Case::new();
    planned(&case);
    case.slidegrid("predict -q --run run --all").done();
    std::fs::remove_file(case.path("run/scores/a/t2.h5")).unwrap();
    case.slidegrid("stitch -q --run run --all --allow-missing").exits(5);
    case.slidegrid("predict -q --run run --all").done();
    let report = status_exits(&case, "--json", 5).json();
    let totals = &report["totals"];
    let counts = ["done", "partial", "failed"].map(|key| totals[key].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 0], "{totals}");
    let table = status_exits(&case, "", 5).stdout;
    assert!(table.contains("1 of 2 slides done, 1 partial, 0 failed; 8 of 8"), "{table}");
    case.slidegrid("stitch -q --run run --all").done();
    assert!(status(&case, "").stdout.contains("2 of 2 slides done, 0 failed"));
}

fn status_exits(case: &Case, more: &str, code: i32) -> Outcome {
    with_fakes(case, &format!("status {more}")).exits(code)
}

#[test]
fn a_run_that_is_on_a_cluster_stays_there_and_settings_change_alone() {
    let case = Case::new();
    let run = submitted(&case);
    // The command does not compute here, although it names no scheduler.
    let printed = Outcome::wait(with_fakes(&case, "run").spawn()).has_code(0).stdout;
    assert!(printed.contains("11 predict a 1-4 (4 tasks)"), "{printed}");
    assert!(!run.join("scores").exists());
    let kept = std::fs::read_to_string(run.join("jobs/cluster.toml")).unwrap();
    assert!(kept.contains("scheduler = \"slurm\"") && !kept.contains("memory_mb"), "{kept}");
    // A dry run keeps no settings.
    let dry = "master submit --dry-run --set cluster.memory_mb=900";
    let printed = with_fakes(&case, dry).done().stdout;
    assert!(printed.contains("#SBATCH --mem=900M"), "{printed}");
    assert_eq!(std::fs::read_to_string(run.join("jobs/cluster.toml")).unwrap(), kept);
    with_fakes(&case, "master submit --set cluster.memory_mb=900").done();
    let changed = std::fs::read_to_string(run.join("jobs/cluster.toml")).unwrap();
    assert!(changed.contains("memory_mb = 900") && changed.contains("slurm"), "{changed}");
    // A local run is still to be had.
    case.slidegrid("run -q --run run --scheduler local").done();
    assert!(run.join("heatmaps/a.h5").exists());
}
