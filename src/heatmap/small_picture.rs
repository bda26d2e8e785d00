//! A small picture of a heatmap over its slide, without text.

use super::render::{OPACITY, PlaneThumbnail, RenderError, SheetLayout, draw_scores};
use super::{Heatmap, RgbPicture};

/// Draws a slide and, if given, its heatmap over it. The longer side of the picture is
/// `side_px`; colours and places are those of [`super::render_heatmap`].
///
/// # Errors
/// [`RenderError`] if slide and map are not of the same size.
pub(crate) fn render_small(
    slide: &PlaneThumbnail<'_>,
    heatmap: Option<&Heatmap>,
    side_px: usize,
) -> Result<RgbPicture, RenderError> {
    slide.check()?;
    let layout = map_only_layout(slide, side_px);
    let mut picture = layout.sheet(slide);
    if let Some(heatmap) = heatmap {
        slide.check_grid("heatmap", heatmap.score.shape(), heatmap.stride_px)?;
        draw_scores(&mut picture, &layout, slide, heatmap, OPACITY);
    }
    Ok(picture)
}

/// The layout of a sheet that holds the map alone.
fn map_only_layout(slide: &PlaneThumbnail<'_>, side_px: usize) -> SheetLayout {
    let (width, height) = (u64::from(slide.width_px), u64::from(slide.height_px));
    let longer = width.max(height).max(1);
    let side = |px: u64| {
        usize::try_from((px * side_px as u64 / longer).max(1)).expect("a usize has 64 bits")
    };
    let (width_px, height_px) = (side(width), side(height));
    let (header, footer) = (Vec::new(), Vec::new());
    let sheet_px = (width_px, height_px);
    SheetLayout { left_px: 0, top_px: 0, width_px, height_px, header, footer, sheet_px }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Array3};

    #[test]
    fn the_picture_has_the_requested_side_and_shows_the_map() {
        let rgb = Array3::from_elem((40, 80, 3), 200);
        let slide = PlaneThumbnail { rgb: rgb.view(), width_px: 800, height_px: 400 };
        let mut score = Array2::from_elem((4, 8), f32::NAN);
        score[[2, 6]] = 1.0;
        let heatmap = Heatmap { score, stride_px: 100 };
        let map_only_layout = render_small(&slide, None, 64).unwrap();
        let picture = render_small(&slide, Some(&heatmap), 64).unwrap();
        assert_eq!((picture.width_px, picture.height_px), (64, 32));
        // Point (2, 6) is the pixel (600, 200), which is (48, 16) in the picture.
        assert_ne!(picture.get(48, 16), map_only_layout.get(48, 16));
        assert_eq!(picture.get(38, 16), map_only_layout.get(38, 16));
        let other = Heatmap { score: Array2::zeros((4, 9)), stride_px: 100 };
        assert!(render_small(&slide, Some(&other), 64).is_err());
    }
}
