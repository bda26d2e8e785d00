//! Checks the patches of a slide.

use std::path::Path;

use super::check::{Check, Without, has_tissue, is_absent};
use super::contents::{self, Checksums};
use super::findings::{FileProblem, Findings, ProblemKind};
use crate::damage::{self, Watched};
use crate::hdf5_file::FormatError;
use crate::patches::PatchesFile;
use crate::run_dir::SlideRecord;

/// Checks the patch file of a slide, and returns it if it can be used to check what was made
/// from it.
pub(super) fn check(
    check: &Check<'_>,
    record: &SlideRecord,
    findings: &mut Findings,
) -> Option<PatchesFile> {
    let path = check.run.patches(&record.name);
    if is_absent(&path) {
        findings.problems.extend(missing(check, record, &path));
        return None;
    }
    let watched = Watched::patches(check.run, &record.name);
    match read(check, record, &path, findings) {
        Ok(file) => {
            let meta = file.meta();
            let problems = compare(check, record, &file);
            let is_usable = problems.is_empty() && meta.slide == record.name;
            findings.problems.extend(problems);
            is_usable.then_some(file)
        }
        Err(error) => {
            let problem =
                FileProblem::of_error(&error).setting_aside(&watched, !check.options.keep);
            findings.push(problem);
            None
        }
    }
}

fn missing(check: &Check<'_>, record: &SlideRecord, path: &Path) -> Option<FileProblem> {
    if !is_absent(&damage::aside(path)) {
        let reason = damage::read(path).reason;
        let line = format!("{reason}; it was set aside, and `slidegrid split` makes it anew");
        return Some(FileProblem::with_line(ProblemKind::Damaged, path, line));
    }
    if !has_tissue(record) || check.options.without.contains(&Without::Patches) {
        return None;
    }
    let (run, name) = (check.run.redo_afresh(&record.name), &record.name);
    let problem = format!(
        "is missing, expected the patches of {name} ({} in {} groups); `{run} --split` makes them again; if they were deleted after scoring, verify with --without patches",
        record.patches.unwrap_or(0),
        record.groups.unwrap_or(0),
    );
    Some(FileProblem::new(ProblemKind::Missing, path, &problem))
}

/// Reads everything in the file.
fn read(
    check: &Check<'_>,
    record: &SlideRecord,
    path: &Path,
    findings: &mut Findings,
) -> Result<PatchesFile, FormatError> {
    let checksums = contents::check(check, path, findings)?;
    let file = PatchesFile::open(path)?;
    file.check_slide(&record.name)?;
    file.verify()?;
    if checksums == Checksums::None {
        read_pixels(check, &file)?;
    }
    Ok(file)
}

/// Reads all pixels, which shows whether they are there and can be decompressed.
fn read_pixels(check: &Check<'_>, file: &PatchesFile) -> Result<(), FormatError> {
    for group in file.group_numbers() {
        let reader = file.group(group)?;
        let mut pixels = vec![0; reader.patch_bytes()];
        for index in 0..reader.len() {
            if check.workers.interrupt.requested().is_some() {
                return Ok(());
            }
            reader.read_patch(index, &mut pixels)?;
            check.read.advance(pixels.len() as u64);
        }
    }
    Ok(())
}

/// Compares the file with the run's configuration, and with what is recorded of the split.
fn compare(check: &Check<'_>, record: &SlideRecord, file: &PatchesFile) -> Vec<FileProblem> {
    let (meta, path) = (file.meta(), file.path());
    let mut problems = Vec::new();
    let redo = check.run.redo_afresh(&record.name);
    let mut expect = |what: &str, found: String, expected: Option<String>| {
        let Some(expected) = expected.filter(|expected| *expected != found) else { return };
        let problem = format!(
            "{what} is {found}, expected {expected}; if this file was put here by mistake, put the right one back, else `{redo} --split` makes the slide afresh"
        );
        problems.push(FileProblem::new(ProblemKind::Misplaced, path, &problem));
    };
    if !meta.legacy {
        let expected = check.config.patches_sha256();
        expect("config_sha256", meta.config_sha256.clone(), Some(expected));
    }
    let count = |count: Option<usize>| count.map(|count| count.to_string());
    // Patches that were put there by hand have no record of their split.
    if record.started_unix_s.is_some() {
        expect("the number of patches", meta.patches.to_string(), count(record.patches));
        expect(
            "the number of groups",
            meta.groups.to_string(),
            count(record.groups.map(|n| n as usize)),
        );
        let size = |width: u32, height: u32| format!("{width} x {height} px");
        let planned = record.width.zip(record.height).map(|(width, height)| size(width, height));
        expect("the working plane", size(meta.width_px, meta.height_px), planned);
        let recorded = record.identity().map(|slide| format!("{:016x}", slide.hash));
        if let Some(slide) = meta.lineage.slide {
            expect("slide_hash", format!("{:016x}", slide.hash), recorded);
        }
    }
    if let Some(lookup) = &check.lookup
        && meta.groups > 0
    {
        match lookup.of_slide(&record.name) {
            Some(row) => {
                expect(
                    "the number of groups",
                    meta.groups.to_string(),
                    Some(row.groups.to_string()),
                );
                expect(
                    "the number of patches",
                    meta.patches.to_string(),
                    Some(row.patches.to_string()),
                );
            }
            None => problems.push(FileProblem::new(
                ProblemKind::Missing,
                &check.run.lookup_csv(),
                &format!(
                    "has no row for {}, expected its {} groups; `slidegrid master plan` adds them",
                    record.name, meta.groups
                ),
            )),
        }
    }
    problems
}
