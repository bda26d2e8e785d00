//! Opens a slide: chooses the reader for a file.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use super::error::SlideError;
use super::flat_image::{self, PlainSlide, Sniffed};
use super::names::{is_slide_name, suffix};
use super::openslide::{self, OpenSlideReader};
use super::region_reader::Slide;
use super::tiff_check;
use super::tiff_pages::TiffPages;
use super::tiled_jpeg;
use crate::crash::{Watch, death_of};

/// Opens a slide with the reader that recognises it.
///
/// OpenSlide is tried first, whatever the first bytes of the file are: a MIRAX slide begins as
/// a JPEG. The library is loaded at the first call. Levels of JPEG tiles are decoded by
/// libturbojpeg if that library can be loaded and gives the same pixels. Pictures that
/// OpenSlide does not know are decoded whole: they may have at most 2^28 px, and 3 bytes
/// per pixel stay in memory.
///
/// # Errors
/// [`SlideError`] says what was found in the file, and what to do.
pub fn open(path: &Path) -> Result<Box<dyn Slide>, SlideError> {
    open_with(path, tiled_jpeg::faster)
}

/// Opens a slide as [`open`] does. While the returned [`Watch`] is held, a library that dies of the
/// slide starts the program again, and this function then returns an error for the slide.
///
/// # Errors
/// The same as those of [`open`], and [`SlideError::Died`].
pub(crate) fn open_watched(path: &Path) -> Result<(Box<dyn Slide>, Watch), SlideError> {
    if let Some(death) = death_of(path) {
        return Err(SlideError::Died { path: path.to_owned(), how: death.to_string() });
    }
    let watch = Watch::start(path, None);
    Ok((open(path)?, watch))
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
    wrap: fn(OpenSlideReader) -> Result<Box<dyn Slide>, SlideError>,
) -> Result<Box<dyn Slide>, SlideError> {
    // Opening a pipe would wait for a writer that never comes.
    let kind = std::fs::metadata(path).map_err(|error| reason_not_read(path, error))?.file_type();
    if !kind.is_file() && !kind.is_dir() {
        return Err(SlideError::NoFile { path: path.to_owned() });
    }
    let found = flat_image::sniff(path).map_err(|error| reason_not_read(path, error))?;
    if found == Sniffed::Tiff
        && let Ok(file) = File::open(path)
        && let Some(reason) = tiff_check::impossible(&file)
    {
        let reader = "the reader of TIFF directories".to_owned();
        return Err(SlideError::Broken { path: path.to_owned(), reader, reason });
    }
    let flat = || PlainSlide::open(path, found).map(|slide| Box::new(slide) as Box<dyn Slide>);
    match OpenSlideReader::open(path) {
        Ok(Some(slide)) if slide.vendor() == "generic-tiff" => generic_tiff(slide, wrap, flat),
        Ok(Some(slide)) => wrap(slide),
        Ok(None) if found == Sniffed::Tiff || (found.is_picture() && !names_a_format(path)) => {
            flat()
        }
        Ok(None) if found.is_picture() => Err(SlideError::PartsMissing {
            path: path.to_owned(),
            found: found.to_string(),
            reader: openslide::version().unwrap_or_else(|_| "OpenSlide".to_owned()),
        }),
        Ok(None) => Err(SlideError::Unrecognised {
            path: path.to_owned(),
            found: found.to_string(),
            reader: openslide::version().unwrap_or_else(|_| "OpenSlide".to_owned()),
        }),
        // A plain picture can be read without the library. A file with the name of a
        // whole-slide format must not silently be read as a flat picture.
        Err(SlideError::NoOpenSlide { path, message }) => match flat() {
            Ok(slide) if !names_a_format(&path) => Ok(slide),
            _ => Err(SlideError::NoOpenSlide { path, message }),
        },
        Err(error) => Err(unsupported_kind(path).unwrap_or(error)),
    }
}

/// The error for a TIFF that OpenSlide cannot open and whose pixels are stored unusually.
fn unsupported_kind(path: &Path) -> Option<SlideError> {
    let pages = File::open(path).and_then(|file| TiffPages::read(&file)).ok()?;
    let page = pages.pages.first().filter(|page| !page.is_common())?;
    let reader = openslide::version().ok()?;
    Some(SlideError::Unsupported { path: path.to_owned(), reader, found: page.to_string() })
}

/// Whether the file has the name of a whole-slide format and not that of a picture. MIRAX
/// slides, for example, are JPEG files: a small preview beside the folder with the slide.
fn names_a_format(path: &Path) -> bool {
    const PICTURES: [&str; 7] = ["tif", "tiff", "png", "jpg", "jpeg", "jpe", "jfif"];
    is_slide_name(path) && suffix(path).is_some_and(|name| !PICTURES.contains(&name.as_str()))
}

/// Opens a TIFF file that no scanner's format claims. OpenSlide reads its first picture; where
/// the slide is another one, that one is decoded whole.
fn generic_tiff(
    slide: OpenSlideReader,
    wrap: fn(OpenSlideReader) -> Result<Box<dyn Slide>, SlideError>,
    flat: impl Fn() -> Result<Box<dyn Slide>, SlideError>,
) -> Result<Box<dyn Slide>, SlideError> {
    let path = slide.path().to_owned();
    // OpenSlide has opened the file, so a directory that only this parser does not understand
    // is not an error.
    let Ok(pages) = File::open(&path).and_then(|file| TiffPages::read(&file)) else {
        return wrap(slide);
    };
    let index = pages
        .slide_page()
        .map_err(|found| SlideError::NoSlidePage { path: path.clone(), found: found.0 })?;
    if index != 0 {
        return flat();
    }
    let page = &pages.pages[index];
    if !page.is_common() && slide.read_middle().is_err() {
        let (reader, found) = (slide.reader(), page.to_string());
        let unsupported = || SlideError::Unsupported { path, reader, found };
        return flat().map_err(|error| match error {
            SlideError::Unsupported { .. } => unsupported(),
            other => other,
        });
    }
    wrap(slide.with_mpp(pages.mpp()))
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
