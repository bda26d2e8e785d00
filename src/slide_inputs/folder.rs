//! The slides in a folder and its subfolders.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::error::InputsError;
use crate::progress::Progress;
use crate::slide::{DicomFile, dicom_file, is_picture_name, is_slide_name};

/// Length of a VMS file, a short text, of which more is not read.
const VMS_BYTES: u64 = 1 << 20;

/// Number of files left out that a note names.
const NAMED: usize = 5;

/// The slides in a folder and its subfolders, sorted by path. Hidden folders, run directories and
/// the folders of MIRAX slides are not entered. Where a subfolder holds pictures (PNG, JPEG) and
/// the folder also has slides, the pictures are masks or previews and are left out. What is left
/// out is counted and named on stderr.
///
/// A link that leads nowhere is kept, and becomes a failed slide.
///
/// # Errors
/// [`InputsError`] if a folder cannot be listed, or there is no slide.
pub(super) fn slides_in(folder: &Path, progress: &Progress) -> Result<Vec<PathBuf>, InputsError> {
    let (mut slides, mut left_out) = (Vec::new(), Vec::new());
    let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name();
    for entry in walk.into_iter().filter_entry(|entry| is_entered(entry, progress)) {
        let path = match entry {
            Ok(entry) if entry.file_type().is_dir() => continue,
            Ok(entry) => entry.into_path(),
            Err(error) => unfollowed(folder, error)?,
        };
        // Files of DICOM archives often have no ending, and beside slides there are other objects.
        let is_slide = match dicom_file(&path) {
            Some(DicomFile::Slide(_)) => true,
            Some(DicomFile::Other) => false,
            None => is_slide_name(&path),
        };
        if is_slide { slides.push(path) } else { left_out.push(path) }
    }
    let parts = parts_of_vms(&slides);
    slides.retain(|slide| !parts.contains(slide));
    if slides.iter().any(|slide| !is_picture_name(slide)) {
        let is_beside = |slide: &PathBuf| is_picture_name(slide) && slide.parent() != Some(folder);
        left_out.extend(slides.iter().filter(|slide| is_beside(slide)).cloned());
        slides.retain(|slide| !is_beside(slide));
    }
    if !left_out.is_empty() {
        progress.note(&left_out_note(folder, &left_out));
    }
    if slides.is_empty() {
        return Err(InputsError::EmptyFolder { path: folder.to_owned() });
    }
    Ok(slides)
}

/// Whether the walk enters a folder. Files are always entered.
fn is_entered(entry: &DirEntry, progress: &Progress) -> bool {
    if entry.depth() == 0 || !entry.file_type().is_dir() {
        return true;
    }
    let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
    let path = entry.path();
    if path.join("run.toml").is_file() {
        progress.note(&format!("{}: a run directory, left out", path.display()));
        return false;
    }
    let slide = |suffix| {
        let mut name = entry.file_name().to_owned();
        name.push(suffix);
        path.with_file_name(name)
    };
    let is_part = [".mrxs", ".MRXS"].iter().any(|suffix| slide(suffix).exists());
    !is_hidden && !is_part
}

/// The path of a link that leads nowhere; other errors stop the walk.
fn unfollowed(folder: &Path, error: walkdir::Error) -> Result<PathBuf, InputsError> {
    let path = error.path().unwrap_or(folder).to_owned();
    if path.symlink_metadata().is_ok_and(|data| data.file_type().is_symlink()) {
        return Ok(path);
    }
    let source =
        error.into_io_error().unwrap_or_else(|| std::io::Error::other("it is its own parent"));
    Err(InputsError::Folder { path, source })
}

/// The pictures that belong to Hamamatsu VMS slides, which name them in their own text.
fn parts_of_vms(slides: &[PathBuf]) -> HashSet<PathBuf> {
    let is_vms = |slide: &&PathBuf| {
        let suffix = slide.extension().and_then(OsStr::to_str).unwrap_or_default();
        ["vms", "vmu"].iter().any(|known| suffix.eq_ignore_ascii_case(known))
    };
    let mut parts = HashSet::new();
    for slide in slides.iter().filter(is_vms).filter(|slide| slide.is_file()) {
        // A file that cannot be read fails when it is opened.
        let mut text = Vec::new();
        if let Ok(file) = fs::File::open(slide) {
            drop(file.take(VMS_BYTES).read_to_end(&mut text));
        }
        let text = String::from_utf8_lossy(&text);
        let values = text.lines().filter_map(|line| line.split_once('='));
        parts.extend(values.map(|(_, value)| slide.with_file_name(value.trim())));
    }
    parts
}

fn left_out_note(folder: &Path, left_out: &[PathBuf]) -> String {
    let shown = left_out
        .iter()
        .take(NAMED)
        .map(|path| path.strip_prefix(folder).unwrap_or(path).display().to_string());
    let shown = shown.collect::<Vec<_>>().join(", ");
    let more = match left_out.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (files, are) = if left_out.len() == 1 { ("file", "is") } else { ("files", "are") };
    format!(
        "{}: {} {files} that {are} no slide {are} left out: {shown}{more}",
        folder.display(),
        left_out.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        let slides = slides_in(folder.path(), &Progress::on_stderr(true)).unwrap();
        let relative =
            |path: &PathBuf| path.strip_prefix(folder.path()).unwrap().display().to_string();
        slides.iter().map(relative).collect()
    }

    #[test]
    fn subfolders_are_walked_and_what_belongs_to_a_slide_is_not_another() {
        let portal = ["b/2.svs", "b/logs/x.txt", "a/1.svs", "a/annotations.txt", "MANIFEST.txt"];
        assert_eq!(found(&portal), ["a/1.svs", "b/2.svs"]);
        let mirax = ["s.mrxs", "s/Slidedat.ini", "s/preview.jpg", "t.mrxs", "t/Data0000.dat"];
        assert_eq!(found(&mirax), ["s.mrxs", "t.mrxs"]);
        assert_eq!(found(&["a.svs", "masks/a.png", ".hidden/b.svs"]), ["a.svs"]);
        assert_eq!(found(&["a.png", "more/b.jpg"]), ["a.png", "more/b.jpg"]);
        assert_eq!(found(&["a.svs", "run/run.toml", "run/heatmaps/a.tif"]), ["a.svs"]);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.svs"), b"").unwrap();
        std::os::unix::fs::symlink("/gone/b.svs", folder.path().join("b.svs")).unwrap();
        assert_eq!(slides_in(folder.path(), &Progress::on_stderr(true)).unwrap().len(), 2);
    }

    #[test]
    fn the_pictures_of_a_vms_slide_are_parts_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let text = "[Virtual Microscope Specimen]\nImageFile=s.jpg\nImageFile(1,0)=s(1,0).jpg\n";
        for (name, content) in
            [("s.vms", text), ("s.jpg", ""), ("s(1,0).jpg", ""), ("other.jpg", "")]
        {
            fs::write(folder.path().join(name), content).unwrap();
        }
        let slides = slides_in(folder.path(), &Progress::on_stderr(true)).unwrap();
        let names: Vec<_> = slides.iter().map(|slide| slide.file_name().unwrap()).collect();
        assert_eq!(names, ["other.jpg", "s.vms"]);
    }
}
