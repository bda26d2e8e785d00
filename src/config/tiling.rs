//! The section `[tiling]`: how slides are cut into patches.

use serde::{Deserialize, Serialize};

use crate::export::coords::CoordsFormat;
use crate::geometry::groups::GroupSize;

/// `[tiling]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TilingKeys {
    /// Side of a tile, working px.
    pub tile: u32,
    /// Side of a block, tiles.
    pub block: u32,
    /// Side of the window, working px, for runs without a model card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<u32>,
    /// Largest number of patches in a group; excludes `group_memory_mb`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patches_per_group: Option<u32>,
    /// Largest size of a group's pixels, MB (10^6 bytes).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_memory_mb: Option<u32>,
    /// Compression of stored patches.
    pub compression: CompressionKey,
    /// Gzip level, 1 to 9.
    pub gzip_level: u8,
    /// Formats in which the coordinates of tissue tiles are also written, for other programs.
    #[serde(skip_serializing_if = "Coords::is_empty")]
    pub coords: Coords,
}

/// `tiling.coords`: one format or a list of formats.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "OneOrMore<CoordsFormat>")]
pub struct Coords(pub Vec<CoordsFormat>);

impl Coords {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected \"clam\", \"trident\" or a list of them")]
enum OneOrMore<T> {
    One(T),
    More(Vec<T>),
}

impl From<OneOrMore<CoordsFormat>> for Coords {
    fn from(given: OneOrMore<CoordsFormat>) -> Self {
        Self(match given {
            OneOrMore::One(one) => vec![one],
            OneOrMore::More(more) => more,
        })
    }
}

/// Default size of a group's pixels, MB: 400 patches with a side of 448 px, as in the paper.
const DEFAULT_GROUP_MEMORY_MB: u32 = 241;

impl Default for TilingKeys {
    fn default() -> Self {
        Self {
            tile: 224,
            block: 4,
            window: None,
            patches_per_group: None,
            group_memory_mb: None,
            compression: CompressionKey::None,
            gzip_level: 1,
            coords: Coords::default(),
        }
    }
}

impl TilingKeys {
    /// The limit on the size of a group.
    pub fn group_size(&self) -> GroupSize {
        match (self.patches_per_group, self.group_memory_mb) {
            (Some(patches), _) => GroupSize::Patches(patches),
            (None, megabytes) => GroupSize::Bytes(
                u64::from(megabytes.unwrap_or(DEFAULT_GROUP_MEMORY_MB)) * 1_000_000,
            ),
        }
    }
}

/// Compression of stored patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CompressionKey {
    /// Patches are stored without compression.
    None,
    /// Patches are compressed with HDF5's standard gzip filter.
    Gzip,
}
