//! Whole-slide images to pixelwise heatmaps on clusters of ordinary CPUs.
//!
//! The flow, and where it lives:
//!
//! ```text
//! slide ──[slide]──> thumbnail ──[tissue]──> mask ──[geometry]──> blocks, groups
//!   │                                                                  │
//!   └───────────[split]──> patches/<slide>.h5 [patches] <──────────────┘
//!                                │
//! [jobs] lookup.csv: task ──> slide, group
//!                                │
//!        [predict] colours [normalize], windows ──[model]──> scores/<slide>/t<k>.h5 [scores]
//!                                │
//!        [stitch] ──[heatmap]──> heatmaps/<slide>.{h5,png,...} [export]
//!                                │
//! [truth] outlines, masks ──> [metrics] ──[study]──> study/study.{csv,md,json}
//!
//! all of it ──[report]──> report/index.html
//! ```
//!
//! The words used here and in all of the documentation are explained in the
//! [glossary], which is `docs/glossary.md`.
//!
//! What always holds:
//! - A file that exists is complete ([`staged`]). Whether a task is done is
//!   answered by its file.
//! - A lattice point is scored iff its pixel lies in a tissue tile, by exactly
//!   one patch ([`geometry::lattice`]). So block size, group size, batch,
//!   threads and engine do not change a heatmap, and a coarser stride is a
//!   finer one subsampled, but for how an engine rounds (1e-5).
//! - [`geometry`], [`tissue`], [`normalize`], [`heatmap`] and [`metrics`] know nothing
//!   of files, formats and libraries (`tests/it/purity.rs` holds them to it).

#![cfg_attr(test, expect(clippy::cast_possible_truncation, reason = "tests count small numbers"))]

mod bigtiff;
pub mod cli;
pub mod colour_template;
pub mod config;
pub mod export;
pub mod geometry;
pub mod hdf5_file;
pub mod heatmap;
pub mod import;
pub mod interrupt;
pub mod jobs;
pub mod metrics;
pub mod model;
pub mod normalize;
pub mod patches;
pub mod predict;
pub mod process;
pub mod progress;
pub mod report;
pub mod run_dir;
pub mod scores;
pub mod shell;
pub mod slide;
pub mod split;
pub mod staged;
pub mod stitch;
pub mod study;
pub mod synth;
pub mod threads;
pub mod throughput;
pub mod tissue;
pub mod truth;
mod version;

#[cfg(doc)]
#[doc = include_str!("../docs/glossary.md")]
pub mod glossary {}
