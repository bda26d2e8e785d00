//! Checks the score files of a slide.

use std::collections::HashSet;
use std::path::Path;

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use xxhash_rust::xxh3::Xxh3Default;

use super::check::{Check, group_words, is_absent};
use super::contents::{self, Checksums};
use super::findings::{FileProblem, Findings, ProblemKind};
use crate::damage::{self, Watched};
use crate::geometry::{Lattice, Tiling};
use crate::hdf5_file::FormatError;
use crate::number::GroupNumber;
use crate::patches::{PatchesFile, PatchesMeta};
use crate::predict;
use crate::run_dir::SlideRecord;
use crate::scores::{self, Scores, ScoresMeta};

/// What the score files of a slide hold together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct SlideScores {
    /// Groups whose files are whole, ascending.
    pub(super) whole: Vec<GroupNumber>,
    /// Number of scored points in these files.
    pub(super) points: u64,
    /// Hash over their `id`s, as a heatmap of these groups has it; `None` if a file is of
    /// version 1.
    pub(super) scores_id: Option<String>,
}

/// A score file that was checked.
struct Checked {
    findings: Findings,
    /// The attributes and the number of points of a file without problems.
    whole: Option<(ScoresMeta, u64)>,
}

/// Checks the score files of groups 1 to `groups`, and the slide's calibration.
pub(super) fn check(
    check: &Check<'_>,
    record: &SlideRecord,
    patches: Option<&PatchesFile>,
    groups: u32,
    findings: &mut Findings,
) -> SlideScores {
    let numbers: Vec<GroupNumber> = GroupNumber::up_to(groups).collect();
    let path = |group: &GroupNumber| check.run.scores(&record.name, *group);
    let (present, absent): (Vec<_>, Vec<_>) =
        numbers.into_iter().partition(|group| !is_absent(&path(group)));
    let checked: Vec<(GroupNumber, Checked)> = check.workers.pool.install(|| {
        let one = |&group: &GroupNumber| (group, check_group(check, record, patches, group));
        present.par_iter().map(one).collect()
    });
    let mut found = SlideScores::default();
    let (mut ids, mut all_have_ids) = (Xxh3Default::new(), true);
    for (group, Checked { findings: of_file, whole }) in checked {
        findings.add(of_file);
        let Some((meta, points)) = whole else { continue };
        found.whole.push(group);
        found.points += points;
        all_have_ids &= !meta.lineage.id.is_empty();
        ids.update(meta.lineage.id.as_bytes());
    }
    found.scores_id = all_have_ids.then(|| format!("{:016x}", ids.digest()));
    findings.problems.extend(missing(check, record, &absent));
    if let Some(patches) = patches {
        let calibration = check.run.scores_of(&record.name).join("calibration.json");
        check_calibration(&calibration, patches.meta(), findings);
    }
    for group in GroupNumber::up_to(groups) {
        check_part(&check.run.part(&record.name, group), &record.name, findings);
    }
    found
}

/// The problems of groups that have no score file.
fn missing(check: &Check<'_>, record: &SlideRecord, absent: &[GroupNumber]) -> Vec<FileProblem> {
    let path = |group: GroupNumber| check.run.scores(&record.name, group);
    let (aside, absent): (Vec<GroupNumber>, Vec<GroupNumber>) =
        absent.iter().partition(|&&group| !is_absent(&damage::aside(&path(group))));
    let mut problems: Vec<FileProblem> = aside
        .into_iter()
        .map(|group| {
            let reason = damage::read(&path(group)).reason;
            let line = format!("{reason}; it was set aside, and `slidegrid predict` makes it anew");
            FileProblem::with_line(ProblemKind::Damaged, &path(group), line)
        })
        .collect();
    if check.begun.predict && !absent.is_empty() {
        let problem = format!(
            "the scores of {} are missing, expected one file per planned group; `slidegrid run`, `predict` or `master retry` makes them",
            group_words(&absent)
        );
        let folder = check.run.scores_of(&record.name);
        problems.push(FileProblem::new(ProblemKind::Missing, &folder, &problem));
    }
    problems
}

fn check_group(
    check: &Check<'_>,
    record: &SlideRecord,
    patches: Option<&PatchesFile>,
    group: GroupNumber,
) -> Checked {
    let mut findings = Findings::default();
    if check.workers.interrupt.requested().is_some() {
        return Checked { findings, whole: None };
    }
    let path = check.run.scores(&record.name, group);
    let watched = Watched::new(&path, "predict");
    let read = contents::check(check, &path, &mut findings).and_then(|checksums| {
        let scores = scores::read_scores(&path)?;
        FormatError::check_slide(&path, &scores.meta.slide, &record.name)?;
        Ok((checksums, scores))
    });
    let problems = match read {
        Ok((checksums, scores)) => {
            let problems = compare(check, record, patches, group, checksums, &scores);
            if problems.is_empty() {
                let points = scores.row.len() as u64;
                return Checked { findings, whole: Some((scores.meta, points)) };
            }
            problems
        }
        Err(error) => vec![FileProblem::of_error(&error)],
    };
    let aside = |problem: FileProblem| problem.setting_aside(&watched, !check.options.keep);
    findings.problems.extend(problems.into_iter().map(aside));
    Checked { findings, whole: None }
}

