//! Which tiles hold tissue. Pure: no I/O.
//!
//! The slide arrives as a thumbnail `[rows, cols, rgb]` with one pixel per
//! tile; a [`TissueMask`] leaves. The default, `otsu-hs`, is the paper's: Otsu
//! on hue and on saturation, tissue where both reach their threshold.

pub mod hsv;
pub mod mask;
pub mod method;
pub mod morphology;
pub mod options;
pub mod otsu;
#[cfg(test)]
mod test_support;

pub use mask::SlideMask;
pub use method::{TissueMask, find_tissue};
pub use morphology::Element;
pub use options::{TissueError, TissueMethod, TissueOptions};
