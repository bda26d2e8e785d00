//! Reading of one group of a patch file, patch by patch.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use hdf5::Dataset;
use libdeflater::Decompressor;
use ndarray::{Array3, Ix3};
use xxhash_rust::xxh3::xxh3_64;

use super::legacy::Legacy;
use super::schema::PatchesMeta;
use crate::geometry::PatchCoord;
use crate::hdf5_file::{FormatError, chunk_place};

/// One group of a patch file. The places of its patches are in memory; pixels are read on
/// demand. Threads may share a reader.
#[derive(Debug)]
pub struct GroupReader {
    /// Places of the patches, in the order of their pixels.
    pub coords: Vec<PatchCoord>,
    /// Tissue tiles of each patch's block, `[patch, row, col]`, 1 = tissue.
    pub tissue: Array3<u8>,
    /// Whether each patch could not be read from the slide and is therefore white.
    pub failed: Vec<bool>,
    pub(super) patch_px: usize,
    pub(super) halo_px: usize,
    pub(super) label: String,
    pub(super) path: PathBuf,
    pub(super) bytes: Arc<fs::File>,
    pub(super) images: Dataset,
    pub(super) storage: Storage,
    /// Hash of each patch's stored bytes; `None` in files of version 1.
    pub(super) hashes: Option<Vec<u64>>,
    pub(super) legacy: Option<(Legacy, Vec<[i64; 2]>)>,
}

/// How the pixels are stored in the file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Storage {
    /// Patches lie one after another, from byte `offset` of the file on.
    Contiguous { offset: u64 },
    /// Each patch is one deflate stream.
    Deflate,
    /// Any other layout, which is read through HDF5.
    Other,
}

impl GroupReader {
    /// Number of patches.
    pub fn len(&self) -> usize {
        self.coords.len()
    }

    /// Whether the group has no patches.
    pub fn is_empty(&self) -> bool {
        self.coords.is_empty()
    }

    /// Side of a patch, px.
    pub fn patch_px(&self) -> usize {
        self.patch_px
    }

    /// Width of the halo, px: what a patch has beyond its block on each side.
    pub fn halo_px(&self) -> usize {
        self.halo_px
    }

    /// Bytes of a patch's pixels, `P * P * 3`.
    pub fn patch_bytes(&self) -> usize {
        self.patch_px * self.patch_px * 3
    }

    /// Reads patch `index`, counted from 0 in the group, into `pixels`: RGB, `[P, P, 3]`, rows
    /// from the top.
    ///
    /// # Errors
    /// [`FormatError`] that names file, group and patch.
    pub fn read_patch(&self, index: usize, pixels: &mut [u8]) -> Result<(), FormatError> {
        if index >= self.len() || pixels.len() != self.patch_bytes() {
            let problem = format!(
                "patch {index} into {} bytes, expected less than {} and {} bytes",
                pixels.len(),
                self.len(),
                self.patch_bytes()
            );
            return Err(self.value_error(&problem));
        }
        match &self.legacy {
            None => self.read_stored(index, pixels),
            Some((legacy, origins)) => {
                let mut stored = vec![0; self.patch_bytes()];
                self.read_stored(index, &mut stored)?;
                legacy.reframe(&stored, origins[index], &self.coords[index], pixels);
                Ok(())
            }
        }
    }

    /// Reads the square of `side_px` at (`x_px`, `y_px`) of patch `index` into
    /// `pixels`, `[side, side, 3]`. Where patches are stored uncompressed and have no checksums,
    /// only the square is read from the file.
    ///
    /// # Panics
    /// If the square does not lie in the patch.
    ///
    /// # Errors
    /// Those of [`GroupReader::read_patch`].
    pub fn read_square(
        &self,
        index: usize,
        x_px: usize,
        y_px: usize,
        side_px: usize,
        pixels: &mut [u8],
    ) -> Result<(), FormatError> {
        assert!(x_px.max(y_px) + side_px <= self.patch_px, "the square lies in the patch");
        let rows = pixels.chunks_exact_mut(side_px * 3).enumerate();
        let place = |row: usize| ((y_px + row) * self.patch_px + x_px) * 3;
        if let (Storage::Contiguous { offset }, None) = (&self.storage, &self.legacy)
            && self.hashes.is_none()
            && index < self.len()
        {
            let patch = offset + (index * self.patch_bytes()) as u64;
            for (row, to) in rows {
                self.read_bytes(to, patch + place(row) as u64)?;
            }
            return Ok(());
        }
        let mut whole = vec![0; self.patch_bytes()];
        self.read_patch(index, &mut whole)?;
        for (row, to) in rows {
            to.copy_from_slice(&whole[place(row)..][..side_px * 3]);
        }
        Ok(())
    }

