//! The chain on a real SLURM that allows array indices up to 7, with failures of many kinds.
//! The heatmaps always equal those of a run without a scheduler, and nothing that was complete
//! is computed again.

use crate::common::cluster::{Cluster, Cohort, printed};

const UP: &str = "slurm-up";
const LISTED: [&str; 2] = ["squeue", "-h -r -o %F|%j|%K|%T|%r|%i"];
const KEYS: &str =
    "[cluster]\nscheduler = \"slurm\"\nqueue = \"main\"\nmemory_mb = 1000\ntime_min = 10\n";

/// One test, since the settings of the one SLURM change along the way. Cases that can run at
/// the same time do, because most of the time is waiting.
#[test]
fn slides_become_the_same_heatmaps_whatever_happens() {
    let mut cluster = Cluster::start(UP, &[("MAX_ARRAY", "8")], LISTED, KEYS);
    let (demo, slow) = (cluster.demo(), cluster.slow());
    std::thread::scope(|scope| {
        let cluster = &cluster;
        scope.spawn(move || time_limit(cluster));
        scope.spawn(|| warned(cluster, &slow));
        scope.spawn(move || memory_kill(cluster));
        scope.spawn(move || from_the_login_node(cluster));
        whole_chain(cluster, &demo);
        half_cancelled(cluster);
        failing_tasks(cluster);
        a_node_lost_and_a_requeue(cluster);
        a_node_lost_for_good(cluster);
        packed_and_by_hand(cluster);
    });
    cluster.set_up(UP, &[("MAX_ARRAY", "8"), ("MAX_SUBMIT", "10")]);
    waves(&cluster);
}

/// Runs the demo cohort, after which a retry finds nothing to do.
fn whole_chain(cluster: &Cluster, demo: &Cohort) {
    assert!(demo.groups > 14, "no slide needs two arrays: {} groups", demo.groups);
    let stdout = printed(cluster.run_command(demo, "chain"));
    assert!(stdout.contains("split 1-4 (4 tasks)") && stdout.contains(" master"), "{stdout}");
    cluster.wait("chain");
    cluster.assert_done(demo, "chain", &Vec::new());
    cluster.assert_studied(demo, "chain");
    let before = cluster.scored(demo, "chain");
    let stdout = cluster.retry("chain", &[]);
    assert!(stdout.contains("nothing is missing"), "{stdout}");
    cluster.assert_done(demo, "chain", &before);
}

/// Half the tasks of each array are cancelled before they start.
fn half_cancelled(cluster: &Cluster) {
    // Tasks of 8 cores run two at a time, so most still wait.
    cluster.submit("cancel", &["--set", "cluster.cpus=8"]);
    cluster.wait_for("cancel", "sg_stitch_s1");
    for id in cluster.arrays("cancel") {
        cluster.output_of(&format!("scancel {id}_[2,4-6]"));
    }
    cluster.wait("cancel");
    let before = cluster.scored(&cluster.quick, "cancel");
    assert!(before.len() < cluster.quick.groups, "nothing was cancelled");
    // SLURM keeps no record of tasks that never began.
    let stdout = cluster.retry("cancel", &[]);
    let line = "again: predict s0 t2,4-6,9: no earlier try is known; the same request";
    assert!(stdout.contains(line), "{stdout}");
    cluster.wait("cancel");
    cluster.assert_done(&cluster.quick, "cancel", &before);
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
    // Accounting lags some seconds behind.
    cluster.until("fail", "exit code", |cluster| {
        let stdout = cluster.retry("fail", &["--time-factor", "2", "--dry-run"]);
        stdout.contains("again: predict s1 t1-9: exit code 4; 20 minutes instead of 10")
    });
    cluster.retry("fail", &["--time-factor", "2"]);
    cluster.wait("fail");
    cluster.assert_done(&cluster.quick, "fail", &before);
    assert!(cluster.script_requests("fail", "#SBATCH --time=20"));
}

