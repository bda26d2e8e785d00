//! The steps of the chain, each of which is submitted as one job.

use crate::config::Stage;
use crate::jobs::plan::ArraySpec;
use crate::jobs::work::Request;
use crate::number::{ArrayShare, GroupNumber, Number, NumberList, TaskNumber};

/// A job to submit.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum JobStep {
    /// Splits rows of slides.csv, one per task.
    Split { rows: NumberList<TaskNumber>, request: Request },
    /// Fits the dense network over the slides.
    Calibrate { request: Request },
    /// Scores groups of a slide.
    Predict(ArraySpec),
    /// Makes the heatmap of a slide.
    Stitch { slide: String, request: Request },
    /// Compares the heatmaps with the truth, once these jobs have ended.
    Study { after: Vec<String> },
}

impl JobStep {
    pub(super) fn split(rows: &[TaskNumber], request: Request) -> Self {
        Self::Split { rows: rows.iter().copied().collect(), request }
    }

    pub(super) fn request(&self) -> Request {
        match self {
            Self::Split { request, .. }
            | Self::Calibrate { request }
            | Self::Stitch { request, .. } => *request,
            Self::Predict(array) => array.request,
            Self::Study { .. } => Request::NONE,
        }
    }

    pub(super) fn stage(&self) -> Stage {
        match self {
            Self::Split { .. } => Stage::Split,
            Self::Calibrate { .. } => Stage::Calibrate,
            Self::Predict(_) => Stage::Predict,
            Self::Stitch { .. } => Stage::Stitch,
            Self::Study { .. } => Stage::Study,
        }
    }

    pub(super) fn slide(&self) -> Option<&str> {
        match self {
            Self::Split { .. } | Self::Calibrate { .. } | Self::Study { .. } => None,
            Self::Predict(array) => Some(&array.slide),
            Self::Stitch { slide, .. } => Some(slide),
        }
    }

    pub(super) fn items(&self) -> String {
        match self {
            Self::Split { rows, .. } => rows.to_string(),
            Self::Predict(array) => array.groups.to_string(),
            Self::Calibrate { .. } | Self::Stitch { .. } | Self::Study { .. } => String::new(),
        }
    }

    pub(super) fn tasks(&self) -> u32 {
        match self {
            Self::Split { rows, .. } => rows.count(),
            Self::Predict(array) => array.tasks,
            Self::Calibrate { .. } | Self::Stitch { .. } | Self::Study { .. } => 1,
        }
    }

    /// Cuts the step into its first `tasks` tasks and the rest, if there is one.
    pub(super) fn cut(self, tasks: u32) -> (Self, Option<Self>) {
        if tasks >= self.tasks() {
            return (self, None);
        }
        match self {
            Self::Split { rows, request } => {
                let (now, later) = rows.as_slice().split_at(tasks as usize);
                (Self::split(now, request), Some(Self::split(later, request)))
            }
            Self::Predict(array) => {
                let all = array.tasks;
                let shares = ArrayShare::all(all).take(tasks as usize);
                let now: usize = shares.map(|share| array.groups.share(share).len()).sum();
                let (now, later) = array.groups.as_slice().split_at(now);
                let array_of = |groups: &[GroupNumber], tasks| {
                    let groups = groups.iter().copied().collect();
                    Self::Predict(ArraySpec { groups, tasks, ..array.clone() })
                };
                (array_of(now, tasks), Some(array_of(later, all - tasks)))
            }
            Self::Calibrate { .. } | Self::Stitch { .. } | Self::Study { .. } => (self, None),
        }
    }

    /// Joins two parts of a step, as [`JobStep::cut`] makes them.
    pub(super) fn joined(self, later: Self) -> Self {
        match (self, later) {
            (Self::Split { rows, request }, Self::Split { rows: more, .. }) => {
                Self::Split { rows: joined(&rows, &more), request }
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
