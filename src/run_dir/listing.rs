//! Lists all slides of a run: those in the table, and those with only a patch file.

use super::{RunDir, SlideRecord, SlideStatus, SlidesError, read_slides};

/// The slides of the table, followed by slides that have a patch file but no row, sorted by
/// name. Patch files of the original HPC_DPAI code are copied in by hand and have no row.
///
/// # Errors
/// [`SlidesError::Table`] if there are neither a table nor patch files, or if the table cannot
/// be read.
pub(crate) fn list_slides(run: &RunDir) -> Result<Vec<SlideRecord>, SlidesError> {
    let names = patches_file_names(run);
    let mut records =
        if names.is_empty() || run.slides_csv().exists() { read_slides(run)? } else { Vec::new() };
    for name in names {
        if records.iter().all(|record| record.name != name) {
            let path = run.patches(&name);
            let status = SlideStatus::Done;
            records.push(SlideRecord { name, path, status, ..SlideRecord::default() });
        }
    }
    Ok(records)
}

/// The names of the slides that have a patch file, sorted.
fn patches_file_names(run: &RunDir) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(run.patches_folder())
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            let stem = name.strip_suffix(".h5")?;
            (!stem.starts_with('.')).then(|| stem.to_owned())
        })
        .collect();
    names.sort();
    names
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
