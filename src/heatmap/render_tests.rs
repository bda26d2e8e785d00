use ndarray::{Array2, Array3};
use proptest::prelude::*;

use super::*;
use crate::geometry::Lattice;

const PINK: [u8; 3] = [200, 120, 170];

fn slide_rgb(rows: usize, cols: usize) -> Array3<u8> {
    Array3::from_shape_fn((rows, cols, 3), |(_, _, k)| PINK[k])
}

fn map(width_px: u32, height_px: u32, stride_px: u32) -> Heatmap {
    let (rows, cols) = Lattice::new(width_px, height_px, stride_px).shape();
    Heatmap::new(rows, cols, stride_px)
}

/// The map pixels, (col, row), that have the colour of `score` over the slide, on a sheet of side
/// [`SHEET_PX`].
fn coloured(picture: &RgbPicture, score: f32) -> Vec<(usize, usize)> {
    let colour = mix([rgb_to_grey(PINK); 3], colour_of(score), OPACITY);
    (0..MAP_PX)
        .flat_map(|y| (0..MAP_PX).map(move |x| (x, y)))
        .filter(|&(x, y)| picture.get(MARGIN_PX + x, MARGIN_PX + y) == Some(colour))
        .collect()
}

/// Side of the map on a sheet of side [`SHEET_PX`], px.
const MAP_PX: usize = 480;
/// Side of a sheet without title whose room for the map is a square of [`MAP_PX`].
const SHEET_PX: usize = MARGIN_PX + MAP_PX + LEGEND_PX;

#[test]
fn a_score_is_drawn_over_its_pixels_at_all_corners() {
    let rgb = slide_rgb(480, 480);
    // A picture pixel is 10 pixels of the plane; the strides are smaller, equal and larger.
    let side = 4800_u32;
    let slide = PlaneThumbnail { rgb: rgb.view(), width_px: side, height_px: side };
    for stride_px in [3, 10, 16, 64, 100, 224, 1600] {
        let last = side.div_ceil(stride_px) as usize - 1;
        for (row, col) in [(0, 0), (0, last), (last, 0), (last, last), (last / 2, last / 3)] {
            let mut heatmap = map(side, side, stride_px);
            heatmap.score.fill(0.0);
            heatmap.score[[row, col]] = 1.0;
            let options = HeatmapPicture { max_side_px: SHEET_PX, ..HeatmapPicture::default() };
            let picture = render_heatmap(&slide, &heatmap, &options).unwrap();
            let found = coloured(&picture, 1.0);
            // The pixels whose middle lies in the cell, or that hold the cell's point.
            let stride = f64::from(stride_px);
            let shows = |pixel: usize, index: usize| {
                let (start, middle) = (pixel as f64 * 10.0, pixel as f64 * 10.0 + 5.0);
                let point = index as f64 * stride;
                if stride > 10.0 {
                    point - stride / 2.0 <= middle && middle < point + stride / 2.0
                } else {
                    start <= point && point < start + 10.0
                }
            };
            let expected: Vec<(usize, usize)> = (0..480)
                .flat_map(|y| (0..480).map(move |x| (x, y)))
                .filter(|&(x, y)| shows(x, col) && shows(y, row))
                .collect();
            assert!(!expected.is_empty());
            assert_eq!(found, expected, "stride {stride_px}, point ({row}, {col})");
        }
    }
}

#[test]
fn the_highest_of_several_points_is_shown_and_nan_shows_the_slide() {
    let rgb = slide_rgb(480, 480);
    let slide = PlaneThumbnail { rgb: rgb.view(), width_px: 4800, height_px: 4800 };
    let mut heatmap = map(4800, 4800, 2);
    // The picture pixel (7, 3) holds five by five points; one has score 0.25, one 1.
    heatmap.score[[15, 35]] = 0.25;
    heatmap.score[[19, 39]] = 1.0;
    let options = HeatmapPicture { max_side_px: SHEET_PX, ..HeatmapPicture::default() };
    let picture = render_heatmap(&slide, &heatmap, &options).unwrap();
    assert_eq!(picture.get(MARGIN_PX, MARGIN_PX), Some(PINK));
    assert_eq!(picture.width_px, SHEET_PX);
    let hits = coloured(&picture, 1.0);
    assert_eq!(hits, [(7, 3)]);
}

