//! Reading of a patch file: the attributes first, then one group, then one patch.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hdf5::{Dataset, File, Group};
use ndarray::{Array1, Array2, Array3, Ix1, Ix2, Ix3};

use super::SlideColours;
use super::group::{GroupReader, Storage};
use super::legacy::{self, Legacy, SlideSize};
use super::schema::{self, COORD, FAILED, FAILURES, IMG, PatchesMeta, TEXTURE, THUMBNAIL, TISSUE};
use crate::geometry::PatchCoord;
use crate::hdf5_file::{
    self, Attributes, FormatError, check_dataset, link_exists, read_all, read_hashes, read_texts,
};
use crate::number::GroupNumber;

/// An open patch file. Opening reads the attributes but no pixels.
#[derive(Debug)]
pub struct PatchesFile {
    path: PathBuf,
    file: File,
    /// The same file for positioned reads, outside HDF5's lock.
    bytes: Arc<fs::File>,
    meta: PatchesMeta,
    legacy: Option<Legacy>,
}

impl PatchesFile {
    /// Opens `path`, a file of this program or of the original HPC_DPAI code.
    ///
    /// # Errors
    /// [`FormatError`] if the file is missing, damaged, of another format or of a newer version.
    pub fn open(path: &Path) -> Result<Self, FormatError> {
        Self::open_with(path, None)
    }

    /// Opens `path`. `width_px` x `height_px` is the size of the slide for a file of the
    /// HPC_DPAI code, which does not store that size.
    ///
    /// # Errors
    /// Those of [`PatchesFile::open`], and [`FormatError`] if the size contradicts the file.
    pub fn open_sized(path: &Path, width_px: u32, height_px: u32) -> Result<Self, FormatError> {
        Self::open_with(path, Some(SlideSize { width_px, height_px }))
    }

    fn open_with(path: &Path, size: Option<SlideSize>) -> Result<Self, FormatError> {
        let file = hdf5_file::open(path)?;
        let bytes = fs::File::open(path).map_err(|e| FormatError::io(path, "open", e))?;
        let (meta, legacy) = if legacy::is_legacy(path, &file)? {
            let (meta, legacy) = legacy::read_meta(path, &file, size)?;
            (meta, Some(legacy))
        } else {
            (PatchesMeta::read_attributes(&Attributes::new(path, &file))?, None)
        };
        Ok(Self { path: path.to_owned(), file, bytes: Arc::new(bytes), meta, legacy })
    }

    /// The root attributes.
    pub fn meta(&self) -> &PatchesMeta {
        &self.meta
    }

