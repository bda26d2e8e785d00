//! Scores coarser strides anew, below `RUN/study/rerun`, to measure their real cost.

use std::path::Path;

use rayon::ThreadPool;

use super::input;
use crate::cli::predict::predict_all;
use crate::cli::{Exit, Failure};
use crate::config::RunConfig;
use crate::jobs::lookup::Lookup;
use crate::number::GroupNumber;
use crate::progress::Progress;
use crate::run_dir::RunDir;
use crate::staged;
use crate::stitch;
use crate::study::HeatmapSource;

/// One source per stride: the run itself for its own stride, and a new run for each other stride.
pub(super) fn sources(
    source: &HeatmapSource,
    config: &RunConfig,
    slides: &[&str],
    pool: &ThreadPool,
    progress: &Progress,
) -> Result<Vec<HeatmapSource>, Failure> {
    let mut sources = Vec::new();
    for &stride in &source.strides {
        let run = match stride == config.config.predict.stride {
            true => source.run.clone(),
            false => run_at_stride(&source.run, config, stride, slides, pool, progress)?,
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
    pool: &ThreadPool,
    progress: &Progress,
) -> Result<RunDir, Failure> {
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
            .map_err(|e| input(format!("{}: cannot read the file: {e}", from.display())))?;
        staged::write(&to, &bytes)?;
    }
    let lookup = Lookup::read(&rerun)?;
    let rows = || lookup.rows().iter().filter(|row| slides.contains(&row.name.as_str()));
    let groups: Vec<(String, GroupNumber)> =
        rows().flat_map(|row| row.group_numbers().map(|group| (row.name.clone(), group))).collect();
    let exit = predict_all(&rerun, &config, &groups, pool, progress)?;
    if exit != Exit::Done {
        let problem = format!(
            "{}: not all groups could be scored at stride {stride}; see the lines above, then run the same command again",
            rerun.root().display()
        );
        return Err(Failure::new(exit, problem));
    }
    for row in rows() {
        stitch::stitch_slide(&rerun, &config, &row.name, false)?;
    }
    Ok(rerun)
}

/// Links the patches of the run, which do not depend on the stride.
fn link_patches(run: &RunDir, rerun: &RunDir) -> Result<(), Failure> {
    let link = rerun.root().join("patches");
    if link.exists() {
        return Ok(());
    }
    let patches = run.root().join("patches");
    let target = std::path::absolute(&patches).unwrap_or_else(|_| patches.clone());
    symlink(&target, &link)
        .map_err(|e| input(format!("{}: cannot link the patches here: {e}", link.display())))
}

fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    // A link that exists but is broken is replaced.
    drop(std::fs::remove_file(link));
    std::os::unix::fs::symlink(target, link)
}
