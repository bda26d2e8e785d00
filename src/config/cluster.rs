//! The section `[cluster]`: what jobs ask of the scheduler. No key of this section changes
//! results.

use std::collections::BTreeMap;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::violation::Violation;

/// The scheduler that runs the tasks.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum SchedulerKind {
    /// Processes on this machine.
    #[default]
    Local,
    /// SLURM.
    Slurm,
    /// Grid Engine: SGE, UGE, Altair, Open Cluster Scheduler.
    Sge,
    /// PBS Professional, OpenPBS.
    Pbs,
    /// IBM Spectrum LSF.
    Lsf,
}

impl SchedulerKind {
    /// The word for the scheduler in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Slurm => "slurm",
            Self::Sge => "sge",
            Self::Pbs => "pbs",
            Self::Lsf => "lsf",
        }
    }
}

/// Where jobs may be submitted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubmitFrom {
    /// Jobs may submit jobs: a master job submits the next stage.
    #[default]
    Job,
    /// Only the login node may submit: the command runs there until all jobs are submitted.
    Login,
}

/// A stage of the pipeline, which may ask for resources of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Cuts slides into patches, one task per slide.
    Split,
    /// Fits the dense network to single windows over all slides, one job.
    Calibrate,
    /// Scores groups of patches, one or several groups per task.
    Predict,
    /// Assembles scores into heatmaps, one job per slide.
    Stitch,
    /// Measures heatmaps against truth, one job.
    Study,
    /// The job that submits the other jobs.
    Master,
}

impl Stage {
    /// The word for the stage in files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Split => "split",
            Self::Calibrate => "calibrate",
            Self::Predict => "predict",
            Self::Stitch => "stitch",
            Self::Study => "study",
            Self::Master => "master",
        }
    }
}

/// `[cluster]`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterKeys {
    /// The scheduler, unless `--scheduler` names another one.
    pub scheduler: SchedulerKind,
    /// Partition or queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Account or project that pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Grid Engine's parallel environment, needed for more than one core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel_environment: Option<String>,
    /// Cores per task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<u32>,
    /// Memory per task, MB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u32>,
    /// Wall time per task, minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_min: Option<u32>,
    /// Largest number of tasks of an array that run at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttle: Option<u32>,
    /// Number of groups that a task scores, one after the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups_per_task: Option<u32>,
    /// In place of `groups_per_task`: a task scores as many groups as take about this many minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_minutes: Option<f64>,
    /// Minutes that a group takes, used until groups of this run have been timed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_minutes: Option<f64>,
    /// Flags that are passed to the scheduler unchanged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<String>,
    /// Shell lines that run before the program, such as `module load`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<String>,
    /// Largest number of tasks in an array, in place of the scheduler's own limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_array_tasks: Option<u32>,
    /// Largest number of jobs in the queue, in place of the scheduler's own limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_submitted_jobs: Option<u32>,
    /// How many seconds before its time limit a `predict` task is warned, so that it saves its
    /// scores; 0 = no warning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warn_s: Option<u32>,
    /// How often a task may queue itself again after a warning; 0 = never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_requeues: Option<u32>,
    /// Where jobs may be submitted from.
    pub submit_from: SubmitFrom,
    /// Environment variables that every task gets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// `[cluster.split]`
    #[serde(skip_serializing_if = "StageKeys::is_empty")]
    pub split: StageKeys,
    /// `[cluster.calibrate]`
    #[serde(skip_serializing_if = "StageKeys::is_empty")]
    pub calibrate: StageKeys,
    /// `[cluster.predict]`
    #[serde(skip_serializing_if = "StageKeys::is_empty")]
    pub predict: StageKeys,
    /// `[cluster.stitch]`
    #[serde(skip_serializing_if = "StageKeys::is_empty")]
    pub stitch: StageKeys,
    /// `[cluster.study]`
    #[serde(skip_serializing_if = "StageKeys::is_empty")]
    pub study: StageKeys,
    /// `[cluster.master]`
    #[serde(skip_serializing_if = "StageKeys::is_empty")]
    pub master: StageKeys,
}

