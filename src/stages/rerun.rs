//! Scores coarser strides anew, below `RUN/study/rerun`, to measure their real cost.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::completion::Completion;
use super::predict::{PredictStageError, groups_where, predict_all};
use crate::config::{ConfigError, RunConfig};
use crate::jobs::lookup::{Lookup, LookupError};
use crate::progress::Progress;
use crate::run_dir::RunDir;
use crate::staged::{self, StageError};
use crate::stitch::{StitchError, stitch_slide};
use crate::study::HeatmapSource;
use crate::threads::Workers;

/// A stride cannot be scored anew.
#[derive(Debug, Error)]
pub(crate) enum RerunError {
    /// The configuration at the stride does not fit the run there.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The table of tasks cannot be used.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// Groups cannot be scored.
    #[error(transparent)]
    Predict(#[from] PredictStageError),
    /// A slide cannot be stitched.
    #[error(transparent)]
    Stitch(#[from] StitchError),
    /// A table cannot be written.
    #[error(transparent)]
    Write(#[from] StageError),
    /// A table of the run cannot be read.
    #[error("{}: cannot read the file: {source}", path.display())]
    Read {
        /// The table.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The patches of the run cannot be linked.
    #[error("{}: cannot link the patches here: {source}", path.display())]
    Link {
        /// The link.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Groups have no scores.
    #[error("{}: not all groups could be scored at stride {stride}; see the lines above, then run the same command again", run.display())]
    Incomplete {
        /// The run at the stride.
        run: PathBuf,
        /// The stride, working px.
        stride: u32,
        /// How much of the groups is scored.
        completion: Completion,
    },
}

/// One source per stride: the run itself for its own stride, and a new run for each other stride.
///
/// # Errors
/// [`RerunError`] if a run cannot be made, or not all of its groups can be scored.
pub(crate) fn sources(
    source: &HeatmapSource,
    config: &RunConfig,
    slides: &[&str],
    workers: &Workers<'_>,
    progress: &Progress,
) -> Result<Vec<HeatmapSource>, RerunError> {
    let mut sources = Vec::new();
    for &stride in &source.strides {
        let run = match stride == config.config.predict.stride {
            true => source.run.clone(),
            false => run_at_stride(&source.run, config, stride, slides, workers, progress)?,
        };
        sources.push(HeatmapSource { name: source.name.clone(), run, strides: vec![stride] });
    }
    Ok(sources)
}

/// Scores and stitches the run at another stride, in a run directory of its own that links the
/// patches. Groups and heatmaps that are done are kept.
fn run_at_stride(
    run: &RunDir,
    config: &RunConfig,
    stride: u32,
    slides: &[&str],
    workers: &Workers<'_>,
    progress: &Progress,
) -> Result<RunDir, RerunError> {
    let rerun = RunDir::new(&run.study().join("rerun").join(format!("stride{stride}")));
    let mut config = config.clone();
    config.config.predict.stride = stride;
    config.config.stitch.png = false;
    config.config.stitch.export.clear();
    config.settle(rerun.root())?;
    link_patches(run, &rerun)?;
    for (from, to) in
        [(run.slides_csv(), rerun.slides_csv()), (run.lookup_csv(), rerun.lookup_csv())]
    {
        let bytes = std::fs::read(&from)
            .map_err(|source| RerunError::Read { path: from.clone(), source })?;
        staged::write(&to, &bytes)?;
    }
    let lookup = Lookup::read(&rerun)?;
    let groups = groups_where(&lookup, &|name| slides.contains(&name));
    let completion = predict_all(&rerun, &config, &groups, workers, progress)?.completion;
    if completion != Completion::Done {
        let run = rerun.root().to_owned();
        return Err(RerunError::Incomplete { run, stride, completion });
    }
    let rows = lookup.rows().iter();
    for row in rows.filter(|row| slides.contains(&row.name.as_str())) {
        stitch_slide(&rerun, &config, &row.name, false)?;
    }
    Ok(rerun)
}

/// Links the patches of the run, which do not depend on the stride.
fn link_patches(run: &RunDir, rerun: &RunDir) -> Result<(), RerunError> {
    let link = rerun.root().join("patches");
    if link.exists() {
        return Ok(());
    }
    let patches = run.root().join("patches");
    let target = std::path::absolute(&patches).unwrap_or_else(|_| patches.clone());
    symlink(&target, &link).map_err(|source| RerunError::Link { path: link, source })
}

fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    // A link that exists but is broken is replaced.
    drop(std::fs::remove_file(link));
    std::os::unix::fs::symlink(target, link)
}
