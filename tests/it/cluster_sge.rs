//! The chain on a real Grid Engine that allows 8 tasks per array, with failures of many kinds.
//! The heatmaps always equal those of a run without a scheduler, and nothing that was complete
//! is computed again.

use crate::common::cluster::{Cluster, Cohort};

const UP: &str = "sge-up";
const LISTED: [&str; 2] = ["qstat", "-u *"];
const KEYS: &str = "[cluster]\nscheduler = \"sge\"\nqueue = \"all.q\"\nparallel_environment = \"thread\"\ntime_min = 10\n";

/// One test, since the settings of the one Grid Engine change along the way. Cases that can run
/// at the same time do, because most of the time is waiting.
#[test]
fn slides_become_the_same_heatmaps_whatever_happens() {
    let mut cluster = Cluster::start(UP, &[("MAX_TASKS", "8")], LISTED, KEYS);
    let (demo, slow) = (cluster.demo(), cluster.slow());
    std::thread::scope(|scope| {
        let cluster = &cluster;
        scope.spawn(move || time_limit(cluster));
        scope.spawn(|| warned(cluster, &slow));
        scope.spawn(move || memory_kill(cluster));
        whole_chain(cluster, &demo);
        half_deleted(cluster);
        failing_tasks(cluster);
        rescheduled(cluster);
    });
    cluster.set_up(UP, &[("MAX_TASKS", "8"), ("MAX_JOBS", "6")]);
    cluster.submit("waves", &[]);
    cluster.wait("waves");
    cluster.assert_done(&cluster.quick, "waves", &Vec::new());
}

/// Runs the demo cohort, after which a retry finds nothing to do.
fn whole_chain(cluster: &Cluster, demo: &Cohort) {
    assert!(demo.groups > 16, "no slide needs two arrays: {} groups", demo.groups);
    cluster.run_command(demo, "chain").set(&["cluster.cpus=2"]).done();
    cluster.wait("chain");
    cluster.assert_done(demo, "chain", &Vec::new());
    cluster.assert_studied(demo, "chain");
    let before = cluster.scored(demo, "chain");
    let stdout = cluster.retry("chain", &[]);
    assert!(stdout.contains("nothing is missing"), "{stdout}");
    cluster.assert_done(demo, "chain", &before);
}

/// Half the tasks of each array are deleted before they start.
fn half_deleted(cluster: &Cluster) {
    // Tasks of 7 slots run two at a time, so most still wait.
    cluster.submit("delete", &["--set", "cluster.cpus=7"]);
    cluster.wait_for("delete", "sg_stitch");
    for id in cluster.arrays("delete") {
        // Some arrays have fewer tasks.
        cluster.command("qdel", &[id, "-t".into(), "3-6".into()]);
    }
    cluster.wait("delete");
    let before = cluster.scored(&cluster.quick, "delete");
    assert!(before.len() < cluster.quick.groups, "nothing was deleted");
    let stdout = cluster.retry("delete", &[]);
    assert!(stdout.contains("again: predict s0 t"), "{stdout}");
    cluster.wait("delete");
    cluster.assert_done(&cluster.quick, "delete", &before);
}

/// A file where a slide's scores should lie makes all its tasks fail.
fn failing_tasks(cluster: &Cluster) {
    cluster.submit("fail", &["--no-stitch"]);
    cluster.wait("fail");
    let scores = cluster.file("fail", "scores/s1");
    std::fs::remove_dir_all(&scores).unwrap();
    std::fs::write(&scores, "in the way").unwrap();
    std::fs::remove_dir_all(cluster.file("fail", "logs/predict")).unwrap();
    let before = cluster.scored(&cluster.quick, "fail");
    cluster.retry("fail", &[]);
    cluster.wait("fail");
    assert_eq!(cluster.scored(&cluster.quick, "fail"), before, "nothing can be written");
    std::fs::remove_file(&scores).unwrap();
    cluster.until("fail", "exit code", |cluster| {
        let stdout = cluster.retry("fail", &["--dry-run"]);
        stdout.contains("again: predict s1 t1-9: exit code 4; the same request [")
    });
    cluster.retry("fail", &[]);
    cluster.wait("fail");
    cluster.assert_done(&cluster.quick, "fail", &before);
}

