use ndarray::{Array2, Array3, s};
use proptest::prelude::*;

use super::*;
use crate::tissue::test_support::{flip, parse_mask, thumbnails};

/// Runs the method on a thumbnail alone. The picture, which these methods use only for the
/// texture check, is empty.
fn find_tissue(
    image: ArrayView3<'_, u8>,
    options: &TissueOptions,
    mask: Option<&SlideMask>,
) -> Result<TissueMask, TissueError> {
    let picture = TissuePicture { rgb: Array3::zeros((0, 0, 3)), step_px: 32.0, step_um: 8.0 };
    let grid = TileGrid { rows: image.dim().0, cols: image.dim().1 };
    let views = TissueViews { thumbnail: Some(image), picture: &picture, tile_px: 224, grid, mask };
    super::find_tissue(&views, options)
}

fn with(method: TissueMethod) -> TissueOptions {
    TissueOptions { method, ..TissueOptions::default() }
}

fn flat(rows: usize, cols: usize, rgb: [u8; 3]) -> Array3<u8> {
    Array3::from_shape_fn((rows, cols, 3), |(_, _, channel)| rgb[channel])
}

#[test]
fn masks_equal_the_reference() {
    let cases: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../../tests/reference/methods.json")).unwrap();
    assert!(cases.len() > 5);
    for case in cases {
        let name = &case["name"];
        let number = |key: &str| usize::try_from(case[key].as_u64().unwrap()).unwrap();
        let hex = case["rgb"].as_str().unwrap();
        let bytes = (0..hex.len() / 2)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
            .collect();
        let image = Array3::from_shape_vec((number("rows"), number("cols"), 3), bytes).unwrap();
        let find = |options: &TissueOptions| find_tissue(image.view(), options, None).unwrap();

        let found = find(&with(TissueMethod::OtsuHs));
        assert_eq!(found.mask, parse_mask(&case["otsu_hs"]), "{name}");
        let thresholds = [number("hue") as f64, number("saturation") as f64];
        assert_eq!(found.thresholds, [("hue", thresholds[0]), ("saturation", thresholds[1])]);

        let found = find(&with(TissueMethod::OtsuS));
        assert_eq!(found.mask, parse_mask(&case["otsu_s"]), "{name}");

        let options = TissueOptions { grey_threshold: Some(200), ..with(TissueMethod::Threshold) };
        assert_eq!(find(&options).mask, parse_mask(&case["grey_200"]), "{name}");

        let options = TissueOptions {
            saturation_threshold: Some(8),
            median: 7,
            closing: 5,
            min_area_tiles: 10,
            fill_holes_tiles: 6,
            ..with(TissueMethod::Threshold)
        };
        let found = find(&options);
        assert_eq!(found.mask, parse_mask(&case["cleaned"]), "{name}");
        assert_eq!(found.tissue_tiles, found.mask.iter().filter(|&&t| t == 1).count());
    }
}

#[test]
fn a_uniform_slide_has_no_tissue() {
    for rgb in [[255; 3], [0; 3], [128; 3], [200, 120, 180], [255, 0, 0]] {
        for (rows, cols) in [(1, 1), (7, 5)] {
            for method in [TissueMethod::OtsuHs, TissueMethod::OtsuS] {
                let found = find_tissue(flat(rows, cols, rgb).view(), &with(method), None).unwrap();
                assert_eq!(found.tissue_tiles, 0, "{method} of {rgb:?}");
                // The stored thresholds agree: the tiles do not reach them.
                let [h, s, _] = hsv::rgb_to_hsv(rgb);
                let passes = found.thresholds.iter().all(|&(name, threshold)| {
                    f64::from(if name == "hue" { h } else { s }) >= threshold
                });
                assert!(!passes);
            }
        }
    }
}

#[test]
fn one_flat_stain_on_flat_white_is_tissue() {
    for stain in [[200, 120, 180], [255, 0, 0], [90, 40, 140]] {
        let mut image = flat(6, 6, [255; 3]);
        for row in 2..4 {
            image.slice_mut(s![row, 1..3, ..]).assign(&ndarray::arr1(&stain));
        }
        for method in [TissueMethod::OtsuHs, TissueMethod::OtsuS] {
            let found = find_tissue(image.view(), &with(method), None).unwrap();
            assert_eq!(found.tissue_tiles, 4, "{method} of {stain:?}");
            assert_eq!(found.mask[[2, 1]], 1);
        }
    }
}

