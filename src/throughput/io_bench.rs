//! The measurement of a file system, as `slidegrid bench io` makes and reports it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::io::{IoError, IoSetting, Workload};
use super::io_rounds::{IoRow, in_turns, recommended, speed_chart};
use super::machine::Machine;
use super::page_cache::{available_memory_bytes, free_bytes};
use crate::chart;
use crate::interrupt::{Interrupt, with_last_save};
use crate::patches::Compression;
use crate::progress::Progress;
use crate::staged;

/// What is measured, and where.
#[derive(Debug)]
pub(crate) struct IoRequest<'a> {
    /// Folder on the file system to measure.
    pub dir: &'a Path,
    /// Numbers of patches per group. The file has as many patches as the largest.
    pub sizes: &'a [u32],
    /// Side of a patch, px, a multiple of 4.
    pub patch_px: u32,
    /// Compressions of the patches.
    pub compressions: &'a [Compression],
    /// Number of rounds over all settings.
    pub repeats: u32,
}

/// The result of a measurement, which is the content of io.json.
#[derive(Debug, Serialize)]
pub(crate) struct IoReport {
    /// The folder that was measured.
    pub dir: String,
    /// The machine.
    pub machine: Machine,
    /// Side of a patch, px.
    pub patch_px: u32,
    /// Patches in a file.
    pub patches: usize,
    /// Number of rounds over all settings.
    pub repeats: u32,
    /// A row for each setting.
    pub settings: Vec<IoRow>,
    /// The row of the recommended setting.
    pub recommended: Option<IoRow>,
}

/// Measures all settings. There is only one file at a time, which is removed, also after an
/// error.
///
/// # Errors
/// [`IoError`] if there is too little space or memory, a file cannot be written or read, or a
/// signal ended the measurement.
pub(crate) fn measure_io(
    request: &IoRequest<'_>,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<IoReport, IoError> {
    let machine = Machine::here();
    machine.warn(progress);
    let mut sizes: Vec<usize> = request.sizes.iter().map(|&size| size as usize).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let patches = sizes.last().copied().unwrap_or(1);
    check_space(request, patches, progress)?;
    let settings: Vec<IoSetting> = (request.compressions.iter())
        .flat_map(|&compression| sizes.iter().map(move |&size| IoSetting { size, compression }))
        .collect();
    let about_dir = |action| {
        let path = request.dir.to_owned();
        move |source| IoError::Folder { path, action, source }
    };
    let folder = tempfile::Builder::new()
        .prefix(".slidegrid-bench-")
        .tempdir_in(request.dir)
        .map_err(about_dir("make a folder in it"))?;
    let workload = Workload::new(patches, request.patch_px)?;
    let repeats = request.repeats as usize;
    // A process that has to be ended in a long step leaves nothing either.
    let remove = || drop(std::fs::remove_dir_all(folder.path()));
    let settings = with_last_save(&remove, || {
        in_turns(&workload, &settings, repeats, folder.path(), interrupt, progress)
    })?;
    folder.close().map_err(about_dir("remove the folder made in it"))?;
    Ok(IoReport {
        dir: request.dir.display().to_string(),
        machine,
        patch_px: request.patch_px,
        patches,
        repeats: request.repeats,
        recommended: recommended(&settings).cloned(),
        settings,
    })
}

impl IoReport {
    /// The content of io.json.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report is plain data")
    }

    /// Writes io.svg, io.png and io.json to the folder `out` and returns the path of io.svg.
    ///
    /// # Errors
    /// [`IoError`] if the chart cannot be drawn, or a file cannot be written.
    pub(crate) fn write(&self, out: &Path) -> Result<PathBuf, IoError> {
        let drawn = speed_chart(&self.settings, self.patch_px);
        let svg = chart::svg(&drawn)?;
        let png = chart::png(&drawn)?;
        let json = self.to_json();
        for (name, bytes) in
            [("io.svg", svg.as_bytes()), ("io.png", &png), ("io.json", json.as_bytes())]
        {
            staged::write(&out.join(name), bytes)?;
        }
        Ok(out.join("io.svg"))
    }
}

/// Notes how much space and memory the measurement takes, and fails if there is not enough.
fn check_space(
    request: &IoRequest<'_>,
    patches: usize,
    progress: &Progress,
) -> Result<(), IoError> {
    let megabytes = |bytes: u64| bytes.div_ceil(1_000_000);
    let dir = request.dir;
    let disk = Workload::disk_bytes(patches, request.patch_px);
    let memory = Workload::pixel_bytes(patches, request.patch_px);
    let free = free_bytes(dir).map_err(|source| IoError::Folder {
        path: dir.to_owned(),
        action: "look at it",
        source,
    })?;
    let files = (request.sizes.len() * request.compressions.len()) as u64;
    progress.note(&format!(
        "bench io: needs {} MB of {} MB free in {}, and {} MB of memory for the largest group; writes {} MB in all",
        megabytes(disk),
        megabytes(free),
        dir.display(),
        megabytes(memory),
        megabytes(memory) * files * u64::from(request.repeats)
    ));
    if disk > free {
        let (dir, free_mb, needed_mb) = (dir.to_owned(), megabytes(free), megabytes(disk));
        return Err(IoError::Space { dir, free_mb, needed_mb });
    }
    if let Some(available) = available_memory_bytes().filter(|available| memory > *available) {
        let (needed_mb, available_mb) = (megabytes(memory), megabytes(available));
        return Err(IoError::Memory { needed_mb, available_mb });
    }
    Ok(())
}
