//! The chain on a real Grid Engine that allows 8 tasks an array.

#[path = "common/cluster.rs"]
mod cluster;
#[expect(dead_code, reason = "what the other tests need of it")]
mod common;

use cluster::Cluster;
use common::{Case, assert_same, noise};

const KEYS: &str = "scheduler = \"sge\"\nqueue = \"all.q\"\nparallel_environment = \"thread\"\n";

fn start(settings: &[(&str, &str)]) -> Option<Cluster> {
    Cluster::start("sge-up", settings, ["qstat", "-u *"], KEYS)
}

/// One test, since the settings of the one Grid Engine change along the way.
#[test]
fn slides_become_the_same_heatmaps_whatever_happens() {
    let Some(cluster) = start(&[("MAX_TASKS", "8")]) else { return };
    cluster.slidegrid(&cluster.run_command("chain", &["--set", "cluster.cpus=2"]));
    cluster.wait();
    cluster.assert_done("chain", &[]);

    // Tasks of 7 slots run two at a time, so most still wait.
    cluster.slidegrid(&cluster.run_command("delete", &["--set", "cluster.cpus=7"]));
    cluster.wait_for("sg_stitch");
    let text = std::fs::read_to_string(cluster.file("delete", "jobs/submitted.jsonl")).unwrap();
    for line in text.lines().filter(|line| line.contains("\"predict\"")) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let id = line["id"].as_str().unwrap().to_owned();
        cluster.command("qdel", &[id, "-t".into(), "3-5".into()]);
    }
    cluster.wait();
    let before = cluster.scored("delete");
    assert!(before.len() < 48, "something was deleted");
    cluster.retry("delete", &[]);
    cluster.wait();
    cluster.assert_done("delete", &before);

    let Some(cluster) = start(&[("MAX_TASKS", "8"), ("MAX_JOBS", "6")]) else { return };
    cluster.slidegrid(&cluster.run_command("waves", &[]));
    cluster.wait();
    cluster.assert_done("waves", &[]);
}
