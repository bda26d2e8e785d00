//! Clean-up of tile masks: median, closing, minimum area, hole filling.
//!
//! Masks are `[row, col]` u8, 0 or 1. The results equal those of OpenCV's
//! `medianBlur` and `morphologyEx(MORPH_CLOSE)` and of scikit-image's
//! `remove_small_objects` (tests/reference/tissue_reference.py).

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

/// Shape of the closing's structuring element.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Element {
    /// A square of `side` x `side` tiles.
    #[default]
    Square,
    /// The tiles at most `side / 2` (rounded down) from the middle.
    Disc,
}

impl Element {
    /// Half the element's width, `dy` rows above or below its middle.
    fn half_width(self, radius: usize, dy: usize) -> usize {
        match self {
            Self::Square => radius,
            Self::Disc => (radius * radius - dy * dy).isqrt(),
        }
    }
}

/// Median of each `side` x `side` neighbourhood, the image's border repeated outwards.
///
/// `side` is odd; 1 changes nothing. On a mask of 0 and 1 the median is the majority.
pub(crate) fn median(image: ArrayView2<'_, u8>, side: usize) -> Array2<u8> {
    let (rows, cols) = image.dim();
    let radius = side / 2;
    let mut result = image.to_owned();
    if radius == 0 || rows == 0 || cols == 0 {
        return result;
    }
    // Index `i` is position `i - radius`; positions outside the image are its nearest border.
    let clamp = |i: usize, len: usize| i.saturating_sub(radius).min(len - 1);
    for row in 0..rows {
        let mut counts = [0_usize; 256];
        let column_of = |counts: &mut [usize; 256], index: usize, enters: bool| {
            for dy in 0..side {
                let value = image[[clamp(row + dy, rows), clamp(index, cols)]];
                let slot = &mut counts[usize::from(value)];
                *slot = if enters { *slot + 1 } else { *slot - 1 };
            }
        };
        (0..side).for_each(|index| column_of(&mut counts, index, true));
        for col in 0..cols {
            result[[row, col]] = middle(&counts, side * side / 2);
            column_of(&mut counts, col, false);
            column_of(&mut counts, col + side, true);
        }
    }
    result
}

/// The value with at most `rank` values below it.
fn middle(counts: &[usize; 256], rank: usize) -> u8 {
    let mut below = 0;
    for (value, count) in (0..=u8::MAX).zip(counts) {
        below += count;
        if below > rank {
            return value;
        }
    }
    u8::MAX
}

/// Morphological closing with an element `side` tiles wide. `side` is odd; 1 changes nothing.
///
/// Only tiles inside the mask count, so that closing neither removes nor adds tissue because
/// of the slide's edge. The result contains the mask, and closing it again changes nothing.
pub(crate) fn close(mask: ArrayView2<'_, u8>, element: Element, side: usize) -> Array2<u8> {
    let grown = dilate(mask, element, side);
    let ground = dilate(grown.mapv(|v| u8::from(v == 0)).view(), element, side);
    ground.mapv(|v| u8::from(v == 0))
}

fn dilate(mask: ArrayView2<'_, u8>, element: Element, side: usize) -> Array2<u8> {
    let (rows, cols) = mask.dim();
    let radius = side / 2;
    // before[r, c]: number of set tiles of row r in columns 0..c.
    let mut before = Array2::<u32>::zeros((rows, cols + 1));
    for ((row, col), &value) in mask.indexed_iter() {
        before[[row, col + 1]] = before[[row, col]] + u32::from(value != 0);
    }
    Array2::from_shape_fn((rows, cols), |(row, col)| {
        let mut near = row.saturating_sub(radius)..=(row + radius).min(rows - 1);
        u8::from(near.any(|other| {
            let half = element.half_width(radius, other.abs_diff(row));
            let end = (col + half + 1).min(cols);
            before[[other, end]] > before[[other, col.saturating_sub(half)]]
        }))
    })
}

/// Removes 8-connected components of fewer than `min_tiles` tiles.
pub(crate) fn remove_small(mask: ArrayView2<'_, u8>, min_tiles: usize) -> Array2<u8> {
    let mut result = mask.mapv(|v| u8::from(v != 0));
    for component in components(mask, true, &EIGHT) {
        if component.tiles.len() < min_tiles {
            component.tiles.iter().for_each(|&tile| result[tile] = 0);
        }
    }
    result
}

/// Fills holes of at most `max_tiles` tiles.
///
/// A hole is a 4-connected piece of background that does not reach the mask's edge. It is
/// 4-connected because tissue is 8-connected: a diagonal line of tissue closes a hole.
pub(crate) fn fill_holes(mask: ArrayView2<'_, u8>, max_tiles: usize) -> Array2<u8> {
    let mut result = mask.mapv(|v| u8::from(v != 0));
    for component in components(mask, false, &FOUR) {
        if !component.touches_edge && component.tiles.len() <= max_tiles {
            component.tiles.iter().for_each(|&tile| result[tile] = 1);
        }
    }
    result
}

/// Steps down and to the right to the neighbours of a tile.
type Neighbours = [[isize; 2]];

