//! The stage `stitch` over several slides.

use std::path::Path;
use std::time::Instant;

use super::completion::{Completion, StageEnd};
use super::error::StagesError;
use super::failure_file;
use super::failure_kind::FailureKind;
use super::interrupted::GO_ON;
use crate::config::RunConfig;
use crate::damage::SetAside;
use crate::interrupt::Interrupt;
use crate::jobs::cost::StitchRecord;
use crate::jobs::outcome::{OutcomeKind, Undone};
use crate::number::{counted, ranges};
use crate::process;
use crate::progress::Progress;
use crate::run_dir::{RunDir, SlideRecord};
use crate::staged;
use crate::stitch::{Stitched, stitch_slide};

/// The name of a slide that is to be stitched.
///
/// # Errors
/// [`StagesError::NoPatches`] if the slide has no patches, and [`StagesError::Write`] if the
/// system does not say whether it has.
pub(crate) fn with_patches(run: &RunDir, record: &SlideRecord) -> Result<String, StagesError> {
    if staged::is_there(&run.patches(&record.name))? {
        return Ok(record.name.clone());
    }
    let reason = match record.reason.as_str() {
        "" => "run `slidegrid split` first",
        reason => reason,
    };
    Err(StagesError::NoPatches {
        run: run.root().to_owned(),
        slide: record.name.clone(),
        reason: reason.to_owned(),
    })
}

/// Checks that a slide given by its name has patches.
///
/// # Errors
/// [`StagesError`] if the slide has no patches, or they were damaged and set aside.
pub(crate) fn require_patches(run: &RunDir, slide: &str) -> Result<(), StagesError> {
    let path = run.patches(slide);
    if staged::is_there(&path)? {
        return Ok(());
    }
    if let Some(set_aside) = SetAside::find(&path, "split") {
        return Err(set_aside.into());
    }
    let problem = format!("slide {slide} has no patches");
    Err(StagesError::NoSlide { run: run.root().to_owned(), problem })
}

/// The names of the slides that have patches, and of those that may have: stitching them fails
/// with the system's error.
pub(crate) fn stitchable(run: &RunDir, records: Vec<SlideRecord>) -> Vec<String> {
    let names = records.into_iter().map(|record| record.name);
    names.filter(|name| staged::is_there(&run.patches(name)).unwrap_or(true)).collect()
}

/// How slides are stitched.
pub(crate) struct StitchOptions<'o, E> {
    /// Whether heatmaps are made even if groups have no scores.
    pub(crate) allow_missing: bool,
    /// Checked before each slide.
    pub(crate) interrupt: &'o Interrupt,
    /// Called with each file of a slide that is stitched; an error ends the stage.
    pub(crate) on_file: &'o dyn Fn(&Path) -> Result<(), E>,
}

/// Stitches the slides one after the other and lists those that failed.
///
/// # Errors
/// [`StagesError::Write`] if the record of a slide cannot be written, and those of `on_file`.
pub(crate) fn stitch_all<E: From<StagesError>>(
    run: &RunDir,
    config: &RunConfig,
    names: &[String],
    options: &StitchOptions<'_, E>,
    progress: &Progress,
) -> Result<StageEnd, E> {
    let task = progress.start("stitch", "slides", names.len());
    let undone_slide = |name: &String, kind| Undone { slide: name.clone(), group: None, kind };
    let (mut done, mut failed, mut undone) = (0, 0, Vec::new());
    for (index, name) in names.iter().enumerate() {
        if let Some(signal) = options.interrupt.requested() {
            progress.note(&format!("stitch: {signal}: ended before {name}; {GO_ON}"));
            let rest = names[index..].iter();
            undone.extend(rest.map(|name| undone_slide(name, OutcomeKind::Interrupted)));
            return Ok(StageEnd { completion: Completion::Partial, undone });
        }
        let marker = run.failure("stitch", name);
        let (started_unix_s, started, cpu_s) =
            (process::unix_s(), Instant::now(), process::cpu_s());
        match stitch_slide(run, config, name, options.allow_missing) {
            Ok(stitched) => {
                done += 1;
                failure_file::clear(&marker);
                if !stitched.already_there {
                    let wall_s = started.elapsed().as_secs_f64();
                    let cpu_s = process::cpu_s() - cpu_s;
                    let record = StitchRecord { started_unix_s, wall_s, cpu_s };
                    let text = serde_json::to_vec(&record).expect("a record is plain data");
                    staged::write(&run.stitch_record(name), &text).map_err(StagesError::from)?;
                }
                stitched.files.iter().try_for_each(|file| (options.on_file)(file))?;
                if !report_result(run, name, &stitched, progress) {
                    undone.push(undone_slide(name, OutcomeKind::Partial));
                }
            }
            Err(error) => {
                failed += 1;
                undone.push(undone_slide(name, error.kind()));
                progress.warn(&format!("error: {error}"));
                failure_file::mark(&marker, &error, progress);
            }
        }
        task.advance(1);
    }
    Ok(StageEnd::from_items(done, failed, undone))
}

/// Notes the result for a slide. Returns whether the heatmap is whole: its audit holds, and no
/// group is missing.
fn report_result(run: &RunDir, name: &str, stitched: &Stitched, progress: &Progress) -> bool {
    if let Some(set_aside) = &stitched.replaced {
        progress.warn(&format!("warning: {set_aside}"));
    }
    if stitched.already_there {
        let added = match stitched.added {
            0 => String::new(),
            added => format!(", {} added", counted(added, "export", "exports")),
        };
        progress.note(&format!("stitch {name}: already done{added}"));
    } else {
        let max = stitched.max.map_or("none".to_owned(), |max| format!("{max:.3}"));
        progress.note(&format!(
            "stitch {name}: {} scored, largest {max}",
            counted(stitched.scored, "point", "points")
        ));
    }
    if let Some(engines) = &stitched.several_engines {
        progress.warn(&format!(
            "warning: {name}: its groups were scored by several engines, which round differently: {engines}"
        ));
    }
    if let Some(reason) = &stitched.audit_failure {
        let redo = run.redo_by_window(name);
        progress.warn(&format!("warning: {name}: {reason}; `{redo}` scores the slide again"));
    }
    if stitched.missing.is_empty() {
        return stitched.audit_failure.is_none();
    }
    progress.warn(&format!(
        "warning: {name}: left out {} without scores: {}",
        counted(stitched.missing.len(), "group", "groups"),
        ranges(&stitched.missing)
    ));
    false
}
