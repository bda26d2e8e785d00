//! Reads superblock after superblock and writes their patches to the patch file.
//!
//! Memory does not depend on the slide's size: one canvas (at most 6,144 px and two halos per
//! side, 120 MB), 64 MB of patches on their way to the writer, and the reader's own buffers.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use ndarray::Array3;
use rayon::prelude::*;

use super::canvas::RegionCanvas;
use super::colour::Sampler;
use super::error::SplitError;
use super::stopping::StoppingSlide;
use super::superblock::{cells, region_of, superblocks};
use super::tissue::FoundTissue;
use crate::config::{CompressionKey, RunConfig};
use crate::geometry::{BlockPlan, PatchCoord, WorkingPlane};
use crate::hdf5_file::{FormatError, Lineage};
use crate::patches::{Compression, PatchCompressor, PatchesMeta, PatchesWriter, SlideColours};
use crate::pipeline::{Closed, Outlet, Pipeline};
use crate::progress::Progress;
use crate::run_dir::{RunDir, SlideRecord};
use crate::slide::{PlaneReader, RegionError};
use crate::threads::Workers;

/// Bytes of patches waiting for the writer.
const QUEUE_BYTES: usize = 64_000_000;

/// Buffers of patches that are reused, because the kernel clears fresh memory, which takes as
/// long as filling it.
#[derive(Default)]
struct PatchBuffers(Mutex<Vec<Vec<u8>>>);

impl PatchBuffers {
    fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give(&self, buffer: Vec<u8>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}

/// The patches to store, and where they are stored.
pub(super) struct StoreInputs<'a> {
    pub(super) run: &'a RunDir,
    pub(super) config: &'a RunConfig,
    pub(super) outcome: &'a SlideRecord,
    pub(super) plane: &'a WorkingPlane,
    pub(super) slide: &'a StoppingSlide<'a>,
    pub(super) reader: &'a PlaneReader<'a>,
    pub(super) plan: &'a BlockPlan,
}

/// The result of storing the patches.
pub(super) struct Stored {
    pub(super) groups: u32,
    /// One line per patch that could not be decoded.
    pub(super) failures: Vec<String>,
    /// The slide's colours; `None` if they were not measured.
    pub(super) colours: Option<SlideColours>,
}

/// A patch on its way to the file.
enum Message {
    Raw(usize, Vec<u8>),
    Compressed(usize, Vec<u8>),
    Failed(usize, String),
}

/// Reads and writes all patches of a slide.
///
/// # Errors
/// [`SplitError`] when the patch file cannot be written, or a signal ends the work; no file is
/// left then.
pub(super) fn store(
    inputs: &StoreInputs<'_>,
    tissue: &FoundTissue,
    overview: &Array3<u8>,
    sampler: Option<Sampler<'_>>,
    workers: &Workers<'_>,
    progress: &Progress,
) -> Result<Stored, SplitError> {
    let tiling = inputs.plan.tiling();
    let per_group = inputs.config.config.tiling.group_size().patches(tiling.patch_bytes());
    let meta = meta(inputs, tissue, per_group);
    let compression = compression(inputs.config);
    let path = inputs.run.patches(&inputs.outcome.name);
    let mut writer = PatchesWriter::create(&path, &meta, inputs.plan, per_group, compression)?;
    writer.set_thumbnail(overview.view())?;
    if let Some(texture) = &tissue.mask.texture {
        writer.set_texture(texture.mask.view())?;
    }
    let queue =
        (QUEUE_BYTES / usize::try_from(tiling.patch_bytes()).expect("a usize has 64 bits")).max(2);
    let buffers = PatchBuffers::default();
    let what = format!("split {}", inputs.outcome.name);
    let task = progress.start(&what, "patches", inputs.plan.patches().len());
    let pipeline = Pipeline { queue, interrupt: workers.interrupt };
    let ((), (mut writer, failures)) = pipeline.feed(
        |outlet| {
            read_all(inputs, compression, sampler.as_ref(), workers, &buffers, outlet);
            Ok(())
        },
        |messages| write_all(writer, messages, &buffers, &task),
    )?;
    // A writer that is dropped before `finish` leaves no file.
    inputs.slide.check()?;
    // A slide without tissue has no colours to measure.
    let colours = sampler.filter(|_| tissue.mask.tissue_tiles > 0).map(Sampler::colours);
    if let Some(colours) = &colours {
        writer.set_colours(colours)?;
    }
    writer.finish()?;
    Ok(Stored { groups: meta.groups, failures, colours })
}