const FOUR: [[isize; 2]; 4] = [[-1, 0], [0, -1], [0, 1], [1, 0]];
const EIGHT: [[isize; 2]; 8] =
    [[-1, -1], [-1, 0], [-1, 1], [0, -1], [0, 1], [1, -1], [1, 0], [1, 1]];

struct Component {
    /// Row and column of each tile.
    tiles: Vec<[usize; 2]>,
    touches_edge: bool,
}

/// Connected components of the tiles that are set or, if `set` is false, not set.
fn components(mask: ArrayView2<'_, u8>, set: bool, neighbours: &Neighbours) -> Vec<Component> {
    let (rows, cols) = mask.dim();
    let mut seen = mask.mapv(|v| (v != 0) != set);
    let mut found = Vec::new();
    for start in ndarray::indices((rows, cols)) {
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        let mut component = Component { tiles: vec![[start.0, start.1]], touches_edge: false };
        let mut next = 0;
        while let Some(&[row, col]) = component.tiles.get(next) {
            next += 1;
            for &[dy, dx] in neighbours {
                let tile = row.checked_add_signed(dy).zip(col.checked_add_signed(dx));
                match tile.filter(|&(r, c)| r < rows && c < cols) {
                    None => component.touches_edge = true,
                    Some((row, col)) if !std::mem::replace(&mut seen[[row, col]], true) => {
                        component.tiles.push([row, col]);
                    }
                    Some(_) => {}
                }
            }
        }
        found.push(component);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tissue::test_support::{flip, masks, parse_mask};
    use proptest::prelude::*;

    #[test]
    fn every_step_equals_the_reference() {
        let cases: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../../tests/reference/morphology.json")).unwrap();
        assert!(cases.len() > 20);
        for (i, case) in cases.iter().enumerate() {
            let mask = parse_mask(&case["mask"]);
            let number = |name: &str| usize::try_from(case[name].as_u64().unwrap()).unwrap();
            let (side, area) = (number("side"), number("area"));
            let check = |name: &str, found: Array2<u8>| {
                assert_eq!(found, parse_mask(&case[name]), "case {i}, {name}");
            };
            check("closed_square", close(mask.view(), Element::Square, side));
            check("closed_disc", close(mask.view(), Element::Disc, side));
            check("min_area", remove_small(mask.view(), area));
            check("filled", fill_holes(mask.view(), area));
            check("filled_all", fill_holes(mask.view(), usize::MAX));
            let grey: Vec<Vec<u8>> = serde_json::from_value(case["grey"].clone()).unwrap();
            let grey = Array2::from_shape_vec(mask.dim(), grey.concat()).unwrap();
            let blurred: Vec<Vec<u8>> = serde_json::from_value(case["median"].clone()).unwrap();
            assert_eq!(median(grey.view(), side).into_raw_vec_and_offset().0, blurred.concat());
        }
    }

    #[test]
    fn a_diagonal_line_closes_a_hole_and_an_open_bay_is_not_filled() {
        let diamond = ndarray::arr2(&[[0_u8, 1, 0], [1, 0, 1], [0, 1, 0]]);
        assert_eq!(fill_holes(diamond.view(), 1)[[1, 1]], 1);
        let bay = ndarray::arr2(&[[1_u8, 0, 1], [1, 0, 1], [1, 1, 1]]);
        assert_eq!(fill_holes(bay.view(), 9), bay);
    }

    type Operation<'a> = &'a dyn Fn(&Array2<u8>) -> Array2<u8>;

    fn contains(outer: &Array2<u8>, inner: &Array2<u8>) -> bool {
        outer.iter().zip(inner).all(|(o, i)| o >= i)
    }

    fn elements() -> impl Strategy<Value = Element> {
        prop_oneof![Just(Element::Square), Just(Element::Disc)]
    }

    proptest! {
        #[test]
        fn closing_is_extensive_and_idempotent(
            mask in masks(12), element in elements(), radius in 0_usize..4,
        ) {
            let side = 2 * radius + 1;
            let once = close(mask.view(), element, side);
            prop_assert!(contains(&once, &mask));
            prop_assert_eq!(&close(once.view(), element, side), &once);
        }

        #[test]
        fn filling_never_removes_and_min_area_never_adds(mask in masks(12), area in 0_usize..9) {
            let filled = fill_holes(mask.view(), area);
            prop_assert!(contains(&filled, &mask));
            prop_assert_eq!(&fill_holes(filled.view(), area), &filled);
            let kept = remove_small(mask.view(), area);
            prop_assert!(contains(&mask, &kept));
            prop_assert_eq!(&remove_small(kept.view(), area), &kept);
        }

        #[test]
        fn no_step_prefers_a_direction(mask in masks(12), radius in 0_usize..3, area in 0_usize..6) {
            let side = 2 * radius + 1;
            let steps: [Operation<'_>; 4] = [
                &|m| close(m.view(), Element::Disc, side),
                &|m| median(m.view(), side),
                &|m| remove_small(m.view(), area),
                &|m| fill_holes(m.view(), area),
            ];
            for step in steps {
                prop_assert_eq!(step(&flip(&mask)), flip(&step(&mask)));
                prop_assert_eq!(step(&mask.t().to_owned()), step(&mask).t().to_owned());
            }
        }
    }
}