/// The resources of one stage, which take the place of those of `[cluster]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StageKeys {
    /// Partition or queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Cores per task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<u32>,
    /// Memory per task, MB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u32>,
    /// Wall time per task, minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_min: Option<u32>,
    /// Largest number of tasks of an array that run at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttle: Option<u32>,
    /// Flags that are passed to the scheduler unchanged, in place of those of `[cluster]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<Vec<String>>,
}

impl StageKeys {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a job of one stage asks of the scheduler.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resources {
    /// Partition or queue.
    pub queue: Option<String>,
    /// Account or project that pays.
    pub account: Option<String>,
    /// Grid Engine's parallel environment.
    pub parallel_environment: Option<String>,
    /// Cores.
    pub cpus: u32,
    /// Memory, MB.
    pub memory_mb: Option<u32>,
    /// Wall time, minutes.
    pub time_min: Option<u32>,
    /// Largest number of tasks of an array that run at once.
    pub throttle: Option<u32>,
    /// Flags that are passed to the scheduler unchanged.
    pub extra: Vec<String>,
    /// How many seconds before its time limit a task is warned.
    pub warn_s: Option<u32>,
    /// How often a task may queue itself again after a warning; 0 for stages that save nothing to
    /// continue from.
    pub requeues: u32,
}

/// Default of `warn_s`. It leaves a task enough time to save its scores: a batch of a slow
/// network takes some seconds. SLURM may send the warning up to a minute earlier than asked.
const WARN_S: u32 = 120;

/// Default of `max_requeues`.
const MAX_REQUEUES: u32 = 10;

impl Resources {
    /// How many seconds before its time limit a task is warned; `None` for no warning. A task
    /// whose time is less than three times as long is not warned, since the warning would come
    /// before it has done much.
    pub fn warning_s(&self) -> Option<u32> {
        let is_long_enough = |warn_s: u32| {
            self.time_min.is_none_or(|minutes| u64::from(minutes) * 60 >= 3 * u64::from(warn_s))
        };
        self.warn_s.filter(|&warn_s| warn_s > 0 && is_long_enough(warn_s))
    }
}

impl ClusterKeys {
    /// The resources of a stage: the keys of its own section, and those of `[cluster]` for the
    /// rest.
    ///
    /// The master job, `stitch` and `study` use one core unless their own sections set `cpus`;
    /// `cpus` of `[cluster]` does not apply to them.
    pub fn resources(&self, stage: Stage) -> Resources {
        let own = match stage {
            Stage::Split => &self.split,
            Stage::Calibrate => &self.calibrate,
            Stage::Predict => &self.predict,
            Stage::Stitch => &self.stitch,
            Stage::Study => &self.study,
            Stage::Master => &self.master,
        };
        let shared = match stage {
            Stage::Split | Stage::Calibrate | Stage::Predict => self.cpus,
            Stage::Stitch | Stage::Study | Stage::Master => None,
        };
        Resources {
            queue: own.queue.clone().or_else(|| self.queue.clone()),
            account: self.account.clone(),
            parallel_environment: self.parallel_environment.clone(),
            cpus: own.cpus.or(shared).unwrap_or(1),
            memory_mb: own.memory_mb.or(self.memory_mb),
            time_min: own.time_min.or(self.time_min),
            throttle: own.throttle.or(self.throttle),
            extra: own.extra.clone().unwrap_or_else(|| self.extra.clone()),
            // Tasks of other stages save nothing that a later try could continue from.
            warn_s: (stage == Stage::Predict).then(|| self.warn_s.unwrap_or(WARN_S)),
            requeues: match stage {
                Stage::Predict => self.max_requeues.unwrap_or(MAX_REQUEUES),
                _ => 0,
            },
        }
    }