#[test]
fn thumbnails_without_tiles_have_no_tissue() {
    for shape in [(0, 0, 3), (0, 4, 3), (4, 0, 3)] {
        for method in [TissueMethod::OtsuHs, TissueMethod::OtsuS, TissueMethod::All] {
            let found = find_tissue(Array3::zeros(shape).view(), &with(method), None).unwrap();
            assert_eq!((found.tissue_tiles, found.mask.dim()), (0, (shape.0, shape.1)));
        }
    }
    let options = TissueOptions {
        median: 3,
        closing: 3,
        min_area_tiles: 2,
        fill_holes_tiles: 2,
        ..TissueOptions::default()
    };
    assert_eq!(
        find_tissue(Array3::zeros((0, 4, 3)).view(), &options, None).unwrap().tissue_tiles,
        0
    );
}

#[test]
fn missing_or_mismatched_input_is_refused() {
    let image = flat(2, 3, [9; 3]);
    let refused = |options: &TissueOptions, mask: Option<&SlideMask>| {
        find_tissue(image.view(), options, mask).unwrap_err()
    };
    assert_eq!(refused(&with(TissueMethod::Mask), None), TissueError::NoMask);
    let mask = SlideMask { pixels: Array2::ones((4, 4)), tiles_down: 2.0, tiles_across: 3.5 };
    assert_eq!(
        refused(&with(TissueMethod::Mask), Some(&mask)),
        TissueError::MaskGrid {
            found: TileGrid { rows: 2, cols: 4 },
            expected: TileGrid { rows: 2, cols: 3 }
        }
    );
    let grey = Array3::zeros((2, 2, 1));
    let error = find_tissue(grey.view(), &with(TissueMethod::OtsuHs), None).unwrap_err();
    assert_eq!(error, TissueError::Channels { found: 1 });
}

#[test]
fn a_tile_covered_exactly_by_the_threshold_is_tissue() {
    // Three pixels per tile and thresholds of thirds, which are not exact in binary.
    let pixels = Array2::from_shape_fn((3, 12), |(row, col)| u8::from(row < col / 3) * 7);
    let mask = SlideMask { pixels, tiles_down: 0.3, tiles_across: 4.0 };
    let image = flat(1, 4, [9; 3]);
    for (coverage, expected) in [
        (1e-12, [0, 1, 1, 1]),
        (1.0 / 3.0, [0, 1, 1, 1]),
        (0.5, [0, 0, 1, 1]),
        (2.0 / 3.0, [0, 0, 1, 1]),
        (1.0, [0, 0, 0, 1]),
    ] {
        let options = TissueOptions { mask_coverage: coverage, ..with(TissueMethod::Mask) };
        let found = find_tissue(image.view(), &options, Some(&mask)).unwrap();
        assert_eq!(found.mask, ndarray::arr2(&[expected]), "coverage {coverage}");
    }
}

proptest! {
    #[test]
    fn the_method_all_marks_every_tile_and_skips_the_clean_up(image in thumbnails(6), area in 0_usize..50) {
        let options = TissueOptions {
            median: 3, closing: 3, min_area_tiles: area, ..with(TissueMethod::All)
        };
        let found = find_tissue(image.view(), &options, None).unwrap();
        prop_assert_eq!(found.tissue_tiles, image.len() / 3);
        prop_assert!(found.mask.iter().all(|&tile| tile == 1));
    }

    #[test]
    fn the_mask_flips_with_the_thumbnail(
        image in thumbnails(9),
        method in prop_oneof![Just(TissueMethod::OtsuHs), Just(TissueMethod::OtsuS)],
        clean in any::<bool>(),
    ) {
        let sizes = if clean { (3, 3, 2, 2) } else { (0, 0, 0, 0) };
        let options = TissueOptions {
            median: sizes.0, closing: sizes.1, min_area_tiles: sizes.2, fill_holes_tiles: sizes.3,
            ..with(method)
        };
        let turned = image.slice(s![..;-1, ..;-1, ..]);
        let a = find_tissue(image.view(), &options, None).unwrap();
        let b = find_tissue(turned, &options, None).unwrap();
        prop_assert_eq!(flip(&a.mask), b.mask);
        prop_assert_eq!(a.thresholds, b.thresholds);
    }

    #[test]
    fn stored_thresholds_reproduce_the_mask(image in thumbnails(9)) {
        let found = find_tissue(image.view(), &with(TissueMethod::OtsuHs), None).unwrap();
        let (hue, saturation) = hsv::hue_saturation(image.view());
        for (tile, &tissue) in found.mask.indexed_iter() {
            let passes = f64::from(hue[tile]) >= found.thresholds[0].1
                && f64::from(saturation[tile]) >= found.thresholds[1].1;
            prop_assert_eq!(passes, tissue == 1);
        }
        // Some tile is always left out.
        prop_assert!(found.tissue_tiles < image.len() / 3);
    }
}
