//! Checks the heatmap of a slide.

use std::path::Path;

use super::check::{Check, has_tissue, is_absent};
use super::contents;
use super::findings::{FileProblem, Findings, ProblemKind};
use super::scores::SlideScores;
use crate::damage::{self, Watched};
use crate::heatmap_h5::{HeatmapMeta, check_values};
use crate::number::{GroupNumber, ranges};
use crate::patches::PatchesFile;
use crate::run_dir::SlideRecord;

/// Checks the heatmap, if there is one, or says that it is missing.
pub(super) fn check(
    check: &Check<'_>,
    record: &SlideRecord,
    patches: Option<&PatchesFile>,
    scores: &SlideScores,
    findings: &mut Findings,
) {
    let path = check.run.heatmap(&record.name, "h5");
    if is_absent(&path) {
        let is_due = check.begun.stitch && has_tissue(record);
        findings.problems.extend(missing(&path, is_due));
        return;
    }
    let watched = Watched::new(&path, "stitch");
    let read = contents::check(check, &path, findings).and_then(|_| {
        let (meta, scored) = check_values(&path)?;
        meta.check_named(&path).map(|()| (meta, scored))
    });
    let problem = match read {
        Ok((meta, scored)) => compare(check, record, patches, scores, &meta, scored),
        Err(error) => Some(FileProblem::of_error(&error)),
    };
    let aside = |problem: FileProblem| problem.setting_aside(&watched, !check.options.keep);
    findings.problems.extend(problem.map(aside));
}

fn missing(path: &Path, is_due: bool) -> Option<FileProblem> {
    if !is_absent(&damage::aside(path)) {
        let reason = damage::read(path).reason;
        let line = format!("{reason}; it was set aside, and `slidegrid stitch` makes it anew");
        return Some(FileProblem::with_line(ProblemKind::Damaged, path, line));
    }
    let problem = "is missing, expected the heatmap of a slide with tissue; `slidegrid run`, `stitch` or `master retry` makes it";
    is_due.then(|| FileProblem::new(ProblemKind::Missing, path, problem))
}

/// Compares the heatmap with the configuration, the patches and the scores.
fn compare(
    check: &Check<'_>,
    record: &SlideRecord,
    patches: Option<&PatchesFile>,
    scores: &SlideScores,
    meta: &HeatmapMeta,
    scored: u64,
) -> Option<FileProblem> {
    let path = check.run.heatmap(&record.name, "h5");
    let config = check.config;
    let mut wanted = vec![
        ("stride", meta.stride_px.to_string(), config.config.predict.stride.to_string()),
        ("method", meta.method.clone(), config.method_of(&record.name).name().to_owned()),
        ("model_sha256", meta.model_sha256.clone(), config.resolved.model_sha256.clone()),
        ("config_sha256", meta.config_sha256.clone(), config.scores_sha256()),
    ];
    let groups = match patches.map(PatchesFile::meta) {
        Some(patches) => {
            let plane = |width: u32, height: u32| format!("{width} x {height} px");
            let found = plane(meta.width_px, meta.height_px);
            wanted.push(("its working plane", found, plane(patches.width_px, patches.height_px)));
            if !meta.lineage.fits(&patches.lineage) {
                let found = meta.lineage.made_from.clone();
                wanted.push(("made_from", found, patches.lineage.id.clone()));
            }
            patches.groups
        }
        None => check.groups(record, None),
    };
    // A heatmap that lacks groups is compared with the scores that it was made from.
    let held: Vec<GroupNumber> =
        GroupNumber::up_to(groups).filter(|group| !meta.missing_groups.contains(group)).collect();
    if held == scores.whole {
        if let Some(expected) = scores.scores_id.clone().filter(|_| !meta.scores_id.is_empty()) {
            wanted.push(("scores_id", meta.scores_id.clone(), expected));
        }
        wanted.push(("the number of scored points", scored.to_string(), scores.points.to_string()));
    }
    if let Some((what, found, expected)) =
        wanted.into_iter().find(|(_, found, expected)| found != expected)
    {
        let problem = format!(
            "{what} is {found}, expected {expected}; put the right file back, or delete this one and run `slidegrid stitch` again"
        );
        return Some(FileProblem::new(ProblemKind::Misplaced, &path, &problem));
    }
    (!meta.missing_groups.is_empty()).then(|| {
        let missing = ranges(&meta.missing_groups);
        let problem = format!(
            "was made without the scores of groups {missing}; score them, then run `slidegrid stitch` again"
        );
        FileProblem::new(ProblemKind::Missing, &path, &problem)
    })
}
