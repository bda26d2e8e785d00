//! Signals, kills and leftover files: whatever ends a task, the next one goes on from the saved
//! scores, and the heatmap is that of an uninterrupted run.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use crate::common::cli::{Outcome, send};
use crate::common::{Case, assert_same, noise};
use slidegrid::internal::scores::{PartScores, read_part, write_part};
use slidegrid::scores::{self, ScoresMeta};

/// One group of some 14,000 windows: long enough to be interrupted.
const SLOW: &str = "[tissue]\nmethod = \"all\"\n[tiling]\ntile = 48\nblock = 1\npatches_per_group = 99\n[predict]\nstride = 1\nengine = \"tract\"\nthreads = 1\nbatch = 8\n";

/// A case split and planned, with the scores of an uninterrupted run.
struct Slow {
    case: Case,
    run: PathBuf,
}

impl Slow {
    fn new(saves: &str) -> Self {
        let case = Case::new();
        case.slide("slide.png", &noise(120, 120, 11));
        case.config("c.toml", "padded", &format!("{SLOW}checkpoint_min = {saves}\n"));
        let split = "split -q --run run --config c.toml --set model.mpp=level0 slide.png";
        case.slidegrid(split).done();
        case.slidegrid("master plan -q --run run").done();
        let run = case.path("run");
        Self { case, run }
    }

    fn part(&self) -> PathBuf {
        self.run.join("scores/slide/t1.part.h5")
    }

    fn whole(&self) -> PathBuf {
        self.run.join("scores/slide/t1.h5")
    }

    /// Starts `slidegrid predict` on the group.
    fn start(&self, saves: &str) -> Child {
        self.start_with("", saves)
    }

    /// Starts `slidegrid predict` on the group with more options.
    fn start_with(&self, options: &str, saves: &str) -> Child {
        let line =
            format!("predict {options} --task 1 --run run --set predict.checkpoint_min={saves}");
        self.case.slidegrid(&line).spawn()
    }

    /// Scores the rest, stitches, and compares the heatmap with that of an uninterrupted run.
    fn finish_and_compare(&self) -> ScoresMeta {
        Outcome::wait(self.start("0")).has_code(0);
        assert!(!self.part().exists());
        // A task that was killed while it saved leaves a temporary file.
        self.case.slidegrid("stitch -q --run run --all").while_others_write().done();
        let meta = scores::read_scores_meta(&self.whole()).unwrap();
        let found = self.case.heatmap("run", "slide");
        std::fs::remove_file(self.whole()).unwrap();
        std::fs::remove_dir_all(self.run.join("heatmaps")).unwrap();
        self.case.slidegrid("predict -q --run run --all").while_others_write().done();
        self.case.slidegrid("stitch -q --run run --all").while_others_write().done();
        assert_same(&found, &self.case.heatmap("run", "slide"), 0.0);
        meta
    }
}

