//! The size of the images that a network runs over.

use super::card::Layout;

/// Size of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageSize {
    /// Its rows.
    pub height_px: u32,
    /// Its columns.
    pub width_px: u32,
}

impl ImageSize {
    /// Shape of a network's input that holds `images` images of this size.
    pub(crate) fn shape(self, layout: Layout, images: usize) -> [usize; 4] {
        let (rows, cols) = (self.height_px as usize, self.width_px as usize);
        match layout {
            Layout::Nchw => [images, 3, rows, cols],
            Layout::Nhwc => [images, rows, cols, 3],
        }
    }
}
