//! The speed of writing and reading patch files on one file system, a group at once and
//! patch by patch.
//!
//! The same patches are stored in groups of different sizes. The file is opened anew for
//! each group, as each task does. The memory is that of one group, and at least 13 MB of
//! synthetic tissue.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ndarray::Array2;
use thiserror::Error;

use super::page_cache;
use crate::chart::ChartError;
use crate::geometry::{BlockPlan, Tiling, WorkingPlane, tiling::TilingError};
use crate::hdf5_file::FormatError;
use crate::interrupt::Interrupt;
use crate::patches::{Compression, PatchesFile, PatchesMeta, PatchesWriter};
use crate::staged::StageError;
use crate::synth;

/// What takes less space and memory.
const LESS: &str = "fewer or smaller patches: --sizes, --patch-px";

/// Why storage could not be measured.
#[derive(Debug, Error)]
pub(crate) enum IoError {
    /// A file cannot be written or read.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// No tiling has patches of this side.
    #[error("--patch-px {patch_px}: {source}")]
    Tiling {
        /// Side of the patches, px.
        patch_px: u32,
        /// What is wrong.
        source: TilingError,
    },
    /// The folder cannot be used.
    #[error("{}: cannot {action}: {source}", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What cannot be done, such as `create it`.
        action: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file system is too full.
    #[error("{}: {free_mb} MB are free, but {needed_mb} MB are needed; choose another --dir, or {LESS}", dir.display())]
    Space {
        /// The folder.
        dir: PathBuf,
        /// Space for this user, MB.
        free_mb: u64,
        /// Space for the largest file, MB.
        needed_mb: u64,
    },
    /// The memory is too small.
    #[error(
        "the largest group needs {needed_mb} MB of memory, but {available_mb} MB are available; use {LESS}"
    )]
    Memory {
        /// Memory of the largest group, MB.
        needed_mb: u64,
        /// Memory that is available, MB.
        available_mb: u64,
    },
    /// The chart cannot be drawn.
    #[error(transparent)]
    Chart(#[from] ChartError),
    /// A result cannot be written.
    #[error(transparent)]
    Write(#[from] StageError),
    /// A signal ended the measurement.
    #[error("{signal}: ended; nothing is left in {}", folder.display())]
    Interrupted {
        /// The signal.
        signal: &'static str,
        /// The folder.
        folder: PathBuf,
    },
}

/// How patches are grouped and stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IoSetting {
    /// Patches in a group.
    pub size: usize,
    /// Compression of the patches.
    pub compression: Compression,
}

/// The result of one round: a file is written, read in both ways and removed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Round {
    /// Megabytes (10^6 bytes) of pixels written per second, including the sync.
    pub write_mb_s: f64,
    /// Megabytes of pixels read per second, a group at once.
    pub whole_mb_s: f64,
    /// Megabytes of pixels read per second, patch by patch.
    pub each_mb_s: f64,
    /// Bytes of the file per byte of pixels.
    pub stored_share: f64,
    /// Largest share of the file that was in the page cache when reading began.
    pub cached_share: f64,
}

/// The patches to store, and their places on a slide.
#[derive(Debug)]
pub(crate) struct Workload {
    /// Number of patches in the file, whatever the size of the groups.
    pub patches: usize,
    plan: BlockPlan,
    plane: WorkingPlane,
    patch_px: usize,
    swatch: Vec<u8>,
    swatch_px: usize,
}

/// The least side of the swatch of tissue that patches are cut from, px: 13 MB of pixels, in
/// which patches differ enough.
const SWATCH_PX: usize = 2048;

/// A generous bound on the bytes of a file that are not pixels.
const FILE_OVERHEAD: u64 = 16 << 20;

impl Workload {
    /// A workload of `patches` patches of `patch_px` x `patch_px`, which is a multiple of 4.
    ///
    /// # Errors
    /// [`IoError::Tiling`] when patches of that side cannot be stored.
    pub(crate) fn new(patches: usize, patch_px: u32) -> Result<Self, IoError> {
        let (tile_px, window_px) = (patch_px / 2, patch_px / 2);
        let tiling = Tiling::new(tile_px, 1, window_px)
            .map_err(|source| IoError::Tiling { patch_px, source })?;
        let columns = patches.isqrt().max(1);
        let rows = patches.div_ceil(columns);
        let mask = Array2::from_shape_fn((rows, columns), |(row, column)| {
            u8::from(row * columns + column < patches)
        });
        let side_px = |tiles: usize| {
            let px = u32::try_from(tiles).ok().and_then(|tiles| tiles.checked_mul(tile_px));
            px.expect("the mask of fewer patches fills the memory")
        };
        let (width_px, height_px) = (side_px(columns), side_px(rows));
        let plane = WorkingPlane {
            level0_width_px: width_px,
            level0_height_px: height_px,
            downsample: 1.0,
            width_px,
            height_px,
            mpp_x: None,
            mpp_y: None,
        };
        let patch_px = patch_px as usize;
        let swatch_px = SWATCH_PX.max((patch_px + 512).next_multiple_of(512));
        Ok(Self {
            patches,
            plan: BlockPlan::new(tiling, mask),
            plane,
            patch_px,
            swatch: synth::tissue(1, swatch_px),
            swatch_px,
        })
    }

