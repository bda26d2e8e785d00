//! What each step of the chain is as a job.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Chain, ChainError, Wave};
use crate::config::{Resources, Stage};
use crate::jobs::plan::{ArraySpec, Growth};
use crate::jobs::script::{Job, plain_name};
use crate::jobs::submitted::{Submission, Submitted};
use crate::number::{ArrayShare, GroupNumber, Number, NumberList, TaskNumber};
use crate::shell::quoted;

/// One submission.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// Rows of slides.csv, a task each.
    Split { rows: NumberList<TaskNumber>, growth: Growth },
    /// Groups of a slide.
    Predict(ArraySpec),
    /// The heatmap of a slide.
    Stitch { slide: String, growth: Growth },
    /// The heatmaps against truth, once these jobs have ended.
    Study { after: Vec<String> },
}

impl Step {
    pub(super) fn split(rows: &[TaskNumber], growth: Growth) -> Self {
        Self::Split { rows: rows.iter().copied().collect(), growth }
    }

    pub(super) fn growth(&self) -> Growth {
        match self {
            Self::Split { growth, .. } | Self::Stitch { growth, .. } => *growth,
            Self::Predict(array) => array.growth,
            Self::Study { .. } => Growth::NONE,
        }
    }

    pub(super) fn stage(&self) -> Stage {
        match self {
            Self::Split { .. } => Stage::Split,
            Self::Predict(_) => Stage::Predict,
            Self::Stitch { .. } => Stage::Stitch,
            Self::Study { .. } => Stage::Study,
        }
    }

    pub(super) fn slide(&self) -> Option<&str> {
        match self {
            Self::Split { .. } | Self::Study { .. } => None,
            Self::Predict(array) => Some(&array.slide),
            Self::Stitch { slide, .. } => Some(slide),
        }
    }

    pub(super) fn items(&self) -> String {
        match self {
            Self::Split { rows, .. } => rows.to_string(),
            Self::Predict(array) => array.groups.to_string(),
            Self::Stitch { .. } | Self::Study { .. } => String::new(),
        }
    }

    pub(super) fn tasks(&self) -> u32 {
        match self {
            Self::Split { rows, .. } => rows.count(),
            Self::Predict(array) => array.tasks,
            Self::Stitch { .. } | Self::Study { .. } => 1,
        }
    }

    /// The first `tasks` tasks, and the others.
    pub(super) fn cut(self, tasks: u32) -> (Self, Option<Self>) {
        if tasks >= self.tasks() {
            return (self, None);
        }
        match self {
            Self::Split { rows, growth } => {
                let (now, later) = rows.as_slice().split_at(tasks as usize);
                (Self::split(now, growth), Some(Self::split(later, growth)))
            }
            Self::Predict(array) => {
                let of = array.tasks;
                let shares = ArrayShare::all(of).take(tasks as usize);
                let now: usize = shares.map(|share| array.groups.share(share).len()).sum();
                let (now, later) = array.groups.as_slice().split_at(now);
                let array_of = |groups: &[GroupNumber], tasks| {
                    let groups = groups.iter().copied().collect();
                    Self::Predict(ArraySpec { groups, tasks, ..array.clone() })
                };
                (array_of(now, tasks), Some(array_of(later, of - tasks)))
            }
            Self::Stitch { .. } | Self::Study { .. } => (self, None),
        }
    }

    /// Undoes [`Step::cut`].
    pub(super) fn joined(self, later: Self) -> Self {
        match (self, later) {
            (Self::Split { rows, growth }, Self::Split { rows: more, .. }) => {
                Self::Split { rows: joined(&rows, &more), growth }
            }
            (Self::Predict(array), Self::Predict(more)) => Self::Predict(ArraySpec {
                groups: joined(&array.groups, &more.groups),
                tasks: array.tasks + more.tasks,
                ..array
            }),
            (step, _) => step,
        }
    }
}

fn joined<N: Number>(a: &NumberList<N>, b: &NumberList<N>) -> NumberList<N> {
    a.as_slice().iter().chain(b.as_slice()).copied().collect()
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
        let slide = step.slide().unwrap_or_default();
        let mut job = self.job(step.stage(), slide, step.growth());
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
            Step::Study { .. } => {
                job.about = "Holds the heatmaps against truth, as [study] says.".into();
                job.command = format!("{program} study --run {run}");
            }
        }
        number(&mut job, &wave.scripts);
        job
    }

    pub(super) fn master_job(&self, round: usize, submitted: &Submitted) -> Job {
        let mut job = self.job(Stage::Master, "", Growth::NONE);
        job.about = "Submits what has become possible: predict for slides that are split.".into();
        job.command = format!(
            "{} master submit --run {} --round {round}{}",
            quoted(&self.program.to_string_lossy()),
            quoted(&self.run.root().to_string_lossy()),
            if self.stitch { "" } else { " --no-stitch" },
        );
        number(&mut job, &scripts_of(submitted));
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
        let stages = [Stage::Split, Stage::Predict, Stage::Stitch, Stage::Study, Stage::Master];
        for folder in stages.iter().map(|s| self.run.logs(s.name())).chain([self.run.jobs()]) {
            std::fs::create_dir_all(&folder).map_err(|e| ChainError::Folder {
                path: folder.clone(),
                problem: format!("cannot make the folder: {e}"),
            })?;
        }
        Ok(())
    }
}

/// Scripts of jobs that were submitted.
pub(super) fn scripts_of(submitted: &Submitted) -> BTreeSet<PathBuf> {
    submitted.list.iter().map(|submission| submission.script.clone()).collect()
}

/// Every job that was submitted keeps a script of its own: a slide's second
/// array, a second slide whose name only differs in characters that file names
/// lose, a later round.
fn number(job: &mut Job, taken: &BTreeSet<PathBuf>) {
    let stem = job.script.strip_suffix(".sh").unwrap_or(&job.script).to_owned();
    let mut number = 1;
    while taken.contains(Path::new(&job.script)) {
        number += 1;
        job.script = format!("{stem}.{number}.sh");
    }
}

/// A comment ends with its line.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn grown(resources: Resources, growth: Growth) -> Resources {
    Resources {
        // The configuration may ask for more by now.
        memory_mb: growth.memory_mb.max(resources.memory_mb),
        time_min: growth.time_min.max(resources.time_min),
        ..resources
    }
}
