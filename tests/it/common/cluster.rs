//! Small cohorts on a real scheduler, compared with the same runs without one.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use super::cli::{Outcome, Slidegrid};
use super::{Case, assert_same, needs, noise, repository};

/// Slides, and how they are scored.
pub(crate) struct Cohort {
    name: &'static str,
    config: PathBuf,
    slides: Vec<(String, PathBuf)>,
    /// Groups over all slides.
    pub(crate) groups: usize,
}

/// Score files and when they were written.
pub(crate) type Scored = Vec<(PathBuf, SystemTime)>;

/// Cohorts with their local heatmaps, and the variables that mean the scheduler.
pub(crate) struct Cluster {
    case: Case,
    variables: Vec<(String, String)>,
    /// Lists the queue: a job or task a line, its number first.
    queue: [&'static str; 2],
    /// `[cluster]`
    keys: &'static str,
    /// Two slides of 10 and 9 groups that take no time.
    pub(crate) quick: Cohort,
}

impl Cluster {
    /// Starts the scheduler with `settings`.
    pub(crate) fn start(
        up: &str,
        settings: &[(&str, &str)],
        queue: [&'static str; 2],
        keys: &'static str,
    ) -> Self {
        needs::scheduler();
        let case = Case::new();
        let slides = [("s0", 96, 240), ("s1", 144, 144)].map(|(name, rows, cols)| {
            (name.to_owned(), case.slide(&format!("{name}.png"), &noise(rows, cols, 3)))
        });
        let rest = format!(
            "mpp = \"level0\"\n[tissue]\nmethod = \"all\"\n[tiling]\ntile = 24\nblock = 2\npatches_per_group = 1\n\
             [predict]\nstride = 8\nengine = \"tract\"\nthreads = 1\n{keys}"
        );
        let config = config_file(&case, "quick", "valid", &rest);
        let quick = Cohort { name: "quick", config, slides: slides.to_vec(), groups: 19 };
        let mut cluster = Self { case, variables: Vec::new(), queue, keys, quick };
        cluster.set_up(up, settings);
        cluster.run_here(&cluster.quick);
        cluster
    }

    /// One slide of one group that takes some seconds, and saves all the time.
    pub(crate) fn slow(&self) -> Cohort {
        let slide = self.case.slide("slow.png", &noise(120, 120, 11));
        let rest = format!(
            "mpp = \"level0\"\n[tissue]\nmethod = \"all\"\n[tiling]\ntile = 48\nblock = 1\npatches_per_group = 99\n\
             [predict]\nstride = 1\nengine = \"tract\"\nthreads = 1\nbatch = 8\ncheckpoint_min = 0.002\n{}",
            self.keys
        );
        let config = config_file(&self.case, "slow", "padded", &rest);
        let slides = vec![("slow".to_owned(), slide)];
        let cohort = Cohort { name: "slow", config, slides, groups: 1 };
        self.run_here(&cohort);
        cohort
    }

    /// What `synth` makes, with the network and the tissue detection it is for.
    pub(crate) fn demo(&self) -> Cohort {
        let out = self.case.path("demo");
        self.case.slidegrid("synth --slides 4 --seed 7 --size 1600 --out demo").done();
        let quickstart = std::fs::read_to_string(out.join("quickstart.toml")).unwrap();
        let more = "[tiling]\nblock = 1\npatches_per_group = 2\n";
        // A forest wants more slides than four.
        let study = "[study]\ntruth = \"truth\"\nslide_score = \"max\"\nitc_um = 0\n";
        let predict = "[predict]\nstride = 64\nengine = \"tract\"\nthreads = 1\n";
        assert!(
            quickstart.contains("[predict]\nstride = 16\nmethod = \"dense\"\n"),
            "{quickstart}"
        );
        let quickstart =
            quickstart.replace("[predict]\nstride = 16\nmethod = \"dense\"\n", predict);
        let config = out.join("cluster.toml");
        std::fs::write(&config, format!("{quickstart}{more}{study}{}", self.keys)).unwrap();
        let mut slides: Vec<(String, PathBuf)> = std::fs::read_dir(out.join("slides"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|suffix| suffix == "tif"))
            .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
            .collect();
        slides.sort();
        let mut cohort = Cohort { name: "demo", config, slides, groups: 0 };
        self.run_here(&cohort);
        cohort.groups = self.scored(&cohort, "local-demo").len();
        cohort
    }

    /// The heatmaps to compare with.
    fn run_here(&self, cohort: &Cohort) {
        let local = format!("local-{}", cohort.name);
        self.run_command(cohort, &local).args(["--scheduler", "local"]).done();
    }

    /// Starts the scheduler, or changes its settings.
    pub(crate) fn set_up(&mut self, up: &str, settings: &[(&str, &str)]) {
        let script = repository("tests/schedulers").join(up);
        let output = Command::new(script).envs(settings.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{up}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let variables = text.split_whitespace().filter_map(|word| word.split_once('='));
        self.variables = variables.map(|(name, value)| (name.into(), value.into())).collect();
    }

    /// `slidegrid run` of a cohort into `run`, to be started.
    pub(crate) fn run_command(&self, cohort: &Cohort, run: &str) -> Slidegrid {
        let command = self.slidegrid("run --run").arg(self.case.path(run));
        let slides = cohort.slides.iter().map(|(_, path)| path);
        command.arg("--config").arg(&cohort.config).args(slides)
    }

    /// Submits the quick cohort with more words on the command line.
    #[track_caller]
    pub(crate) fn submit(&self, run: &str, more: &[&str]) -> String {
        printed(self.run_command(&self.quick, run).args(more))
    }

    /// Splits the slides of a cohort on this machine.
    pub(crate) fn split_here(&self, cohort: &Cohort, run: &str) {
        let command = self.slidegrid("split --quiet --run").arg(self.case.path(run));
        let slides = cohort.slides.iter().map(|(_, path)| path);
        command.arg("--config").arg(&cohort.config).args(slides).done();
    }

    /// `slidegrid master submit` of `run`.
    #[track_caller]
    pub(crate) fn submit_scripts(&self, run: &str, more: &[&str]) -> String {
        printed(self.slidegrid("master submit --run").arg(self.case.path(run)).args(more))
    }

    /// `slidegrid master retry` of `run`.
    #[track_caller]
    pub(crate) fn retry(&self, run: &str, more: &[&str]) -> String {
        printed(self.slidegrid(&format!("master retry --run {run}")).args(more))
    }

    /// `slidegrid LINE` with the scheduler's variables, to be started.
    fn slidegrid(&self, line: &str) -> Slidegrid {
        let command = self.case.slidegrid(line).while_others_write();
        self.variables.iter().fold(command, |command, (name, value)| command.env(name, value))
    }

    /// Runs a program with the scheduler's variables.
    pub(crate) fn command(&self, program: &str, words: &[String]) -> Output {
        let variables = self.variables.iter().cloned();
        Command::new(program).args(words).envs(variables).output().unwrap()
    }

    /// Runs a program of the scheduler, words separated by spaces; must succeed.
    pub(crate) fn output_of(&self, line: &str) -> String {
        let words: Vec<String> = line.split(' ').map(ToOwned::to_owned).collect();
        let output = self.command(&words[0], &words[1..]);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The queue's lines about jobs of `run`.
    pub(crate) fn queued(&self, run: &str) -> Vec<String> {
        let words: Vec<String> = self.queue[1].split_whitespace().map(ToOwned::to_owned).collect();
        let queue = String::from_utf8(self.command(self.queue[0], &words).stdout).unwrap();
        // After the queue: a master job that has ended since is in there.
        let ids: BTreeSet<String> =
            self.submitted(run).iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect();
        let number = |line: &str| {
            let line = line.trim_start();
            line[..line.find(|c: char| !c.is_ascii_digit()).unwrap_or(line.len())].to_owned()
        };
        queue.lines().filter(|line| ids.contains(&number(line))).map(ToOwned::to_owned).collect()
    }

    /// The lines of `jobs/submitted.jsonl`.
    pub(crate) fn submitted(&self, run: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.file(run, "jobs/submitted.jsonl"));
        let text = text.unwrap_or_default();
        // The last line may be on its way.
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The numbers of a run's arrays of `predict`.
    pub(crate) fn arrays(&self, run: &str) -> Vec<String> {
        let jobs = self.submitted(run).into_iter().filter(|job| job["stage"] == "predict");
        jobs.map(|job| job["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until nothing of `run` is queued or running.
    pub(crate) fn wait(&self, run: &str) {
        self.until(run, "the end", |cluster| cluster.queued(run).is_empty());
    }

    /// Waits until the queue says `what` of a job of `run`.
    pub(crate) fn wait_for(&self, run: &str, what: &str) {
        self.until(run, what, |cluster| cluster.queued(run).iter().any(|job| job.contains(what)));
    }

    /// Waits until `done`.
    pub(crate) fn until(&self, run: &str, what: &str, done: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !done(self) {
            let queue = || self.queued(run).join("\n");
            assert!(started.elapsed() < Duration::from_secs(300), "{run}: no {what}:\n{}", queue());
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// Waits until `status` gives `reason` for a task of `run`, since accounting lags some
    /// seconds behind.
    pub(crate) fn wait_for_reason(&self, run: &str, reason: &str) {
        self.until(run, reason, |cluster| {
            let report = cluster.slidegrid(&format!("status --json --run {run}")).run().json();
            let slides = report["slides"].as_array().unwrap().iter();
            let mut ended = slides.flat_map(|slide| slide["ended"].as_array().unwrap());
            ended.any(|trouble| trouble["reason"] == reason)
        });
    }

    /// A file of a run.
    pub(crate) fn file(&self, run: &str, name: &str) -> PathBuf {
        self.case.path(run).join(name)
    }

    /// Score files that are there, with the time each was written.
    pub(crate) fn scored(&self, cohort: &Cohort, run: &str) -> Scored {
        let mut found = Vec::new();
        for (slide, _) in &cohort.slides {
            let folder = self.file(run, &format!("scores/{slide}"));
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                let name = path.to_string_lossy().into_owned();
                if name.ends_with(".h5") && !name.ends_with(".part.h5") {
                    let written = path.metadata().unwrap().modified().unwrap();
                    found.push((path, written));
                }
            }
        }
        found.sort();
        found
    }

    /// The heatmaps of `run` are those of the local run, bit for bit, `before`
    /// was not computed again, and no group was computed twice.
    pub(crate) fn assert_done(&self, cohort: &Cohort, run: &str, before: &Scored) {
        let local = format!("local-{}", cohort.name);
        for (slide, _) in &cohort.slides {
            assert_same(&self.case.heatmap(run, slide), &self.case.heatmap(&local, slide), 0.0);
        }
        let after = self.scored(cohort, run);
        assert_eq!(after.len(), cohort.groups, "{run}");
        for file in before {
            assert!(after.contains(file), "{} was computed again", file.0.display());
        }
        let computed = self.logged(run, " s (");
        for (path, _) in &after {
            let slide = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
            let start =
                format!("predict {slide} {}: ", path.file_stem().unwrap().to_str().unwrap());
            let times = computed.iter().filter(|line| line.starts_with(&start)).count();
            assert!(times <= 1, "{run}: {start} {times} times");
        }
    }

    /// Checks that the study at the end of `run` equals that of the local run.
    pub(crate) fn assert_studied(&self, cohort: &Cohort, run: &str) {
        let settings = |run: &str| {
            let text = std::fs::read_to_string(self.file(run, "study/study.json"));
            let text = text.unwrap_or_else(|e| panic!("{run} was not studied: {e}"));
            let study: Value = serde_json::from_str(&text).unwrap();
            let settings = study["settings"].as_array().unwrap().clone();
            // Core-hours are each run's own.
            let found = ["stride_px", "auc", "auc_of_max", "froc_score", "windows"];
            settings.iter().map(|row| found.map(|key| row[key].clone())).collect::<Vec<_>>()
        };
        let here = settings(run);
        assert_eq!(here, settings(&format!("local-{}", cohort.name)));
        assert!(here.len() > 1 && here[0].iter().all(|value| !value.is_null()), "{here:?}");
    }

    /// Lines with `words` in the logs of a run's `predict`.
    pub(crate) fn logged(&self, run: &str, words: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for entry in std::fs::read_dir(self.file(run, "logs/predict")).unwrap() {
            let path = entry.unwrap().path();
            let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
            let found = text.lines().filter(|line| line.contains(words));
            lines.extend(found.map(ToOwned::to_owned));
        }
        lines
    }

    /// Whether a job script of the run contains this line.
    pub(crate) fn script_requests(&self, run: &str, line: &str) -> bool {
        let scripts = std::fs::read_dir(self.file(run, "jobs")).unwrap();
        let mut scripts = scripts.map(|entry| entry.unwrap().path());
        scripts.any(|script| {
            let text = std::fs::read_to_string(script).unwrap_or_default();
            text.lines().any(|other| other == line)
        })
    }
}

fn config_file(case: &Case, name: &str, model: &str, rest: &str) -> PathBuf {
    case.config(&format!("{name}.toml"), model, rest)
}

/// The output of a command that must succeed, stdout and stderr.
#[track_caller]
pub(crate) fn printed(command: Slidegrid) -> String {
    let Outcome { stdout, stderr, .. } = command.done();
    stdout + &stderr
}
