//! Parts of maps, kept until windows are put together from them.

use std::ops::Range;

/// Maps of several images, `[image, channel, row, col]`.
#[derive(Debug, Default)]
pub(super) struct Maps {
    values: Vec<f32>,
    channels: usize,
    rows: usize,
    cols: usize,
}

impl Maps {
    /// Adds the `rows` and `cols` of what an engine has made, `[n, channel, row, col]`.
    pub(super) fn keep(
        &mut self,
        ([images, channels, all_rows, all_cols], values): ([usize; 4], &[f32]),
        rows: Range<usize>,
        cols: Range<usize>,
    ) {
        (self.channels, self.rows, self.cols) = (channels, rows.len(), cols.len());
        for map in values.chunks_exact(all_rows * all_cols).take(images * channels) {
            for row in map.chunks_exact(all_cols).take(rows.end).skip(rows.start) {
                self.values.extend_from_slice(&row[cols.clone()]);
            }
        }
    }

    /// Copies the box of `size` (rows, cols) at `from` (row, col) of an image's maps
    /// to `to` of a window's, `[channel, side, side]`.
    pub(super) fn copy(
        &self,
        image: usize,
        (from, size): ((usize, usize), (usize, usize)),
        window: &mut [f32],
        (side, to): (usize, (usize, usize)),
    ) {
        let area = self.rows * self.cols;
        let maps = self.values.chunks_exact(area).skip(image * self.channels);
        for (map, window) in maps.zip(window.chunks_exact_mut(side * side)) {
            for row in 0..size.0 {
                let from = (from.0 + row) * self.cols + from.1;
                let to = (to.0 + row) * side + to.1;
                window[to..to + size.1].copy_from_slice(&map[from..from + size.1]);
            }
        }
    }
}
