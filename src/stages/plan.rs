//! The table of all tasks of a run.

use std::collections::HashSet;

use super::completion::Completion;
use super::error::StagesError;
use crate::damage::{SetAside, Watched};
use crate::hdf5_file::FormatError;
use crate::jobs::lookup::Lookup;
use crate::number::counted;
use crate::patches::PatchesFile;
use crate::progress::Progress;
use crate::run_dir::{self, RunDir, SlideRecord};
use crate::staged;

/// Writes the look-up table over every slide that has patches.
///
/// Patch files that cannot be read are listed. Where the system is the reason, the slide keeps
/// the row that it had. A slide that had a row and gets none is named.
///
/// # Errors
/// [`StagesError`] if the table of slides cannot be read, or the look-up table not be written.
pub(crate) fn plan(run: &RunDir, progress: &Progress) -> Result<(Lookup, Completion), StagesError> {
    let (lookup, completion) = number_tasks(run, &run_dir::list_slides(run)?, true, progress)?;
    lookup.write(run)?;
    progress.note(&format!(
        "plan: {} over {} with tissue",
        counted(lookup.tasks(), "task", "tasks"),
        counted(lookup.rows().len(), "slide", "slides")
    ));
    Ok((lookup, completion))
}

/// The table that [`plan`] would write over these slides. Nothing is written, and no damaged file
/// is set aside.
///
/// # Errors
/// [`StagesError`] if the earlier table cannot be read.
pub(crate) fn foresee(
    run: &RunDir,
    slides: &[SlideRecord],
    progress: &Progress,
) -> Result<(Lookup, Completion), StagesError> {
    number_tasks(run, slides, false, progress)
}

/// Numbers the groups of all slides that have patches. `set_aside` says whether damaged patch
/// files are set aside.
fn number_tasks(
    run: &RunDir,
    records: &[SlideRecord],
    set_aside: bool,
    progress: &Progress,
) -> Result<(Lookup, Completion), StagesError> {
    let earlier = Lookup::replaced(run)?;
    let (mut slides, mut failed) = (Vec::new(), HashSet::new());
    for SlideRecord { name, .. } in records {
        let name = name.clone();
        let watched = Watched::patches(run, &name);
        match groups_and_patches(run, &name, progress) {
            Ok(Some((groups, patches))) => slides.push((name, groups, patches)),
            Ok(None) => {}
            Err(error) => {
                let row = earlier.of_slide(&name).filter(|_| !error.is_damage());
                let noted = if set_aside { watched.note(&error, "master") } else { None };
                match (noted, row) {
                    (Some(set_aside), _) => progress.warn(&format!("error: {set_aside}")),
                    (None, Some(row)) => {
                        let groups = counted(row.groups, "group", "groups");
                        progress.warn(&format!("error: {error}; {name} keeps its {groups}"));
                        slides.push((name.clone(), row.groups, row.patches));
                    }
                    (None, None) => {
                        progress.warn(&format!("error: {error}; {name} is not in the table"));
                    }
                }
                failed.insert(name);
            }
        }
    }
    let lookup = earlier.plan_again(slides.iter().map(|(name, g, p)| (name.as_str(), *g, *p)))?;
    for row in earlier.rows().iter().filter(|row| lookup.of_slide(&row.name).is_none()) {
        if !failed.contains(&row.name) {
            progress.warn(&format!("warning: {}", why_gone(run, &row.name)));
        }
    }
    let done = slides.iter().filter(|(name, ..)| !failed.contains(name)).count();
    Ok((lookup, Completion::from_counts(done, failed.len())))
}

/// The numbers of groups and patches of a slide; `None` if it has no patches.
fn groups_and_patches(
    run: &RunDir,
    name: &str,
    progress: &Progress,
) -> Result<Option<(u32, usize)>, FormatError> {
    let path = run.patches(name);
    if !staged::is_there(&path)? {
        return Ok(None);
    }
    let file = PatchesFile::open(&path)?;
    file.check_slide(name)?;
    for assumption in file.assumptions() {
        progress.warn(&format!("warning: {}: {assumption}", path.display()));
    }
    Ok(Some((file.meta().groups, file.meta().patches)))
}

/// Why a slide that had groups has none now.
fn why_gone(run: &RunDir, name: &str) -> String {
    let gone = || {
        format!(
            "{name}: it was in the table of tasks and has no groups now: {} is gone or has no tissue",
            run.patches(name).display()
        )
    };
    SetAside::find(&run.patches(name), "split")
        .map_or_else(gone, |set_aside| format!("{name}: {set_aside}"))
}
