//! The counts of a cascade survive what happens to its tasks: whatever is killed, resumed or
//! given to two tasks at once, audited, missed and screened points and the bound that follows
//! from them are those of an undisturbed run, and so are the scores.
//!
//! A sample of kills and double starts, drawn from the seed; the bar, 50 kills and 20 double
//! starts, by
//!
//! ```text
//! SLIDEGRID_WRITE_FAULTS=all cargo test --test it cascade_counts
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant, SystemTime};

use crate::common::cli::send;
use crate::common::seed::{Random, seed};
use crate::common::{Case, copy_folder, model_card};
use crate::dense::slide;
use slidegrid::heatmap_h5::read_heatmap;
use slidegrid::internal::scores::{read_part, write_part};
use slidegrid::scores::{CascadeMeta, Screen, read_scores};

/// How often tasks are disturbed, for each of the two screens.
struct Tries {
    kills: usize,
    double_starts: usize,
}

fn tries() -> Tries {
    match std::env::var("SLIDEGRID_WRITE_FAULTS").as_deref() {
        Ok("all") => Tries { kills: 25, double_starts: 10 },
        _ => Tries { kills: 2, double_starts: 1 },
    }
}

/// What must not depend on what happened to the tasks: counts, and scores bit by bit.
#[derive(Debug, Clone, PartialEq)]
struct Result {
    counts: CascadeMeta,
    missed_bound: f64,
    partial: Option<String>,
    groups: BTreeMap<u32, (CascadeMeta, Vec<u32>)>,
}

/// A planned run whose cascade has the screen `dense` or `windows`.
struct Cascade {
    case: Case,
    expected: Result,
}

/// Time between two saves of a part file, minutes: each save follows the last one at once.
const SAVES: &str = "0.00001";

impl Cascade {
    /// The dense network is a screen for the classes of `padded`. With the classes the other
    /// way round few points are positive, and single windows are the screen.
    fn new(screen: &str) -> Self {
        let case = Case::new();
        let mut card = std::fs::read_to_string(model_card("padded")).unwrap();
        if screen == "windows" {
            card = card.replace("positive = \"tumor\"", "positive = \"normal\"");
        }
        let onnx = format!("{:?}", model_card("padded").with_extension("onnx"));
        case.write("card.toml", card.replace("\"padded.onnx\"", &onnx));
        case.slide("slide.png", &slide(130, 171));
        case.write(
            "c.toml",
            format!(
                "[model]\ncard = {:?}\nmpp = \"level0\"\n[tissue]\nmethod = \"all\"\n[tiling]\ntile = 24\nblock = 2\npatches_per_group = 7\n\
                 [predict]\nstride = 2\nengine = \"tract\"\nthreads = 2\nbatch = 4\nmethod = \"cascade\"\naudit_bound = 0.004\nrefine_below = 0.998\n",
                case.path("card.toml")
            ),
        );
        case.slidegrid("split -q --run planned --config c.toml slide.png").done();
        case.slidegrid("master plan -q --run planned").done();
        copy_folder(&case.path("planned"), &case.path("run"));
        // 5 if the audit finds a point that the screen missed.
        let outcome = case.slidegrid("predict -q --run run --all").run();
        assert!(matches!(outcome.code, Some(0 | 5)), "{outcome:#?}");
        let expected = result(&case);
        let found = match expected.counts.screen {
            Screen::Dense => "dense",
            Screen::Windows { .. } => "windows",
        };
        let counts = expected.counts;
        assert_eq!(found, screen, "{counts:?}");
        assert!(counts.screened > 0 && counts.refined + counts.coarse > 0, "{counts:?}");
        assert!(counts.audited + counts.audited_high > 0, "{counts:?}");
        assert!(expected.groups.len() > 1);
        Self { case, expected }
    }

    fn run(&self) -> PathBuf {
        self.case.path("run")
    }

    /// Begins with nothing scored.
    fn afresh(&self) {
        std::fs::remove_dir_all(self.run()).unwrap();
        copy_folder(&self.case.path("planned"), &self.run());
    }

    fn start(&self) -> Child {
        let line = format!("predict -q --run run --all --set predict.checkpoint_min={SAVES}");
        self.case.slidegrid(&line).spawn()
    }

    /// Waits until part files were saved `saves` times; `false` if the task ended before.
    fn wait(&self, child: &mut Child, saves: u64) -> bool {
        let (began, mut seen, mut last) = (Instant::now(), 0, None);
        while child.try_wait().unwrap().is_none() {
            let now = newest_part(&self.run());
            if now.is_some() && now != last {
                (seen, last) = (seen + 1, now);
                if seen >= saves {
                    return true;
                }
            }
            assert!(began.elapsed() < Duration::from_secs(600), "no part file is saved");
            std::thread::sleep(Duration::from_micros(300));
        }
        false
    }

    /// Completes the run and compares the result.
    fn complete(&self, what: &str) {
        // What was killed leaves temporary files.
        self.case.slidegrid("predict -q --run run --all").while_others_write().run();
        let found = result(&self.case);
        assert_eq!(found.counts, self.expected.counts, "{what}, seed {}", seed());
        assert!(found == self.expected, "{what}, seed {}: other scores or groups", seed());
    }

