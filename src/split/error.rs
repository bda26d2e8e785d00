//! The reasons why a slide cannot be split.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::crash::{self, Death};
use crate::export::png::PngError;
use crate::geometry::plane::PlaneError;
use crate::hdf5_file::FormatError;
use crate::heatmap::RenderError;
use crate::slide::{RegionError, ResolutionError, SlideError};
use crate::staged::StageError;
use crate::tissue::TissueError;

/// Why a slide could not be split.
#[derive(Debug, Error)]
pub(crate) enum SplitError {
    /// The slide cannot be opened.
    #[error(transparent)]
    Open(#[from] SlideError),
    /// The program has died of this slide, or gave up a read of it, and nothing has changed since.
    #[error("{}: {}", path.display(), died(*times, *last, marker))]
    Died {
        /// The slide.
        path: PathBuf,
        /// Number of deaths.
        times: usize,
        /// The last one.
        last: Death,
        /// The file with the notes of the deaths.
        marker: PathBuf,
    },
    /// The slide's resolution is unknown.
    #[error(transparent)]
    Resolution(#[from] ResolutionError),
    /// The slide is smaller than the network's window.
    #[error("{}: the slide is {width_px} x {height_px} px at the working resolution (downsample {downsample:.3}), smaller than one window of {window_px} px; give a larger slide, or a model with a smaller window or a finer mpp", path.display())]
    TooSmall {
        /// The slide.
        path: PathBuf,
        /// Width of the working plane.
        width_px: u32,
        /// Height of the working plane.
        height_px: u32,
        /// Level-0 px per working px.
        downsample: f64,
        /// The network's window.
        window_px: u32,
    },
    /// Neither the overview nor the pictures for the tissue mask can be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The slide.
        path: PathBuf,
        /// The region that failed.
        source: RegionError,
    },
    /// Too many reads of the slide have failed.
    #[error(transparent)]
    GivenUp(RegionError),
    /// The slide has no working plane.
    #[error("{}: {source}", path.display())]
    Plane {
        /// The slide.
        path: PathBuf,
        /// Why.
        source: PlaneError,
    },
    /// The user's tissue mask cannot be read.
    #[error("{}: the tissue mask {}: {problem}; expected a picture of the whole slide, not 0 where there is tissue", path.display(), mask.display())]
    Mask {
        /// The slide.
        path: PathBuf,
        /// The mask image.
        mask: PathBuf,
        /// What was found.
        problem: String,
    },
    /// The tissue cannot be found with the configured settings.
    #[error("{}: {source}", path.display())]
    Tissue {
        /// The slide.
        path: PathBuf,
        /// Why.
        source: TissueError,
    },
    /// The picture of the mask cannot be drawn.
    #[error("{}: {source}", path.display())]
    Render {
        /// The slide.
        path: PathBuf,
        /// Why.
        source: RenderError,
    },
    /// The picture of the mask cannot be written.
    #[error(transparent)]
    Picture(#[from] PngError),
    /// The patch file cannot be read or written.
    #[error(transparent)]
    Patches(#[from] FormatError),
    /// The outcome cannot be written.
    #[error(transparent)]
    Write(#[from] StageError),
    /// A signal ended the work; no file of the slide is left.
    #[error("{signal}: ended, nothing of this slide is kept; run the same command again")]
    Interrupted {
        /// The signal.
        signal: &'static str,
    },
    /// A patch file of another configuration exists.
    #[error("{}: these patches were made with another configuration (hash {found}, this run has {expected}); delete the file, or use another run directory", path.display())]
    OtherConfig {
        /// The patch file.
        path: PathBuf,
        /// Its hash.
        found: String,
        /// The run's.
        expected: String,
    },
    /// Patches exist that were made at another resolution of the slide.
    #[error("{}: these patches were made with the slide at {found} um/px, the configuration now says {expected}; delete this file, scores/{name} and heatmaps/{name}.*, or use another run directory", path.display())]
    OtherMpp {
        /// The patch file.
        path: PathBuf,
        /// The slide.
        name: String,
        /// Resolution of the patches, um/px.
        found: f64,
        /// Resolution in the configuration, um/px.
        expected: f64,
    },
    /// Patches exist that were made before the slide's file changed.
    #[error("{}: the file has changed since it was split ({change}); put the old file back, or do the slide afresh with `{redo}`", path.display())]
    Changed {
        /// The slide's file.
        path: PathBuf,
        /// What has changed.
        change: String,
        /// The command that does the slide afresh.
        redo: String,
    },
    /// Patches exist that were made with other tissue settings for the slide.
    #[error("{}: these patches were made with {} for this slide, the configuration now says {}; delete this file, scores/{name} and heatmaps/{name}.*, or use another run directory", path.display(), settings(found), settings(expected))]
    OtherTissue {
        /// The patch file.
        path: PathBuf,
        /// The slide.
        name: String,
        /// The slide's own settings when the patches were made; empty for those of the run.
        found: String,
        /// The slide's own settings in the configuration; empty for those of the run.
        expected: String,
    },
}

impl SplitError {
    /// Whether the outcome of the earlier split still describes the patches: those of another
    /// configuration, and those that cannot be looked at now.
    pub(super) fn leaves_outcome(&self) -> bool {
        matches!(
            self,
            Self::OtherMpp { .. }
                | Self::OtherTissue { .. }
                | Self::Changed { .. }
                | Self::Patches(FormatError::Stage(_))
                | Self::Write(_)
        )
    }
}

fn settings(given: &str) -> String {
    if given.is_empty() {
        "the run's tissue settings".to_owned()
    } else {
        format!("tissue settings of its own ({given})")
    }
}

fn died(times: usize, last: Death, marker: &Path) -> String {
    if last == Death::Waiting {
        return format!(
            "{last}; check the storage, then run the same command again ({} sets the limit)",
            crash::LIMIT_VARIABLE
        );
    }
    let times = match times {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        more => format!("{more} times"),
    };
    let marker = marker.display();
    format!(
        "the program died {times} while it read this slide: {last}; the file is probably damaged: compare size and checksum with its source, or convert it to a pyramidal TIFF. It is left out until the file, slidegrid or OpenSlide changes; to try it again, delete {marker}"
    )
}