    /// Refuses patches of another slide than `slide`.
    ///
    /// # Errors
    /// [`FormatError::OtherSlide`] that names both.
    pub fn check_slide(&self, slide: &str) -> Result<(), FormatError> {
        FormatError::check_slide(&self.path, &self.meta.slide, slide)
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The assumptions made about a file of the HPC_DPAI code; empty for other files.
    pub fn assumptions(&self) -> &[String] {
        self.legacy.as_ref().map_or(&[], |legacy| &legacy.assumptions)
    }

    /// How many groups the file has.
    pub fn groups(&self) -> u32 {
        self.meta.groups
    }

    /// The numbers of its groups, ascending.
    pub fn group_numbers(&self) -> impl DoubleEndedIterator<Item = GroupNumber> + Clone + use<> {
        GroupNumber::up_to(self.meta.groups)
    }

    /// Number of patches in a group.
    ///
    /// # Errors
    /// [`FormatError`] if there is no such group.
    pub fn patches_in(&self, group: GroupNumber) -> Result<usize, FormatError> {
        let handle = self.group_handle(group)?;
        let coord = check_dataset::<i64>(&self.path, &handle, COORD, &[None, Some(5)])?;
        Ok(coord.shape()[0])
    }

    /// The tissue mask of the whole slide, `[tile row, tile col]`, 1 = tissue.
    ///
    /// # Errors
    /// [`FormatError`] if the mask is missing or its shape is not that of the slide.
    pub fn tissue(&self) -> Result<Array2<u8>, FormatError> {
        if let Some(legacy) = &self.legacy {
            let (rows, cols) = self.meta.mask_shape();
            return Ok(legacy.mask(rows, cols));
        }
        let (rows, cols) = self.meta.mask_shape();
        let mask = check_dataset::<u8>(&self.path, &self.file, TISSUE, &[Some(rows), Some(cols)])?;
        read_all::<u8, Ix2>(&self.path, &mask)
    }

    /// Tiles with the texture of tissue, `[tile row, tile col]`, 1 = textured; `None` if the
    /// texture was not checked.
    ///
    /// # Errors
    /// [`FormatError`] if the tiles are stored but cannot be read.
    pub fn texture(&self) -> Result<Option<Array2<u8>>, FormatError> {
        if !link_exists(&self.path, &self.file, TEXTURE)? {
            return Ok(None);
        }
        let (rows, cols) = self.meta.mask_shape();
        let tiles =
            check_dataset::<u8>(&self.path, &self.file, TEXTURE, &[Some(rows), Some(cols)])?;
        read_all::<u8, Ix2>(&self.path, &tiles).map(Some)
    }

    /// One line per patch that could not be read from the slide.
    ///
    /// # Errors
    /// [`FormatError`] if the list cannot be read.
    pub fn failures(&self) -> Result<Vec<String>, FormatError> {
        if self.legacy.is_some() {
            return Ok(Vec::new());
        }
        read_texts(&self.path, &self.file, FAILURES, None)
    }

    /// A small picture of the slide, `[row, col, rgb]`; `None` if there is none.
    ///
    /// # Errors
    /// [`FormatError`] if the picture is stored but cannot be read.
    pub fn thumbnail(&self) -> Result<Option<Array3<u8>>, FormatError> {
        if !link_exists(&self.path, &self.file, THUMBNAIL)? {
            return Ok(None);
        }
        let picture =
            check_dataset::<u8>(&self.path, &self.file, THUMBNAIL, &[None, None, Some(3)])?;
        read_all::<u8, Ix3>(&self.path, &picture).map(Some)
    }

    /// The measured colours of the slide; `None` in files made without `[normalize]` and in
    /// files of the HPC_DPAI code.
    ///
    /// # Errors
    /// [`FormatError`] if the colours are stored but invalid.
    pub fn colours(&self) -> Result<Option<SlideColours>, FormatError> {
        SlideColours::read_attributes(&Attributes::new(&self.path, &self.file))
    }

    /// Opens a group and checks counts, shapes and places.
    ///
    /// # Errors
    /// [`FormatError`] that names file and group.
    pub fn group(&self, group: GroupNumber) -> Result<GroupReader, FormatError> {
        let handle = self.group_handle(group)?;
        let path = &self.path;
        let coord = check_dataset::<i64>(path, &handle, COORD, &[None, Some(5)])?;
        let stored: Vec<[i64; 5]> = read_all::<i64, Ix2>(path, &coord)?
            .rows()
            .into_iter()
            .map(|row| [row[0], row[1], row[2], row[3], row[4]])
            .collect();
        let count = Some(stored.len());
        let images = check_dataset::<u8>(path, &handle, IMG, &[count, None, None, Some(3)])?;
        let (patch_px, width) = (images.shape()[1], images.shape()[2]);
        let label = schema::group_name(group);
        if patch_px != width {
            let problem =
                format!("{label} has patches of {width} x {patch_px} px, expected squares");
            return Err(FormatError::invalid(path, problem));
        }
        let storage = self.storage(&label, &images, stored.len(), patch_px)?;
        let hashes = read_hashes(path, &handle, IMG, stored.len())?;
        let block_px = (self.meta.tile_px * self.meta.block_tiles) as usize;
        let margins_px = patch_px.checked_sub(block_px).ok_or_else(|| {
            let problem = format!(
                "{label} has patches of {patch_px} px, which are smaller than their blocks of {block_px} px"
            );
            FormatError::invalid(path, problem)
        })?;
        let mut reader = GroupReader {
            coords: Vec::new(),
            tissue: Array3::zeros((0, 0, 0)),
            failed: vec![false; stored.len()],
            patch_px,
            halo_px: margins_px / 2,
            label,
            path: path.clone(),
            bytes: Arc::clone(&self.bytes),
            images,
            storage,
            hashes,
            legacy: None,
        };
        if let Some(legacy) = &self.legacy {
            (reader.coords, reader.tissue) = legacy.places(path, &reader.label, &stored)?;
            let origins = stored.iter().map(|row| [row[2], row[3]]).collect();
            reader.legacy = Some((legacy.clone(), origins));
            return Ok(reader);
        }
        let side = Some(self.meta.block_tiles as usize);
        let tissue = check_dataset::<u8>(path, &handle, TISSUE, &[count, side, side])?;
        reader.tissue = read_all::<u8, Ix3>(path, &tissue)?;
        let failed = check_dataset::<u8>(path, &handle, FAILED, &[count])?;
        let failed: Array1<u8> = read_all::<u8, Ix1>(path, &failed)?;
        reader.failed = failed.iter().map(|&flag| flag != 0).collect();
        reader.coords = stored.into_iter().map(PatchCoord::from_row).collect();
        reader.check_places(&self.meta)?;
        Ok(reader)
    }

    /// Checks the structure of every group and that the counts add up, without reading pixels.
    ///
    /// # Errors
    /// [`FormatError`] for the first problem.
    pub fn verify(&self) -> Result<(), FormatError> {
        let (mut patches, mut failed, mut tissue) = (0, 0, 0_usize);
        for group in self.group_numbers() {
            let reader = self.group(group)?;
            patches += reader.coords.len();
            failed += reader.failed.iter().filter(|&&flag| flag).count();
            tissue += reader.tissue.iter().filter(|&&tile| tile != 0).count();
        }
        let mask = self.tissue()?.iter().filter(|&&tile| tile != 0).count();
        let rows = [
            ("patches", patches, self.meta.patches),
            ("failed patches", failed, self.failures()?.len()),
            ("tissue tiles", tissue, mask),
        ];
        for (name, found, expected) in rows {
            if found != expected {
                let problem = format!(
                    "its groups hold {found} {name}, expected {expected}: delete it and make it again"
                );
                return Err(FormatError::invalid(&self.path, problem));
            }
        }
        Ok(())
    }

    fn group_handle(&self, group: GroupNumber) -> Result<Group, FormatError> {
        let name = schema::group_name(group);
        let missing = || FormatError::Missing {
            path: self.path.clone(),
            item: format!("group {name}"),
            expected: match self.meta.groups {
                0 => "none: the slide has no tissue".into(),
                groups => format!("t1 to t{groups}"),
            },
        };
        let known = group.get() <= self.meta.groups;
        if !known || !link_exists(&self.path, &self.file, &name)? {
            return Err(missing());
        }
        let read_error = |e| FormatError::hdf5(&self.path, &format!("read group {name}"), &e);
        self.file.group(&name).map_err(read_error)
    }

    fn storage(
        &self,
        label: &str,
        images: &Dataset,
        patches: usize,
        patch_px: usize,
    ) -> Result<Storage, FormatError> {
        if self.file.userblock() != 0 {
            return Ok(Storage::Other);
        }
        if let Some(offset) = images.offset() {
            let bytes = (patches * patch_px * patch_px * 3) as u64;
            let length = self.bytes.metadata().map_or(0, |metadata| metadata.len());
            if offset.checked_add(bytes).is_none_or(|end| end > length) {
                let problem = format!(
                    "{label} ends at byte {}, the file at {length}: it was cut short, delete it and make it again",
                    offset.saturating_add(bytes)
                );
                return Err(FormatError::invalid(&self.path, problem));
            }
            return Ok(Storage::Contiguous { offset });
        }
        let one_patch = images.chunk().is_some_and(|c| c == [1, patch_px, patch_px, 3]);
        if !one_patch || images.filters().len() != 1 {
            return Ok(Storage::Other);
        }
        if images.num_chunks() != Some(patches) {
            let problem = format!(
                "{label} holds pixels of {} patches, expected {patches}: delete it and make it again",
                images.num_chunks().unwrap_or(0)
            );
            return Err(FormatError::invalid(&self.path, problem));
        }
        let deflate = matches!(images.filters()[0], hdf5::filters::Filter::Deflate(_));
        Ok(if deflate { Storage::Deflate } else { Storage::Other })
    }
}
