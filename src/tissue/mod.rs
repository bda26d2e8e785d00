//! Tissue detection: from small pictures of a slide to the tiles that hold tissue. The
//! module does no I/O.
//!
//! [`find_tissue`] takes the pictures ([`TissueViews`]) and gives a [`TissueMask`], from
//! which `split` chooses the blocks to store. The default method, `stain`, looks for colour
//! or density against the slide's own glass in a picture of 8 um per pixel. The method
//! `otsu-hs` is that of the paper: Otsu's thresholds on hue and on saturation, one pixel per
//! tile, tissue where both are reached. Every method but `all` is checked against texture,
//! so that a mask that leaves tissue out is noticed ([`TextureCheck`]).

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
mod tile_grid;
mod window;

pub use mask::SlideMask;
pub use method::{TissueMask, TissueViews, find_tissue};
pub use morphology::Element;
pub use options::{TissueError, TissueMethod, TissueOptions};
pub use picture::TissuePicture;
pub use texture_check::{DIFFER_LIMIT, TextureCheck};
pub use tile_grid::TileGrid;
