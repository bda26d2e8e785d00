//! The schema of a patch file, format version 2: names, types and meanings.
//!
//! | item | type and shape | meaning |
//! |---|---|---|
//! | `/tissue` | u8 [rows, cols] | tissue mask of the whole slide, 1 = tissue |
//! | `/failures` | UTF-8 `[F]` | one line per patch that could not be read |
//! | `/thumbnail` | u8 [h, w, 3] | small picture of the slide, optional |
//! | `/t<k>/img` | u8 [N, P, P, 3] | RGB, \[patch, row, col, channel\] |
//! | `/t<k>/coord` | i64 [N, 5] | tile col, tile row, x, y, P |
//! | `/t<k>/tissue` | u8 [N, B, B] | tissue tiles of the block |
//! | `/t<k>/failed` | u8 `[N]` | 1 = the patch could not be read, its pixels are white |
//! | `/t<k>/img_xxh3` | u64 `[N]` | hash of each patch's stored bytes |

use std::collections::BTreeMap;

use crate::geometry::tiling::TilingError;
use crate::geometry::{BlockPlan, Tiling, WorkingPlane};
use crate::hdf5_file::{Attributes, FormatError, Lineage, check_header, put_header};
use crate::number::GroupNumber;

/// The `format` attribute.
pub const FORMAT: &str = "slidegrid-patches";
/// The newest version this program reads, and the one it writes.
pub const VERSION: i64 = 2;

/// What is stored of a patch: its pixels.
const STORE: &str = "pixels";

pub(crate) const TISSUE: &str = "tissue";
/// `[tile row, tile col]`, 1 = textured like tissue, independent of the tissue method.
pub(crate) const TEXTURE: &str = "texture";
pub(crate) const FAILURES: &str = "failures";
pub(crate) const THUMBNAIL: &str = "thumbnail";
pub(crate) const IMG: &str = "img";
pub(crate) const COORD: &str = "coord";
pub(crate) const FAILED: &str = "failed";
/// Prefix of the attributes `threshold_<name>`.
const THRESHOLD: &str = "threshold_";
/// Prefix of the attributes `provenance_<name>`.
const PROVENANCE: &str = "provenance_";

/// Name of a group in the file.
pub(crate) fn group_name(group: GroupNumber) -> String {
    format!("t{group}")
}

/// Groups of a slide with so many patches, of which a full group has `per_group`.
pub(crate) fn group_count(patches: usize, per_group: usize) -> u32 {
    let groups = patches.div_ceil(per_group.max(1));
    u32::try_from(groups).expect("the patches of a slide, which are in memory, are fewer than 2^32")
}

/// The root attributes of a patch file.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchesMeta {
    /// Name of the slide, which is its file's stem.
    pub slide: String,
    /// Width of the working plane, px.
    pub width_px: u32,
    /// Height of the working plane, px.
    pub height_px: u32,
    /// Width of the slide at level 0.
    pub level0_width_px: u32,
    /// Height of the slide at level 0.
    pub level0_height_px: u32,
    /// Level-0 px per working px.
    pub downsample: f64,
    /// Micrometres per working px along x; NaN in the file if unknown.
    pub mpp_x: Option<f64>,
    /// Micrometres per working px along y; NaN in the file if unknown.
    pub mpp_y: Option<f64>,
    /// Side of a tile, working px.
    pub tile_px: u32,
    /// Tiles along a block's side.
    pub block_tiles: u32,
    /// Side of the network's window, working px.
    pub window_px: u32,
    /// Width of the halo, px: what a patch has beyond its block on each side. At least half a
    /// window.
    pub halo_px: u32,
    /// Number of groups, `/t1` to `/t<groups>`.
    pub groups: u32,
    /// Number of patches in all groups.
    pub patches: usize,
    /// Method by which tissue was found.
    pub tissue_method: String,
    /// Thresholds of that method, by name; attributes `threshold_<name>`.
    pub thresholds: BTreeMap<String, f64>,
    /// Hash of the run's configuration.
    pub config_sha256: String,
    /// Further facts about the origin of the data, by name; attributes `provenance_<name>`.
    pub provenance: BTreeMap<String, String>,
    /// The slide's file, and the file's `id`.
    pub lineage: Lineage,
    /// Name and version of the program that wrote the file. Set on reading.
    pub writer: String,
    /// Whether the file is one of the original HPC_DPAI code. Set on reading.
    pub legacy: bool,
}

impl PatchesMeta {
    /// The attributes that follow from the plan of a slide. The caller adds `tissue_method`,
    /// `thresholds`, `config_sha256` and `provenance`.
    ///
    /// `per_group` is the number of patches in a full group, at least 1.
    pub fn planned(slide: &str, plane: &WorkingPlane, plan: &BlockPlan, per_group: usize) -> Self {
        let tiling = plan.tiling();
        let patches = plan.patches().len();
        Self {
            slide: slide.to_owned(),
            width_px: plane.width_px,
            height_px: plane.height_px,
            level0_width_px: plane.level0_width_px,
            level0_height_px: plane.level0_height_px,
            downsample: plane.downsample,
            mpp_x: plane.mpp_x,
            mpp_y: plane.mpp_y,
            tile_px: tiling.tile_px(),
            block_tiles: tiling.block_tiles(),
            window_px: tiling.window_px(),
            halo_px: tiling.halo_px(),
            groups: group_count(patches, per_group),
            patches,
            tissue_method: String::new(),
            thresholds: BTreeMap::new(),
            config_sha256: String::new(),
            provenance: BTreeMap::new(),
            lineage: Lineage::default(),
            writer: String::new(),
            legacy: false,
        }
    }

