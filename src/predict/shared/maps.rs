//! Feature maps of regions, kept until the maps of windows are assembled from them.

use std::ops::Range;

/// Feature maps of several images, `[image, channel, row, col]`.
#[derive(Debug, Default)]
pub(super) struct Maps {
    values: Vec<f32>,
    channels: usize,
    rows: usize,
    cols: usize,
}

/// The position of an element in a map.
#[derive(Debug, Clone, Copy)]
pub(super) struct MapPlace {
    pub(super) row: usize,
    pub(super) col: usize,
}

/// A rectangle in the maps of an image, and its position in the map of a window.
#[derive(Debug, Clone, Copy)]
pub(super) struct MapBox {
    pub(super) image: usize,
    pub(super) from: MapPlace,
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) to: MapPlace,
}

impl Maps {
    /// Appends `rows` and `cols` of the maps `values`, whose `shape` is `[image, channel, row,
    /// col]`.
    pub(super) fn keep(
        &mut self,
        shape: [usize; 4],
        values: &[f32],
        rows: Range<usize>,
        cols: Range<usize>,
    ) {
        let [images, channels, all_rows, all_cols] = shape;
        (self.channels, self.rows, self.cols) = (channels, rows.len(), cols.len());
        for map in values.chunks_exact(all_rows * all_cols).take(images * channels) {
            for row in map.chunks_exact(all_cols).take(rows.end).skip(rows.start) {
                self.values.extend_from_slice(&row[cols.clone()]);
            }
        }
    }

    /// Copies a rectangle into the map of a window, `[channel, side, side]`.
    pub(super) fn copy(
        &self,
        MapBox { image, from, rows, cols, to }: MapBox,
        window: &mut [f32],
        side: usize,
    ) {
        let area = self.rows * self.cols;
        let maps = self.values.chunks_exact(area).skip(image * self.channels);
        for (map, window) in maps.zip(window.chunks_exact_mut(side * side)) {
            for row in 0..rows {
                let from = (from.row + row) * self.cols + from.col;
                let to = (to.row + row) * side + to.col;
                window[to..to + cols].copy_from_slice(&map[from..from + cols]);
            }
        }
    }
}
