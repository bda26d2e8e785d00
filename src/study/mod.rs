//! What a cheaper heatmap gives away: a run measured against truth at several
//! strides, and other runs beside it.
//!
//! ```text
//! heatmaps, truth ──[gather]──> a slide's numbers at each setting
//!   scores ──[cost]──> core time         │
//!                                   [summary] ──> a row a setting
//!                                        ├──[tables]──> study.csv .md .json, lesions.csv
//!                                        └──[chart]───> roc, froc, tradeoff .svg .png
//! ```

mod cost;
mod detections;
pub mod detections_csv;
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
mod summary;
mod tables;

pub(crate) use detections::detect;
pub use error::StudyError;
pub use files::write;
pub use gather::gather;
pub use lesions_scored::LesionScored;
pub use outcome::{CostSource, SettingOutcome, SlideOutcome, Unscored};
pub use request::{HeatmapSource, StudyRequest};
pub use results::{Row, Study};
pub(crate) use rules::describe_detection;
pub use summary::summarise;
