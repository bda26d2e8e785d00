//! Tells which series a DICOM file belongs to.

use std::ffi::CString;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::library::library;
use crate::crash::{Watch, death_of};
use crate::slide::names::suffix;

/// The series of a DICOM file. All files of one series in one folder are one slide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DicomSeries {
    /// The series' unique identifier.
    pub uid: String,
    /// The identifier of the glass slide.
    pub container: Option<String>,
}

/// The series of a DICOM whole-slide file; `None` for other files, for a file of which the program
/// died, and where OpenSlide does not read DICOM (before version 4).
pub(crate) fn dicom_series(path: &Path) -> Option<DicomSeries> {
    // Names are checked first, because a folder may hold thousands of other slides.
    let is_named = suffix(path).is_none_or(|suffix| matches!(suffix.as_str(), "dcm" | "dicom"));
    if !is_named || !has_dicom_prefix(path) {
        return None;
    }
    if death_of(path).is_some() {
        return None;
    }
    let _watch = Watch::start(path, None);
    let path = CString::new(path.as_os_str().as_encoded_bytes()).ok()?;
    let handle = library().ok()?.open(&path).ok()??;
    let uid = handle.property(c"dicom.SeriesInstanceUID")?;
    let container = handle.property(c"dicom.ContainerIdentifier");
    Some(DicomSeries { uid, container: container.filter(|name| !name.trim().is_empty()) })
}

/// Whether "DICM" follows the preamble of 128 bytes (DICOM PS3.10, section 7.1).
fn has_dicom_prefix(path: &Path) -> bool {
    // Opening a pipe would wait for a writer that never comes.
    if !path.is_file() {
        return false;
    }
    let mut prefix = [0; 4];
    let read = File::open(path).and_then(|file| file.read_exact_at(&mut prefix, 128));
    read.is_ok() && &prefix == b"DICM"
}
