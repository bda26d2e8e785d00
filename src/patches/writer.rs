//! Writing of a patch file, one patch at a time, in any order.

use std::path::Path;

use hdf5::dataset::{AllocTime, FillTime};
use hdf5::{Dataset, Group};
use libdeflater::{CompressionLvl, Compressor};
use ndarray::{Array1, Array2, Array3, ArrayView, ArrayView2, ArrayView3, Axis, s};
use xxhash_rust::xxh3::xxh3_64;

use super::SlideColours;
use super::schema::{self, COORD, FAILED, FAILURES, IMG, PatchesMeta, TEXTURE, THUMBNAIL, TISSUE};
use crate::geometry::{BlockPlan, PatchCoord, groups::group_ranges};
use crate::hdf5_file::{FormatError, StagedHdf5, hashes_of, write_chunk};
use crate::number::GroupNumber;

/// How pixels are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Uncompressed and contiguous, which is fastest to write and read.
    #[default]
    None,
    /// One compressed chunk per patch by HDF5's own gzip filter, which every HDF5 library reads.
    /// The level is 1 to 9.
    Gzip(u8),
}

/// Compresses patches. Every thread needs a compressor of its own.
pub struct PatchCompressor(Compressor);

impl std::fmt::Debug for PatchCompressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PatchCompressor").finish_non_exhaustive()
    }
}

impl PatchCompressor {
    /// A compressor of `level` 1 to 9; other levels become the nearest of these.
    pub fn new(level: u8) -> Self {
        let level = CompressionLvl::new(i32::from(level.clamp(1, 9)));
        Self(Compressor::new(level.expect("libdeflate has levels 1 to 9")))
    }

    /// Compresses `pixels`, RGB, `[P, P, 3]`, to a chunk for
    /// [`PatchesWriter::write_compressed`].
    pub fn compress(&mut self, pixels: &[u8]) -> Vec<u8> {
        let mut chunk = vec![0; self.0.zlib_compress_bound(pixels.len())];
        let bytes = self
            .0
            .zlib_compress(pixels, &mut chunk)
            .expect("the buffer has the size that libdeflate requires");
        chunk.truncate(bytes);
        chunk
    }
}

/// Compresses a single patch; see [`PatchCompressor::compress`].
pub fn compress_patch(pixels: &[u8], level: u8) -> Vec<u8> {
    PatchCompressor::new(level).compress(pixels)
}

/// A patch file that is being written. If it is dropped before [`PatchesWriter::finish`], it
/// is removed.
///
/// A patch's index is its place in [`BlockPlan::patches`]. One thread at a time writes, because
/// HDF5 has a global lock. With [`Compression::Gzip`], several threads can compress with
/// [`PatchCompressor`] and pass the chunks to one writer.
#[derive(Debug)]
pub struct PatchesWriter {
    // The datasets are declared first, so that they are closed before the file.
    images: Vec<Dataset>,
    output: StagedHdf5,
    per_group: usize,
    patch_bytes: usize,
    patch_px: usize,
    compression: Compression,
    written: Vec<bool>,
    /// Hash of each patch's stored bytes.
    hashes: Vec<u64>,
    failed: Vec<bool>,
    failures: Vec<(usize, String)>,
}

impl PatchesWriter {
    /// Starts the file that will become `path` and writes its content apart from the pixels.
    ///
    /// `per_group` is the number of patches in a full group, at least 1.
    ///
    /// # Errors
    /// [`FormatError`] if `meta` and `plan` disagree or the file cannot be written.
    pub fn create(
        path: &Path,
        meta: &PatchesMeta,
        plan: &BlockPlan,
        per_group: usize,
        compression: Compression,
    ) -> Result<Self, FormatError> {
        check_plan(path, meta, plan, per_group)?;
        let mut output = StagedHdf5::create(path)?;
        meta.write_attributes(&output.attributes())?;
        output.set_key(&[&meta.slide, &meta.config_sha256]);
        let mask = plan.mask().mapv(|tile| u8::from(tile != 0));
        output.write_dataset(TISSUE, mask.view())?;
        let patch_px = plan.tiling().patch_px() as usize;
        let mut images = Vec::new();
        let ranges = group_ranges(plan.patches().len(), per_group);
        for (group, range) in GroupNumber::up_to(meta.groups).zip(ranges) {
            let name = schema::group_name(group);
            let group = output
                .file()
                .create_group(&name)
                .map_err(|e| FormatError::hdf5(path, &format!("make group {name}"), &e))?;
            let patches = &plan.patches()[range];
            write_places(&mut output, &name, plan, patches)?;
            let image = create_image(&group, patches.len(), patch_px, compression)
                .map_err(|e| FormatError::hdf5(path, &format!("make /{name}/{IMG}"), &e))?;
            images.push(image);
        }
        Ok(Self {
            images,
            output,
            per_group: per_group.max(1),
            patch_bytes: patch_px * patch_px * 3,
            patch_px,
            compression,
            written: vec![false; plan.patches().len()],
            hashes: vec![0; plan.patches().len()],
            failed: vec![false; plan.patches().len()],
            failures: Vec::new(),
        })
    }