#[test]
fn missing_tiles_are_hatched_and_the_legend_says_so() {
    let rgb = slide_rgb(480, 480);
    let slide = PlaneThumbnail { rgb: rgb.view(), width_px: 2240, height_px: 2240 };
    let mut tiles = Array2::zeros((10, 10));
    let plain = render_heatmap(
        &slide,
        &map(2240, 2240, 112),
        &HeatmapPicture {
            missing: Some(MissingTiles { tiles: tiles.view(), tile_px: 224 }),
            ..HeatmapPicture::default()
        },
    );
    let plain = plain.unwrap();
    tiles[[4, 5]] = 1_u8;
    let options = HeatmapPicture {
        missing: Some(MissingTiles { tiles: tiles.view(), tile_px: 224 }),
        ..HeatmapPicture::default()
    };
    let flagged = render_heatmap(&slide, &map(2240, 2240, 112), &options).unwrap();
    assert!(flagged.height_px > plain.height_px, "the legend takes a line");
    let black = |picture: &RgbPicture, x: usize, y: usize, side: usize| {
        (0..side * side)
            .filter(|i| {
                picture.get(MARGIN_PX + x + i % side, MARGIN_PX + y + i / side) == Some([0; 3])
            })
            .count()
    };
    assert!(black(&flagged, 5 * 48, 4 * 48, 48) > 400);
    assert_eq!(black(&flagged, 6 * 48, 4 * 48, 48), 0);
    assert_eq!(black(&plain, 0, 0, 480), 0);
}

#[test]
fn mismatched_sizes_and_too_small_pictures_are_refused() {
    let rgb = slide_rgb(10, 10);
    let slide = PlaneThumbnail { rgb: rgb.view(), width_px: 1000, height_px: 500 };
    let options = HeatmapPicture::default();
    let error = render_heatmap(&slide, &map(1000, 1000, 16), &options).unwrap_err();
    assert!(error.to_string().contains("63 x 63 cells"), "{error}");
    let tiles = Array2::ones((3, 4));
    let mismatched = HeatmapPicture {
        missing: Some(MissingTiles { tiles: tiles.view(), tile_px: 224 }),
        ..options.clone()
    };
    assert!(render_heatmap(&slide, &map(1000, 500, 16), &mismatched).is_err());
    let tiny = HeatmapPicture { max_side_px: 100, ..options.clone() };
    let error = render_heatmap(&slide, &map(1000, 500, 16), &tiny).unwrap_err();
    assert_eq!(error, RenderError::TooSmall { found: 100 });
    let empty = Array3::zeros((0, 4, 3));
    let slide = PlaneThumbnail { rgb: empty.view(), ..slide };
    assert!(render_heatmap(&slide, &map(1000, 500, 16), &options).is_err());
}

proptest! {
    #[test]
    fn no_picture_is_larger_than_allowed(
        width_px in 1_u32..30_000, height_px in 1_u32..30_000, stride_px in 50_u32..2000,
        max_side_px in 320_usize..700, words in 0_usize..12,
    ) {
        let rgb = slide_rgb(30, 20);
        let slide = PlaneThumbnail { rgb: rgb.view(), width_px, height_px };
        let options = HeatmapPicture {
            title: vec!["a word or two".repeat(words); words.min(3)],
            max_side_px,
            ..HeatmapPicture::default()
        };
        let picture = render_heatmap(&slide, &map(width_px, height_px, stride_px), &options).unwrap();
        prop_assert!(picture.width_px <= max_side_px && picture.height_px <= max_side_px);
        prop_assert_eq!(picture.pixels.len(), 3 * picture.width_px * picture.height_px);
    }

    #[test]
    fn every_point_is_shown_somewhere(
        extent_px in 1_u32..5000, stride_px in 1_u32..300, pixels in 1_usize..400,
    ) {
        let points = extent_px.div_ceil(stride_px) as usize;
        let shown = points_per_pixel(pixels, extent_px, stride_px, points);
        prop_assert_eq!(shown.len(), pixels);
        let mut seen = vec![false; points];
        shown.iter().flat_map(Clone::clone).for_each(|point| seen[point] = true);
        prop_assert!(seen.iter().all(|&s| s));
        // The ranges are in order.
        prop_assert!(shown.windows(2).all(|w| w[0].start <= w[1].start));
    }
}
