//! `slidegrid bench`: what is measured is real, what cannot be is said, and
//! nothing is left behind.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use slidegrid::config::Config;
use tempfile::TempDir;

fn slidegrid(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_slidegrid")).args(words).output().unwrap()
}

fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models").join(name)
}

fn infer(card: &str, more: &[&str]) -> Output {
    let card = model(card);
    let mut words = vec!["bench", "infer", "--model", card.to_str().unwrap()];
    words.extend(["--quiet", "--seconds", "0.05", "--repeats", "2"]);
    words.extend(more);
    slidegrid(&words)
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The recommendation, read as the configuration it is to be pasted into.
fn pasted(output: &Output) -> Config {
    let text = String::from_utf8_lossy(&output.stdout);
    let section = text.find("\n[").unwrap_or_else(|| panic!("no section in {text}"));
    Config::parse(&text[section..], "recommended", Path::new("/"), &[]).unwrap()
}

#[test]
fn every_setting_is_measured_and_one_recommended() {
    let report = json(&infer(
        "padded.toml",
        &["--engines", "tract", "--batches", "1,2", "--threads", "1,2", "--json"],
    ));
    let rows = report["settings"].as_array().unwrap();
    let sizes: Vec<(u64, u64)> = rows
        .iter()
        .map(|row| (row["batch"].as_u64().unwrap(), row["threads"].as_u64().unwrap()))
        .collect();
    assert_eq!(sizes, [(1, 1), (1, 2), (2, 1), (2, 2)]);
    for row in rows {
        let number = |key: &str| row[key].as_f64().unwrap();
        assert!(row["version"].as_str().unwrap().starts_with("tract 0."));
        let rate = &row["windows_per_s"];
        let (median, least, most) = (&rate["median"], &rate["least"], &rate["most"]);
        assert!(least.as_f64() <= median.as_f64() && median.as_f64() <= most.as_f64());
        assert!(least.as_f64().unwrap() > 0.0);
        let per_core = median.as_f64().unwrap() / number("threads");
        assert!((number("windows_per_core_s") - per_core).abs() < 1e-6 * per_core);
        // A process with a network in it, and not all of the machine.
        assert!((5e6..2e9).contains(&number("peak_rss_bytes")));
    }
    let best = &report["recommended"];
    assert!(rows.contains(best), "{best}");
    assert_eq!(report["not_measured"].as_array().unwrap().len(), 0);
}

#[test]
fn the_recommendation_can_be_pasted() {
    let output = infer("padded.toml", &["--engines", "tract", "--batches", "2", "--threads", "1"]);
    let predict = pasted(&output).predict;
    assert_eq!((predict.engine.name(), predict.batch), ("tract", Some(2)));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("--threads 1"), "{text}");
}

