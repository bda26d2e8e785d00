//! Metrics of heatmaps, measured against truth. `slidegrid study` computes its tables with
//! them. The module does no I/O.
//!
//! ```text
//! outlines --[raster]--> mask --[lesions]--> lesions, isolated tumor cells
//! heatmap --[detect]--> detections --[froc]--> sensitivity at false positives
//!    |--[features]--> 30 numbers --[forest]--> slide score --[auc]--> AUC
//!    |--[overlap]--> Dice, IoU
//!    `--[coverage]--> share of each lesion that has scores
//! ```
//!
//! The rules are those of the CAMELYON16 challenge (Ehteshami Bejnordi et al.,
//! JAMA 2017) and of the pipeline of Li, Mikailov and Chen (IEEE TAI 2023).
//! Masks are stored as [`mask::PixelRun`]s: a slide with sides of 100,000 px at full resolution
//! has a few hundred thousand of them.

pub mod auc;
pub mod coverage;
pub mod detect;
pub mod features;
pub mod forest;
pub mod froc;
pub mod interval;
pub mod label;
pub mod lesions;
pub mod mask;
pub mod overlap;
pub mod raster;
pub mod region;
