//! A second mask, made from texture alone, with which the chosen method's mask is compared.
//! Where the two differ, somebody should look at the slide.

use ndarray::Array2;

use super::glass::Glass;
use super::picture::TissuePicture;
use super::texture::textured_tiles;
use super::tile_grid::TileGrid;

/// Largest share of tiles on which the two masks may differ without a note.
pub(crate) const DIFFER_LIMIT: f64 = 0.1;

/// The tiles with the texture of tissue, compared with the mask of the chosen method.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TextureCheck {
    /// `[tile row, tile col]`, 1 = textured like tissue.
    pub mask: Array2<u8>,
    /// Number of tiles that texture marks and the method leaves out.
    pub left_out: usize,
    /// Number of tiles that the method marks and texture does not.
    pub added: usize,
    /// Number of tiles in one mask only, divided by the number in at least one, 0..=1; 0 if
    /// both masks are empty.
    pub differing_share: f64,
}

impl TextureCheck {
    /// Makes the mask from the texture of a picture and compares it with the method's `mask`.
    pub(super) fn new(
        mask: &Array2<u8>,
        picture: &TissuePicture,
        glass: &Glass,
        pixels_per_tile: f64,
    ) -> Self {
        Self::from_masks(
            mask,
            textured_tiles(picture, glass, pixels_per_tile, TileGrid::from_mask(mask)),
        )
    }

    fn from_masks(mask: &Array2<u8>, texture: Array2<u8>) -> Self {
        let (mut left_out, mut added, mut either) = (0, 0, 0);
        for (&method, &texture) in mask.iter().zip(&texture) {
            left_out += usize::from(method == 0 && texture != 0);
            added += usize::from(method != 0 && texture == 0);
            either += usize::from(method != 0 || texture != 0);
        }
        let differing_share = (left_out + added) as f64 / either.max(1) as f64;
        Self { mask: texture, left_out, added, differing_share }
    }

    /// Whether the two masks differ by more than [`DIFFER_LIMIT`].
    pub(crate) fn is_suspicious(&self) -> bool {
        self.differing_share > DIFFER_LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tissue::test_support::masks;
    use proptest::prelude::*;

    #[test]
    fn the_difference_is_tiles_in_one_mask_over_tiles_in_either() {
        let mask = ndarray::arr2(&[[1_u8, 1, 1, 0, 0]]);
        let texture = TextureCheck::from_masks(&mask, ndarray::arr2(&[[1, 1, 0, 1, 0]]));
        assert_eq!((texture.left_out, texture.added, texture.differing_share), (1, 1, 0.5));
        assert!(texture.is_suspicious());
        assert!(!TextureCheck::from_masks(&mask, mask.clone()).is_suspicious());
        let nothing = Array2::zeros((3, 3));
        assert_eq!(TextureCheck::from_masks(&nothing, nothing.clone()).differing_share, 0.0);
    }

    proptest! {
        #[test]
        fn the_difference_is_symmetric_and_at_most_one(mask in masks(9), other in masks(9)) {
            let other = Array2::from_shape_fn(mask.dim(), |at| other.get(at).copied().unwrap_or(0));
            let found = TextureCheck::from_masks(&mask, other.clone());
            let turned = TextureCheck::from_masks(&other, mask.clone());
            prop_assert_eq!((found.left_out, found.added), (turned.added, turned.left_out));
            prop_assert!((0.0..=1.0).contains(&found.differing_share));
            let whole = TextureCheck::from_masks(&mask, Array2::zeros(mask.dim()));
            prop_assert_eq!(whole.differing_share, f64::from(mask.iter().any(|&tile| tile != 0)));
        }
    }
}
