//! What each step of the chain is as a job.

use std::path::PathBuf;

use super::{Chain, ChainError, Wave};
use crate::config::{Resources, Stage};
use crate::jobs::numbers::{Numbers, Part};
use crate::jobs::plan::{ArraySpec, Growth};
use crate::jobs::script::{Job, plain_name, quoted};
use crate::jobs::submitted::Submission;

/// One submission.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// Rows of slides.csv, a task each.
    Split { rows: Numbers },
    /// Groups of a slide.
    Predict(ArraySpec),
    /// The heatmap of a slide.
    Stitch { slide: String },
}

impl Step {
    pub(super) fn split(rows: &[usize]) -> Self {
        Self::Split { rows: Numbers::new(rows.to_vec()) }
    }

    pub(super) fn stage(&self) -> Stage {
        match self {
            Self::Split { .. } => Stage::Split,
            Self::Predict(_) => Stage::Predict,
            Self::Stitch { .. } => Stage::Stitch,
        }
    }

    pub(super) fn slide(&self) -> Option<&str> {
        match self {
            Self::Split { .. } => None,
            Self::Predict(array) => Some(&array.slide),
            Self::Stitch { slide } => Some(slide),
        }
    }

    pub(super) fn items(&self) -> String {
        match self {
            Self::Split { rows } => rows.to_string(),
            Self::Predict(array) => array.groups.to_string(),
            Self::Stitch { .. } => String::new(),
        }
    }

    pub(super) fn tasks(&self) -> usize {
        match self {
            Self::Split { rows } => rows.as_slice().len(),
            Self::Predict(array) => array.tasks,
            Self::Stitch { .. } => 1,
        }
    }

    /// The first `tasks` tasks, and the others.
    pub(super) fn cut(self, tasks: usize) -> (Self, Option<Self>) {
        if tasks >= self.tasks() {
            return (self, None);
        }
        match self {
            Self::Split { rows } => {
                let (now, later) = rows.as_slice().split_at(tasks);
                (Self::split(now), Some(Self::split(later)))
            }
            Self::Predict(array) => {
                let of = array.tasks;
                let now: usize =
                    (1..=tasks).map(|index| array.groups.part(Part { index, of }).len()).sum();
                let (now, later) = array.groups.as_slice().split_at(now);
                let array_of = |groups: &[usize], tasks| {
                    let groups = Numbers::new(groups.to_vec());
                    Self::Predict(ArraySpec { groups, tasks, ..array.clone() })
                };
                (array_of(now, tasks), Some(array_of(later, of - tasks)))
            }
            Self::Stitch { .. } => (self, None),
        }
    }

    /// Undoes [`Step::cut`].
    pub(super) fn joined(self, later: Self) -> Self {
        let both = |a: &Numbers, b: &Numbers| Numbers::new([a.as_slice(), b.as_slice()].concat());
        match (self, later) {
            (Self::Split { rows }, Self::Split { rows: more }) => {
                Self::Split { rows: both(&rows, &more) }
            }
            (Self::Predict(array), Self::Predict(more)) => Self::Predict(ArraySpec {
                groups: both(&array.groups, &more.groups),
                tasks: array.tasks + more.tasks,
                ..array
            }),
            (step, _) => step,
        }
    }
}

