//! Coarser strides scored anew, below `RUN/study/rerun`, for their real cost.

use std::path::Path;

use super::input;
use crate::cli::options::ThreadOptions;
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

/// The source at its own stride, and a run of its own for each other one.
pub(super) fn sources(
    source: &HeatmapSource,
    config: &RunConfig,
    slides: &[&str],
    threads: &ThreadOptions,
    progress: &Progress,
) -> Result<Vec<HeatmapSource>, Failure> {
    let mut sources = Vec::new();
    for &stride in &source.strides {
        let run = match stride == config.config.predict.stride {
            true => source.run.clone(),
            false => scored(&source.run, config, stride, slides, threads, progress)?,
        };
        sources.push(HeatmapSource { name: source.name.clone(), run, strides: vec![stride] });
    }
    Ok(sources)
}

/// The run at another stride: its patches, its slides, scores of its own. What
/// is done is kept.
fn scored(
    run: &RunDir,
    config: &RunConfig,
    stride: u32,
    slides: &[&str],
    threads: &ThreadOptions,
    progress: &Progress,
) -> Result<RunDir, Failure> {
    let again = RunDir::new(&run.study().join("rerun").join(format!("stride{stride}")));
    let mut config = config.clone();
    config.config.predict.stride = stride;
    config.config.stitch.png = false;
    config.config.stitch.export.clear();
    config.settle(again.root())?;
    link_patches(run, &again)?;
    for (from, to) in
        [(run.slides_csv(), again.slides_csv()), (run.lookup_csv(), again.lookup_csv())]
    {
        let bytes = std::fs::read(&from)
            .map_err(|e| input(format!("{}: cannot read it: {e}", from.display())))?;
        staged::write(&to, &bytes)?;
    }
    let lookup = Lookup::read(&again)?;
    let rows = || lookup.rows().iter().filter(|row| slides.contains(&row.name.as_str()));
    let groups: Vec<(String, GroupNumber)> =
        rows().flat_map(|row| row.group_numbers().map(|group| (row.name.clone(), group))).collect();
    let exit = predict_all(&again, &config, &groups, threads, progress)?;
    if exit != Exit::Done {
        let problem = format!(
            "{}: not all groups could be scored at stride {stride}; see the lines above, then run the same command again",
            again.root().display()
        );
        return Err(Failure::new(exit, problem));
    }
    for row in rows() {
        stitch::stitch_slide(&again, &config, &row.name, false)?;
    }
    Ok(again)
}

/// Patches do not depend on the stride.
fn link_patches(run: &RunDir, again: &RunDir) -> Result<(), Failure> {
    let link = again.root().join("patches");
    if link.exists() {
        return Ok(());
    }
    let patches = run.root().join("patches");
    let target = std::path::absolute(&patches).unwrap_or_else(|_| patches.clone());
    symlink(&target, &link)
        .map_err(|e| input(format!("{}: cannot link the patches here: {e}", link.display())))
}

fn symlink(target: &Path, link: &Path) -> std::io::Result<()> {
    // A link to where the patches were is of no use.
    drop(std::fs::remove_file(link));
    std::os::unix::fs::symlink(target, link)
}
