//! The file names by which slides are recognised in folders.

use std::path::Path;

/// File name endings, in lower case, of the files that count as slides when a folder is
/// given.
const SLIDE_SUFFIXES: [&str; 16] = [
    "svs", "svslide", "tif", "tiff", "ndpi", "vms", "vmu", "scn", "mrxs", "bif", "dcm", "czi",
    "zvi", "png", "jpg", "jpeg",
];

/// Whether a file has the name of a slide: it ends in `.svs`, `.ndpi`, `.tif` or the like,
/// in upper or lower case, and the file is not hidden.
pub(crate) fn is_slide_name(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && suffix(path).is_some_and(|suffix| SLIDE_SUFFIXES.contains(&suffix.as_str()))
}

/// Whether a file may be DICOM by its name: it ends in `.dcm`, or not as another slide does. Files
/// of an archive often have no ending, or that of a number.
pub(in crate::slide) fn may_be_dicom(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let is_other = |suffix: String| suffix != "dcm" && SLIDE_SUFFIXES.contains(&suffix.as_str());
    !hidden && !suffix(path).is_some_and(is_other)
}

/// Whether a file has the name of a plain picture: PNG or JPEG.
pub(crate) fn is_picture_name(path: &Path) -> bool {
    suffix(path).is_some_and(|suffix| matches!(suffix.as_str(), "png" | "jpg" | "jpeg"))
}

pub(in crate::slide) fn suffix(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slide_names_are_recognised_by_their_ending() {
        for name in ["a.svs", "b.NDPI", "x/y.tiff", "c.Mrxs", "d.png"] {
            assert!(is_slide_name(Path::new(name)), "{name}");
        }
        for name in ["svs", "a.svs.part", ".a.svs", "a.txt", "a.xml", ""] {
            assert!(!is_slide_name(Path::new(name)), "{name}");
        }
    }
}