    /// Stores one patch.
    ///
    /// `pixels` is RGB, `[P, P, 3]`, rows from the top.
    ///
    /// # Errors
    /// [`FormatError`] if the patch does not exist, was stored before, has another size or
    /// cannot be written.
    pub fn write_patch(&mut self, index: usize, pixels: &[u8]) -> Result<(), FormatError> {
        if pixels.len() != self.patch_bytes {
            let (found, side) = (pixels.len(), self.patch_px);
            return self.refuse(
                index,
                format!("has {found} bytes, expected {} ({side} x {side} x 3)", self.patch_bytes),
            );
        }
        if let Compression::Gzip(level) = self.compression {
            return self.write_compressed(index, &compress_patch(pixels, level));
        }
        let (image, row) = self.claim(index)?;
        let side = self.patch_px;
        let stored = ArrayView::from_shape((side, side, 3), pixels)
            .map_err(hdf5::Error::from)
            .and_then(|view| image.write_slice(view, s![row, .., .., ..]));
        self.settle(index, stored, pixels)
    }

    /// Stores one patch that a [`PatchCompressor`] has compressed.
    ///
    /// # Errors
    /// [`FormatError`] if the patch does not exist, was stored before or cannot be written, or
    /// if the file is not compressed.
    pub fn write_compressed(&mut self, index: usize, chunk: &[u8]) -> Result<(), FormatError> {
        if self.compression == Compression::None {
            return self
                .refuse(index, "is compressed, expected plain pixels: the file is not compressed");
        }
        let (image, row) = self.claim(index)?;
        let stored = write_chunk(&image, row, chunk);
        self.settle(index, stored, chunk)
    }

    /// Records that a patch could not be read from the slide. The patch becomes white and is
    /// marked.
    ///
    /// # Errors
    /// Those of [`PatchesWriter::write_patch`].
    pub fn fail_patch(&mut self, index: usize, reason: &str) -> Result<(), FormatError> {
        self.write_patch(index, &vec![255; self.patch_bytes])?;
        self.failed[index] = true;
        self.failures.push((index, reason.replace('\0', "\u{fffd}")));
        Ok(())
    }

    /// Adds a small picture of the slide, `[row, col, rgb]`.
    ///
    /// # Errors
    /// [`FormatError`] if the picture cannot be written or was added before.
    pub fn set_thumbnail(&mut self, thumbnail: ArrayView3<'_, u8>) -> Result<(), FormatError> {
        self.output.write_dataset(THUMBNAIL, thumbnail)
    }

    /// Adds the tiles with the texture of tissue, `[tile row, tile col]`, 1 = textured.
    ///
    /// # Errors
    /// [`FormatError`] if the tiles cannot be written or were added before.
    pub fn set_texture(&mut self, tiles: ArrayView2<'_, u8>) -> Result<(), FormatError> {
        self.output.write_dataset(TEXTURE, tiles)
    }

    /// Adds the measured colours of the slide.
    ///
    /// # Errors
    /// [`FormatError`] if the colours cannot be written or were added before.
    pub fn set_colours(&mut self, colours: &SlideColours) -> Result<(), FormatError> {
        colours.write_attributes(&self.output.attributes())
    }

    /// Number of patches that could not be read from the slide.
    pub fn failed_patches(&self) -> usize {
        self.failures.len()
    }

    /// Checks that every patch is stored and gives the file its name.
    ///
    /// # Errors
    /// [`FormatError`] if a patch was neither written nor marked as failed, or the file cannot
    /// be finished. No file is left then.
    pub fn finish(mut self) -> Result<(), FormatError> {
        let path = self.output.target().to_owned();
        let missing = self.written.iter().filter(|written| !**written).count();
        if let Some(first) = self.written.iter().position(|written| !written) {
            let problem = format!(
                "{missing} of {} patches were never written, the first is {}; expected all of them written or failed",
                self.written.len(),
                self.label(first)
            );
            return Err(FormatError::invalid(&path, problem));
        }
        self.write_failures()?;
        self.output.flush()?;
        self.images.clear();
        let row_bytes = (self.compression == Compression::None).then_some(self.patch_bytes);
        for (group, hashes) in self.groups().zip(self.hashes.chunks(self.per_group)) {
            let name = format!("{}/{IMG}", schema::group_name(group));
            self.output.written().stored(&name, hashes.to_vec(), row_bytes);
            self.output.write_dataset(&hashes_of(&name), ArrayView::from(hashes))?;
        }
        self.output.commit()
    }

