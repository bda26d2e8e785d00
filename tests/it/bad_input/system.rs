//! Full disks, limits, kills, and other processes that work in the same run.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use slidegrid::heatmap_h5::read_heatmap;
use slidegrid::patches::PatchesFile;
use slidegrid::scores::read_scores;

use crate::common::case::SMALL;
use crate::common::cli::parts;
use crate::common::needs::MemoryDisk;
use crate::common::seed::{Random, seed};
use crate::common::{Case, noise};

/// The usual case with enough pixels and scores to fill a small disk.
fn large() -> Case {
    let case = Case::usual();
    case.slide("a.png", &noise(400, 500, 1));
    let rest = SMALL.replace("stride = 8", "stride = 4").replace("group = 4", "group = 100");
    case.config("c.toml", "centre32", &rest);
    case
}

const FULL: [&str; 3] = ["run/", "No space left", "free some space"];

#[test]
fn a_full_disk_at_every_stage() {
    let case = large();
    let disk = MemoryDisk::mount(&case.path("run"), "800k");
    case.slidegrid("split --run run --config c.toml a.png").exits(4).says(&FULL);
    assert!(!case.path("run/patches/a.h5").exists());
    disk.remount("size=20m");
    case.slidegrid("split --run run").exits(0);
    case.slidegrid("master plan --run run").exits(0);

    for (command, file) in [
        ("predict --run run --task 1", "run/scores/a/t1.h5"),
        ("stitch --run run --all", "run/heatmaps/a.h5"),
    ] {
        // Room for the existing files and a few pages: neither scores nor a heatmap fit.
        let filler = fill(&case);
        case.slidegrid(command).exits(4).says(&FULL);
        assert!(!case.path(file).exists(), "{command}");
        std::fs::remove_file(filler).unwrap();
        if command.starts_with("predict") {
            case.slidegrid("predict --run run --all").exits(0);
        }
    }
    case.slidegrid("stitch --run run --all").exits(0);
}

/// Fills the disk up to its last 16 kilobytes.
fn fill(case: &Case) -> std::path::PathBuf {
    use std::io::Write;
    let path = case.path("run/filler");
    let mut file = std::fs::File::create(&path).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    let length = file.metadata().unwrap().len();
    file.set_len(length - 16_384).unwrap();
    path
}

#[test]
fn a_file_size_limit_at_every_stage() {
    let case = large();
    let limit = "ulimit -f 60";
    let words = ["run/", "too large", "raise the limit"];
    case.slidegrid("split --run run --config c.toml a.png").after(limit).exits(4).says(&words);
    assert!(!case.path("run/patches/a.h5").exists());
    case.slidegrid("split --run run").exits(0);
    case.slidegrid("master plan --run run").exits(0);
    case.slidegrid("predict --run run --task 1").after(limit).exits(4).says(&words);
    assert!(!case.path("run/scores/a/t1.h5").exists());
    case.slidegrid("predict --run run --all").exits(0);
    case.slidegrid("stitch --run run --all").after(limit).exits(4).says(&words);
    assert!(!case.path("run/heatmaps/a.h5").exists());
    case.slidegrid("stitch --run run --all").exits(0);
}

#[test]
fn a_read_only_run_directory() {
    let case = Case::usual();
    let disk = MemoryDisk::mount(&case.path("run"), "20m");
    let words = ["run/", "Read-only file system", "choose a run directory"];
    disk.remount("ro");
    case.slidegrid("split --run run --config c.toml a.png").exits(4).says(&words);
    disk.remount("rw");
    case.slidegrid("split --run run --config c.toml a.png").exits(0);
    case.slidegrid("master plan --run run").exits(0);
    disk.remount("ro");
    case.slidegrid("master plan --run run").exits(4).says(&words);
    case.slidegrid("predict --run run --all").exits(4).says(&words);
    disk.remount("rw");
    case.slidegrid("predict --run run --all").exits(0);
    disk.remount("ro");
    case.slidegrid("stitch --run run --all").exits(4).says(&words);
    case.slidegrid("status --run run").exits(0);
}

#[test]
fn a_file_where_the_run_directory_should_be() {
    let case = Case::usual();
    case.write("run", "in the way");
    for command in ["run --run run --config c.toml a.png", "predict --run run --all"] {
        let words = ["run: is a file", "expected a run directory", "--run"];
        case.slidegrid(command).exits(4).says(&words);
    }
    assert_eq!(case.read("run"), "in the way");
}

