//! Whether a file is there: yes, no, or the system's error.
//!
//! `Path::exists` takes every error for "no". A folder that may not be searched, or a file
//! server that does not answer, would then count as work that is not done.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::error::{LOOK, READ, StageError};

/// Whether there is a file or folder at `path`. Links are followed.
///
/// # Errors
/// [`StageError`] if the system says neither yes nor no.
pub(crate) fn is_there(path: &Path) -> Result<bool, StageError> {
    Ok(look(path)?.is_some())
}

/// Whether there is a regular file at `path`. Links are followed.
///
/// # Errors
/// [`StageError`] if the system says neither yes nor no.
pub(crate) fn is_file(path: &Path) -> Result<bool, StageError> {
    Ok(look(path)?.is_some_and(|found| found.is_file()))
}

/// The content of a file; `None` if there is none.
///
/// # Errors
/// [`StageError`] if the file is there, or may be, and cannot be read.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, StageError> {
    if_there(fs::read(path)).map_err(|source| failed(path, READ, source))
}

/// Whether a folder has entries; a folder that does not exist has none.
///
/// # Errors
/// [`StageError`] if the folder is there, or may be, and cannot be listed.
pub(crate) fn has_entries(folder: &Path) -> Result<bool, StageError> {
    let first = |mut entries: fs::ReadDir| entries.next().transpose();
    let first = if_there(fs::read_dir(folder).and_then(first));
    Ok(first.map_err(|source| failed(folder, "list it", source))?.flatten().is_some())
}

/// The names of the entries of a folder that end in `suffix`, without it, sorted; a folder that does
/// not exist has none. Temporary files, whose names begin with a dot, are left out.
///
/// # Errors
/// [`StageError`] if the folder is there, or may be, and cannot be listed.
pub(crate) fn names_ending(folder: &Path, suffix: &str) -> Result<Vec<String>, StageError> {
    let name = |entry: io::Result<fs::DirEntry>| entry.map(|entry| entry.file_name());
    let all = |entries: fs::ReadDir| entries.map(name).collect::<io::Result<Vec<_>>>();
    let found = if_there(fs::read_dir(folder).and_then(all));
    let found = found.map_err(|source| failed(folder, "list it", source))?.unwrap_or_default();
    let mut names: Vec<String> = found
        .iter()
        .filter_map(|name| name.to_str()?.strip_suffix(suffix))
        .filter(|stem| !stem.starts_with('.'))
        .map(str::to_owned)
        .collect();
    names.sort();
    Ok(names)
}

/// Whether two paths lead to the same file, after resolving `..` and links.
pub(crate) fn is_same(a: &Path, b: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    a == b || real(a).is_some_and(|a| real(b) == Some(a))
}

fn look(path: &Path) -> Result<Option<Metadata>, StageError> {
    if_there(fs::metadata(path)).map_err(|source| failed(path, LOOK, source))
}

/// `None` where the system says that there is no such file. A file in the place of one of its
/// folders means the same.
fn if_there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(e),
    }
}

fn failed(path: &Path, action: &'static str, source: io::Error) -> StageError {
    StageError { path: path.to_owned(), action, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_folder_that_cannot_be_listed_is_not_empty() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["b.h5", "a.h5", ".c.h5", "d.png"] {
            fs::write(at(name), "x").unwrap();
        }
        assert_eq!(names_ending(folder.path(), ".h5").unwrap(), ["a", "b"]);
        assert_eq!(names_ending(&at("none"), ".h5").unwrap(), [""; 0]);
        symlink(at("circle"), at("circle")).unwrap();
        let error = names_ending(&at("circle"), ".h5").unwrap_err().to_string();
        assert!(error.contains("circle: cannot list it"), "{error}");
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "x").unwrap();
        symlink(at("nowhere"), at("broken")).unwrap();
        symlink(at("circle"), at("circle")).unwrap();
        for (name, there, file) in [
            ("file", true, true),
            ("", true, false),
            ("none", false, false),
            ("none/none", false, false),
            ("file/none", false, false),
            ("broken", false, false),
        ] {
            assert_eq!(is_there(&at(name)).unwrap(), there, "{name}");
            assert_eq!(is_file(&at(name)).unwrap(), file, "{name}");
        }
        // Neither can be looked at, whoever looks.
        for name in ["circle".to_owned(), "n".repeat(256)] {
            let error = is_there(&at(&name)).unwrap_err().to_string();
            assert!(error.contains("cannot look whether it is there"), "{error}");
            assert!(is_file(&at(&name)).is_err() && read_if_there(&at(&name)).is_err());
            assert!(has_entries(&at(&name)).is_err());
        }
        assert_eq!(read_if_there(&at("file")).unwrap().unwrap(), b"x");
        assert_eq!(read_if_there(&at("none")).unwrap(), None);
        assert!(read_if_there(folder.path()).is_err(), "a folder");
        assert!(has_entries(folder.path()).unwrap() && !has_entries(&at("none")).unwrap());
    }
}
