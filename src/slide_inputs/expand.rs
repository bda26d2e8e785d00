//! Slides named by files, folders and lists of files.

use std::path::{Path, PathBuf};

use super::error::InputsError;
use super::folder::slides_in;
use super::series::one_per_series;
use crate::progress::Progress;
use crate::run_dir::NamedSlide;
use crate::text_file::read_text;

/// Suffixes of list files, which have one path per line.
const LISTS: [&str; 3] = ["txt", "list", "lst"];

/// The slides in the given order; those of a folder are sorted by path. A DICOM series is one
/// slide, whatever the number of its files; one of which a file is in `known` has that name and file.
///
/// A file of a list or of a folder that does not exist is kept. It becomes a failed slide and does
/// not stop the others.
///
/// # Errors
/// [`InputsError`] if a folder or a list cannot be read or has no slides.
pub(crate) fn expand(
    given: &[PathBuf],
    known: &[NamedSlide],
    progress: &Progress,
) -> Result<Vec<NamedSlide>, InputsError> {
    let mut files = Vec::new();
    for path in given {
        if path.is_dir() {
            files.extend(slides_in(path, progress)?);
        } else if LISTS.iter().any(|suffix| path.extension().is_some_and(|e| e == *suffix)) {
            files.extend(listed(path)?);
        } else {
            files.push(path.clone());
        }
    }
    one_per_series(&files, known, progress)
}

/// Refuses paths that lead to nothing, before anything is registered.
///
/// # Errors
/// [`InputsError::NotFound`] with the nearest name.
pub(super) fn require_existing(given: &[PathBuf]) -> Result<(), InputsError> {
    let is_missing = |path: &&PathBuf| {
        path.symlink_metadata().is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound)
    };
    match given.iter().find(is_missing) {
        Some(path) => Err(InputsError::NotFound { path: path.clone(), near: similar_name(path) }),
        None => Ok(()),
    }
}

/// The name in the same folder that is most like that of a path which does not exist.
fn similar_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let entries = std::fs::read_dir(folder.unwrap_or(Path::new("."))).ok()?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let scored = names.map(|known| (strsim::jaro_winkler(name, &known), known));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.85).then_some(best.1)
}

fn listed(list: &Path) -> Result<Vec<PathBuf>, InputsError> {
    let text =
        read_text(list).map_err(|source| InputsError::List { path: list.to_owned(), source })?;
    let base = list.parent().unwrap_or(Path::new("."));
    let slides: Vec<PathBuf> = text
        .lines()
        .map(without_comment)
        .filter(|line| !line.is_empty())
        .map(|line| base.join(line))
        .collect();
    if slides.is_empty() {
        return Err(InputsError::EmptyList { path: list.to_owned() });
    }
    Ok(slides)
}

/// A line of a list without its comment. A `#` starts a comment at the start of a line or after a
/// space; elsewhere it belongs to a name.
fn without_comment(line: &str) -> &str {
    let is_comment =
        |&(at, _): &(usize, &str)| line[..at].chars().next_back().is_none_or(char::is_whitespace);
    let end = line.match_indices('#').find(is_comment).map_or(line.len(), |(at, _)| at);
    line[..end].trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_inside_a_name_belongs_to_it() {
        assert_eq!(without_comment("a#1.tif"), "a#1.tif");
        assert_eq!(without_comment(" a b.svs  # old"), "a b.svs");
        assert_eq!(without_comment("#a.svs"), "");
        assert_eq!(without_comment("x\t# \u{e9}"), "x");
    }

    #[test]
    fn a_mistyped_path_is_refused_with_the_nearest_name() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tumor_026.svs"), b"").unwrap();
        let given = [folder.path().join("tumor_062.svs")];
        let message = require_existing(&given).unwrap_err().to_string();
        assert!(message.contains("tumor_026.svs") && message.contains("Nothing"), "{message}");
    }

    #[test]
    fn lists_may_have_a_byte_order_mark() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list.txt");
        std::fs::write(&list, "\u{feff}a.tif\r\nb#2.tif\r\n").unwrap();
        let names: Vec<_> = expand(&[list], &[], &Progress::on_stderr(true)).unwrap();
        assert_eq!(names.iter().map(|slide| slide.name.as_str()).collect::<Vec<_>>(), ["a", "b#2"]);
    }
}
