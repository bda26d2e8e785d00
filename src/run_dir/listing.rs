//! Every slide of a run, in the table or not.

use super::{RunDir, SlideRecord, SlideStatus, SlidesError, read_slides};

/// The slides of the table, then patch files that are not in it, in order of
/// name: those of the original HPC_DPAI code are put there by hand.
///
/// # Errors
/// [`SlidesError::Table`] when there is neither, or the table is damaged.
pub fn known_slides(run: &RunDir) -> Result<Vec<SlideRecord>, SlidesError> {
    let stored = stored(run);
    let mut records =
        if stored.is_empty() || run.slides_csv().exists() { read_slides(run)? } else { Vec::new() };
    for name in stored {
        if records.iter().all(|record| record.name != name) {
            let path = run.patches(&name);
            let status = SlideStatus::Done;
            records.push(SlideRecord { name, path, status, ..SlideRecord::default() });
        }
    }
    Ok(records)
}

/// Names of the patch files.
fn stored(run: &RunDir) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(run.root().join("patches"))
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
    fn patch_files_without_a_row_come_last() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        assert!(known_slides(&run).is_err());
        for name in ["b", "a", "z"] {
            crate::staged::write(&run.patches(name), b"x").unwrap();
        }
        let names = |run: &RunDir| -> Vec<String> {
            known_slides(run).unwrap().into_iter().map(|record| record.name).collect()
        };
        assert_eq!(names(&run), ["a", "b", "z"]);
        crate::run_dir::register(&run, &[folder.path().join("z.svs")]).unwrap();
        assert_eq!(names(&run), ["z", "a", "b"]);
    }
}