#[test]
fn what_cannot_be_measured_is_said() {
    let missing = "/nonexistent/libonnxruntime.so";
    let report = json(&infer(
        "padded.toml",
        &[
            "--batches",
            "1",
            "--threads",
            "1",
            "--ort-library",
            missing,
            "--json",
            "--engines",
            "ort,tract",
        ],
    ));
    let said = &report["not_measured"][0];
    assert_eq!(said["what"], "ort");
    assert!(said["reason"].as_str().unwrap().contains(missing), "{said}");
    assert_eq!(report["settings"].as_array().unwrap().len(), 1);

    // An operator that only running into it shows.
    let output =
        infer("unknown_operator.toml", &["--engines", "tract", "--batches", "1", "--threads", "1"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("not measured: tract, batch 1, 1 thread: "), "{text}");
    assert!(text.contains("org.example:Sharpen") && !text.contains("[predict]"), "{text}");
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn a_batch_that_the_graph_fixes_is_the_only_one() {
    let report = json(&infer("batch4.toml", &["--engines", "tract", "--threads", "1", "--json"]));
    let rows = report["settings"].as_array().unwrap();
    assert_eq!((rows.len(), rows[0]["batch"].as_u64()), (1, Some(4)));
}

fn io(folder: &TempDir, more: &[&str]) -> Output {
    let (dir, out) = (folder.path().join("disk"), folder.path().join("out"));
    std::fs::create_dir_all(&dir).unwrap();
    let mut words = vec!["bench", "io", "--quiet", "--dir", dir.to_str().unwrap()];
    words.extend(["--out", out.to_str().unwrap()]);
    if !more.contains(&"--patch-px") {
        words.extend(["--patch-px", "64"]);
    }
    words.extend(more);
    slidegrid(&words)
}

fn left(folder: &TempDir) -> usize {
    std::fs::read_dir(folder.path().join("disk")).unwrap().count()
}

#[test]
fn storage_is_measured_drawn_and_left_clean() {
    let folder = tempfile::tempdir().unwrap();
    let more = ["--sizes", "8,3", "--compressions", "none,gzip,gzip-9", "--repeats", "2", "--json"];
    let report = json(&io(&folder, &more));
    let rows = report["settings"].as_array().unwrap();
    let settings: Vec<(u64, &str)> = rows
        .iter()
        .map(|row| (row["size"].as_u64().unwrap(), row["compression"].as_str().unwrap()))
        .collect();
    let expected =
        [(3, "none"), (8, "none"), (3, "gzip-1"), (8, "gzip-1"), (3, "gzip-9"), (8, "gzip-9")];
    assert_eq!(settings, expected);
    assert_eq!(report["patches"], 8);
    for row in rows {
        for rate in ["write_mb_s", "whole_mb_s", "each_mb_s"] {
            assert!(row[rate]["least"].as_f64().unwrap() > 0.0, "{row}");
        }
    }
    let stored = |at: usize| rows[at]["stored_share"].as_f64().unwrap();
    assert!(stored(1) >= 1.0);
    assert!(stored(5) <= stored(3) && stored(3) < stored(1));
    assert_eq!(left(&folder), 0);
    let out = folder.path().join("out");
    let svg = std::fs::read_to_string(out.join("io.svg")).unwrap();
    for words in ["none, a group at once", "gzip-9, patch by patch", "MB of pixels a second"] {
        assert!(svg.contains(words), "{words}");
    }
    assert!(image::open(out.join("io.png")).unwrap().width() > 500);
    let kept: Value = serde_json::from_slice(&std::fs::read(out.join("io.json")).unwrap()).unwrap();
    assert_eq!(kept, report);
}

#[test]
fn storage_settings_can_be_pasted_and_the_cache_is_spoken_of() {
    let folder = tempfile::tempdir().unwrap();
    let output = io(&folder, &["--sizes", "4", "--repeats", "1"]);
    let tiling = pasted(&output).tiling;
    // 4 patches of 12,288 bytes.
    assert_eq!((tiling.group_memory_mb, tiling.patches_per_group), (Some(1), None));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("posix_fadvise") && text.contains("# plot: "), "{text}");
}

#[test]
fn too_little_space_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let output = io(&folder, &["--patch-px", "7680", "--sizes", "65536"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("are free") && said.contains("are needed"), "{said}");
    assert_eq!(left(&folder), 0);
    for wrong in [["--patch-px", "66"], ["--compressions", "zip"], ["--sizes", "0"]] {
        assert_eq!(io(&folder, &wrong).status.code(), Some(2), "{wrong:?}");
    }
}

/// A limit on file sizes makes writing fail half-way; a signal ends it.
#[test]
fn nothing_is_left_after_an_error_or_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("disk");
    std::fs::create_dir_all(&dir).unwrap();
    let program = env!("CARGO_BIN_EXE_slidegrid");
    let start = |sizes: &str, limit: &str| {
        let line = format!(
            "{limit} exec \"$0\" bench io --quiet --patch-px 256 --dir \"$1\" --out \"$2\" --sizes {sizes}"
        );
        let mut command = Command::new("sh");
        command.arg("-c").arg(line).arg(program).arg(&dir).arg(folder.path().join("out"));
        command.stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    let output = start("64", "ulimit -f 2000;").wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), left(&folder)), (Some(4), 0), "{said}");

    let child = start("2048", "");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while left(&folder) == 0 {
        assert!(std::time::Instant::now() < deadline, "no file after a minute");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let killed = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
    assert!(killed.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), left(&folder)), (Some(5), 0), "{said}");
    assert!(said.contains("SIGTERM"), "{said}");
}
