//! slidegrid turns whole-slide images into pixelwise heatmaps on clusters of ordinary CPUs.
//!
//! The flow of the data, with the modules in brackets:
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
//!        [stitch] ──[heatmap]──> heatmaps/<slide>.h5 [heatmap_h5], .png, ... [export]
//!                                │
//! [truth] outlines, masks ──> [metrics] ──[study]──> study/study.{csv,md,json}
//!
//! all of it ──[report]──> report/index.html
//! ```
//!
//! The words used here and in all of the documentation are explained in the
//! [glossary], which is `docs/glossary.md`.
//!
//! Two things always hold:
//! - A file that exists is complete ([`staged`]). So the file of a task says whether the
//!   task is done.
//! - A lattice point is scored exactly if its pixel lies in a tissue tile, and then from one
//!   patch ([`geometry::lattice`]). So block size, group size, batch, threads and engine do
//!   not change a heatmap, and the heatmap of a coarser stride is that of a finer one
//!   subsampled, except for how engines round (1e-5).
//!
//! ## Who imports whom
//!
//! The modules are listed from the ground up. A module imports those behind its arrow, where
//! `*` stands for all above it, and no others. `tests/architecture` checks the source for
//! this. It also checks that no module of the maths reaches files or libraries that do I/O,
//! directly or through another module.
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
//!     spelling
//!     threads         <- interrupt
//!     version
//!     sha256
//! files
//!     staged
//!     bigtiff         <- staged version
//!     hdf5_file       <- pipeline staged version
//!     slide           <- geometry
//!     label_image
//!     text_file
//!     synth           <- bigtiff interrupt pipeline staged threads
//!     colour_template <- geometry normalize slide staged threads tissue version
//!     truth           <- label_image metrics slide spelling text_file
//!     patches         <- geometry hdf5_file normalize number
//!     scores          <- hdf5_file number
//!     heatmap_h5      <- hdf5_file number scores staged
//!     export          <- bigtiff hdf5_file heatmap heatmap_h5 metrics patches staged version
//!     import          <- export hdf5_file heatmap heatmap_h5
//!     run_dir         <- number shell staged
//!     damage          <- hdf5_file run_dir staged
//! a run
//!     model           <- geometry process sha256 spelling
//!     config          <- export geometry heatmap metrics model normalize sha256 staged tissue
//!                        truth
//!     resolve         <- colour_template config geometry model normalize version
//!     slide_inputs    <- config progress run_dir slide text_file tissue
//!     split           <- config damage export geometry hdf5_file heatmap interrupt label_image
//!                        normalize number patches pipeline process progress run_dir slide staged
//!                        threads tissue
//!     predict         <- config damage geometry hdf5_file interrupt model normalize number
//!                        patches pipeline process progress run_dir scores staged
//!     jobs            <- config damage export heatmap_h5 number run_dir scores shell staged
//!     stitch          <- config damage export geometry hdf5_file heatmap heatmap_h5 model
//!                        number patches run_dir scores staged
//!     study           <- chart config export hdf5_file heatmap heatmap_h5 label_image metrics
//!                        progress run_dir scores spelling staged text_file truth version
//!     report          <- config damage heatmap heatmap_h5 jobs metrics number patches process
//!                        progress run_dir scores slide staged study tissue truth version
//!     stages          <- config damage export geometry hdf5_file interrupt jobs model number
//!                        patches predict process progress run_dir scores split staged stitch
//!                        study threads
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
pub mod damage;
pub mod export;
pub mod geometry;
pub mod hdf5_file;
pub mod heatmap;
pub mod heatmap_h5;
pub mod import;
pub mod interrupt;
pub mod jobs;
pub mod label_image;
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
mod slide_inputs;
mod spelling;
pub mod split;
pub mod staged;
pub mod stages;
pub mod stitch;
pub mod study;
pub mod synth;
mod text_file;
pub mod threads;
pub mod throughput;
pub mod tissue;
pub mod truth;
mod version;

#[cfg(doc)]
#[doc = include_str!("../docs/glossary.md")]
pub mod glossary {}
