//! The layers of a network that look at a neighbourhood alone: their maps over an
//! image, and what they cost. Pure arithmetic.

use std::collections::HashSet;

use super::padded_axis::PaddedAxis;
use crate::model::dense::axis::SlidingLayer;

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
    pub(super) slides: Option<[SlidingLayer; 2]>,
    pub(super) channels: i64,
    /// Pixels between its outputs, along rows and columns.
    pub(super) jump_px: [i64; 2],
    /// Of one output place, all channels, in multiplications.
    pub(super) cost: i64,
    /// Whether axes are `[N, C, row, col]`.
    pub(super) channels_first: bool,
}

/// Such layers, in the order of the graph; the first is the image.
#[derive(Debug, Clone)]
pub(super) struct Layers(pub(super) Vec<Layer>);

impl Layers {
    /// The one that nothing here comes after.
    pub(super) fn last(&self) -> &Layer {
        self.0.last().expect("there is the image")
    }

    /// Their nodes, by number in the graph.
    pub(super) fn nodes(&self) -> HashSet<usize> {
        self.0.iter().filter_map(|layer| layer.node).collect()
    }

    /// The layers that `layer` depends on, itself the last.
    pub(super) fn up_to(&self, layer: usize) -> Self {
        let mut needed = vec![false; layer + 1];
        needed[layer] = true;
        for at in (0..=layer).rev() {
            if needed[at] {
                self.0[at].inputs.iter().for_each(|&input| needed[input] = true);
            }
        }
        // The image is needed by all, and stays the first.
        let mut place = vec![0; layer + 1];
        let mut taken = Vec::new();
        for at in (0..=layer).filter(|&at| needed[at]) {
            place[at] = taken.len();
            let inputs = self.0[at].inputs.iter().map(|&input| place[input]).collect();
            taken.push(Layer { inputs, ..self.0[at].clone() });
        }
        Self(taken)
    }

    /// Every layer's map along `axis`, for an image of `px`; `None` where it has none.
    pub(super) fn trace(&self, axis: usize, px: i64) -> Vec<Option<PaddedAxis>> {
        let mut traced: Vec<Option<PaddedAxis>> = Vec::with_capacity(self.0.len());
        for layer in &self.0 {
            let inputs = layer.inputs.iter().map(|&input| traced[input]);
            let joined = inputs.reduce(|a, b| a?.joined(b?)).unwrap_or(Some(PaddedAxis::image(px)));
            let cells = match &layer.slides {
                None => joined,
                Some(slides) => joined.and_then(|cells| cells.slid(&slides[axis])),
            };
            traced.push(cells);
        }
        traced
    }

    /// The last layer's map along rows and columns, for an image of `px` a side.
    pub(super) fn maps(&self, px: i64) -> Option<[PaddedAxis; 2]> {
        let [rows, cols] = [0, 1].map(|axis| self.trace(axis, px).pop().flatten());
        Some([rows?, cols?])
    }

    /// Each layer with its number of outputs over an image, all channels one.
    fn areas(&self, [rows_px, cols_px]: [i64; 2]) -> impl Iterator<Item = (&Layer, i64)> {
        let (rows, cols) = (self.trace(0, rows_px), self.trace(1, cols_px));
        let count = |cells: Option<PaddedAxis>| cells.map_or(0, |cells| cells.count);
        let areas = rows.into_iter().zip(cols).map(move |(rows, cols)| count(rows) * count(cols));
        self.0.iter().zip(areas)
    }

    /// What running them over an image costs, in multiplications.
    pub(super) fn cost(&self, sides_px: [i64; 2]) -> u64 {
        self.areas(sides_px).map(|(layer, area)| (layer.cost * area).unsigned_abs()).sum()
    }

    /// Their largest map over an image, in numbers.
    pub(super) fn largest(&self, sides_px: [i64; 2]) -> u64 {
        let numbers = self.areas(sides_px).map(|(layer, area)| layer.channels * area);
        numbers.max().unwrap_or(0).unsigned_abs()
    }
}
