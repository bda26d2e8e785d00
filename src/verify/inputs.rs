//! Checks what a run is made from: the slides' own files, the network, and its fit.

use super::check::Check;
use super::findings::{FileProblem, Findings, ProblemKind};
use crate::identity::SlideIdentity;
use crate::model::{FitFile, Model, card_sha256};
use crate::run_dir::SlideRecord;

/// Compares a slide's own file with what was recorded of it when it was split. The hash is of
/// the file's length and ends; the middle of a long file is not read.
pub(super) fn check_slide(check: &Check<'_>, record: &SlideRecord, findings: &mut Findings) {
    // Slides of before have no identity, and patches that were put there by hand no slide.
    let Some(recorded) = record.identity() else { return };
    let path = &record.path;
    let found = match SlideIdentity::read(path) {
        Ok(found) => found,
        Err(error) => {
            let kind = match error.kind() {
                std::io::ErrorKind::NotFound => ProblemKind::Missing,
                _ => ProblemKind::Unreadable,
            };
            let problem = format!(
                "the file of the slide {} cannot be read: {error}; expected {} bytes; put it back, or verify with --without slides",
                record.name, recorded.bytes
            );
            findings.push(FileProblem::new(kind, path, &problem));
            return;
        }
    };
    findings.files += 1;
    findings.bytes += found.bytes.min(2 << 20);
    if (found.bytes, found.hash) == (recorded.bytes, recorded.hash) {
        return;
    }
    let problem = format!(
        "has changed since it was split: {} bytes with hash {:016x}, expected {} bytes with hash {:016x}; put the old file back, or `{}` does the slide afresh",
        found.bytes,
        found.hash,
        recorded.bytes,
        recorded.hash,
        check.run.redo_afresh(&record.name)
    );
    findings.push(FileProblem::new(ProblemKind::Changed, path, &problem));
}

/// Compares the network, its card and its fit with those that the run was made with.
pub(super) fn check_model(check: &Check<'_>, findings: &mut Findings) {
    let (resolved, keys) = (&check.config.resolved, &check.config.config);
    if let Some(card) = &keys.model.card {
        match Model::load(card) {
            Err(error) => {
                findings.push(FileProblem::with_line(
                    ProblemKind::Changed,
                    card,
                    error.to_string(),
                ));
            }
            Ok(model) => {
                findings.count(card);
                findings.count(&model.path);
                let wanted = [
                    (&model.path, "the network", &model.sha256, &resolved.model_sha256),
                    (card, "the model card", &card_sha256(&model.card), &resolved.card_sha256),
                ];
                for (path, what, found, expected) in wanted {
                    if found != expected {
                        let problem = format!(
                            "{what} has SHA-256 {found}, expected {expected}, with which the run was made; put the old file back, or use another run directory"
                        );
                        findings.push(FileProblem::new(ProblemKind::Changed, path, &problem));
                    }
                }
            }
        }
    }
    let Some(expected) = &resolved.fit_sha256 else { return };
    let path = keys.predict.calibration.clone().unwrap_or_else(|| check.run.fit_json());
    match FitFile::read(&path, &resolved.model_sha256) {
        Err(error) => {
            findings.push(FileProblem::with_line(ProblemKind::Damaged, &path, error.to_string()));
        }
        Ok(read) => {
            findings.count(&path);
            if read.sha256 != *expected {
                let problem = format!(
                    "the fit has SHA-256 {}, expected {expected}, on which the run's scores rest; put the old file back, or use another run directory",
                    read.sha256
                );
                findings.push(FileProblem::new(ProblemKind::Changed, &path, &problem));
            }
        }
    }
}
