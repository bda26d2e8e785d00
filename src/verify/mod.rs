//! Checks every file of a run against what the run has recorded: `slidegrid verify`.
//!
//! Slides are checked one after the other; the parts of a slide's patches, and its score files, on
//! all workers at once. Each worker holds 1 MiB of a file, or the scores of one group and its
//! lattice points. Heatmaps are read 256 rows at a time.

mod check;
mod contents;
mod exports;
mod findings;
mod heatmap;
mod inputs;
mod patches;
mod scores;
mod tables;
mod unknown;

use crate::config::RunConfig;
use crate::damage;
use crate::number::GroupNumber;
use crate::progress::Progress;
use crate::run_dir::{RunDir, SlideRecord};
use crate::threads::Workers;

use check::{Begun, BytesRead, Check, is_absent};
pub(crate) use check::{VerifyOptions, Without};
pub(crate) use findings::Findings;
use findings::length;

/// Checks every file of the run.
pub(crate) fn verify(
    run: &RunDir,
    config: &RunConfig,
    options: &VerifyOptions,
    workers: Workers<'_>,
    progress: &Progress,
) -> Findings {
    let mut findings = Findings::default();
    let slides = tables::slides(run, &mut findings);
    let lookup = tables::lookup(run, &mut findings);
    let total_mb = total_bytes(run, &slides) >> 20;
    let task = progress.start("verify", "MiB", usize::try_from(total_mb).unwrap_or(0));
    let begun = begun(run, &slides);
    let read = BytesRead::new(task);
    let check = Check { run, config, options, workers, lookup, begun, read };
    tables::check(&check, &slides, &mut findings);
    inputs::check_model(&check, &mut findings);
    for slide in &slides {
        if let Some(signal) = workers.interrupt.requested() {
            findings.interrupted = Some(signal);
            break;
        }
        findings.add(check_slide(&check, slide));
    }
    unknown::find(run, &slides, check.lookup.as_ref(), &mut findings);
    findings
}

/// Checks all files of a slide.
fn check_slide(check: &Check<'_>, record: &SlideRecord) -> Findings {
    let name = &record.name;
    let mut findings = Findings::default();
    if !check.options.without.contains(&Without::Slides) {
        inputs::check_slide(check, record, &mut findings);
    }
    let patches = patches::check(check, record, &mut findings);
    let groups = check.groups(record, patches.as_ref().map(|patches| patches.groups()));
    let scores = scores::check(check, record, patches.as_ref(), groups, &mut findings);
    heatmap::check(check, record, patches.as_ref(), &scores, &mut findings);
    exports::check(check, record, &mut findings);
    for problem in &mut findings.problems {
        problem.slide.get_or_insert_with(|| name.clone());
    }
    findings
}

/// Whether the run has results of a stage.
fn begun(run: &RunDir, slides: &[SlideRecord]) -> Begun {
    let has = |name: &str| {
        let scores = std::fs::read_dir(run.scores_of(name));
        scores.is_ok_and(|mut entries| entries.next().is_some())
    };
    let is_stitched = |name: &str| {
        let heatmap = run.heatmap(name, "h5");
        let made = [damage::aside(&heatmap), heatmap, run.stitch_record(name)];
        made.iter().any(|path| !is_absent(path))
    };
    let stitch = slides.iter().any(|slide| is_stitched(&slide.name));
    Begun { predict: stitch || slides.iter().any(|slide| has(&slide.name)), stitch }
}

/// Length of the files that will be read, bytes.
fn total_bytes(run: &RunDir, slides: &[SlideRecord]) -> u64 {
    let of_slide = |slide: &SlideRecord| {
        let groups = GroupNumber::up_to(slide.groups.unwrap_or(0));
        let scores: u64 = groups.map(|group| length(&run.scores(&slide.name, group))).sum();
        length(&run.patches(&slide.name)) + scores + length(&run.heatmap(&slide.name, "h5"))
    };
    slides.iter().map(of_slide).sum()
}
