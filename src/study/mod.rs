//! Measures the heatmaps of a run against truth, at several strides and beside other runs, to
//! show how much accuracy a cheaper heatmap loses.
//!
//! ```text
//! heatmaps, truth ──[gather]──> numbers of each slide at each setting
//!   scores ──[cost]──> core time         │
//!                                   [summary] ──> one row per setting
//!                                        ├──[tables]──> study.csv .md .json, lesions.csv
//!                                        └──[chart]───> roc, froc, tradeoff .svg .png
//! ```

mod cost;
mod detections;
pub(crate) mod detections_csv;
mod error;
mod files;
mod gather;
mod lesion_tables;
mod lesions_scored;
mod outcome;
mod request;
mod results;
mod rules;
mod slide_truth;
mod slides;
pub(crate) mod steps;
mod summary;
mod suspect;
mod tables;
mod truth_file;

pub(crate) use detections::detect;
pub(crate) use files::write;
pub(crate) use gather::gather;
pub(crate) use request::{HeatmapSource, StudyRequest, study_strides};
pub(crate) use rules::describe_detection;
pub(crate) use slides::StudySlides;
pub(crate) use summary::summarise;
pub(crate) use suspect::warn_of_suspect_heatmaps;