/// One task does not end within its limit of a minute.
fn time_limit(cluster: &Cluster) {
    let stalls = "cluster.setup=['[ \"$(squeue -h -j \"${SLURM_ARRAY_JOB_ID-}_${SLURM_ARRAY_TASK_ID-}\" -o %l)\" != 1:00 ] || [ \"$SLURM_JOB_NAME\" != sg_predict_s1 ] || [ \"$SLURM_ARRAY_TASK_ID\" != 2 ] || sleep 600']";
    let here = "cluster.extra=[\"--nodelist=n1\"]";
    cluster.submit("time", &["--set", "cluster.time_min=1", "--set", stalls, "--set", here]);
    cluster.wait("time");
    cluster.wait_for_reason("time", "time-limit");
    let before = cluster.scored(&cluster.quick, "time");
    // The second task of both arrays.
    assert_eq!(before.len() + 2, cluster.quick.groups);
    let stdout = cluster.retry("time", &[]);
    assert!(
        stdout.contains("again: predict s1 t2,9: time limit; 2 minutes instead of 1 ["),
        "{stdout}"
    );
    assert!(stdout.contains("predict s1 2,9 (2 tasks)"), "{stdout}");
    cluster.wait("time");
    cluster.assert_done(&cluster.quick, "time", &before);
}

/// One task needs more memory than it requests, and is killed.
const HUNGRY: &str = "cluster.setup=['[ \"$SLURM_MEM_PER_NODE\" -ge 600 ] || [ \"$SLURM_JOB_NAME\" != sg_predict_s0 ] || [ \"$SLURM_ARRAY_TASK_ID\" != 3 ] || perl -e \"\\$x = q(x) x 500000000; sleep 600\"']";

fn memory_kill(cluster: &Cluster) {
    let here = "cluster.extra=[\"--nodelist=n1\"]";
    cluster.submit("memory", &["--set", "cluster.memory_mb=300", "--set", HUNGRY, "--set", here]);
    cluster.wait("memory");
    cluster.wait_for_reason("memory", "memory");
    let before = cluster.scored(&cluster.quick, "memory");
    let stdout = cluster.retry("memory", &[]);
    assert!(stdout.contains("memory; 600 MB instead of 300 ["), "{stdout}");
    cluster.wait("memory");
    cluster.assert_done(&cluster.quick, "memory", &before);
    assert!(cluster.script_requests("memory", "#SBATCH --mem=600M"));
    assert!(!cluster.script_requests("memory", "#SBATCH --mem=1200M"));
}

/// The warning ahead of the time limit, which `scancel` sends as SLURM does:
/// the task saves, queues itself again, and goes on inside the group.
fn warned(cluster: &Cluster, slow: &Cohort) {
    let here = ["cluster.extra=[\"--nodelist=n1\"]"];
    cluster.run_command(slow, "warned").set(&here).done();
    let part = cluster.file("warned", "scores/slow/t1.part.h5");
    cluster.until("warned", "part", |_| part.exists());
    let array = cluster.arrays("warned").remove(0);
    cluster.output_of(&format!("scancel --batch --signal=USR1 {array}_1"));
    cluster.wait("warned");
    cluster.assert_done(slow, "warned", &Vec::new());
    assert_eq!(cluster.logged("warned", "warned: queued again").len(), 1);
    assert_eq!(cluster.logged("warned", ": continues after ").len(), 1);
    assert!(cluster.script_requests("warned", "#SBATCH --signal=B:USR1@120"));
}

fn node_n2(cluster: &Cluster, state: &str) {
    let words = ["update", "nodename=n2", &format!("state={state}"), "reason=test"];
    // A node that has come back by itself cannot be resumed.
    cluster.command("scontrol", &words.map(ToOwned::to_owned));
}

