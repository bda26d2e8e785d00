//! Lists all slides of a run: those in the table, and those with only a patch file.

use std::io::ErrorKind;

use super::slides_csv::add_slides;
use super::{NamedSlide, RunDir, SlideRecord, SlideStatus, SlidesError, read_slides, registered};
use crate::staged;

/// The slides of the table, followed by slides that have a patch file but no row, sorted by
/// name. Patch files of the original HPC_DPAI code are copied in by hand and have no row.
///
/// # Errors
/// [`SlidesError::Table`] if there are neither a table nor patch files, or if the table or the
/// folder of patches cannot be read.
pub(crate) fn list_slides(run: &RunDir) -> Result<Vec<SlideRecord>, SlidesError> {
    let names = patches_file_names(run)?;
    let records = match names.is_empty() || staged::is_there(&run.slides_csv())? {
        true => read_slides(run)?,
        false => Vec::new(),
    };
    Ok(with_patches(run, records, names))
}

/// What [`list_slides`] returns once `slides` are registered. Nothing is written.
///
/// # Errors
/// [`SlidesError`], as for listing and registering slides.
pub(crate) fn list_slides_with(
    run: &RunDir,
    slides: &[NamedSlide],
) -> Result<Vec<SlideRecord>, SlidesError> {
    if slides.is_empty() {
        return list_slides(run);
    }
    let mut records = registered(run)?;
    add_slides(run, &mut records, slides)?;
    Ok(with_patches(run, records, patches_file_names(run)?))
}

/// Adds the slides that only have a patch file.
fn with_patches(
    run: &RunDir,
    mut records: Vec<SlideRecord>,
    names: Vec<String>,
) -> Vec<SlideRecord> {
    for name in names {
        if records.iter().all(|record| record.name != name) {
            let path = run.patches(&name);
            let status = SlideStatus::Done;
            records.push(SlideRecord { name, path, status, ..SlideRecord::default() });
        }
    }
    records
}

/// The names of the slides that have a patch file, sorted.
pub(crate) fn patches_file_names(run: &RunDir) -> Result<Vec<String>, SlidesError> {
    let folder = run.patches_folder();
    let error = |e: std::io::Error| {
        let problem = format!(
            "cannot list the folder: {e}; without it, which slides have patches is not known"
        );
        SlidesError::Table { path: folder.clone(), problem }
    };
    let entries = match std::fs::read_dir(&folder) {
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        entries => entries.map_err(error)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let Ok(name) = entry.map_err(error)?.file_name().into_string() else { continue };
        let stem = name.strip_suffix(".h5").filter(|stem| !stem.starts_with('.'));
        names.extend(stem.map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slides_with_only_a_patches_file_come_last() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        assert!(list_slides(&run).is_err());
        for name in ["b", "a", "z"] {
            crate::staged::write(&run.patches(name), b"x").unwrap();
        }
        let names = |run: &RunDir| -> Vec<String> {
            list_slides(run).unwrap().into_iter().map(|record| record.name).collect()
        };
        assert_eq!(names(&run), ["a", "b", "z"]);
        crate::run_dir::register_files(&run, &[folder.path().join("z.svs")]).unwrap();
        assert_eq!(names(&run), ["z", "a", "b"]);
    }
}
