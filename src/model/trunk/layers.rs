//! The layers of a network that look at a neighbourhood alone: their maps over an
//! image, and what they cost. Pure arithmetic.

use super::cells::Cells;
use crate::model::dense::axis::Slide;

/// A node whose output at a place depends on its surroundings alone, whatever the size
/// of the image. Layer 0 is the image.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    /// Layers it looks at.
    pub(super) inputs: Vec<usize>,
    /// Its number in the graph; none for the image.
    pub(super) node: Option<usize>,
    pub(super) output: String,
    /// Along rows and columns; `None`: every output looks at its own place.
    pub(super) slides: Option<[Slide; 2]>,
    pub(super) channels: i64,
    /// Pixels between its outputs, along rows and columns.
    pub(super) jump_px: [i64; 2],
    /// Of one output place, all channels, in multiplications.
    pub(super) cost: i64,
    /// Whether axes are `[N, C, row, col]`.
    pub(super) channels_first: bool,
}

/// All such layers, in the order of the graph.
#[derive(Debug, Clone)]
pub(super) struct Layers(pub(super) Vec<Layer>);

impl Layers {
    /// Every layer's map along `axis`, for an image of `px`; `None` where it has none.
    pub(super) fn trace(&self, axis: usize, px: i64) -> Vec<Option<Cells>> {
        let mut traced: Vec<Option<Cells>> = Vec::with_capacity(self.0.len());
        for layer in &self.0 {
            let mut inputs = layer.inputs.iter().map(|&input| traced[input]);
            let cells = match inputs.next() {
                None => Some(Cells::image(px)),
                Some(first) => {
                    let joined = inputs
                        .try_fold(first, |a, b| Some(a.zip(b).and_then(|(a, b)| a.joined(b))));
                    let joined = joined.flatten();
                    match &layer.slides {
                        None => joined,
                        Some(slides) => joined.and_then(|cells| cells.slid(&slides[axis])),
                    }
                }
            };
            traced.push(cells);
        }
        traced
    }

    /// The layers that `layer` depends on, itself included, in order.
    pub(super) fn up_to(&self, layer: usize) -> Vec<usize> {
        let mut needed = vec![false; layer + 1];
        needed[layer] = true;
        for at in (0..=layer).rev() {
            if needed[at] {
                self.0[at].inputs.iter().for_each(|&input| needed[input] = true);
            }
        }
        (0..=layer).filter(|&at| needed[at]).collect()
    }

    /// What running these layers costs over an image, in multiplications.
    pub(super) fn cost(&self, layers: &[usize], [rows_px, cols_px]: [i64; 2]) -> u64 {
        let (rows, cols) = (self.trace(0, rows_px), self.trace(1, cols_px));
        let count = |cells: Option<Cells>| cells.map_or(0, |cells| cells.count);
        layers
            .iter()
            .map(|&at| (self.0[at].cost * count(rows[at]) * count(cols[at])).unsigned_abs())
            .sum()
    }

    /// The largest map of these layers over an image, in numbers.
    pub(super) fn largest(&self, layers: &[usize], [rows_px, cols_px]: [i64; 2]) -> u64 {
        let (rows, cols) = (self.trace(0, rows_px), self.trace(1, cols_px));
        let count = |cells: Option<Cells>| cells.map_or(0, |cells| cells.count);
        let numbers = |&at: &usize| self.0[at].channels * count(rows[at]) * count(cols[at]);
        layers.iter().map(numbers).max().unwrap_or(0).unsigned_abs()
    }
}
