//! Files that turn out damaged: whoever reads one sets it aside.
//!
//! What is done is decided by a listing: a file that is there under its final name is
//! complete. A damaged file must therefore lose that name. It becomes `NAME.damaged`,
//! with what was wrong in `NAME.damaged.json`, and whoever makes the file anew removes
//! both. A file that only cannot be read at the moment, is newer than this program or
//! belongs to another configuration is never set aside.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::hdf5_file::FormatError;
use crate::run_dir::{self, RunDir};
use crate::staged;

/// What was wrong with a file that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Damage {
    /// What was wrong, in words.
    pub reason: String,
    /// The command that found it.
    pub found_by: String,
    /// When, seconds since 1970.
    pub time_s: u64,
}

/// Where a damaged file is put.
pub(crate) fn aside(path: &Path) -> PathBuf {
    with_suffix(path, ".damaged")
}

/// What was wrong with the file that was set aside from `path`.
pub(crate) fn read(path: &Path) -> Damage {
    let text = fs::read(record(path)).ok();
    let known = text.and_then(|text| serde_json::from_slice(&text).ok());
    known.unwrap_or_else(|| Damage {
        reason: format!(
            "{}: was damaged and set aside; the reason was not recorded",
            path.display()
        ),
        found_by: String::new(),
        time_s: 0,
    })
}

/// Removes what was set aside, once the file is made anew.
pub(crate) fn clear(path: &Path) {
    // Usually there is no such file.
    drop(fs::remove_file(aside(path)));
    drop(fs::remove_file(record(path)));
}

/// A damaged file that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason}; it is now {}, and `slidegrid {made_by}` makes the file anew", aside.display())]
pub(crate) struct SetAside {
    /// What was wrong, in words.
    pub reason: String,
    /// Where the file is now.
    pub aside: PathBuf,
    /// The command that makes it anew.
    pub made_by: &'static str,
}

impl SetAside {
    /// The damaged file that was set aside from `path`, unless there is another by now.
    pub(crate) fn find(path: &Path, made_by: &'static str) -> Option<Self> {
        let aside = aside(path);
        let found = aside.exists() && matches!(path.try_exists(), Ok(false));
        found.then(|| Self { reason: read(path).reason, aside, made_by })
    }
}

/// Reads a file, and sets it aside when it is damaged.
///
/// # Errors
/// That of `read`.
pub(crate) fn reading<T>(
    watched: &Watched<'_>,
    found_by: &'static str,
    read: impl FnOnce(&Path) -> Result<T, FormatError>,
) -> Result<T, FormatError> {
    let found = read(&watched.path);
    if let Err(error) = &found {
        watched.note(error, found_by);
    }
    found
}

/// A file as it was before it was read, so that a file written since then is not set aside.
#[derive(Debug, Clone)]
pub(crate) struct Watched<'a> {
    path: PathBuf,
    made_by: &'static str,
    /// Device, inode, length and time of change.
    identity: Option<[u64; 4]>,
    /// Of patches: the run and the slide.
    patches_of: Option<(&'a RunDir, &'a str)>,
}

impl<'a> Watched<'a> {
    /// The file that is at `path` now, which the command `made_by` makes.
    pub(crate) fn new(path: &Path, made_by: &'static str) -> Self {
        Self { path: path.to_owned(), made_by, identity: identity(path), patches_of: None }
    }

    /// The patches of a slide. Only patches that this program made from the slide are set aside;
    /// patches that were copied in by hand could not be made again.
    pub(crate) fn patches(run: &'a RunDir, slide: &'a str) -> Self {
        Self { patches_of: Some((run, slide)), ..Self::new(&run.patches(slide), "split") }
    }

    /// Sets the file aside when this error says that it is damaged.
    pub(crate) fn note(&self, error: &FormatError, found_by: &'static str) -> Option<SetAside> {
        if !error.is_damage() || error.path() != self.path {
            return None;
        }
        self.set_aside(&error.to_string(), found_by)
    }

