//! Writes pictures as PNG: heatmaps, tissue masks and previews of normalization.

use std::path::{Path, PathBuf};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use ndarray::ArrayView2;
use thiserror::Error;

use crate::heatmap::RgbPicture;
use crate::staged::{self, StageError};

/// The reason why a picture could not be written.
#[derive(Debug, Error)]
pub enum PngError {
    /// The file cannot be written.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The picture cannot be encoded.
    #[error("{}: cannot encode this picture of {width_px} x {height_px} px: {source}", path.display())]
    Encode {
        /// The file that was to be written.
        path: PathBuf,
        /// Width of the picture, px.
        width_px: usize,
        /// Height of the picture, px.
        height_px: usize,
        /// The encoder's error.
        source: image::ImageError,
    },
}

/// Writes a picture. The file appears whole; after an error an earlier file stays
/// unchanged.
///
/// # Errors
/// [`PngError`] naming the file.
pub(crate) fn write_png(target: &Path, picture: &RgbPicture) -> Result<(), PngError> {
    let side =
        |px: usize| u32::try_from(px).expect("a picture has fewer than 2^32 rows and columns");
    // The picture is encoded to memory first, so that a full disk is reported by the
    // system's own error, which says what to do, and not by the encoder's.
    let mut bytes = Vec::new();
    // Fast compression makes a tissue mask's picture 7 % larger. The default compression
    // took an eighth of the time of splitting a small slide.
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

/// Writes a tile mask `[tile row, tile col]` as a grey picture with one pixel per tile:
/// 255 where the mask is not 0.
///
/// # Errors
/// The same as those of [`write_png`].
pub(crate) fn write_mask_tiles(target: &Path, mask: ArrayView2<'_, u8>) -> Result<(), PngError> {
    let pixels = mask.iter().flat_map(|&tile| [if tile == 0 { 0 } else { 255 }; 3]).collect();
    write_png(target, &RgbPicture { width_px: mask.ncols(), height_px: mask.nrows(), pixels })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_picture_reads_back_unchanged() {
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
    fn a_failed_write_leaves_the_earlier_file() {
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