/// Waits until `path` is there; the process must not end before.
fn wait_for(path: &Path, child: &mut Child) {
    let began = Instant::now();
    while !path.exists() {
        assert_eq!(child.try_wait().unwrap(), None, "ended before {}", path.display());
        assert!(began.elapsed() < Duration::from_secs(600), "no {}", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Everything that is not hidden in the scores folder of the slide.
fn scores_files(run: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(run.join("scores/slide")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort();
    names
}

#[test]
fn signals_save_what_is_scored_and_the_next_task_goes_on() {
    let slow = Slow::new("10");
    let mut before = 0;
    for (signal, saves) in
        [("TERM", "0.0001"), ("USR1", "0.0001"), ("USR2", "0.0001"), ("XCPU", "0.0001")]
    {
        drop(std::fs::rename(slow.part(), slow.run.join("kept.h5")));
        drop(std::fs::copy(slow.run.join("kept.h5"), slow.part()));
        let written = |path: &Path| std::fs::metadata(path).and_then(|m| m.modified()).ok();
        let old = written(&slow.part());
        let mut child = slow.start(saves);
        wait_for(&slow.part(), &mut child);
        while written(&slow.part()) == old {
            assert_eq!(child.try_wait().unwrap(), None, "ended before it saved");
            std::thread::sleep(Duration::from_millis(5));
        }
        send(signal, &child);
        let line = format!("predict slide t1: SIG{signal}: ");
        Outcome::wait(child).has_code(5).mentions(&[&line, "run the same command again"]);
        assert_eq!(scores_files(&slow.run), ["t1.part.h5"]);
        let PartScores { scores: part, total, .. } = read_part(&slow.part()).unwrap();
        assert_eq!((part.meta.windows, total), (part.row.len() as u64, 120 * 120));
        assert!(part.meta.windows > before && part.meta.windows < total);
        assert_eq!(part.meta.resumed_windows, before);
        before = part.meta.windows;
    }
    let share = format!("t1 {} %", 100 * before / (120 * 120));
    slow.case.slidegrid("status --run run").done().prints(&["0/1", &share]);
    slow.case.slidegrid("stitch -q --run run --all").exits(4);
    let meta = slow.finish_and_compare();
    assert_eq!((meta.windows, meta.resumed_windows), (120 * 120, before));
    assert_eq!(meta.spans_unix_s.len(), 5);
    assert!(meta.spans_unix_s.iter().flatten().is_sorted(), "{:?}", meta.spans_unix_s);
}

#[test]
fn a_kill_loses_only_what_came_after_the_last_save() {
    let slow = Slow::new("0.0001");
    let mut child = slow.start("0.0001");
    wait_for(&slow.part(), &mut child);
    send("KILL", &child);
    child.wait().unwrap();
    assert_eq!(scores_files(&slow.run), ["t1.part.h5"]);
    let PartScores { scores: part, total, .. } = read_part(&slow.part()).unwrap();
    assert!(part.meta.windows > 0 && part.meta.windows < total);
    let meta = slow.finish_and_compare();
    assert_eq!((meta.windows, meta.resumed_windows), (total, part.meta.windows));
}

/// A part of the group, changed by `change`.
fn change_part(slow: &Slow, change: impl FnOnce(&mut ScoresMeta, &mut Vec<i32>)) {
    let mut part = read_part(&slow.part()).unwrap();
    change(&mut part.scores.meta, &mut part.scores.row);
    write_part(&slow.part(), &part).unwrap();
}

#[test]
fn a_part_that_is_not_this_groups_is_set_aside() {
    let slow = Slow::new("10");
    let mut child = slow.start("0.0001");
    wait_for(&slow.part(), &mut child);
    send("TERM", &child);
    child.wait().unwrap();
    let good = std::fs::read(slow.part()).unwrap();
    type Damage = fn(&Slow, &[u8]);
    let damages: [(&str, Damage); 5] = [
        ("not a whole HDF5 file", |slow, good| {
            std::fs::write(slow.part(), &good[..good.len() / 2]).unwrap();
        }),
        ("config_sha256 is other", |slow, _| {
            change_part(slow, |meta, _| meta.config_sha256 = "other".into());
        }),
        ("model_sha256 is other", |slow, _| {
            change_part(slow, |meta, _| meta.model_sha256 = "other".into());
        }),
        ("group is 2, expected 1", |slow, _| {
            change_part(slow, |meta, _| meta.group = 2u32.try_into().unwrap())
        }),
        ("row 999", |slow, _| change_part(slow, |_, row| row[0] = 999)),
    ];
    for (message, damage) in damages {
        std::fs::write(slow.part(), &good).unwrap();
        damage(&slow, &good);
        // The process is ended at once; only its message about the part file matters here,
        // which is a warning and thereby shown by quiet commands as well.
        let mut child = slow.start_with("-q", "0.0001");
        wait_for(&slow.run.join("scores/slide/t1.part.h5.refused"), &mut child);
        wait_for(&slow.part(), &mut child);
        send("TERM", &child);
        Outcome::wait(child).mentions(&[message, "set aside as"]);
        let part = read_part(&slow.part()).unwrap();
        assert_eq!(part.scores.meta.resumed_windows, 0, "{message}");
        std::fs::remove_file(slow.run.join("scores/slide/t1.part.h5.refused")).unwrap();
    }
}

#[test]
fn two_tasks_on_one_group_do_not_harm_each_other() {
    let slow = Slow::new("0.0001");
    let (first, second) = (slow.start("0.0001"), slow.start("0.0001"));
    for child in [first, second] {
        Outcome::wait(child).has_code(0);
    }
    assert_eq!(scores_files(&slow.run), ["t1.h5"]);
    slow.finish_and_compare();
}

#[test]
fn an_interrupted_split_leaves_no_file_and_is_done_again() {
    let case = Case::new();
    case.slide("slide.png", &noise(3000, 3000, 7));
    case.config(
        "c.toml",
        "centre32",
        "[tissue]\nmethod = \"all\"\n[tiling]\ncompression = \"gzip\"\ngzip_level = 9\n",
    );
    let run = case.path("run");
    let split = "split --threads 1 --set model.mpp=level0 --run run --config c.toml slide.png";
    let mut child = case.slidegrid(split).spawn();
    // By then the handlers are in place and the patches are still to come.
    wait_for(&run.join("masks/slide.png"), &mut child);
    send("TERM", &child);
    Outcome::wait(child).has_code(5).mentions(&["split slide: waiting: SIGTERM"]);
    let left = std::fs::read_dir(run.join("patches")).map_or(0, Iterator::count);
    assert_eq!(left, 0);
    assert!(!run.join("logs/split/slide.json").exists());
    case.slidegrid(split).done();
}
