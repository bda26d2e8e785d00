//! The chain on a real SLURM that allows array indices up to 7.

#[path = "common/cluster.rs"]
mod cluster;
#[expect(dead_code, reason = "what the other tests need of it")]
mod common;

use cluster::Cluster;
use common::{Case, assert_same, noise};

const KEYS: &str = "scheduler = \"slurm\"\nqueue = \"main\"\n";

fn start(settings: &[(&str, &str)], keys: &str) -> Option<Cluster> {
    Cluster::start("slurm-up", settings, ["squeue", "-h -r -o %i|%j|%T"], &format!("{KEYS}{keys}"))
}

/// One test, since the settings of the one SLURM change along the way.
#[test]
fn slides_become_the_same_heatmaps_whatever_happens() {
    let Some(cluster) = start(&[("MAX_ARRAY", "8")], "") else { return };
    whole_chain(&cluster);
    half_cancelled(&cluster);
    failing_tasks(&cluster);
    a_node_lost_and_a_requeue(&cluster);
    packed_and_by_hand(&cluster);
    let Some(cluster) = start(&[("MAX_ARRAY", "8"), ("MAX_SUBMIT", "10")], "") else { return };
    cluster.slidegrid(&cluster.run_command("waves", &[]));
    cluster.wait();
    cluster.assert_done("waves", &[]);
}

fn whole_chain(cluster: &Cluster) {
    let said = cluster.slidegrid(&cluster.run_command("chain", &[]));
    assert!(said.contains("split 1-3 (3 tasks)") && said.contains(" master"), "{said}");
    cluster.wait();
    cluster.assert_done("chain", &[]);
    let before = cluster.scored("chain");
    let said = cluster.retry("chain", &[]);
    assert!(said.contains("nothing is missing"), "{said}");
    cluster.assert_done("chain", &before);
}

/// Half the tasks of each array are cancelled before they start.
fn half_cancelled(cluster: &Cluster) {
    // Tasks of 8 cores run two at a time, so most still wait.
    cluster.slidegrid(&cluster.run_command("cancel", &["--set", "cluster.cpus=8"]));
    cluster.wait_for("sg_stitch");
    let text = std::fs::read_to_string(cluster.file("cancel", "jobs/submitted.jsonl")).unwrap();
    for line in text.lines().filter(|line| line.contains("\"predict\"")) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        cluster.command("scancel", &[format!("{}_[2,4-5]", line["id"].as_str().unwrap())]);
    }
    cluster.wait();
    let before = cluster.scored("cancel");
    assert!(before.len() < 48, "something was cancelled");
    cluster.retry("cancel", &[]);
    cluster.wait();
    cluster.assert_done("cancel", &before);
}

/// A file where a slide's scores should lie makes all its tasks fail.
fn failing_tasks(cluster: &Cluster) {
    cluster.slidegrid(&cluster.run_command("fail", &["--no-stitch"]));
    cluster.wait();
    let scores = cluster.file("fail", "scores/s1");
    std::fs::remove_dir_all(&scores).unwrap();
    std::fs::write(&scores, "in the way").unwrap();
    let before = cluster.scored("fail");
    cluster.retry("fail", &[]);
    cluster.wait();
    assert_eq!(cluster.scored("fail"), before, "nothing can be written");
    std::fs::remove_file(&scores).unwrap();
    cluster.retry("fail", &["--time-factor", "2"]);
    cluster.wait();
    cluster.assert_done("fail", &before);
    let script = std::fs::read_to_string(cluster.file("fail", "jobs/predict_s1.sh")).unwrap();
    assert!(script.contains("--time=20"), "{script}");
}

/// SLURM runs the tasks again by itself; nobody has to retry.
fn a_node_lost_and_a_requeue(cluster: &Cluster) {
    let slow = ["--set", "cluster.cpus=4", "--set", "cluster.setup=[\"sleep 2\"]"];
    cluster.slidegrid(&cluster.run_command("node", &slow));
    cluster.wait_for("sg_predict_s0|RUNNING");
    let node = |state: &str| {
        let words = ["update", "nodename=n2", &format!("state={state}"), "reason=test"];
        cluster.command("scontrol", &words.map(ToOwned::to_owned));
    };
    node("down");
    let running =
        cluster.command("squeue", &["-h", "-r", "-t", "R", "-o", "%i"].map(ToOwned::to_owned));
    let running = String::from_utf8(running.stdout).unwrap();
    let first = running.lines().next().unwrap().to_owned();
    cluster.command("scontrol", &["requeue".into(), first]);
    node("resume");
    cluster.wait();
    cluster.assert_done("node", &[]);
}

/// Several groups a task, and scripts from a dry run submitted by hand.
fn packed_and_by_hand(cluster: &Cluster) {
    let mut words = cluster.run_command("hand", &["--set", "cluster.groups_per_task=3"]);
    words.push("--dry-run".into());
    let said = cluster.slidegrid(&words);
    assert!(said.contains("#SBATCH --array=1-3"), "{said}");
    let by_hand = |script: &str| {
        let script = cluster.file("hand", &format!("jobs/{script}")).to_string_lossy().into_owned();
        let output = cluster.command("sbatch", &[script]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        cluster.wait();
    };
    by_hand("split.sh");
    cluster.slidegrid(&words);
    for slide in ["s0", "s1", "s2"] {
        by_hand(&format!("predict_{slide}.sh"));
        by_hand(&format!("stitch_{slide}.sh"));
    }
    cluster.assert_done("hand", &[]);
}
