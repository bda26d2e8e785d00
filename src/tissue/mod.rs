//! Tissue detection: from small pictures of a slide to the tiles that hold tissue. The
//! module does no I/O.
//!
//! [`find_tissue`] takes the pictures ([`TissueViews`]) and gives a [`TissueMask`], from
//! which `split` chooses the blocks to store. The default method, `stain`, looks for colour
//! or density against the slide's own glass in a picture of 8 um per pixel. The method
//! `otsu-hs` is that of the paper: Otsu's thresholds on hue and on saturation, one pixel per
//! tile, tissue where both are reached. Every method but `all` is checked against texture,
//! so that a mask that leaves tissue out is noticed ([`TextureCheck`]).

pub(crate) mod glass;
pub(crate) mod hsv;
pub(crate) mod mask;
pub(crate) mod method;
pub(crate) mod morphology;
pub(crate) mod options;
pub(crate) mod otsu;
pub(crate) mod picture;
mod regions;
mod stain;
#[cfg(test)]
mod test_support;
mod texture;
pub(crate) mod texture_check;
mod tile_grid;
mod window;

pub(crate) use mask::SlideMask;
pub(crate) use method::{TissueMask, TissueViews, find_tissue};
pub(crate) use morphology::Element;
pub(crate) use options::{TissueError, TissueMethod, TissueOptions};
pub(crate) use picture::TissuePicture;
pub(crate) use texture_check::{DIFFER_LIMIT, TextureCheck};
pub(crate) use tile_grid::TileGrid;