/// Compares a score file with the run's configuration and with the patches.
fn compare(
    check: &Check<'_>,
    record: &SlideRecord,
    patches: Option<&PatchesFile>,
    group: GroupNumber,
    checksums: Checksums,
    scores: &Scores,
) -> Vec<FileProblem> {
    let path = check.run.scores(&record.name, group);
    let (meta, config) = (&scores.meta, check.config);
    let mut wanted = vec![
        ("group", meta.group.to_string(), group.to_string()),
        ("stride", meta.stride_px.to_string(), config.config.predict.stride.to_string()),
        ("window", meta.window_px.to_string(), config.resolved.window.to_string()),
        ("method", meta.method.clone(), config.method_of(&record.name).name().to_owned()),
        ("model_sha256", meta.model_sha256.clone(), config.resolved.model_sha256.clone()),
        ("config_sha256", meta.config_sha256.clone(), config.scores_sha256()),
    ];
    if checksums == Checksums::Compared {
        wanted.push(("windows", meta.windows.to_string(), scores.row.len().to_string()));
    }
    if let Some(patches) = patches.map(PatchesFile::meta)
        && !meta.lineage.fits(&patches.lineage)
    {
        let found = meta.lineage.made_from.clone();
        wanted.push(("made_from", found, patches.lineage.id.clone()));
    }
    let differs = wanted.into_iter().find(|(_, found, expected)| found != expected);
    if let Some((what, found, expected)) = differs {
        let problem = format!(
            "{what} is {found}, expected {expected}; put the right file back, or delete this one and run `slidegrid predict` again"
        );
        return vec![FileProblem::new(ProblemKind::Misplaced, &path, &problem)];
    }
    let Some(patches) = patches else { return Vec::new() };
    match compare_points(check, patches, group, scores) {
        Ok(None) => Vec::new(),
        Ok(Some(problem)) => vec![FileProblem::new(ProblemKind::Damaged, &path, &problem)],
        Err(error) => vec![FileProblem::of_error(&error)],
    }
}

/// How the scored points differ from those of the group's patches; `None` if they do not. Patches
/// whose stains could not be determined may have no scores.
fn compare_points(
    check: &Check<'_>,
    patches: &PatchesFile,
    group: GroupNumber,
    scores: &Scores,
) -> Result<Option<String>, FormatError> {
    let (meta, stride_px) = (patches.meta(), check.config.config.predict.stride);
    let invalid = |e: String| FormatError::invalid(patches.path(), e);
    let tiling: Tiling = meta.tiling().map_err(|e| invalid(e.to_string()))?;
    let lattice = Lattice::new(meta.width_px, meta.height_px, stride_px);
    let reader = patches.group(group)?;
    let mut expected = HashSet::new();
    let places = reader.coords.iter().zip(reader.tissue.outer_iter()).zip(&reader.failed);
    for ((patch, tissue), _) in places.filter(|(_, failed)| !**failed) {
        let points = lattice.points_of(&tiling, patch, tissue);
        expected.extend(points.into_iter().map(|point| (point.row, point.col)));
    }
    let planned = expected.len();
    let mut seen = HashSet::with_capacity(scores.row.len());
    for point in scores.row.iter().copied().zip(scores.col.iter().copied()) {
        let (row, col) = point;
        if !expected.contains(&point) || !seen.insert(point) {
            let why = if seen.contains(&point) { "twice" } else { "outside the group's tissue" };
            return Ok(Some(format!(
                "scores the point at row {row}, col {col} {why}, expected each of {planned} points once; delete the file and run `slidegrid predict` again"
            )));
        }
    }
    let may_lack = scores.meta.unnormalized_patches > 0;
    Ok((seen.len() != planned && !may_lack).then(|| {
        format!(
            "has {} points, expected {planned}; delete the file and run `slidegrid predict` again",
            seen.len()
        )
    }))
}

/// Checks the calibration that the tasks of a slide share.
fn check_calibration(path: &Path, patches: &PatchesMeta, findings: &mut Findings) {
    if is_absent(path) {
        return;
    }
    findings.count(path);
    match predict::is_calibration_of(path, patches) {
        Ok(true) => {}
        Ok(false) => {
            let problem = format!(
                "is not a calibration of the slide {} from these patches that is as it was written; `slidegrid predict` does not use the file and fits a new one; delete it",
                patches.slide
            );
            findings.push(FileProblem::new(ProblemKind::Damaged, path, &problem));
        }
        Err(error) => {
            let kind = ProblemKind::Unreadable;
            findings.push(FileProblem::with_line(kind, path, error.to_string()));
        }
    }
}

/// Checks what an interrupted task has left of a group. A damaged part file costs time and no
/// scores.
fn check_part(path: &Path, slide: &str, findings: &mut Findings) {
    if is_absent(path) {
        return;
    }
    findings.count(path);
    let read = scores::read_part(path)
        .and_then(|part| FormatError::check_slide(path, &part.scores.meta.slide, slide));
    if let Err(error) = read {
        findings.push(FileProblem::of_error(&error));
    }
}
