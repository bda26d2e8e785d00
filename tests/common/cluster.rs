//! A small cohort on a real scheduler, compared with the same run without one.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use super::{Case, assert_same, noise};

/// Three slides of 16, 20 and 12 groups.
const SLIDES: [(&str, usize, usize); 3] = [("s0", 150, 150), ("s1", 200, 170), ("s2", 90, 260)];

/// A cohort, its local heatmaps, and the variables that mean the scheduler.
pub(crate) struct Cluster {
    case: Case,
    config: PathBuf,
    variables: Vec<(String, String)>,
    /// Lists the queue; empty output means that all has ended.
    queue: [&'static str; 2],
}

impl Cluster {
    /// Starts the scheduler with `settings`; `None` where it is not wanted.
    pub(crate) fn start(
        up: &str,
        settings: &[(&str, &str)],
        queue: [&'static str; 2],
        keys: &str,
    ) -> Option<Self> {
        if std::env::var("SLIDEGRID_TEST_SCHEDULERS").as_deref() != Ok("1") {
            eprintln!("skipped: SLIDEGRID_TEST_SCHEDULERS=1 runs the tests on real schedulers");
            return None;
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schedulers").join(up);
        let output = Command::new(script).envs(settings.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{up}: {}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).unwrap();
        let variables = said.split_whitespace().filter_map(|word| word.split_once('='));
        let variables =
            variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let case = Case::new();
        for (index, (name, rows, cols)) in SLIDES.iter().enumerate() {
            case.slide(&format!("{name}.png"), &noise(*rows, *cols, index as u64 + 3));
        }
        let rest = format!(
            "mpp = \"level0\"\n[tissue]\nmethod = \"all\"\n[tiling]\ntile = 24\nblock = 2\npatches_per_group = 1\n\
             [predict]\nstride = 8\nengine = \"tract\"\nthreads = 1\n[cluster]\ntime_min = 10\n{keys}"
        );
        let config = case.config("valid", &rest);
        let cluster = Self { case, config, variables, queue };
        cluster.slidegrid(&cluster.run_command("local", &["--scheduler", "local"]));
        Some(cluster)
    }

    /// `slidegrid run` into `run`.
    pub(crate) fn run_command(&self, run: &str, more: &[&str]) -> Vec<String> {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let mut words = vec!["run".into(), "--run".into(), text(self.case.path(run))];
        words.extend(["--config".into(), text(self.config.clone())]);
        words.extend(more.iter().map(|&word| word.to_owned()));
        words.extend(SLIDES.map(|(name, ..)| text(self.case.path(&format!("{name}.png")))));
        words
    }

    /// `slidegrid master retry` of `run`.
    pub(crate) fn retry(&self, run: &str, more: &[&str]) -> String {
        let path = self.case.path(run).to_string_lossy().into_owned();
        let mut words = vec!["master".into(), "retry".into(), "--run".into(), path];
        words.extend(more.iter().map(|&word| word.to_owned()));
        self.slidegrid(&words)
    }

    /// Runs `slidegrid` and returns what it printed; must succeed.
    pub(crate) fn slidegrid(&self, words: &[String]) -> String {
        let output = self.command(env!("CARGO_BIN_EXE_slidegrid"), words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "slidegrid {words:?}: {said}");
        format!("{}{said}", String::from_utf8_lossy(&output.stdout))
    }

    /// Runs a program of the scheduler.
    pub(crate) fn command(&self, program: &str, words: &[String]) -> Output {
        let variables = self.variables.iter().cloned();
        Command::new(program).args(words).envs(variables).output().unwrap()
    }

    fn queued(&self) -> String {
        let words: Vec<String> = self.queue[1].split_whitespace().map(ToOwned::to_owned).collect();
        String::from_utf8(self.command(self.queue[0], &words).stdout).unwrap()
    }

    /// Waits until nothing is queued or running.
    pub(crate) fn wait(&self) {
        let started = Instant::now();
        while !self.queued().trim().is_empty() {
            assert!(
                started.elapsed() < Duration::from_secs(240),
                "still there:\n{}",
                self.queued()
            );
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Waits until the queue says `what`.
    pub(crate) fn wait_for(&self, what: &str) {
        let started = Instant::now();
        while !self.queued().contains(what) {
            assert!(started.elapsed() < Duration::from_secs(120), "no {what} in the queue");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// A file of a run.
    pub(crate) fn file(&self, run: &str, name: &str) -> PathBuf {
        self.case.path(run).join(name)
    }

    /// Score files that are there, with the time each was written.
    pub(crate) fn scored(&self, run: &str) -> Vec<(PathBuf, std::time::SystemTime)> {
        let mut found = Vec::new();
        for (slide, ..) in SLIDES {
            let folder = self.file(run, &format!("scores/{slide}"));
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|suffix| suffix == "h5") {
                    let written = path.metadata().unwrap().modified().unwrap();
                    found.push((path, written));
                }
            }
        }
        found.sort();
        found
    }

    /// The heatmaps of `run` are those of the local run, bit for bit, and
    /// `before` was not computed again.
    pub(crate) fn assert_done(&self, run: &str, before: &[(PathBuf, std::time::SystemTime)]) {
        for (slide, ..) in SLIDES {
            assert_same(&self.case.heatmap(run, slide), &self.case.heatmap("local", slide), 0.0);
        }
        let after = self.scored(run);
        assert_eq!(after.len(), 48);
        for file in before {
            assert!(after.contains(file), "{} was computed again", file.0.display());
        }
    }
}
