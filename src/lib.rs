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
//!
//! ## Who imports whom
//!
//! From the ground up: a module imports those behind its arrow, `*` all above it, and
//! no other. `tests/architecture` holds the source to it, and to maths that reaches
//! neither files nor libraries that do I/O, through no other module either.
//!
//! ```text
//! maths
//!     geometry
//!     metrics
//!     normalize
//!     tissue
//!     heatmap         <- tissue
//! the machine
//!     chart
//!     glossary
//!     interrupt
//!     number
//!     pipeline        <- interrupt
//!     process
//!     progress
//!     shell
//!     threads
//!     version
//!     sha256
//! files
//!     staged
//!     bigtiff         <- staged version
//!     hdf5_file       <- pipeline staged version
//!     slide           <- geometry
//!     synth           <- bigtiff interrupt pipeline staged threads
//!     colour_template <- geometry normalize slide staged threads tissue version
//!     truth           <- metrics slide
//!     patches         <- geometry hdf5_file normalize number
//!     scores          <- hdf5_file number
//!     export          <- bigtiff hdf5_file heatmap metrics number patches scores staged
//!                        version
//!     import          <- export hdf5_file heatmap
//!     run_dir         <- number shell staged
//! a run
//!     model           <- geometry process sha256
//!     config          <- export geometry heatmap metrics model normalize sha256 staged tissue
//!                        truth
//!     resolve         <- colour_template config geometry model normalize version
//!     split           <- config export geometry hdf5_file heatmap interrupt normalize patches
//!                        pipeline process progress run_dir slide staged tissue
//!     predict         <- config geometry hdf5_file interrupt model normalize number patches
//!                        process progress run_dir scores staged
//!     jobs            <- config export number run_dir scores shell staged
//!     stitch          <- config export geometry hdf5_file heatmap model number patches run_dir
//!                        scores staged
//!     study           <- chart config export hdf5_file heatmap metrics progress run_dir scores
//!                        staged truth version
//!     report          <- config export heatmap jobs metrics number patches process progress
//!                        run_dir scores slide staged study tissue truth version
//!     throughput      <- chart geometry hdf5_file interrupt model patches predict process
//!                        progress synth threads
//! commands
//!     cli             <- *
//! ```

#![cfg_attr(test, expect(clippy::cast_possible_truncation, reason = "tests count small numbers"))]

mod bigtiff;
pub mod chart;
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
pub mod number;
pub mod patches;
mod pipeline;
pub mod predict;
pub mod process;
pub mod progress;
pub mod report;
pub mod resolve;
pub mod run_dir;
pub mod scores;
mod sha256;
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
