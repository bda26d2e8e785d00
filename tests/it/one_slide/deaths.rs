//! Slides that a library dies of.

use std::path::PathBuf;

use super::library::dying_openslide;
use crate::common::cli::{Outcome, Slidegrid, send};
use crate::common::{Case, noise};

/// A run of slides, one of which is called `name` and comes first.
struct Deadly {
    case: Case,
    name: &'static str,
}

impl Deadly {
    fn new(name: &'static str) -> Self {
        let case = Case::usual();
        case.slide(&format!("{name}.png"), &noise(70, 70, 3));
        Self { case, name }
    }

    fn start(&self, command: &str) -> Slidegrid {
        let line = format!("{command} -q --run run --config c.toml {}.png a.png b.png", self.name);
        let command = self.case.slidegrid(&line).set(&["model.mpp=level0"]);
        command.env("SLIDEGRID_OPENSLIDE", dying_openslide())
    }

    /// The other slides have patches, and this one has none.
    fn assert_others_are_done(&self) {
        for name in ["a", "b"] {
            assert!(self.case.path(&format!("run/patches/{name}.h5")).exists(), "{name}");
        }
        assert!(!self.case.path(&format!("run/patches/{}.h5", self.name)).exists());
    }

    fn markers(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.case.path("run/logs/split/reading"));
        entries.into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    }
}

#[test]
fn a_slide_that_a_library_dies_of_is_recorded_and_the_others_are_done() {
    for (name, signal) in [
        ("0_abort", "SIGABRT or SIGTRAP"),
        ("0_trap", "SIGABRT or SIGTRAP"),
        ("0_segfault", "SIGSEGV or SIGBUS"),
        ("0_stack", "SIGSEGV or SIGBUS"),
    ] {
        let deadly = Deadly::new(name);
        let words = [&format!("{name}.png"), "the program died twice", signal, "damaged"];
        let first = deadly.start("split").exits(5).says(&words);
        assert_eq!(first.stderr.matches("it starts again").count(), 2, "{first:#?}");
        deadly.assert_others_are_done();
        assert!(deadly.case.read("run/slides.csv").contains("the program died twice"));
        // The next try leaves it out without dying, as does a task on that slide alone.
        deadly.start("split").exits(5).says(&words).omits("it starts again");
        let task = deadly.case.slidegrid("split -q --run run --task 1");
        task.env("SLIDEGRID_OPENSLIDE", dying_openslide()).exits(4).omits("it starts again");
        // The file is replaced by one that can be read.
        std::fs::write(
            deadly.case.path(&format!("{name}.png")),
            std::fs::read(deadly.case.path("a.png")).unwrap(),
        )
        .unwrap();
        let fresh = deadly.case.slidegrid("split -q --run run --task 1");
        fresh.env("SLIDEGRID_OPENSLIDE", "").exits(0);
        assert_eq!(deadly.markers(), Vec::<PathBuf>::new());
    }
}

#[test]
fn a_run_takes_the_other_slides_to_heatmaps() {
    let deadly = Deadly::new("0_abort");
    deadly.start("run").exits(5).says(&["0_abort", "the program died twice"]);
    for name in ["a", "b"] {
        assert!(deadly.case.path(&format!("run/heatmaps/{name}.h5")).exists(), "{name}");
    }
    deadly.case.slidegrid("status --run run").run().prints(&["the program died twice"]);
}

#[test]
fn a_single_death_accuses_nobody() {
    let deadly = Deadly::new("0_once");
    let outcome = deadly.start("split").exits(0);
    assert_eq!(outcome.stderr.matches("it starts again").count(), 1, "{outcome:#?}");
    assert!(deadly.case.path("run/patches/0_once.h5").exists());
    assert_eq!(deadly.markers(), Vec::<PathBuf>::new());
}

#[test]
fn a_call_that_does_not_return_is_given_up_after_the_limit() {
    for (name, words) in [
        ("0_busy", ["computed for more than 3 s", "the program died once"]),
        ("0_waiting", ["waited for more than 3 s", "check the storage"]),
    ] {
        let deadly = Deadly::new(name);
        let outcome = deadly.start("split").env("SLIDEGRID_READ_LIMIT_S", "3").exits(5);
        outcome.says(&words).says(&[name]);
        deadly.assert_others_are_done();
        // A read that waited is tried again, one that computed is not.
        assert_eq!(deadly.markers().len(), usize::from(name == "0_busy"));
    }
}

#[test]
fn a_process_that_is_killed_accuses_no_slide_and_the_slide_comes_last() {
    let deadly = Deadly::new("0_waiting");
    for _ in 0..3 {
        let mut child = deadly.start("split").spawn();
        while deadly.markers().is_empty() {
            assert_eq!(child.try_wait().unwrap(), None);
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        send("KILL", &child);
        child.wait().unwrap();
    }
    // It hangs again, after the others are done.
    let child = deadly.start("split").spawn();
    let began = std::time::Instant::now();
    while !["a", "b"].iter().all(|s| deadly.case.path(&format!("run/patches/{s}.h5")).exists()) {
        assert!(began.elapsed().as_secs() < 120);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    send("INT", &child);
    Outcome::wait(child).has_code(5).says(&["SIGINT"]);
    let slide = deadly.case.slidegrid("split --run run --task 1");
    slide.env("SLIDEGRID_OPENSLIDE", "").exits(0);
}

#[test]
fn sigterm_ends_a_call_that_does_not_return() {
    let deadly = Deadly::new("0_waiting");
    let mut child = deadly.start("split").spawn();
    while deadly.markers().is_empty() {
        assert_eq!(child.try_wait().unwrap(), None);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let began = std::time::Instant::now();
    send("TERM", &child);
    Outcome::wait(child).has_code(5).says(&["SIGTERM", "run the same command again"]);
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
}
