//! A group of patches, ready to be scored.

use super::colour::Normalizer;
use super::context::Context;
use super::error::PredictError;
use crate::geometry::lattice::LatticePoint;
use crate::geometry::{Lattice, Tiling};
use crate::hdf5_file::FormatError;
use crate::number::GroupNumber;
use crate::patches::{GroupReader, PatchesFile};

/// A group of a slide.
pub(super) struct Group<'g> {
    pub(super) slide: &'g str,
    pub(super) number: GroupNumber,
    /// The patches of the whole slide.
    pub(super) patches: &'g PatchesFile,
    pub(super) reader: GroupReader,
    /// `None` if the run does not normalise colours.
    pub(super) normalizer: Option<Normalizer>,
    pub(super) tiling: Tiling,
    pub(super) lattice: Lattice,
    /// Points to score, per patch; empty for a patch that could not be decoded.
    pub(super) points: Vec<Vec<LatticePoint>>,
}

impl<'g> Group<'g> {
    /// Opens a group of a slide.
    ///
    /// # Errors
    /// [`PredictError`] when the group cannot be read, when the sizes of its patches do not
    /// make a tiling, or when the slide's colour estimate is missing.
    pub(super) fn open(
        context: &Context<'_>,
        patches: &'g PatchesFile,
        slide: &'g str,
        number: GroupNumber,
    ) -> Result<Self, PredictError> {
        let reader = patches.group(number)?;
        let normalizer = Normalizer::of_run(context.config, patches)?;
        let lattice = lattice_of(context, patches);
        let tiling = tiling_of(patches, &reader)?;
        let points = points_of(&lattice, tiling, &reader);
        Ok(Self { slide, number, patches, reader, normalizer, tiling, lattice, points })
    }

    /// The name of the group in messages, as `slide t3`.
    pub(super) fn name(&self) -> String {
        format!("{} t{}", self.slide, self.number)
    }

    /// Patches of the group that could not be decoded.
    pub(super) fn failed_patches(&self) -> u64 {
        self.reader.failed.iter().filter(|&&failed| failed).count() as u64
    }
}

/// The lattice of a slide.
pub(super) fn lattice_of(context: &Context<'_>, patches: &PatchesFile) -> Lattice {
    let meta = patches.meta();
    Lattice::new(meta.width_px, meta.height_px, context.keys().stride)
}

/// Lattice points of each patch of the group; none for failed patches.
pub(super) fn points_of(
    lattice: &Lattice,
    tiling: Tiling,
    reader: &GroupReader,
) -> Vec<Vec<LatticePoint>> {
    reader
        .coords
        .iter()
        .zip(reader.tissue.outer_iter())
        .zip(&reader.failed)
        .map(
            |((patch, tissue), &failed)| {
                if failed { Vec::new() } else { lattice.points_of(&tiling, patch, tissue) }
            },
        )
        .collect()
}

/// The tiling of the patches. The margin follows from the stored pixels: it is the part of
/// their halo beyond half a window.
///
/// # Errors
/// [`PredictError::Tiling`] when the sizes do not make a tiling.
pub(super) fn tiling_of(
    patches: &PatchesFile,
    reader: &GroupReader,
) -> Result<Tiling, PredictError> {
    let meta = patches.meta();
    let halo_px = u32::try_from(reader.halo_px()).map_err(|_| {
        let problem = format!("patches have a halo of {} px, expected less", reader.halo_px());
        FormatError::invalid(patches.path(), problem)
    })?;
    Tiling::new(meta.tile_px, meta.block_tiles, meta.window_px)
        .and_then(|tiling| tiling.with_margin(halo_px.saturating_sub(tiling.halo_px())))
        .map_err(|source| PredictError::Tiling { path: patches.path().to_owned(), source })
}
