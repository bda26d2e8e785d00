//! The arguments that name slides: files, folders and lists of files.

use std::path::PathBuf;

use clap::Args;

use crate::progress::Progress;
use crate::run_dir::RunDir;
use crate::slide_inputs::{GivenMpp, GivenSlides, InputsError};

/// Settings of single slides.
#[derive(Debug, Args)]
pub(super) struct SlideOptions {
    /// Resolution of slides whose files state none, um per level-0 px. With NAME, the
    /// resolution of that slide, whatever its file states. The run remembers it.
    #[arg(long, value_name = "[NAME=]UM")]
    mpp: Vec<GivenMpp>,

    /// Table of slides (CSV) with the column slide and any of id, mpp, mask, truth, label,
    /// tissue_method and tissue_threshold. The run remembers these settings.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

impl SlideOptions {
    /// The slides named on the command line and in the manifest, and their settings.
    pub(super) fn collect(
        &self,
        run: &RunDir,
        named: &[PathBuf],
        progress: &Progress,
    ) -> Result<GivenSlides, InputsError> {
        GivenSlides::collect(run, named, self.manifest.as_deref(), &self.mpp, progress)
    }
}