    /// The numbers of the groups, ascending.
    fn groups(&self) -> impl Iterator<Item = GroupNumber> + use<> {
        GroupNumber::up_to(schema::group_count(self.written.len(), self.per_group))
    }

    fn write_failures(&mut self) -> Result<(), FormatError> {
        for (group, failed) in self.groups().zip(self.failed.chunks(self.per_group)) {
            let name = schema::group_name(group);
            let failed: Array1<u8> = failed.iter().map(|&failed| u8::from(failed)).collect();
            self.output.write_dataset(&format!("{name}/{FAILED}"), failed.view())?;
        }
        // Threads mark patches as failed in any order; sorting makes equal runs write equal files.
        self.failures.sort();
        let lines: Vec<String> = self
            .failures
            .iter()
            .map(|(index, reason)| format!("{}: {reason}", self.label(*index)))
            .collect();
        self.output.write_texts(FAILURES, &lines)
    }

    /// Marks a patch as written and returns its dataset and its row in it.
    fn claim(&mut self, index: usize) -> Result<(Dataset, usize), FormatError> {
        match self.written.get_mut(index) {
            None => {
                let count = self.written.len();
                self.refuse(index, format!("does not exist, expected less than {count}"))
            }
            Some(true) => self.refuse(index, "was stored before, expected each patch once"),
            Some(written) => {
                *written = true;
                let image = self.images[index / self.per_group].clone();
                Ok((image, index % self.per_group))
            }
        }
    }

    /// Name of a patch in messages, such as `t3 patch 17`. Groups count from 1, patches from 0.
    fn label(&self, index: usize) -> String {
        format!("t{} patch {}", index / self.per_group + 1, index % self.per_group)
    }

    fn refuse<T>(&self, index: usize, problem: impl std::fmt::Display) -> Result<T, FormatError> {
        let problem = format!("{} {problem}", self.label(index));
        Err(FormatError::invalid(self.output.target(), problem))
    }

    /// Records the hash of a stored patch, or that the patch could not be stored.
    fn settle(
        &mut self,
        index: usize,
        stored: hdf5::Result<()>,
        bytes: &[u8],
    ) -> Result<(), FormatError> {
        self.hashes[index] = xxh3_64(bytes);
        stored.map_err(|error| {
            self.written[index] = false;
            let action = format!("write {}", self.label(index));
            FormatError::hdf5(self.output.target(), &action, &error)
        })
    }
}

/// Writes `coord` and `tissue` of one group.
fn write_places(
    output: &mut StagedHdf5,
    group: &str,
    plan: &BlockPlan,
    patches: &[PatchCoord],
) -> Result<(), FormatError> {
    let side = plan.tiling().block_tiles() as usize;
    let mut coord = Array2::zeros((patches.len(), 5));
    let mut tissue = Array3::zeros((patches.len(), side, side));
    for (row, patch) in patches.iter().enumerate() {
        coord.row_mut(row).assign(&ArrayView::from(&patch.to_row()));
        tissue.index_axis_mut(Axis(0), row).assign(&plan.tissue_of(patch));
    }
    output.write_dataset::<i64, _>(&format!("{group}/{COORD}"), coord.view())?;
    output.write_dataset::<u8, _>(&format!("{group}/{TISSUE}"), tissue.view())
}

fn create_image(
    group: &Group,
    patches: usize,
    side: usize,
    compression: Compression,
) -> Result<Dataset, hdf5::Error> {
    let builder = group
        .new_dataset::<u8>()
        .obj_track_times(false)
        // Every byte is written before the file gets its name.
        .fill_time(FillTime::Never);
    let shape = (patches, side, side, 3);
    match compression {
        Compression::None => builder.alloc_time(Some(AllocTime::Early)).shape(shape).create(IMG),
        Compression::Gzip(level) => {
            builder.chunk((1, side, side, 3)).deflate(level.clamp(1, 9)).shape(shape).create(IMG)
        }
    }
}

fn check_plan(
    path: &Path,
    meta: &PatchesMeta,
    plan: &BlockPlan,
    per_group: usize,
) -> Result<(), FormatError> {
    let tiling = plan.tiling();
    let patches = plan.patches().len();
    let groups = schema::group_count(patches, per_group);
    let rows = [
        ("tile", meta.tile_px as usize, tiling.tile_px() as usize),
        ("block", meta.block_tiles as usize, tiling.block_tiles() as usize),
        ("window", meta.window_px as usize, tiling.window_px() as usize),
        ("patches", meta.patches, patches),
        ("groups", meta.groups as usize, groups as usize),
        ("tile rows", meta.mask_shape().0, plan.mask().nrows()),
        ("tile columns", meta.mask_shape().1, plan.mask().ncols()),
    ];
    for (name, found, expected) in rows {
        if found != expected {
            let problem = format!("{name} is {found}, expected {expected} as planned");
            return Err(FormatError::invalid(path, problem));
        }
    }
    Ok(())
}
