//! How slides are cut.

use serde::{Deserialize, Serialize};

use crate::export::coords::CoordsFormat;
use crate::geometry::groups::GroupSize;

/// `[tiling]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TilingKeys {
    /// Tile side, working px.
    pub tile: u32,
    /// Tiles along a block's side.
    pub block: u32,
    /// Window side when no model card gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<u32>,
    /// Most patches in a group; excludes `group_memory_mb`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patches_per_group: Option<u32>,
    /// Most megabytes (10^6 bytes) of pixels in a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_memory_mb: Option<u32>,
    /// How patches are stored.
    pub compression: CompressionKey,
    /// Gzip level, 1 to 9.
    pub gzip_level: u8,
    /// Where tissue tiles are, for other programs too.
    #[serde(skip_serializing_if = "Coords::is_empty")]
    pub coords: Coords,
}

/// `tiling.coords`: one name or a list of them.
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

/// Group pixels when nothing is said: 400 of the paper's 448 px patches.
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
    /// How many patches a group may hold.
    pub fn group_size(&self) -> GroupSize {
        match (self.patches_per_group, self.group_memory_mb) {
            (Some(patches), _) => GroupSize::Patches(patches),
            (None, megabytes) => GroupSize::Bytes(
                u64::from(megabytes.unwrap_or(DEFAULT_GROUP_MEMORY_MB)) * 1_000_000,
            ),
        }
    }
}

/// How patches are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CompressionKey {
    /// As they are.
    None,
    /// HDF5's stock gzip filter.
    Gzip,
}