    /// Bytes of pixels in all patches of `patch_px`.
    #[must_use]
    pub(crate) fn pixel_bytes(patches: usize, patch_px: u32) -> u64 {
        patches as u64 * u64::from(patch_px) * u64::from(patch_px) * 3
    }

    /// Bytes of disk space that the largest file may take.
    #[must_use]
    pub(crate) fn disk_bytes(patches: usize, patch_px: u32) -> u64 {
        let pixels = Self::pixel_bytes(patches, patch_px);
        pixels + pixels / 100 + FILE_OVERHEAD
    }

    fn patch_bytes(&self) -> usize {
        self.patch_px * self.patch_px * 3
    }

    /// Cuts patch `index` from the swatch, at a position of its own.
    fn patch(&self, index: usize, rgb: &mut [u8]) {
        let room = self.swatch_px - self.patch_px + 1;
        // Primes share no factor with most values of `room`, so that few patches coincide.
        let (left, top) = (index * 389 % room, index * 613 % room);
        for (y, line) in rgb.chunks_exact_mut(self.patch_px * 3).enumerate() {
            let at = ((top + y) * self.swatch_px + left) * 3;
            line.copy_from_slice(&self.swatch[at..at + line.len()]);
        }
    }

    /// Writes one file in `folder`, reads it in both ways and removes it.
    ///
    /// With `whole_first` reading a group at once comes first, otherwise patch by patch.
    ///
    /// # Errors
    /// [`IoError`]; the file is removed in that case too.
    pub(crate) fn round(
        &self,
        folder: &Path,
        setting: IoSetting,
        whole_first: bool,
        interrupt: &Interrupt,
    ) -> Result<Round, IoError> {
        let file = RemoveOnDrop(folder.join("patches.h5"));
        let megabytes = (self.patches * self.patch_bytes()) as f64 / 1e6;
        let rate = |time: Duration| megabytes / time.as_secs_f64();
        let write_mb_s = rate(self.write(&file.0, setting, interrupt)?);
        let about_file = |action| {
            let path = file.0.clone();
            move |source| IoError::Folder { path, action, source }
        };
        let bytes = std::fs::metadata(&file.0).map_err(about_file("read its size"))?.len();
        let mut round = Round {
            write_mb_s,
            whole_mb_s: 0.0,
            each_mb_s: 0.0,
            stored_share: bytes as f64 / (megabytes * 1e6),
            cached_share: 0.0,
        };
        for whole in [whole_first, !whole_first] {
            let cached = page_cache::drop_file(&file.0);
            let cached = cached.map_err(about_file("drop it from the page cache"))?;
            round.cached_share = round.cached_share.max(cached);
            let time = self.read(&file.0, setting, whole, interrupt)?;
            *(if whole { &mut round.whole_mb_s } else { &mut round.each_mb_s }) = rate(time);
        }
        Ok(round)
    }

    fn write(
        &self,
        path: &Path,
        setting: IoSetting,
        interrupt: &Interrupt,
    ) -> Result<Duration, IoError> {
        let meta = PatchesMeta::planned("bench", &self.plane, &self.plan, setting.size);
        let mut rgb = vec![0; self.patch_bytes()];
        let mut started = Instant::now();
        let IoSetting { size, compression } = setting;
        let mut writer = PatchesWriter::create(path, &meta, &self.plan, size, compression)?;
        let mut spent = started.elapsed();
        for index in 0..self.patches {
            check_interrupt(path, interrupt)?;
            self.patch(index, &mut rgb);
            started = Instant::now();
            writer.write_patch(index, &rgb)?;
            spent += started.elapsed();
        }
        started = Instant::now();
        writer.finish()?;
        Ok(spent + started.elapsed())
    }

    fn read(
        &self,
        path: &Path,
        setting: IoSetting,
        whole: bool,
        interrupt: &Interrupt,
    ) -> Result<Duration, IoError> {
        let held = if whole { setting.size.min(self.patches) } else { 1 };
        let mut pixels = vec![0; held * self.patch_bytes()];
        let groups = PatchesFile::open(path)?.group_numbers();
        let started = Instant::now();
        for group in groups {
            let reader = PatchesFile::open(path)?.group(group)?;
            check_interrupt(path, interrupt)?;
            if whole {
                reader.read_patches(&mut pixels[..reader.len() * self.patch_bytes()])?;
                continue;
            }
            for index in 0..reader.len() {
                reader.read_patch(index, &mut pixels)?;
            }
        }
        Ok(started.elapsed())
    }
}

fn check_interrupt(path: &Path, interrupt: &Interrupt) -> Result<(), IoError> {
    let folder = path.parent().and_then(Path::parent).unwrap_or(path).to_owned();
    interrupt.requested().map_or(Ok(()), |signal| Err(IoError::Interrupted { signal, folder }))
}

/// A file that is removed at the end of its round.
struct RemoveOnDrop(PathBuf);

impl Drop for RemoveOnDrop {
    fn drop(&mut self) {
        // A failure does no harm, since the folder is removed at the end.
        drop(std::fs::remove_file(&self.0));
    }
}
