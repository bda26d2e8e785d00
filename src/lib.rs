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
//! - A file that exists is complete (`staged`). So the file of a task says whether the
//!   task is done.
//! - A lattice point is scored if and only if its pixel lies in a tissue tile, by exactly one
//!   patch ([`geometry::lattice`]). So block size, group size, batch, threads and engine do
//!   not change a heatmap, and the heatmap of a coarser stride is that of a finer one
//!   subsampled, except for how engines round (1e-5).
//!
//! ## The library
//!
//! Most of slidegrid is its command line. What other programs may rely on are the files of a
//! run and the parts to make and measure them:
//!
//! - [`slide`] reads slides, [`geometry`] divides them into tiles, blocks and groups.
//! - [`model::ModelCard`] says what a network expects and what its outputs mean.
//! - [`patches`], [`scores`] and [`heatmap_h5`] read and write the files of a run; their
//!   errors are [`FormatError`].
//! - [`heatmap`] assembles scores and draws them, [`metrics`] measures heatmaps against
//!   truth.
//!
//! The other modules serve the command line and are private. This program reads a slide,
//! writes a heatmap of that slide, and finds the lesion in the heatmap:
//!
//! ```
//! use ndarray::Array3;
//! use slidegrid::geometry::plane::TargetMpp;
//! use slidegrid::geometry::{Lattice, WorkingPlane};
//! use slidegrid::heatmap::Heatmap;
//! use slidegrid::heatmap_h5::{HeatmapMeta, HeatmapWriter, read_heatmap};
//! use slidegrid::metrics::detect::{RegionPoint, RegionRules, RegionScore, detect_regions};
//! use slidegrid::slide::memory::MemorySlide;
//! use slidegrid::slide::{PlaneReader, Region, Slide};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A slide at 0.25 um/px: white, with a dark square. `slide::open` opens a file.
//! let mut picture = Array3::from_elem((600, 800, 3), 255);
//! picture.slice_mut(ndarray::s![200..328, 400..528, ..]).fill(60);
//! let slide = MemorySlide::new(picture).with_mpp(0.25);
//!
//! // A network made for 0.5 um/px sees every second pixel.
//! let plane = WorkingPlane::plan(800, 600, Some([0.25; 2]), TargetMpp::Um(0.5))?;
//! assert_eq!((plane.width_px, plane.height_px, plane.downsample), (400, 300, 2.0));
//! let reader = PlaneReader::new(&slide, plane);
//!
//! // In place of a network's score: how dark the pixel is at each lattice point.
//! let lattice = Lattice::new(plane.width_px, plane.height_px, 16);
//! let (rows, cols) = lattice.shape();
//! let mut heatmap = Heatmap::new(rows, cols, lattice.stride_px());
//! for ((row, col), score) in heatmap.score.indexed_iter_mut() {
//!     let mut pixel = [0; 3];
//!     reader.read(Region::new(16 * col as i64, 16 * row as i64, 1, 1), &mut pixel)?;
//!     *score = 1.0 - f32::from(pixel[0]) / 255.0;
//! }
//!
//! // The file is complete once it has its name.
//! let folder = tempfile::tempdir()?;
//! let file = folder.path().join("dark.h5");
//! let meta = HeatmapMeta {
//!     slide: "dark".to_owned(),
//!     stride_px: heatmap.stride_px,
//!     window_px: 32,
//!     downsample: plane.downsample,
//!     width_px: plane.width_px,
//!     height_px: plane.height_px,
//!     level0_width_px: plane.level0_width_px,
//!     level0_height_px: plane.level0_height_px,
//!     classes: vec!["light".to_owned(), "dark".to_owned()],
//!     positive: 1,
//!     ..HeatmapMeta::default()
//! };
//! HeatmapWriter::create(&file, &meta, heatmap.score.view())?.finish()?;
//!
//! let (meta, score) = read_heatmap(&file)?;
//! let rules = RegionRules {
//!     threshold: 0.5,
//!     min_points: 4,
//!     score: RegionScore::Mean,
//!     point: RegionPoint::Centroid,
//! };
//! let found = detect_regions(score.view(), &rules);
//! assert_eq!(found.len(), 1);
//! let level0_x = found[0].x * f64::from(meta.stride_px) * meta.downsample;
//! assert!((400.0..528.0).contains(&level0_x));
//! # Ok(())
//! # }
//! ```
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
//!     crash
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
//!     png_profile
//!     regular_file
//!     staged          <- process
//!     identity
//!     bigtiff         <- staged version
//!     hdf5_file       <- identity pipeline regular_file staged version
//!     jpeg_check
//!     slide           <- crash geometry jpeg_check png_profile
//!     label_image     <- jpeg_check png_profile regular_file
//!     text_file       <- regular_file
//!     synth           <- bigtiff interrupt pipeline staged threads
//!     truth           <- label_image metrics regular_file slide spelling staged text_file
//!     patches         <- geometry hdf5_file normalize number staged
//!     scores          <- hdf5_file number
//!     heatmap_h5      <- hdf5_file number scores staged
//!     export          <- bigtiff geometry hdf5_file heatmap heatmap_h5 metrics patches
//!                        regular_file staged version
//!     import          <- export hdf5_file heatmap heatmap_h5
//!     run_dir         <- identity number shell staged
//!     damage          <- hdf5_file run_dir staged
//!     colour_template <- crash export geometry heatmap normalize progress regular_file slide
//!                        staged threads tissue version
//! a run
//!     model           <- geometry process regular_file sha256 spelling
//!     config          <- export geometry heatmap metrics model normalize regular_file sha256
//!                        staged tissue truth
//!     resolve         <- colour_template config geometry model normalize version
//!     slide_inputs    <- config progress run_dir slide text_file tissue
//!     split           <- config crash damage export geometry hdf5_file heatmap identity interrupt
//!                        label_image normalize number patches pipeline process progress run_dir
//!                        slide staged threads tissue version
//!     predict         <- config damage geometry hdf5_file interrupt model normalize number
//!                        patches pipeline process progress run_dir scores staged
//!     jobs            <- config damage export heatmap_h5 number run_dir scores shell staged
//!     stitch          <- config damage export geometry hdf5_file heatmap heatmap_h5 model
//!                        number patches run_dir scores staged
//!     study           <- chart config export geometry hdf5_file heatmap heatmap_h5 label_image
//!                        metrics progress run_dir scores spelling staged text_file truth version
//!     report          <- config damage geometry hdf5_file heatmap heatmap_h5 jobs metrics number
//!                        patches process progress run_dir scores slide staged study tissue truth
//!                        version
//!     stages          <- config damage export geometry hdf5_file heatmap_h5 interrupt jobs
//!                        model number patches predict process progress resolve run_dir scores
//!                        shell slide split staged stitch study threads
//!     verify          <- config damage export geometry hdf5_file heatmap_h5 identity jobs model
//!                        number patches predict progress run_dir scores threads
//!     throughput      <- chart geometry hdf5_file interrupt model patches predict process
//!                        progress staged synth threads
//! commands
//!     cli             <- *
//! ```