/// Reads every superblock and sends its patches to the writer. Stops when the writer has
/// stopped, or at an interrupt.
fn read_all(
    inputs: &StoreInputs<'_>,
    compression: Compression,
    sampler: Option<&Sampler<'_>>,
    workers: &Workers<'_>,
    buffers: &PatchBuffers,
    outlet: &Outlet<'_, Message>,
) {
    let mut canvas = RegionCanvas::new();
    for superblock in superblocks(inputs.plan) {
        if inputs.slide.check().is_err() {
            return;
        }
        canvas.read(
            superblock.region,
            &cells(&superblock, inputs.plan),
            inputs.reader,
            workers.pool,
        );
        let canvas = &canvas;
        let cutter = || {
            let compressor = compressor(compression);
            Cutter { inputs, canvas, sampler, buffers, compressor }
        };
        let sent = workers.pool.install(|| {
            let patches = superblock.patches.iter().par_bridge();
            patches.try_for_each_init(cutter, |cutter, &index| outlet.send(cutter.cut(index)))
        });
        if sent == Err(Closed) {
            return;
        }
    }
}

/// Cuts patches from a canvas, on one thread.
struct Cutter<'a> {
    inputs: &'a StoreInputs<'a>,
    canvas: &'a RegionCanvas,
    sampler: Option<&'a Sampler<'a>>,
    buffers: &'a PatchBuffers,
    compressor: Option<PatchCompressor>,
}

impl Cutter<'_> {
    fn cut(&mut self, index: usize) -> Message {
        let patch = &self.inputs.plan.patches()[index];
        let mut pixels = self.buffers.take();
        match self.canvas.cut(&region_of(patch), &mut pixels) {
            Ok(()) => {
                if let Some(sampler) = self.sampler {
                    sampler.take(patch, &pixels);
                }
                self.message(index, pixels)
            }
            Err(error) => Message::Failed(index, self.failure(patch, error)),
        }
    }

    fn message(&mut self, index: usize, pixels: Vec<u8>) -> Message {
        match &mut self.compressor {
            None => Message::Raw(index, pixels),
            Some(compressor) => {
                let chunk = compressor.compress(&pixels);
                self.buffers.give(pixels);
                Message::Compressed(index, chunk)
            }
        }
    }

    /// The line about a patch that could not be decoded.
    fn failure(&self, patch: &PatchCoord, error: &RegionError) -> String {
        let level0 = |px: i64| (px as f64 * self.inputs.plane.downsample).round();
        format!(
            "patch of tile ({}, {}), level-0 px ({}, {}): {error}",
            patch.tile_col,
            patch.tile_row,
            level0(patch.x_px),
            level0(patch.y_px),
        )
    }
}

fn compressor(compression: Compression) -> Option<PatchCompressor> {
    match compression {
        Compression::None => None,
        Compression::Gzip(level) => Some(PatchCompressor::new(level)),
    }
}

/// Writes the patches in the order in which they arrive. Returns the writer and one line per
/// patch that failed, in the slide's order.
fn write_all(
    mut writer: PatchesWriter,
    messages: impl Iterator<Item = Message>,
    buffers: &PatchBuffers,
    task: &crate::progress::Task<'_>,
) -> Result<(PatchesWriter, Vec<String>), FormatError> {
    let mut failures = Vec::new();
    for message in messages {
        match message {
            Message::Raw(index, pixels) => {
                writer.write_patch(index, &pixels)?;
                buffers.give(pixels);
            }
            Message::Compressed(index, bytes) => writer.write_compressed(index, &bytes)?,
            Message::Failed(index, reason) => {
                writer.fail_patch(index, &reason)?;
                failures.push((index, reason));
            }
        }
        task.advance(1);
    }
    failures.sort();
    Ok((writer, failures.into_iter().map(|(_, reason)| reason).collect()))
}

fn compression(config: &RunConfig) -> Compression {
    match config.config.tiling.compression {
        CompressionKey::None => Compression::None,
        CompressionKey::Gzip => Compression::Gzip(config.config.tiling.gzip_level),
    }
}

fn meta(inputs: &StoreInputs<'_>, tissue: &FoundTissue, per_group: usize) -> PatchesMeta {
    let config = &inputs.config;
    let thresholds =
        tissue.mask.thresholds.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    let mut provenance = BTreeMap::from([("reader".to_owned(), inputs.outcome.reader.clone())]);
    if !inputs.outcome.icc.is_empty() {
        provenance.insert("icc".to_owned(), inputs.outcome.icc.clone());
    }
    PatchesMeta {
        tissue_method: tissue.options.method.to_string(),
        thresholds,
        config_sha256: config.patches_sha256(),
        provenance,
        lineage: Lineage {
            slide: inputs.outcome.identity(),
            bounds_px: inputs.outcome.bounds_px(),
            ..Lineage::default()
        },
        ..PatchesMeta::planned(&inputs.outcome.name, inputs.plane, inputs.plan, per_group)
    }
}