#[test]
fn a_reader_of_results_that_has_seen_enough() {
    let case = Case::scored();
    for command in ["status --run run", "stitch --run run --all", "master plan --run run"] {
        let mut child = case.slidegrid(command).spawn();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !stderr.contains("panicked"), "{command}: {stderr}");
    }
    assert!(case.path("run/heatmaps/a.h5").exists());
}

#[test]
fn logs_and_results_on_a_full_disk() {
    let case = Case::planned();
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status =
        case.slidegrid("predict --run run --all").command().stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(0), "the work counts, not its log");
    let results = ["status --run run", "--help", "split --help", "--version", "completions bash"];
    for command in results {
        let result = case.slidegrid(command).command().stdout(full()).output().unwrap();
        assert_eq!(result.status.code(), Some(4), "{command}");
        let message = String::from_utf8_lossy(&result.stderr);
        assert!(message.contains("cannot write results to stdout"), "{command}: {message}");
    }
}

/// Every file under its final name must be whole.
fn all_whole(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let within = |part: &str| path.components().any(|c| c.as_os_str() == part);
        if path.is_dir() {
            all_whole(&path);
        } else if name.ends_with(".part") {
            assert!(name.starts_with('.'), "{name} could be taken for a result");
        } else if within("patches") {
            PatchesFile::open(&path).unwrap().verify().unwrap();
        } else if within("scores") {
            read_scores(&path).unwrap();
        } else if within("heatmaps") && name.ends_with(".h5") {
            read_heatmap(&path).unwrap();
        } else if name.ends_with(".png") {
            image::open(&path).unwrap();
        }
    }
}

#[test]
fn kills_at_random_moments() {
    let case = Case::usual();
    case.slide("a.png", &noise(220, 260, 1));
    case.slidegrid("run --run calm --config c.toml a.png b.png").exits(0);
    let mut random = Random::new(seed());
    let mut kills = 0;
    for round in 0..20 {
        let mut child = case
            .slidegrid("run --run run --config c.toml a.png b.png")
            .command()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The first kill comes at once, before any machine can finish.
        let alive_ms = if round == 0 { 0 } else { random.below(256) };
        std::thread::sleep(Duration::from_millis(alive_ms));
        child.kill().unwrap();
        kills += usize::from(child.wait().unwrap().code().is_none());
        all_whole(&case.path("run"));
    }
    assert!(kills > 0, "every run was done before it could be killed");
    case.slidegrid("run --run run --config c.toml a.png b.png").exits(0);
    for slide in ["a", "b"] {
        let read =
            |run: &str| read_heatmap(&case.path(&format!("{run}/heatmaps/{slide}.h5"))).unwrap().1;
        assert_eq!(read("run").mapv(f32::to_bits), read("calm").mapv(f32::to_bits));
    }
}

#[test]
fn what_a_killed_writer_left_is_removed_by_the_next() {
    let case = Case::planned();
    // A process that lived on this machine and is gone, as the program names it.
    let mut child = case.slidegrid("--version").command().stdout(Stdio::null()).spawn().unwrap();
    let pid = child.id();
    child.wait().unwrap();
    let staged =
        slidegrid::internal::staged::StagedFile::new(&case.path("run/scores/a/t1.h5")).unwrap();
    let ours = staged.path().file_name().unwrap().to_str().unwrap().to_owned();
    let dead = ours.replace(&format!("-{}.", std::process::id()), &format!("-{pid}."));
    assert_ne!(ours, dead);
    case.write(&format!("run/scores/a/{dead}"), "half");
    case.write(&format!("run/scores/a/{}", dead.replace("t1", "t2")), "half");
    let output = case.slidegrid("predict --run run --task 1").command().output().unwrap();
    assert!(output.status.success());
    let left: Vec<_> = parts(&case.path("run"));
    // The first belongs to a running process; that of t2 is left for the next task on t2.
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(staged.path().exists() && !case.path(&format!("run/scores/a/{dead}")).exists());
    drop(staged);
    case.slidegrid("predict --run run --task 2").exits(0);
}

#[test]
fn one_group_given_to_two_processes() {
    let case = Case::planned();
    for command in
        ["predict --run run --task 1", "predict --run run --all", "stitch --run run --all"]
    {
        let both = [case.slidegrid(command).spawn(), case.slidegrid(command).spawn()];
        for child in both {
            let output = child.wait_with_output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{command}: {stderr}");
        }
        all_whole(&case.path("run"));
        assert!(parts(&case.path("run")).is_empty());
    }
    assert!(case.path("run/heatmaps/a.h5").exists());
}
