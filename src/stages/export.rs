//! The exports of heatmaps and patch files: of the slides of a run, or of files given by path.

use std::path::{Path, PathBuf};

use super::error::StagesError;
use crate::export::coords::{CoordsFormat, write_coords};
use crate::export::{ExportError, ExportFormat, GeoJsonRules, export_heatmap, with_tiles};
use crate::heatmap_h5::read_heatmap_meta;
use crate::patches::PatchesFile;
use crate::run_dir::{self, RunDir};
use crate::staged;

/// The files that a command exports.
pub(crate) enum ExportInput<'a> {
    /// Files given by their paths; each may have any name.
    Files(&'a [PathBuf]),
    /// Files of a run.
    Run {
        /// The run directory.
        run: RunDir,
        /// Names of the slides; `None` for all that have such a file.
        slides: Option<&'a [String]>,
    },
}

/// A file to export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExportFile {
    /// Name of the slide, after which the exports are named.
    pub slide: String,
    /// The heatmap or patch file.
    pub file: PathBuf,
    /// Folder of the exports.
    pub folder: PathBuf,
}

impl ExportInput<'_> {
    /// The heatmaps. The exports go to `out`, or else to the folder of the heatmap.
    ///
    /// # Errors
    /// [`StagesError::NothingToExport`] if the run has no heatmaps.
    pub(crate) fn heatmaps(&self, out: Option<&Path>) -> Result<Vec<ExportFile>, StagesError> {
        self.files_in(RunDir::heatmaps, RunDir::heatmaps, out)
    }

    /// The patch files. The coordinates go to `out`, or else to the folder `coords` of the run.
    ///
    /// # Errors
    /// [`StagesError::NothingToExport`] if the run has no patch files.
    pub(crate) fn patches(&self, out: Option<&Path>) -> Result<Vec<ExportFile>, StagesError> {
        self.files_in(|run| run.root().join("patches"), RunDir::coords, out)
    }

    /// The files that were given, or those in the folder `from` of the run. The exports go to
    /// `out`, or else to the folder `into` of the run.
    fn files_in(
        &self,
        from: impl Fn(&RunDir) -> PathBuf,
        into: impl Fn(&RunDir) -> PathBuf,
        out: Option<&Path>,
    ) -> Result<Vec<ExportFile>, StagesError> {
        let (run, slides) = match self {
            Self::Files(files) => {
                return Ok(files.iter().map(|file| ExportFile::given(file, out)).collect());
            }
            Self::Run { run, slides } => (run, slides),
        };
        let (folder, out) = (from(run), out.map_or_else(|| into(run), Path::to_owned));
        let names = match slides {
            Some(slides) => slides.to_vec(),
            None => staged::names_ending(&folder, ".h5")?,
        };
        if names.is_empty() {
            return Err(StagesError::NothingToExport { folder });
        }
        let file = |slide: String| ExportFile {
            file: folder.join(format!("{slide}.h5")),
            folder: out.clone(),
            slide,
        };
        Ok(names.into_iter().map(file).collect())
    }

    /// Writes the exports of a heatmap and returns their paths. A heatmap of a run must be that
    /// of the slide whose name its file has.
    ///
    /// # Errors
    /// [`ExportError`] naming the file that failed.
    pub(crate) fn export_heatmap(
        &self,
        heatmap: &ExportFile,
        formats: &[ExportFormat],
        rules: &GeoJsonRules,
    ) -> Result<Vec<PathBuf>, ExportError> {
        let ExportFile { slide, file, folder } = heatmap;
        if matches!(self, Self::Run { .. }) {
            read_heatmap_meta(file)?.check_named(file)?;
        }
        let made = export_heatmap(file, folder, slide, formats, rules)?;
        self.record(slide, &with_tiles(folder, slide, &made))?;
        Ok(made)
    }

    /// Writes the coordinates of a patch file's tiles and returns the paths of the files.
    ///
    /// # Errors
    /// [`ExportError`] naming the file that failed.
    pub(crate) fn export_coords(
        &self,
        patches: &ExportFile,
        formats: &[CoordsFormat],
    ) -> Result<Vec<PathBuf>, ExportError> {
        let ExportFile { slide, file, folder } = patches;
        let patches = PatchesFile::open(file)?;
        let write = |&format: &CoordsFormat| write_coords(&patches, folder, slide, format);
        let made = formats.iter().map(write).collect::<Result<Vec<_>, _>>()?;
        self.record(slide, &made)?;
        Ok(made)
    }

    /// Records exports that lie in the run directory.
    fn record(&self, slide: &str, made: &[PathBuf]) -> Result<(), ExportError> {
        match self {
            Self::Files(_) => Ok(()),
            Self::Run { run, .. } => Ok(run_dir::record_files(run, slide, made)?),
        }
    }
}

impl ExportFile {
    /// A file given by its path, whose exports go to `out`, or else to the file's folder.
    fn given(file: &Path, out: Option<&Path>) -> Self {
        let above = file.parent().unwrap_or(Path::new(""));
        Self {
            slide: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            file: file.to_owned(),
            folder: out.unwrap_or(above).to_owned(),
        }
    }
}
