//! Makes the job and the script of each step of the chain.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::context::Chain;
use super::error::ChainError;
use super::steps::JobStep;
use crate::config::{Resources, Stage};
use crate::jobs::script::{INDEX, Job, plain_name};
use crate::jobs::submitted::{Journal, Submission};
use crate::jobs::work::Request;
use crate::shell::quoted;
use crate::staged;

impl Chain<'_> {
    /// A job of a stage, without its command; `what` is the slide, or empty.
    pub(super) fn job(&self, stage: Stage, what: &str, request: Request) -> Job {
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
            // Grid Engine does not take names that start with a digit.
            name: format!("sg_{name}"),
            tasks: None,
            resources: raised(keys.resources(stage), request),
            run: self.run.root().to_string_lossy().into_owned(),
            log: self.run.logs(stage.name()).join(log).to_string_lossy().into_owned(),
            script: self.run.jobs().join(format!("{name}.sh")).to_string_lossy().into_owned(),
            about: String::new(),
            // What the user sets up comes last, and counts.
            setup: self.libraries.iter().chain(&keys.setup).cloned().chain(exports).collect(),
            command: String::new(),
        }
    }

    /// The job of a step; `taken` holds the scripts of other jobs.
    pub(super) fn step_job(&self, step: &JobStep, taken: &BTreeSet<PathBuf>) -> Job {
        let run = quoted(&self.run.root().to_string_lossy());
        let program = quoted(&self.program.to_string_lossy());
        let slide = step.slide().unwrap_or_default();
        let mut job = self.job(step.stage(), slide, step.request());
        let (tasks, items) = (step.tasks(), step.items());
        match step {
            JobStep::Split { .. } => {
                job.tasks = Some(tasks);
                job.about = format!("Splits rows {items} of slides.csv, one per task.");
                job.command =
                    format!("{program} split --run {run} --task {items} --part {INDEX}/{tasks}");
            }
            JobStep::Calibrate { .. } => {
                job.about = "Fits the dense network to single windows, over all slides.".into();
                job.command = format!("{program} calibrate --run {run}");
            }
            JobStep::Predict(_) => {
                job.tasks = Some(tasks);
                job.about =
                    format!("Scores groups {items} of {} in {tasks} tasks.", one_line(slide));
                let slide = slide_option(slide);
                job.command = format!(
                    "{program} predict --run {run} {slide} --group {items} --part {INDEX}/{tasks}"
                );
            }
            JobStep::Stitch { .. } => {
                job.about = format!("Assembles the heatmap of {}.", one_line(slide));
                job.command = format!("{program} stitch --run {run} {}", slide_option(slide));
            }
            JobStep::Study { .. } => {
                job.about = "Compares the heatmaps with the truth, as [study] says.".into();
                job.command = format!("{program} study --run {run}");
            }
        }
        make_unique(&mut job, taken);
        job
    }

    pub(super) fn master_job(&self, round: usize, journal: &Journal) -> Job {
        let mut job = self.job(Stage::Master, "", Request::NONE);
        job.about = "Submits the next jobs: predict for slides that are split.".into();
        job.command = format!(
            "{} master submit --run {} --round {round}{}",
            quoted(&self.program.to_string_lossy()),
            quoted(&self.run.root().to_string_lossy()),
            if self.stitch { "" } else { " --no-stitch" },
        );
        make_unique(&mut job, &scripts_of(journal));
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
            log: self.scheduler.log_pattern(job),
            request: Request {
                memory_mb: job.resources.memory_mb,
                time_min: job.resources.time_min,
            },
        }
    }

    /// Writes the script of a job, if scripts are written, and returns its path.
    pub(super) fn write(&self, job: &Job) -> Result<PathBuf, ChainError> {
        let script = PathBuf::from(&job.script);
        if !self.effect.writes_scripts() {
            return Ok(script);
        }
        staged::write(&script, self.scheduler.render(job).as_bytes())?;
        Ok(script)
    }

    /// Makes the folders for scripts and logs. Without a folder for logs, tasks fail without a
    /// message.
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
        if !self.effect.writes_scripts() {
            return Ok(());
        }
        let stages = [
            Stage::Split,
            Stage::Calibrate,
            Stage::Predict,
            Stage::Stitch,
            Stage::Study,
            Stage::Master,
        ];
        for folder in stages.iter().map(|s| self.run.logs(s.name())).chain([self.run.jobs()]) {
            std::fs::create_dir_all(&folder).map_err(|e| ChainError::Folder {
                path: folder.clone(),
                problem: format!("cannot make the folder: {e}"),
            })?;
        }
        Ok(())
    }
}

/// The scripts of the jobs in the journal.
pub(super) fn scripts_of(journal: &Journal) -> BTreeSet<PathBuf> {
    journal.list.iter().map(|submission| submission.script.clone()).collect()
}

/// Appends a number to the name of the script if another job has it: an earlier array of the slide,
/// a job of an earlier round, or a slide whose name differs only in special characters.
fn make_unique(job: &mut Job, taken: &BTreeSet<PathBuf>) {
    let stem = job.script.strip_suffix(".sh").unwrap_or(&job.script).to_owned();
    let mut number = 1;
    while taken.contains(Path::new(&job.script)) {
        number += 1;
        job.script = format!("{stem}.{number}.sh");
    }
}

/// Replaces line feeds, which would end a comment in the script.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

fn raised(resources: Resources, request: Request) -> Resources {
    Resources {
        // The configuration may have been raised above the request.
        memory_mb: request.memory_mb.max(resources.memory_mb),
        time_min: request.time_min.max(resources.time_min),
        ..resources
    }
}

/// The option that names a slide. A name that begins with a dash would be taken for another
/// option, so it stands in the same word.
fn slide_option(slide: &str) -> String {
    let joint = if slide.starts_with('-') { '=' } else { ' ' };
    format!("--slide{joint}{}", quoted(slide))
}

#[cfg(test)]
mod option_tests {
    use super::*;

    #[test]
    fn a_name_that_begins_with_a_dash_is_no_option() {
        assert_eq!(slide_option("tumor_001"), "--slide tumor_001");
        assert_eq!(slide_option("-dash"), "--slide=-dash");
        assert_eq!(slide_option("-a b"), "--slide='-a b'");
    }
}
