//! Slides named by files, folders and lists of files.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::InputsError;
use crate::progress::Progress;
use crate::slide::is_slide_name;

/// Suffixes of list files, which have one path per line; `#` starts a comment.
const LISTS: [&str; 3] = ["txt", "list", "lst"];

/// The slides in the given order; those of a folder are sorted by name.
///
/// A file that does not exist is kept in the list. It becomes a failed slide and does not stop
/// the others.
///
/// # Errors
/// [`InputsError`] if a folder or a list cannot be read, or has no slides.
pub(crate) fn expand(given: &[PathBuf], progress: &Progress) -> Result<Vec<PathBuf>, InputsError> {
    let mut slides = Vec::new();
    for path in given {
        if path.is_dir() {
            slides.extend(slides_in(path, progress)?);
        } else if LISTS.iter().any(|suffix| path.extension().is_some_and(|e| e == *suffix)) {
            slides.extend(listed(path)?);
        } else {
            slides.push(path.clone());
        }
    }
    Ok(slides)
}

fn slides_in(folder: &Path, progress: &Progress) -> Result<Vec<PathBuf>, InputsError> {
    let unreadable = |source| InputsError::Folder { path: folder.to_owned(), source };
    let mut files = Vec::new();
    let mut ignored = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if is_slide_name(&path) && path.is_file() {
            files.push(path);
        } else if path.is_file() {
            ignored.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
    }
    files.sort();
    ignored.sort();
    if !ignored.is_empty() {
        progress.note(&format!(
            "{}: {} files do not have a slide's suffix and are left out: {}",
            folder.display(),
            ignored.len(),
            ignored.join(", ")
        ));
    }
    if files.is_empty() {
        return Err(InputsError::EmptyFolder { path: folder.to_owned() });
    }
    Ok(files)
}

fn listed(list: &Path) -> Result<Vec<PathBuf>, InputsError> {
    let text = fs::read_to_string(list)
        .map_err(|source| InputsError::List { path: list.to_owned(), source })?;
    let base = list.parent().unwrap_or(Path::new("."));
    let slides: Vec<PathBuf> = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .map(|line| base.join(line))
        .collect();
    if slides.is_empty() {
        return Err(InputsError::EmptyList { path: list.to_owned() });
    }
    Ok(slides)
}