    /// Reads all patches into `pixels`: RGB, `[N, P, P, 3]`. Patches that lie one after another
    /// are read in one piece.
    ///
    /// # Errors
    /// [`FormatError`] that names file, group and patch.
    pub fn read_patches(&self, pixels: &mut [u8]) -> Result<(), FormatError> {
        let expected = self.len() * self.patch_bytes();
        if pixels.len() != expected {
            let problem =
                format!("all patches into {} bytes, expected {expected} bytes", pixels.len());
            return Err(self.value_error(&problem));
        }
        if let (None, Storage::Contiguous { offset }) = (&self.legacy, self.storage) {
            self.read_bytes(pixels, offset)?;
            let patches = pixels.chunks_exact(self.patch_bytes().max(1)).enumerate();
            return patches.into_iter().try_for_each(|(index, stored)| self.check(index, stored));
        }
        let patches = pixels.chunks_exact_mut(self.patch_bytes().max(1)).enumerate();
        patches.into_iter().try_for_each(|(index, pixels)| self.read_patch(index, pixels))
    }

    fn read_stored(&self, index: usize, pixels: &mut [u8]) -> Result<(), FormatError> {
        let failed = |e: hdf5::Error| {
            FormatError::hdf5(&self.path, &format!("read {} patch {index}", self.label), &e)
        };
        match self.storage {
            Storage::Contiguous { offset } => {
                let at = offset + (index * self.patch_bytes()) as u64;
                self.read_bytes(pixels, at)?;
                self.check(index, pixels)
            }
            Storage::Deflate => {
                let place = chunk_place(&self.images, &[index as u64, 0, 0, 0])
                    .map_err(failed)?
                    .ok_or_else(|| self.value_error(&format!("patch {index} was never written")))?;
                if place.filter_mask != 0 && place.bytes == pixels.len() as u64 {
                    self.read_bytes(pixels, place.offset)?;
                    return self.check(index, pixels);
                }
                let too_long = place.bytes > 2 * pixels.len() as u64 + 4096;
                let length = usize::try_from(place.bytes).ok().filter(|_| !too_long);
                let damaged =
                    || self.value_error(&format!("patch {index} is damaged: make the file again"));
                let mut chunk = vec![0; length.ok_or_else(damaged)?];
                self.read_bytes(&mut chunk, place.offset)?;
                self.check(index, &chunk)?;
                match Decompressor::new().zlib_decompress(&chunk, pixels) {
                    Ok(bytes) if bytes == pixels.len() => Ok(()),
                    _ => Err(damaged()),
                }
            }
            Storage::Other => {
                let stored = self
                    .images
                    .read_slice::<u8, _, Ix3>(ndarray::s![index, .., .., ..])
                    .map_err(failed)?;
                pixels.copy_from_slice(stored.as_slice().expect("HDF5 reads into standard layout"));
                Ok(())
            }
        }
    }

    /// Compares the stored bytes of a patch with their hash, if there is one.
    fn check(&self, index: usize, stored: &[u8]) -> Result<(), FormatError> {
        let expected = self.hashes.as_ref().map(|hashes| hashes[index]);
        if expected.is_none_or(|expected| xxh3_64(stored) == expected) {
            return Ok(());
        }
        let item = format!("{} patch {index}", self.label);
        Err(FormatError::Checksum { path: self.path.clone(), item })
    }

    fn read_bytes(&self, buffer: &mut [u8], offset: u64) -> Result<(), FormatError> {
        self.bytes
            .read_exact_at(buffer, offset)
            .map_err(|e| FormatError::io(&self.path, "read its pixels", e))
    }

    /// Checks that every patch lies around its block and is large enough for its windows.
    pub(super) fn check_places(&self, meta: &PatchesMeta) -> Result<(), FormatError> {
        let (tile, block) = (i64::from(meta.tile_px), i64::from(meta.block_tiles));
        let (side, halo) = (self.patch_px as i64, self.halo_px as i64);
        let (rows, cols) = meta.mask_shape();
        if side != tile * block + 2 * halo || 2 * halo < i64::from(meta.window_px) {
            let problem = format!(
                "patches of {side} px, expected at least {}",
                tile * block + i64::from(meta.window_px)
            );
            return Err(self.value_error(&problem));
        }
        for (index, patch) in self.coords.iter().enumerate() {
            let placed = patch.tile_col % block == 0
                && patch.tile_row % block == 0
                && (0..cols as i64).contains(&patch.tile_col)
                && (0..rows as i64).contains(&patch.tile_row)
                && patch.x_px == patch.tile_col * tile - halo
                && patch.y_px == patch.tile_row * tile - halo
                && patch.side_px == side;
            if !placed {
                let problem = format!(
                    "patch {index} is at {:?}, expected tile col, tile row on the {block}-tile lattice of {cols} x {rows} tiles, x, y {halo} px before them, side {side}",
                    patch.to_row()
                );
                return Err(self.value_error(&problem));
            }
        }
        Ok(())
    }

    fn value_error(&self, problem: &str) -> FormatError {
        FormatError::invalid(&self.path, format!("{}: {problem}", self.label))
    }
}