/// SLURM runs the tasks again by itself, without a retry.
fn a_node_lost_and_a_requeue(cluster: &Cluster) {
    cluster.submit("node", &["--set", "cluster.cpus=4", "--set", "cluster.setup=[\"sleep 2\"]"]);
    cluster.wait_for("node", "|sg_predict_s0|1|RUNNING");
    node_n2(cluster, "down");
    let running = cluster.queued("node").into_iter().find(|job| job.contains("|RUNNING|"));
    // It may have ended since.
    let task = running.as_deref().and_then(|job| job.rsplit('|').next()).unwrap_or("1").to_owned();
    cluster.command("scontrol", &["requeue".to_owned(), task]);
    node_n2(cluster, "resume");
    cluster.wait("node");
    cluster.assert_done(&cluster.quick, "node", &Vec::new());
}

/// Without requeueing, the loss of a node ends its jobs.
fn a_node_lost_for_good(cluster: &Cluster) {
    let extra = "cluster.predict.extra=[\"--no-requeue\", \"--nodelist=n2\"]";
    cluster.submit("lost", &["--set", extra, "--set", "cluster.setup=[\"sleep 3\"]"]);
    cluster.wait_for("lost", "|sg_predict_s0|1|RUNNING");
    node_n2(cluster, "down");
    node_n2(cluster, "resume");
    cluster.wait("lost");
    cluster.wait_for_reason("lost", "node-loss");
    let before = cluster.scored(&cluster.quick, "lost");
    assert!(before.len() < cluster.quick.groups);
    let stdout = cluster.retry("lost", &[]);
    assert!(stdout.contains("node loss; the same request"), "{stdout}");
    cluster.wait("lost");
    cluster.assert_done(&cluster.quick, "lost", &before);
}

/// Several groups per task, and scripts from a dry run that are submitted by hand.
fn packed_and_by_hand(cluster: &Cluster) {
    let packed = ["--set", "cluster.groups_per_task=3", "--dry-run"];
    let stdout = cluster.submit("hand", &packed);
    assert!(stdout.contains("#SBATCH --array=1-2"), "{stdout}");
    cluster.split_here(&cluster.quick, "hand");
    let stdout = cluster.submit_scripts("hand", &packed);
    assert!(stdout.contains("#SBATCH --array=1-4"), "{stdout}");
    let by_hand = |script: &str| {
        let script = cluster.file("hand", &format!("jobs/{script}"));
        // Ends with its jobs; 1 when a task did not end with 0.
        cluster.output_of(&format!("sbatch --wait {}", script.display()));
    };
    for slide in ["s0", "s1"] {
        by_hand(&format!("predict_{slide}.sh"));
        by_hand(&format!("stitch_{slide}.sh"));
    }
    cluster.assert_done(&cluster.quick, "hand", &Vec::new());
}

/// Where jobs must not submit jobs, the command on the login node waits and submits.
fn from_the_login_node(cluster: &Cluster) {
    let stdout = cluster.submit("login", &["--set", "cluster.submit_from=\"login\""]);
    assert!(stdout.contains("waiting for 1 job to end"), "{stdout}");
    assert!(cluster.submitted("login").iter().all(|job| job["stage"] != "master"));
    cluster.wait("login");
    cluster.assert_done(&cluster.quick, "login", &Vec::new());
}

/// At most ten jobs at a time; the later waves of a retry request more memory too.
fn waves(cluster: &Cluster) {
    // Every task of s0.
    let hungry = HUNGRY.replace("[ \"$SLURM_ARRAY_TASK_ID\" != 3 ] || ", "");
    cluster.submit("waves", &["--set", "cluster.memory_mb=300", "--set", &hungry]);
    cluster.wait("waves");
    cluster.wait_for_reason("waves", "memory");
    let before = cluster.scored(&cluster.quick, "waves");
    assert_eq!(before.len(), 9, "s1 alone");
    let stdout = cluster.retry("waves", &[]);
    assert!(
        stdout.contains("again: predict s0 t1-10: memory; 600 MB instead of 300 ["),
        "{stdout}"
    );
    cluster.wait("waves");
    cluster.assert_done(&cluster.quick, "waves", &before);
}
