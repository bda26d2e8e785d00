//! The stages over all slides of a run, as one command does them: one slide after the other,
//! with progress. A slide that fails is listed and does not stop the others.

pub(crate) mod calibrate;
mod completion;
pub(crate) mod dense_cost;
mod error;
pub(crate) mod estimate;
pub(crate) mod export;
pub(crate) mod failure_file;
pub(crate) mod failure_kind;
mod forecast;
pub(crate) mod forget;
mod interrupted;
pub(crate) mod plan;
pub(crate) mod predict;
pub(crate) mod redo;
pub(crate) mod removal;
pub(crate) mod rerun;
pub(crate) mod selection;
pub(crate) mod slides;
pub(crate) mod split;
pub(crate) mod stitch;
pub(crate) mod submit;
pub(crate) mod whole_run;

pub(crate) use completion::{Completion, StageEnd};
pub(crate) use error::StagesError;
