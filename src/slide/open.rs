//! Opens a slide: chooses the reader for a file.

use std::io::ErrorKind;
use std::path::Path;

use super::error::SlideError;
use super::names::suffix;
use super::region_reader::Slide;
use super::{flat_image, openslide, tiled_jpeg};

/// Opens a slide with the reader that recognises it.
///
/// OpenSlide is tried first, except for PNG and JPEG, which OpenSlide never reads. The
/// library is loaded at the first call that needs it. Levels of JPEG tiles are decoded by
/// libturbojpeg if that library can be loaded and gives the same pixels. Pictures that
/// OpenSlide does not know are decoded whole: they may have at most 2^28 px, and 3 bytes
/// per pixel stay in memory.
///
/// # Errors
/// [`SlideError`] says what was found in the file, and what to do.
pub fn open(path: &Path) -> Result<Box<dyn Slide>, SlideError> {
    open_with(path, tiled_jpeg::faster)
}

/// Opens a slide as [`open`] does, without libturbojpeg: OpenSlide decodes every level,
/// which is slower and gives the same pixels.
///
/// # Errors
/// The same as those of [`open`].
pub fn open_by_openslide(path: &Path) -> Result<Box<dyn Slide>, SlideError> {
    open_with(path, |slide| Ok(Box::new(slide)))
}

fn open_with(
    path: &Path,
    wrap: fn(openslide::OpenSlideReader) -> Result<Box<dyn Slide>, SlideError>,
) -> Result<Box<dyn Slide>, SlideError> {
    let found = flat_image::sniff(path).map_err(|error| reason_not_read(path, error))?;
    if matches!(found, flat_image::Sniffed::Png | flat_image::Sniffed::Jpeg) {
        return Ok(Box::new(flat_image::PlainSlide::open(path, found)?));
    }
    match openslide::OpenSlideReader::open(path) {
        Ok(Some(slide)) => wrap(slide),
        Ok(None) if found == flat_image::Sniffed::Tiff => {
            Ok(Box::new(flat_image::PlainSlide::open(path, found)?))
        }
        Ok(None) => Err(SlideError::Unrecognised {
            path: path.to_owned(),
            found: found.to_string(),
            reader: openslide::version().unwrap_or_else(|_| "OpenSlide".to_owned()),
        }),
        // A plain TIFF can be read without the library. A file with the name of a
        // whole-slide format must not silently be read as a flat picture.
        Err(SlideError::NoOpenSlide { path, message }) => {
            let plain_name = matches!(suffix(&path).as_deref(), Some("tif" | "tiff"));
            match flat_image::PlainSlide::open(&path, found) {
                Ok(slide) if plain_name => Ok(Box::new(slide)),
                _ => Err(SlideError::NoOpenSlide { path, message }),
            }
        }
        Err(error) => Err(error),
    }
}

fn reason_not_read(path: &Path, source: std::io::Error) -> SlideError {
    let path = path.to_owned();
    match source.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            let here = std::env::current_dir().ok().filter(|_| path.is_relative());
            let hint =
                here.map_or_else(String::new, |dir| format!(" (looked in {})", dir.display()));
            SlideError::NotFound { path, hint }
        }
        ErrorKind::IsADirectory => SlideError::IsFolder { path },
        _ => SlideError::Io { path, source },
    }
}