    /// The first value that breaks a rule.
    pub(super) fn violation(&self) -> Option<Violation> {
        let stages = [
            ("cluster.split", &self.split),
            ("cluster.calibrate", &self.calibrate),
            ("cluster.predict", &self.predict),
            ("cluster.stitch", &self.stitch),
            ("cluster.study", &self.study),
            ("cluster.master", &self.master),
        ];
        let own = stages.into_iter().flat_map(|(section, keys)| {
            let keys = [
                ("cpus", keys.cpus),
                ("memory_mb", keys.memory_mb),
                ("time_min", keys.time_min),
                ("throttle", keys.throttle),
            ];
            keys.map(|(key, value)| (format!("{section}.{key}"), value))
        });
        let shared = [
            ("cpus", self.cpus),
            ("memory_mb", self.memory_mb),
            ("time_min", self.time_min),
            ("throttle", self.throttle),
            ("groups_per_task", self.groups_per_task),
            ("max_array_tasks", self.max_array_tasks),
            // A third of the limit must be at least 1: one job runs while another one waits.
            ("max_submitted_jobs", self.max_submitted_jobs.map(|jobs| jobs / 3)),
        ];
        let shared = shared.into_iter().map(|(key, value)| (format!("cluster.{key}"), value));
        if let Some((key, _)) = own.chain(shared).find(|(_, value)| *value == Some(0)) {
            let rule = if key.ends_with("jobs") { "at least 3" } else { "at least 1, or nothing" };
            return Some(Violation::new(key, "too small", rule));
        }
        if self.groups_per_task.is_some() && self.target_minutes.is_some() {
            let rule = "either groups_per_task or target_minutes, not both";
            return Some(Violation::new("cluster.target_minutes", "a value", rule));
        }
        let minutes =
            [("target_minutes", self.target_minutes), ("group_minutes", self.group_minutes)];
        for (key, value) in minutes {
            if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
                return Some(Violation::new(
                    format!("cluster.{key}"),
                    value.to_string(),
                    "minutes above 0",
                ));
            }
        }
        let is_invalid = |name: &&String| {
            name.is_empty()
                || name.starts_with(|c: char| c.is_ascii_digit())
                || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        let name = self.environment.keys().find(is_invalid)?;
        Some(Violation::new("cluster.environment", name, "names of shell variables"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_stage_win_over_shared_keys() {
        let keys: ClusterKeys = toml::from_str(
            "cpus = 7\nqueue = \"long\"\nmemory_mb = 8000\n[split]\nqueue = \"io\"\ncpus = 2\n",
        )
        .unwrap();
        let split = keys.resources(Stage::Split);
        assert_eq!((split.cpus, split.queue.as_deref()), (2, Some("io")));
        let predict = keys.resources(Stage::Predict);
        assert_eq!((predict.cpus, predict.queue.as_deref()), (7, Some("long")));
        assert_eq!(keys.resources(Stage::Calibrate).cpus, 7);
        assert_eq!(keys.resources(Stage::Stitch).cpus, 1);
        assert_eq!(keys.resources(Stage::Master).memory_mb, Some(8000));
    }

    #[test]
    fn only_predict_tasks_with_enough_time_are_warned() {
        let resources =
            |text: &str, stage| toml::from_str::<ClusterKeys>(text).unwrap().resources(stage);
        let predict = resources("time_min = 60\n", Stage::Predict);
        assert_eq!((predict.warning_s(), predict.requeues), (Some(120), 10));
        let split = resources("time_min = 60\n", Stage::Split);
        assert_eq!((split.warning_s(), split.requeues), (None, 0));
        assert_eq!(resources("", Stage::Predict).warning_s(), Some(120));
        assert_eq!(resources("time_min = 5\n", Stage::Predict).warning_s(), None);
        assert_eq!(resources("time_min = 1\nwarn_s = 20\n", Stage::Predict).warning_s(), Some(20));
        assert_eq!(resources("warn_s = 0\n", Stage::Predict).warning_s(), None);
    }

    #[test]
    fn errors_name_the_key_that_breaks_a_rule() {
        let violation = |text: &str| toml::from_str::<ClusterKeys>(text).unwrap().violation();
        assert_eq!(violation("cpus = 4\n"), None);
        assert_eq!(violation("[stitch]\ncpus = 0\n").unwrap().key, "cluster.stitch.cpus");
        assert_eq!(violation("max_submitted_jobs = 2\n").unwrap().expected, "at least 3");
        assert!(violation("groups_per_task = 2\ntarget_minutes = 5.0\n").is_some());
        assert!(violation("environment = { \"A B\" = \"1\" }\n").is_some());
    }
}