/// One task does not end within its limit of a minute.
fn time_limit(cluster: &Cluster) {
    let stalls = "cluster.setup=['[ -e let_go ] || [ \"$JOB_NAME\" != sg_predict_s1 ] || [ \"$SGE_TASK_ID\" != 2 ] || sleep 600']";
    cluster.submit("time", &["--set", "cluster.time_min=1", "--set", stalls]);
    cluster.wait("time");
    cluster.wait_for_reason("time", "time-limit");
    let before = cluster.scored(&cluster.quick, "time");
    assert_eq!(before.len() + 1, cluster.quick.groups);
    std::fs::write(cluster.file("time", "let_go"), "").unwrap();
    let stdout = cluster.retry("time", &[]);
    assert!(stdout.contains("time limit; 2 minutes instead of 1 ["), "{stdout}");
    cluster.wait("time");
    cluster.assert_done(&cluster.quick, "time", &before);
    assert!(cluster.script_requests("time", "#$ -l h_rt=120"));
}

/// One task needs more memory than it requests, and fails.
fn memory_kill(cluster: &Cluster) {
    let hungry = "cluster.setup=['[ \"$(ulimit -v)\" -ge 5000000 ] || [ \"$JOB_NAME\" != sg_predict_s0 ] || [ \"$SGE_TASK_ID\" != 3 ] || perl -e \"\\$x = q(x) x 5000000000\"']";
    cluster.submit("memory", &["--set", "cluster.memory_mb=3000", "--set", hungry]);
    cluster.wait("memory");
    cluster.wait_for_reason("memory", "memory");
    let before = cluster.scored(&cluster.quick, "memory");
    let stdout = cluster.retry("memory", &[]);
    assert!(stdout.contains("memory; 6000 MB instead of 3000 ["), "{stdout}");
    cluster.wait("memory");
    cluster.assert_done(&cluster.quick, "memory", &before);
    assert!(cluster.script_requests("memory", "#$ -l h_vmem=6000M"));
}

/// The warning ahead of the time limit: the task saves, exits with 99, runs
/// again and goes on inside the group.
fn warned(cluster: &Cluster, slow: &Cohort) {
    let soon = ["cluster.setup=['timeout() { shift 2; command timeout --signal=USR1 4 \"$@\"; }']"];
    cluster.run_command(slow, "warned").set(&soon).done();
    cluster.wait("warned");
    cluster.assert_done(slow, "warned", &Vec::new());
    assert!(!cluster.logged("warned", "warned: queued again").is_empty());
    assert!(!cluster.logged("warned", ": continues after ").is_empty());
    let script = std::fs::read_to_string(cluster.file("warned", "jobs/predict_slow.sh")).unwrap();
    assert!(script.contains(" timeout --signal=USR1 480 "), "{script}");
}

/// Tasks are rescheduled by hand, as after the loss of a host: they run again without a retry.
fn rescheduled(cluster: &Cluster) {
    cluster.submit("again", &["--set", "cluster.cpus=4", "--set", "cluster.setup=[\"sleep 2\"]"]);
    cluster.wait_for("again", "sg_stitch");
    let array = cluster.arrays("again").remove(0);
    cluster.until("again", "running task", |cluster| {
        cluster
            .queued("again")
            .iter()
            .any(|job| job.trim_start().starts_with(&array) && job.contains(" r "))
    });
    cluster.output_of(&format!("qmod -rj {array}"));
    cluster.wait("again");
    cluster.assert_done(&cluster.quick, "again", &Vec::new());
}