#![cfg_attr(test, expect(clippy::cast_possible_truncation, reason = "tests count small numbers"))]

mod bigtiff;
mod chart;
mod cli;
mod colour_template;
mod config;
mod crash;
mod damage;
mod export;
pub mod geometry;
mod hdf5_file;
pub mod heatmap;
pub mod heatmap_h5;
mod identity;
mod import;
#[cfg(not(promised_surface))]
#[doc(hidden)]
pub mod internal;
mod interrupt;
mod jobs;
mod jpeg_check;
mod label_image;
pub mod metrics;
pub mod model;
mod normalize;
mod number;
pub mod patches;
mod pipeline;
mod png_profile;
mod predict;
mod process;
mod progress;
mod regular_file;
mod report;
mod resolve;
mod run_dir;
pub mod scores;
mod sha256;
mod shell;
pub mod slide;
mod slide_inputs;
mod spelling;
mod split;
mod staged;
mod stages;
mod stitch;
mod study;
mod synth;
mod text_file;
mod threads;
mod throughput;
mod tissue;
mod truth;
mod verify;
mod version;

pub use hdf5_file::{FormatError, Lineage};
pub use identity::SlideIdentity;
pub use number::{GroupNumber, NumberError};
pub use staged::StageError;

#[cfg(doc)]
#[doc = include_str!("../docs/glossary.md")]
pub mod glossary {}