impl Chain<'_> {
    /// A job without its command.
    pub(super) fn job(&self, stage: Stage, what: &str, growth: Growth) -> Job {
        let plain = plain_name(what);
        let name = if plain.is_empty() {
            stage.name().to_owned()
        } else {
            format!("{}_{plain}", stage.name())
        };
        let log = if plain.is_empty() { stage.name() } else { &plain };
        let keys = self.cluster;
        let exports =
            keys.environment.iter().map(|(name, value)| format!("export {name}={}", quoted(value)));
        Job {
            stage,
            // Grid Engine takes no names that start with a digit.
            name: format!("sg_{name}"),
            tasks: None,
            resources: grown(keys.resources(stage), growth),
            run: self.run.root().to_string_lossy().into_owned(),
            log: self.run.logs(stage.name()).join(log).to_string_lossy().into_owned(),
            script: self.run.jobs().join(format!("{name}.sh")).to_string_lossy().into_owned(),
            about: String::new(),
            setup: keys.setup.iter().cloned().chain(exports).collect(),
            command: String::new(),
        }
    }

    pub(super) fn step_job(&self, step: &Step, wave: &Wave) -> Job {
        let run = quoted(&self.run.root().to_string_lossy());
        let program = quoted(&self.program.to_string_lossy());
        let (growth, slide) = match step {
            Step::Predict(array) => (array.growth, step.slide().unwrap_or_default()),
            _ => (Growth::NONE, step.slide().unwrap_or_default()),
        };
        let mut job = self.job(step.stage(), slide, growth);
        let (tasks, items) = (step.tasks(), step.items());
        match step {
            Step::Split { .. } => {
                job.tasks = Some(tasks);
                job.about = format!("Splits rows {items} of slides.csv, one a task.");
                job.command =
                    format!("{program} split --run {run} --task {items} --part {{index}}/{tasks}");
            }
            Step::Predict(_) => {
                job.tasks = Some(tasks);
                job.about =
                    format!("Scores groups {items} of {} in {tasks} tasks.", one_line(slide));
                let slide = quoted(slide);
                job.command = format!(
                    "{program} predict --run {run} --slide {slide} --group {items} --part {{index}}/{tasks}"
                );
            }
            Step::Stitch { .. } => {
                job.about = format!("Assembles the heatmap of {}.", one_line(slide));
                job.command = format!("{program} stitch --run {run} --slide {}", quoted(slide));
            }
        }
        self.number(&mut job, step, wave);
        job
    }

    /// A slide's second array has a script of its own, and so has a second
    /// slide whose name only differs in characters that file names lose.
    fn number(&self, job: &mut Job, step: &Step, wave: &Wave) {
        let before = wave.submitted.list.iter().chain(&wave.done);
        let same = |other: &&Submission| {
            other.script.as_os_str() == job.script.as_str()
                || other.script.to_string_lossy().starts_with(&format!("{}.", stem(&job.script)))
        };
        let mut taken: Vec<&PathBuf> = before
            .filter(same)
            .filter(|other| self.clashes(other, step, wave))
            .map(|other| &other.script)
            .collect();
        taken.sort();
        taken.dedup();
        if !taken.is_empty() {
            job.script = format!("{}.{}.sh", stem(&job.script), taken.len() + 1);
        }
    }

    fn clashes(&self, other: &Submission, step: &Step, wave: &Wave) -> bool {
        other.round == wave.round || other.slide.as_deref() != step.slide()
    }

    pub(super) fn master_job(&self, round: usize) -> Job {
        let mut job = self.job(Stage::Master, "", Growth::NONE);
        job.about = "Submits what has become possible: predict for slides that are split.".into();
        job.command = format!(
            "{} master submit --run {} --round {round}{}",
            quoted(&self.program.to_string_lossy()),
            quoted(&self.run.root().to_string_lossy()),
            if self.stitch { "" } else { " --no-stitch" },
        );
        job
    }

    pub(super) fn submission(
        &self,
        id: String,
        job: &Job,
        script: PathBuf,
        round: usize,
    ) -> Submission {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Submission {
            id,
            scheduler: self.scheduler.kind(),
            stage: job.stage,
            slide: None,
            items: String::new(),
            tasks: job.tasks,
            round,
            time_s: now.map_or(0, |since| since.as_secs()),
            script,
            log: self.scheduler.log(job),
            memory_mb: job.resources.memory_mb,
            time_min: job.resources.time_min,
        }
    }

    /// Folders for scripts and logs; schedulers fail tasks without a word when
    /// the one for logs is missing.
    pub(super) fn folders(&self) -> Result<(), ChainError> {
        let root = self.run.root();
        let plain = |c: char| c.is_alphanumeric() || "/._+=@-".contains(c);
        let text = root.to_string_lossy();
        if !root.is_absolute() || !text.chars().all(plain) {
            return Err(ChainError::Folder {
                path: root.to_owned(),
                problem: "schedulers do not take such a path in their directives; use one of letters, digits and /._+=@-".into(),
            });
        }
        let stages = [Stage::Split, Stage::Predict, Stage::Stitch, Stage::Master];
        for folder in stages.iter().map(|s| self.run.logs(s.name())).chain([self.run.jobs()]) {
            std::fs::create_dir_all(&folder).map_err(|e| ChainError::Folder {
                path: folder.clone(),
                problem: format!("cannot make the folder: {e}"),
            })?;
        }
        Ok(())
    }
}

fn stem(script: &str) -> &str {
    script.strip_suffix(".sh").unwrap_or(script)
}

/// A comment ends with its line.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn grown(resources: Resources, growth: Growth) -> Resources {
    let times = |value: Option<u32>, factor: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped first"
        )]
        value.map(|value| (f64::from(value) * factor).ceil().clamp(1.0, f64::from(u32::MAX)) as u32)
    };
    Resources {
        memory_mb: times(resources.memory_mb, growth.memory),
        time_min: times(resources.time_min, growth.time),
        ..resources
    }
}
