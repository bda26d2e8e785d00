//! The row of a slide in the table of slides.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::identity::SlideIdentity;

/// The outcome of splitting a slide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlideStatus {
    /// The slide was not split yet.
    #[default]
    Waiting,
    /// The slide was split and every patch was decoded.
    Done,
    /// The slide was split, but some patches could not be decoded.
    Partial,
    /// The slide was split and has no tissue, so there is nothing to score.
    NoTissue,
    /// The slide could not be split.
    Failed,
}

impl SlideStatus {
    /// Whether the slide has a patch file with something to score.
    pub fn has_patches(self) -> bool {
        matches!(self, Self::Done | Self::Partial)
    }

    /// The word for the status in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Partial => "partial",
            Self::NoTissue => "no-tissue",
            Self::Failed => "failed",
        }
    }
}

/// A row of `slides.csv`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SlideRecord {
    /// Name of the slide: the stem of its file, or the name that the user or the format gives it.
    pub name: String,
    /// Absolute path of the slide file.
    pub path: PathBuf,
    /// Outcome of the split.
    pub status: SlideStatus,
    /// Why the split failed or found nothing, and what to do; otherwise empty.
    pub reason: String,
    /// Name of the reader that read the slide file.
    pub reader: String,
    /// Width of the working plane, px.
    pub width: Option<u32>,
    /// Height of the working plane, px.
    pub height: Option<u32>,
    /// Width of level 0, px.
    pub level0_width: Option<u32>,
    /// Height of level 0, px.
    pub level0_height: Option<u32>,
    /// Level-0 px per working px.
    pub downsample: Option<f64>,
    /// Resolution of the slide, um per level-0 px.
    pub mpp: Option<f64>,
    /// Where the resolution was found.
    pub mpp_source: String,
    /// Number of tissue tiles.
    pub tissue_tiles: Option<usize>,
    /// Number of stored patches.
    pub patches: Option<usize>,
    /// Number of groups.
    pub groups: Option<u32>,
    /// Number of patches that could not be decoded.
    pub failed_patches: Option<usize>,
    /// Wall time of the split, seconds.
    pub split_s: Option<f64>,
    /// Processor time of the split, seconds.
    pub split_cpu_s: Option<f64>,
    /// Number of threads of the split.
    pub split_threads: Option<usize>,
    /// When the split began, Unix time.
    pub started_unix_s: Option<f64>,
    /// What was done with the slide's colour profile; empty unless `[normalize] icc` is set.
    pub icc: String,
    /// The slide's own tissue settings, as given; empty if the slide has the run's settings.
    pub tissue_settings: String,
    /// Share of tiles on which the tissue method and the texture check differ, 0 to 1: tiles that
    /// only one of the two marks, divided by the tiles that at least one marks.
    pub tissue_differs: Option<f64>,
    /// Number of tiles that texture marks and the tissue method does not.
    pub tissue_left_out: Option<usize>,
    /// Number of tiles that the tissue method marks and texture does not.
    pub tissue_added: Option<usize>,
    /// Something to look at although nothing failed; empty if there is nothing.
    pub note: String,
    /// Length of the slide's file when it was split, bytes.
    pub slide_bytes: Option<u64>,
    /// When the slide's file was last modified before the split, Unix time, seconds.
    pub slide_modified_unix_s: Option<i64>,
    /// XXH3 of size, first and last MiB of the slide's file, in hexadecimal; empty if unknown.
    pub slide_hash: String,
    /// Where the scanned area of the slide begins, level-0 px along x; `None` if its file does
    /// not say.
    pub bounds_x: Option<u32>,
    /// The same along y.
    pub bounds_y: Option<u32>,
}

impl SlideRecord {
    /// The slide's file as it was when it was split; `None` if it was not split, or by an
    /// earlier version.
    pub fn identity(&self) -> Option<SlideIdentity> {
        Some(SlideIdentity {
            bytes: self.slide_bytes?,
            modified_unix_s: self.slide_modified_unix_s?,
            hash: u64::from_str_radix(&self.slide_hash, 16).ok()?,
        })
    }

    /// Where the scanned area of the slide begins, x and y, level-0 px.
    pub fn bounds_px(&self) -> Option<[u32; 2]> {
        self.bounds_x.zip(self.bounds_y).map(|(x, y)| [x, y])
    }

    /// Whether the slide was split by a version that recorded no identity. Its files are of version
    /// 1 and have no checksums.
    pub(crate) fn is_of_version_1(&self) -> bool {
        self.started_unix_s.is_some() && self.identity().is_none()
    }

    /// Records the slide's file as it is now.
    pub fn set_identity(&mut self, found: &SlideIdentity) {
        self.slide_bytes = Some(found.bytes);
        self.slide_modified_unix_s = Some(found.modified_unix_s);
        self.slide_hash = format!("{:016x}", found.hash);
    }

    /// How the slide's file, today at `path`, has changed since it was split, in words, if it has.
    pub fn change(&self, path: &Path) -> Option<String> {
        self.identity()?.change(path, self.started_unix_s.unwrap_or(f64::NEG_INFINITY))
    }
}
