//! Which tiles hold tissue. Pure: no I/O.
//!
//! The slide arrives as pictures ([`TissueViews`]); a [`TissueMask`] leaves. The default,
//! `stain`, looks for colour or density against the slide's own glass, in a picture of
//! 8 um a pixel; `otsu-hs` is the paper's: Otsu on hue and on saturation of one pixel a
//! tile, tissue where both reach their threshold. Whatever the method, texture is looked
//! at as well, so that a mask that throws tissue away does not go unsaid
//! ([`TextureCheck`]).

pub mod glass;
pub mod hsv;
pub mod mask;
pub mod method;
pub mod morphology;
pub mod options;
pub mod otsu;
pub mod picture;
mod regions;
mod stain;
#[cfg(test)]
mod test_support;
mod texture;
pub mod texture_check;
mod window;

pub use mask::SlideMask;
pub use method::{TissueMask, TissueViews, find_tissue};
pub use morphology::Element;
pub use options::{TissueError, TissueMethod, TissueOptions};
pub use picture::TissuePicture;
pub use texture_check::{DIFFER_LIMIT, TextureCheck};
