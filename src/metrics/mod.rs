//! How good heatmaps are, judged against truth. Pure: no I/O.
//!
//! ```text
//! outlines --[raster]--> mask --[lesions]--> lesions, isolated tumour cells
//! heatmap --[detect]--> detections --[froc]--> sensitivity at false positives
//!    |--[features]--> 30 numbers --[forest]--> slide score --[auc]--> AUC
//!    |--[overlap]--> Dice, IoU
//!    `--[coverage]--> how much of each lesion was scored
//! ```
//!
//! The rules are those of the CAMELYON16 challenge (Ehteshami Bejnordi et al.,
//! JAMA 2017) and of the pipeline of Li, Mikailov and Chen (IEEE TAI 2023).
//! Masks are kept as [`mask::PixelRun`]s: a 100,000 px slide at full resolution is
//! a few hundred thousand of them.

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
