//! Pictures as PNG.

use std::path::{Path, PathBuf};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use ndarray::ArrayView2;
use thiserror::Error;

use crate::heatmap::RgbPicture;
use crate::staged::{self, StageError};

/// A picture could not be written.
#[derive(Debug, Error)]
pub enum PngError {
    /// The file could not be made.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The encoder failed.
    #[error("{}: cannot encode this picture of {width_px} x {height_px} px: {source}", path.display())]
    Encode {
        /// The file that was to be made.
        path: PathBuf,
        /// Its width.
        width_px: usize,
        /// Its height.
        height_px: usize,
        /// What the encoder said.
        source: image::ImageError,
    },
}

/// Writes a picture; `target` holds either the whole of it or what it held.
///
/// # Errors
/// [`PngError`] naming the file.
pub fn write_png(target: &Path, picture: &RgbPicture) -> Result<(), PngError> {
    let side = |px: usize| u32::try_from(px).unwrap_or(u32::MAX);
    // In memory first: a full disk is then the system's own error, with its
    // number and what to do about it, and not the encoder's.
    let mut bytes = Vec::new();
    // Fast: a tissue mask's picture is 7 % larger, and made without what was an eighth
    // of a small slide's split.
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Adaptive)
        .write_image(
            &picture.pixels,
            side(picture.width_px),
            side(picture.height_px),
            ExtendedColorType::Rgb8,
        )
        .map_err(|source| PngError::Encode {
            path: target.to_owned(),
            width_px: picture.width_px,
            height_px: picture.height_px,
            source,
        })?;
    Ok(staged::write(target, &bytes)?)
}

/// Writes a tile mask `[tile row, tile col]` as a grey picture of a pixel a tile: 255
/// where it is not 0.
///
/// # Errors
/// As for [`write_png`].
pub fn write_mask_tiles(target: &Path, mask: ArrayView2<'_, u8>) -> Result<(), PngError> {
    let pixels = mask.iter().flat_map(|&tile| [if tile == 0 { 0 } else { 255 }; 3]).collect();
    write_png(target, &RgbPicture { width_px: mask.ncols(), height_px: mask.nrows(), pixels })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("masks/a.png");
        let pixels: Vec<u8> = (0..7 * 5 * 3).collect();
        let picture = RgbPicture { width_px: 7, height_px: 5, pixels };
        write_png(&target, &picture).unwrap();
        let read = image::open(&target).unwrap().into_rgb8();
        assert_eq!(read.dimensions(), (7, 5));
        assert_eq!(read.into_raw(), picture.pixels);
        assert_eq!(std::fs::read_dir(target.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_picture_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.png");
        std::fs::write(&target, "old").unwrap();
        let empty = RgbPicture { width_px: 0, height_px: 0, pixels: Vec::new() };
        let error = write_png(&target, &empty).unwrap_err();
        assert!(error.to_string().contains("a.png"));
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
