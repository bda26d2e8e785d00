//! Masks and thumbnails for the tests of this module.

use ndarray::{Array2, Array3};
use proptest::collection::vec;
use proptest::prelude::*;

/// Reads a mask written as one string of 0/1 per row.
pub(crate) fn parse_mask(rows: &serde_json::Value) -> Array2<u8> {
    let rows: Vec<String> = serde_json::from_value(rows.clone()).unwrap();
    let cols = rows.first().map_or(0, String::len);
    let tiles = rows.iter().flat_map(|row| row.bytes().map(|b| b - b'0')).collect();
    Array2::from_shape_vec((rows.len(), cols), tiles).unwrap()
}

/// The mask rotated by half a turn.
pub(crate) fn flip(mask: &Array2<u8>) -> Array2<u8> {
    mask.slice(ndarray::s![..;-1, ..;-1]).to_owned()
}

/// Masks of up to `side` x `side` tiles, from empty to full.
pub(crate) fn masks(side: usize) -> impl Strategy<Value = Array2<u8>> {
    (1..=side, 1..=side, 0_u8..=10).prop_flat_map(|(rows, cols, tenths)| {
        vec(0_u8..10, rows * cols).prop_map(move |draws| {
            let tiles = draws.into_iter().map(|d| u8::from(d < tenths)).collect();
            Array2::from_shape_vec((rows, cols), tiles).unwrap()
        })
    })
}

/// Thumbnails of up to `side` x `side` tiles, with few or many colours.
pub(crate) fn thumbnails(side: usize) -> impl Strategy<Value = Array3<u8>> {
    (1..=side, 1..=side, prop_oneof![Just(1_u8), Just(40), Just(128)]).prop_flat_map(
        |(rows, cols, step)| {
            vec(any::<u8>().prop_map(move |v| v / step * step), rows * cols * 3)
                .prop_map(move |bytes| Array3::from_shape_vec((rows, cols, 3), bytes).unwrap())
        },
    )
}