    /// Sets the file aside. `None` when that cannot be done, or when the file has been
    /// replaced since; somebody else may have set it aside before.
    pub(crate) fn set_aside(&self, reason: &str, found_by: &'static str) -> Option<SetAside> {
        let aside = aside(&self.path);
        let done =
            SetAside { reason: reason.to_owned(), aside: aside.clone(), made_by: self.made_by };
        match (self.identity, identity(&self.path)) {
            (Some(before), Some(now)) if before == now => {}
            (Some(_), None) => return aside.exists().then_some(done),
            _ => return None,
        }
        if self.patches_of.is_some_and(|(run, slide)| !was_split(run, slide)) {
            return None;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let time_s = now.map_or(0, |since| since.as_secs());
        let (reason, found_by) = (reason.to_owned(), found_by.to_owned());
        let text = serde_json::to_vec(&Damage { reason, found_by, time_s });
        let text = text.expect("a damage is plain data");
        // The reason is written first, so that every file set aside has one; if nothing can be
        // written, nothing is renamed.
        staged::write(&record(&self.path), &text).ok()?;
        fs::rename(&self.path, &aside).ok()?;
        Some(done)
    }
}

/// Whether this program has made the patches of a slide.
fn was_split(run: &RunDir, slide: &str) -> bool {
    let records = run_dir::registered(run).unwrap_or_default();
    let made = |record: &run_dir::SlideRecord| record.started_unix_s.is_some();
    records.iter().any(|record| record.name == slide && made(record))
}

fn identity(path: &Path) -> Option<[u64; 4]> {
    let file = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    Some([file.dev(), file.ino(), file.len(), file.mtime().unsigned_abs()])
}

fn record(path: &Path) -> PathBuf {
    with_suffix(path, ".damaged.json")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hdf5_file;

    fn open(path: &Path) -> Result<(), FormatError> {
        hdf5_file::open(path).map(drop)
    }

    fn open_watched(path: &Path) -> Result<(), FormatError> {
        reading(&Watched::new(path, "predict"), "stitch", open)
    }

    #[test]
    fn a_damaged_file_loses_its_name_and_keeps_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t1.h5");
        fs::write(&path, "not HDF5").unwrap();
        let error = open_watched(&path).unwrap_err();
        assert!(!path.exists() && aside(&path).exists());
        let damage = read(&path);
        assert_eq!((damage.reason, damage.found_by.as_str()), (error.to_string(), "stitch"));
        assert!(damage.time_s > 1_600_000_000);
        clear(&path);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_not_damaged_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t1.h5");
        assert!(open_watched(&path).is_err());
        fs::create_dir(&path).unwrap();
        assert!(open_watched(&path).is_err() && path.exists(), "a folder");
        fs::remove_dir(&path).unwrap();
        // The file is replaced while it is read.
        fs::write(&path, "not HDF5").unwrap();
        let watched = Watched::new(&path, "predict");
        let error = open(&path).unwrap_err();
        staged::write(&path, b"made anew").unwrap();
        assert!(watched.note(&error, "stitch").is_none() && path.exists());
        // Another process has set the file aside already.
        let watched = Watched::new(&path, "predict");
        assert_eq!(SetAside::find(&path, "predict"), None);
        let first = watched.set_aside("it is short", "stitch");
        assert!(first.is_some() && first == watched.set_aside("it is short", "stitch"));
        assert_eq!(first, SetAside::find(&path, "predict"));
        assert_eq!(read(Path::new("/nonexistent")).time_s, 0);
    }

    #[test]
    fn patches_that_were_put_there_by_hand_stay() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        staged::write(&run.patches("a"), b"not HDF5").unwrap();
        let set_aside = || Watched::patches(&run, "a").set_aside("it is short", "predict");
        assert_eq!(set_aside(), None);
        run_dir::register_files(&run, &[folder.path().join("a.svs")]).unwrap();
        assert_eq!(set_aside(), None, "it was not split");
        let mut records = run_dir::read_slides(&run).unwrap();
        records[0].started_unix_s = Some(1.0);
        run_dir::write_slides(&run, &records).unwrap();
        let done = set_aside().unwrap();
        assert_eq!((done.aside, done.made_by), (aside(&run.patches("a")), "split"));
    }

    /// A file that cannot be read now may be whole.
    #[test]
    fn errors_of_the_system_are_no_damage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t1.h5");
        fs::write(&path, "whole").unwrap();
        for number in [libc::EACCES, libc::EIO, libc::EMFILE, libc::ENOMEM, libc::ESTALE] {
            let source = std::io::Error::from_raw_os_error(number);
            let error = FormatError::io(&path, "read it", source);
            assert!(Watched::new(&path, "predict").note(&error, "stitch").is_none(), "{error}");
        }
        let (format, writer) = ("slidegrid scores", "slidegrid 9".to_owned());
        let newer =
            FormatError::Newer { path: path.clone(), format, found: 2, expected: 1, writer };
        assert!(Watched::new(&path, "predict").note(&newer, "stitch").is_none());
        assert!(path.exists());
    }
}
