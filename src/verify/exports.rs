//! Checks the pictures and exports of a slide against the record of what was written.

use std::path::Path;

use super::check::{Check, is_absent};
use super::findings::{FileProblem, Findings, ProblemKind};
use crate::run_dir::{FilesRecord, RecordedFile, RecordedFiles, SlideRecord, recorded_files};

/// Checks the files that are recorded, and that those which the configuration asks for are there.
pub(super) fn check(check: &Check<'_>, slide: &SlideRecord, findings: &mut Findings) {
    let (run, name) = (check.run, &slide.name);
    let record = match recorded_files(run, name) {
        Ok(FilesRecord::Known(record)) => record,
        Ok(FilesRecord::None) => RecordedFiles::new(),
        Ok(FilesRecord::Damaged(error)) => {
            let problem = format!(
                "is not a record of files: {error}; delete it; the files that it recorded are then no longer compared"
            );
            findings.push(FileProblem::new(ProblemKind::Damaged, &run.recorded(name), &problem));
            return;
        }
        Err(error) => {
            let line = error.to_string();
            findings.push(FileProblem::with_line(
                ProblemKind::Unreadable,
                &run.recorded(name),
                line,
            ));
            return;
        }
    };
    if !record.is_empty() {
        findings.count(&run.recorded(name));
    }
    for (file, recorded) in &record {
        check_file(&run.root().join(file), recorded, findings);
    }
    if is_absent(&run.heatmap(name, "h5")) {
        return;
    }
    let keys = &check.config.config.stitch;
    let pictures = [("png", keys.png), ("npy", keys.npy)];
    let pictures = pictures.into_iter().filter(|(_, is_wanted)| *is_wanted);
    let pictures = pictures.map(|(suffix, _)| run.heatmap(name, suffix));
    let exports = keys.export.iter().map(|format| format.path(&run.heatmaps(), name));
    for path in pictures.chain(exports) {
        let is_recorded = path
            .strip_prefix(run.root())
            .is_ok_and(|path| path.to_str().is_some_and(|path| record.contains_key(path)));
        if is_recorded {
            continue;
        }
        if is_absent(&path) {
            findings.push(missing(&path));
        } else {
            findings.notes.push(format!(
                "{}: nothing is recorded of its content, so it was not compared",
                path.display()
            ));
        }
    }
}

fn check_file(path: &Path, recorded: &RecordedFile, findings: &mut Findings) {
    let found = match RecordedFile::read(path) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            findings.push(missing(path));
            return;
        }
        Err(error) => {
            let problem = format!("cannot be read: {error}");
            findings.push(FileProblem::new(ProblemKind::Unreadable, path, &problem));
            return;
        }
    };
    findings.files += 1;
    findings.bytes += found.bytes;
    if found == *recorded {
        return;
    }
    let problem = format!(
        "is not what was written: {} bytes with hash {}, expected {} bytes with hash {}; delete the file and run `{}` again",
        found.bytes,
        found.xxh3,
        recorded.bytes,
        recorded.xxh3,
        maker(path)
    );
    findings.push(FileProblem::new(ProblemKind::Damaged, path, &problem));
}

fn missing(path: &Path) -> FileProblem {
    let problem = format!("is missing; `{}` makes it again", maker(path));
    FileProblem::new(ProblemKind::Missing, path, &problem)
}

/// The command that makes a picture or an export.
fn maker(path: &Path) -> &'static str {
    let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    match folder {
        Some("masks") => "slidegrid split --masks-only",
        Some("coords") => "slidegrid export",
        _ => "slidegrid stitch",
    }
}