    /// The tiling by which the slide was cut.
    ///
    /// # Errors
    /// [`TilingError`] if the sizes do not make a tiling; those that were read from a file do.
    pub fn tiling(&self) -> Result<Tiling, TilingError> {
        Tiling::new(self.tile_px, self.block_tiles, self.window_px)?
            .with_margin(self.halo_px.saturating_sub(self.window_px.div_ceil(2)))
    }

    /// Shape of the tissue mask: (rows, columns).
    pub fn mask_shape(&self) -> (usize, usize) {
        let tiles = |px: u32| px.div_ceil(self.tile_px.max(1)) as usize;
        (tiles(self.height_px), tiles(self.width_px))
    }

    pub(crate) fn write_attributes(&self, attributes: &Attributes<'_>) -> Result<(), FormatError> {
        put_header(attributes, FORMAT, VERSION)?;
        attributes.put_str("slide", &self.slide)?;
        attributes.put_str("store", STORE)?;
        self.lineage.write_attributes(attributes)?;
        for (name, value) in [
            ("width", self.width_px),
            ("height", self.height_px),
            ("level0_width", self.level0_width_px),
            ("level0_height", self.level0_height_px),
            ("tile", self.tile_px),
            ("block", self.block_tiles),
            ("window", self.window_px),
            ("halo", self.halo_px),
        ] {
            attributes.put_i64(name, i64::from(value))?;
        }
        attributes.put_f64("downsample", self.downsample)?;
        attributes.put_f64_or_nan("mpp_x", self.mpp_x)?;
        attributes.put_f64_or_nan("mpp_y", self.mpp_y)?;
        attributes.put_i64("groups", i64::from(self.groups))?;
        attributes.put_usize("patches", self.patches)?;
        attributes.put_str("tissue_method", &self.tissue_method)?;
        attributes.put_str("config_sha256", &self.config_sha256)?;
        for (name, value) in &self.thresholds {
            attributes.put_f64(&format!("{THRESHOLD}{name}"), *value)?;
        }
        for (name, value) in &self.provenance {
            attributes.put_str(&format!("{PROVENANCE}{name}"), value)?;
        }
        Ok(())
    }

    pub(crate) fn read_attributes(attributes: &Attributes<'_>) -> Result<Self, FormatError> {
        let writer = check_header(attributes, FORMAT, VERSION)?;
        let names = attributes.names()?;
        let with_prefix = |prefix: &'static str| {
            names.iter().filter_map(move |n| Some((n.strip_prefix(prefix)?.to_owned(), n)))
        };
        let window_px = attributes.u32("window", 1)?;
        // Older files have no attribute `halo`; their halo is half a window.
        let halo_px = if attributes.contains("halo")? {
            attributes.u32("halo", 0)?
        } else {
            window_px.div_ceil(2)
        };
        check_store(attributes)?;
        let meta = Self {
            lineage: Lineage::read_attributes(attributes)?,
            slide: attributes.str("slide")?,
            width_px: attributes.u32("width", 1)?,
            height_px: attributes.u32("height", 1)?,
            level0_width_px: attributes.u32("level0_width", 1)?,
            level0_height_px: attributes.u32("level0_height", 1)?,
            downsample: attributes.positive("downsample")?,
            mpp_x: attributes.f64_or_nan("mpp_x")?,
            mpp_y: attributes.f64_or_nan("mpp_y")?,
            tile_px: attributes.u32("tile", 1)?,
            block_tiles: attributes.u32("block", 1)?,
            window_px,
            halo_px,
            groups: attributes.u32("groups", 0)?,
            patches: attributes.usize("patches")?,
            tissue_method: attributes.str("tissue_method")?,
            thresholds: with_prefix(THRESHOLD)
                .map(|(name, full)| Ok((name, attributes.f64(full)?)))
                .collect::<Result<_, FormatError>>()?,
            config_sha256: attributes.str("config_sha256")?,
            provenance: with_prefix(PROVENANCE)
                .map(|(name, full)| Ok((name, attributes.str(full)?)))
                .collect::<Result<_, FormatError>>()?,
            writer,
            legacy: false,
        };
        if halo_px < window_px.div_ceil(2) {
            let problem =
                format!("halo is {halo_px}, expected at least half of window {window_px}");
            return Err(FormatError::invalid(attributes.path(), problem));
        }
        meta.tiling().map_err(|e| FormatError::invalid(attributes.path(), e.to_string()))?;
        Ok(meta)
    }
}

/// Refuses a file that stores something else than pixels.
fn check_store(attributes: &Attributes<'_>) -> Result<(), FormatError> {
    if !attributes.contains("store")? {
        return Ok(());
    }
    match attributes.str("store")?.as_str() {
        STORE => Ok(()),
        other => {
            let problem = format!("stores {other:?}, expected {STORE:?}: update slidegrid");
            Err(FormatError::invalid(attributes.path(), problem))
        }
    }
}
