//! Checks the tables and records of a run: slides, tasks, jobs.

use std::collections::HashSet;
use std::path::Path;

use super::check::{Check, is_absent};
use super::findings::{FileProblem, Findings, ProblemKind};
use crate::config::ClusterKeys;
use crate::jobs::cost::StitchRecord;
use crate::jobs::forgotten::Forgotten;
use crate::jobs::lookup::{Lookup, LookupError};
use crate::jobs::raised::Raised;
use crate::jobs::submitted::read_submitted;
use crate::number::counted;
use crate::run_dir::{self, RunDir, SlideRecord, SlideStatus, SlidesError};

/// The slides of the run. If the table cannot be read, they are those that have patches.
pub(super) fn slides(run: &RunDir, findings: &mut Findings) -> Vec<SlideRecord> {
    let error = match run_dir::list_slides(run) {
        Ok(slides) => {
            findings.problems.extend(missing_table(run));
            if !is_absent(&run.slides_csv()) {
                findings.count(&run.slides_csv());
            }
            for slide in &slides {
                let outcome = run.split_outcome(&slide.name);
                if !is_absent(&outcome) {
                    findings.count(&outcome);
                }
            }
            return slides;
        }
        Err(error) => error,
    };
    let file = match &error {
        SlidesError::Table { path, .. } | SlidesError::Input { path, .. } => path.clone(),
        _ => run.slides_csv(),
    };
    let kind = if is_absent(&file) { ProblemKind::Missing } else { ProblemKind::Damaged };
    findings.push(FileProblem::with_line(kind, &file, error.to_string()));
    let by_patches =
        run_dir::patches_file_names(run).unwrap_or_default().into_iter().map(|name| SlideRecord {
            path: run.patches(&name),
            name,
            status: SlideStatus::Done,
            ..SlideRecord::default()
        });
    by_patches.collect()
}

/// The problem of a table of slides that is not there although slides were split. Without it,
/// slides pass for ones whose patches were put there by hand.
fn missing_table(run: &RunDir) -> Option<FileProblem> {
    let path = run.slides_csv();
    let outcomes = std::fs::read_dir(run.logs("split")).into_iter().flatten().flatten();
    let is_outcome =
        |name: &std::ffi::OsStr| Path::new(name).extension().is_some_and(|suffix| suffix == "json");
    let count = outcomes.filter(|entry| is_outcome(&entry.file_name())).count();
    if !is_absent(&path) || count == 0 {
        return None;
    }
    let problem = format!(
        "is missing, expected a row for each of {} that logs/split has outcomes of; put the file back, or name the slides in `slidegrid split` again",
        counted(count, "slide", "slides")
    );
    Some(FileProblem::new(ProblemKind::Missing, &path, &problem))
}

/// The look-up table; `None` if there is none, or if it cannot be used.
pub(super) fn lookup(run: &RunDir, findings: &mut Findings) -> Option<Lookup> {
    let path = run.lookup_csv();
    if is_absent(&path) {
        return None;
    }
    findings.count(&path);
    match Lookup::read(run) {
        Ok(lookup) => Some(lookup),
        Err(error) => {
            let line = match &error {
                LookupError::Table { .. } => error.to_string(),
                _ => format!("{}: {error}", path.display()),
            };
            findings.push(FileProblem::with_line(ProblemKind::Damaged, &path, line));
            None
        }
    }
}

/// Checks the records that are not those of a single slide, and that plan and slides agree.
pub(super) fn check(check: &Check<'_>, slides: &[SlideRecord], findings: &mut Findings) {
    let run = check.run;
    findings.count(&run.root().join("run.toml"));
    let patches: Vec<&SlideRecord> = slides.iter().filter(|slide| slide.groups > Some(0)).collect();
    match &check.lookup {
        Some(lookup) => {
            let known: HashSet<&str> = slides.iter().map(|slide| slide.name.as_str()).collect();
            for row in lookup.rows() {
                if !known.contains(row.name.as_str()) {
                    let problem = format!(
                        "has tasks {} to {} of a slide {}, which slides.csv does not have; `slidegrid master plan` makes the table again",
                        row.start, row.end, row.name
                    );
                    findings.push(FileProblem::new(
                        ProblemKind::Misplaced,
                        &run.lookup_csv(),
                        &problem,
                    ));
                }
            }
        }
        None if check.begun.predict && !patches.is_empty() && is_absent(&run.lookup_csv()) => {
            let problem = format!(
                "is missing, expected the tasks of {}; `slidegrid master plan` makes it",
                counted(patches.len(), "slide", "slides")
            );
            findings.push(FileProblem::new(ProblemKind::Missing, &run.lookup_csv(), &problem));
        }
        None => {}
    }
    check_jobs(run, findings);
    for slide in slides {
        check_stitch_record(&run.stitch_record(&slide.name), findings);
    }
    note_slides(slides, findings);
}

/// Checks the records of submitted jobs.
fn check_jobs(run: &RunDir, findings: &mut Findings) {
    let mut note = |path: &Path, error: Option<String>| {
        if is_absent(path) {
            return;
        }
        findings.count(path);
        let problem = |line| FileProblem::with_line(ProblemKind::Damaged, path, line);
        findings.problems.extend(error.map(problem));
    };
    note(&run.submitted(), read_submitted(run).err().map(|error| error.to_string()));
    note(&run.forgotten(), Forgotten::read(run).err().map(|error| error.to_string()));
    note(&run.grown(), Raised::read(run).err().map(|error| error.to_string()));
    let keys = run.cluster_toml();
    let text = std::fs::read_to_string(&keys).unwrap_or_default();
    let parsed = ClusterKeys::parse(&text, &keys.display().to_string(), &[]);
    note(&keys, parsed.err().map(|error| error.to_string()));
}

fn check_stitch_record(path: &Path, findings: &mut Findings) {
    let Ok(bytes) = std::fs::read(path) else { return };
    findings.count(path);
    if let Err(error) = serde_json::from_slice::<StitchRecord>(&bytes) {
        let problem = format!(
            "is not a record of stitching: {error}; delete the file: only `status --cost` reads it"
        );
        findings.push(FileProblem::new(ProblemKind::Damaged, path, &problem));
    }
}

/// Notes slides that were not split, or by an earlier version, which is no damage.
fn note_slides(slides: &[SlideRecord], findings: &mut Findings) {
    let earlier = slides.iter().filter(|slide| slide.is_of_version_1()).count();
    if earlier > 0 {
        let slides = counted(earlier, "slide was", "slides were");
        findings.notes.push(format!(
            "{slides} split by an earlier version, which did not record the slide's file: whether it is the same is not known"
        ));
    }
    for (status, what) in
        [(SlideStatus::Failed, "failed at the split"), (SlideStatus::Waiting, "not split yet")]
    {
        let count = slides.iter().filter(|slide| slide.status == status).count();
        if count > 0 {
            let slides = counted(count, "slide", "slides");
            findings.notes.push(format!("{slides} {what}; `slidegrid status` names them"));
        }
    }
}
