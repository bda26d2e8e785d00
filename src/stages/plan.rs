//! The table of all tasks of a run.

use super::completion::Completion;
use super::error::StagesError;
use crate::damage::Watched;
use crate::jobs::lookup::Lookup;
use crate::number::counted;
use crate::patches::PatchesFile;
use crate::progress::Progress;
use crate::run_dir::{self, RunDir, SlideRecord};

/// Writes the look-up table over every slide that has patches. Patch files that cannot be
/// read are listed.
///
/// # Errors
/// [`StagesError`] if the table of slides cannot be read, or the look-up table not be written.
pub(crate) fn plan(run: &RunDir, progress: &Progress) -> Result<(Lookup, Completion), StagesError> {
    let mut slides = Vec::new();
    let mut failed = 0;
    for SlideRecord { name, .. } in run_dir::list_slides(run)? {
        let path = run.patches(&name);
        if !path.exists() {
            continue;
        }
        let watched = Watched::patches(run, &name);
        let opened =
            PatchesFile::open(&path).and_then(|file| file.check_slide(&name).map(|()| file));
        match opened {
            Ok(file) => {
                for assumption in file.assumptions() {
                    progress.warn(&format!("warning: {}: {assumption}", path.display()));
                }
                slides.push((name, file.meta().groups, file.meta().patches));
            }
            Err(error) => {
                failed += 1;
                match watched.note(&error, "master") {
                    Some(set_aside) => progress.warn(&format!("error: {set_aside}")),
                    None => progress.warn(&format!("error: {error}")),
                }
            }
        }
    }
    let done = slides.len();
    let lookup = Lookup::plan(slides.iter().map(|(name, g, p)| (name.as_str(), *g, *p)))?;
    lookup.write(run)?;
    progress.note(&format!(
        "plan: {} over {} with tissue",
        counted(lookup.tasks(), "task", "tasks"),
        counted(lookup.rows().len(), "slide", "slides")
    ));
    Ok((lookup, Completion::from_counts(done, failed)))
}
