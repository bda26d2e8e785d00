//! The single steps of a study, on files of slidegrid or of other programs.

pub(crate) mod auc;
pub(crate) mod classify;
pub(crate) mod detect;
pub(crate) mod dice;
mod error;
pub(crate) mod features;
pub(crate) mod froc;
pub(crate) mod heatmaps;
pub(crate) mod truth;

pub(crate) use error::StepError;