    /// One to three tasks are killed after some saves; returns how many were.
    fn kill(&self, random: &mut Random) -> usize {
        self.afresh();
        let (mut killed, mut story) = (0, Vec::new());
        for _ in 0..=random.below(3) {
            let saves = 1 + random.below(12);
            let mut child = self.start();
            if self.wait(&mut child, saves) {
                send("KILL", &child);
                killed += 1;
                story.push(saves);
            }
            child.wait().unwrap();
        }
        self.complete(&format!("killed after {story:?} saves"));
        killed
    }

    /// Two tasks work on the same groups; sometimes one of them is killed.
    fn start_twice(&self, random: &mut Random) {
        self.afresh();
        let (saves, later) = (random.below(10), random.below(10));
        let mut first = self.start();
        if saves > 0 {
            self.wait(&mut first, saves);
        }
        let mut second = self.start();
        let loser = random.below(3);
        if loser < 2 && self.wait(&mut second, 1 + later) {
            send("KILL", if loser == 0 { &first } else { &second });
        }
        for mut child in [first, second] {
            child.wait().unwrap();
        }
        self.complete(&format!("the second started after {saves} saves, {loser} was killed"));
    }

    fn sweep(&self) {
        let mut random = Random::new(seed());
        let (tries, mut killed) = (tries(), 0);
        while killed < tries.kills {
            let more = self.kill(&mut random);
            assert!(more > 0, "the tasks are too short to be killed");
            killed += more;
        }
        for _ in 0..tries.double_starts {
            self.start_twice(&mut random);
        }
    }
}

fn result(case: &Case) -> Result {
    let folder = case.path("run/scores/slide");
    let paths = (1u32..).map(|k| (k, folder.join(format!("t{k}.h5"))));
    let groups = paths.take_while(|(_, path)| path.exists()).map(|(k, path)| {
        let scores = read_scores(&path).unwrap();
        let counts = scores.meta.cascade.unwrap();
        assert_eq!(counts.points(), scores.meta.windows, "{}", path.display());
        (k, (counts, scores.score.iter().map(|score| score.to_bits()).collect()))
    });
    let groups = groups.collect();
    drop(std::fs::remove_dir_all(case.path("run/heatmaps")));
    case.slidegrid("stitch -q --run run --all").while_others_write().run();
    let (meta, _) = read_heatmap(&case.path("run/heatmaps/slide.h5")).unwrap();
    let counts = meta.cascade.unwrap();
    let missed_bound = counts.missed_bound_of_slide();
    Result { counts, missed_bound, partial: meta.audit_failure(), groups }
}

/// The name of the newest part file, and when it was saved.
fn newest_part(run: &Path) -> Option<(SystemTime, PathBuf)> {
    let files = std::fs::read_dir(run.join("scores/slide")).ok()?.filter_map(|entry| {
        let path = entry.ok()?.path();
        let is_part = path.to_string_lossy().ends_with(".part.h5")
            && !path.file_name()?.to_string_lossy().starts_with('.');
        Some((is_part.then(|| path.metadata().ok()?.modified().ok())??, path))
    });
    files.max()
}

#[test]
fn of_a_dense_screen() {
    Cascade::new("dense").sweep();
}

#[test]
fn of_a_screen_of_single_windows() {
    Cascade::new("windows").sweep();
}

/// Whichever windows of a part file are kept, the counts are those of all.
#[test]
fn any_part_of_the_windows_is_enough() {
    for screen in ["dense", "windows"] {
        let cascade = Cascade::new(screen);
        cascade.afresh();
        let mut child = cascade.start();
        assert!(cascade.wait(&mut child, 9), "ended before it saved");
        send("KILL", &child);
        child.wait().unwrap();
        let (_, path) = newest_part(&cascade.run()).unwrap();
        let mut part = read_part(&path).unwrap();
        let mut random = Random::new(seed());
        let keep: Vec<usize> = (0..part.scores.row.len()).filter(|_| random.below(3) > 0).collect();
        let kept = |values: &[i32]| keep.iter().map(|&at| values[at]).collect::<Vec<i32>>();
        (part.scores.row, part.scores.col) = (kept(&part.scores.row), kept(&part.scores.col));
        part.scores.score = part.scores.score.select(ndarray::Axis(0), &keep);
        let how = part.how.unwrap();
        part.how = Some(keep.iter().map(|&at| how[at]).collect());
        part.scores.meta.windows = keep.len() as u64;
        write_part(&path, &part).unwrap();
        cascade.complete(&format!("{screen}: {} windows kept", keep.len()));
    }
}

/// A part file of an earlier version does not say how its windows were scored.
#[test]
fn a_part_file_without_its_counts_is_not_used() {
    let cascade = Cascade::new("dense");
    cascade.afresh();
    let mut child = cascade.start();
    assert!(cascade.wait(&mut child, 5), "ended before it saved");
    send("KILL", &child);
    child.wait().unwrap();
    let (_, path) = newest_part(&cascade.run()).unwrap();
    let mut part = read_part(&path).unwrap();
    part.how = None;
    write_part(&path, &part).unwrap();
    let words = ["does not say how each window was scored", "set aside as"];
    let again = cascade.case.slidegrid("predict -q --run run --all").while_others_write();
    again.run().mentions(&words);
    cascade.complete("without how");
}
