//! Layers whose outputs depend on a neighbourhood only: their maps over an image, and their
//! cost. Pure arithmetic.

use std::collections::HashSet;

use super::padded_axis::PaddedAxis;
use crate::model::dense::axis::SlidingLayer;

/// A node whose output at each position depends only on the surroundings of the position,
/// whatever the size of the image. Layer 0 is the image itself.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    /// Indices of the layers that it reads.
    pub(super) inputs: Vec<usize>,
    /// Index of the node in the graph; `None` for the image.
    pub(super) node: Option<usize>,
    /// Name of the output.
    pub(super) output: String,
    /// How the layer slides along rows and columns; `None` if every output depends on its
    /// own position alone.
    pub(super) slides: Option<[SlidingLayer; 2]>,
    /// Channels of the output.
    pub(super) channels: i64,
    /// Distance between neighbouring outputs along rows and columns, px.
    pub(super) jump_px: [i64; 2],
    /// Cost of one output position, all channels, in multiplications.
    pub(super) cost: i64,
    /// Whether the axes are `[N, C, row, col]`.
    pub(super) channels_first: bool,
}

/// Layers in the order of the graph; the first is the image.
#[derive(Debug, Clone)]
pub(super) struct Layers(pub(super) Vec<Layer>);

impl Layers {
    /// The last layer.
    pub(super) fn last(&self) -> &Layer {
        self.0.last().expect("the image is a layer")
    }

    /// Indices of the layers' nodes in the graph.
    pub(super) fn nodes(&self) -> HashSet<usize> {
        self.0.iter().filter_map(|layer| layer.node).collect()
    }

    /// The layers that the layer with index `layer` depends on; the last is that layer.
    pub(super) fn up_to(&self, layer: usize) -> Self {
        let mut needed = vec![false; layer + 1];
        needed[layer] = true;
        for at in (0..=layer).rev() {
            if needed[at] {
                self.0[at].inputs.iter().for_each(|&input| needed[input] = true);
            }
        }
        // Every layer depends on the image, so the image stays the first.
        let mut new_index = vec![0; layer + 1];
        let mut taken = Vec::new();
        for at in (0..=layer).filter(|&at| needed[at]) {
            new_index[at] = taken.len();
            let inputs = self.0[at].inputs.iter().map(|&input| new_index[input]).collect();
            taken.push(Layer { inputs, ..self.0[at].clone() });
        }
        Self(taken)
    }

    /// Each layer's map along `axis` (0 rows, 1 columns) for an image of `px` pixels; `None`
    /// if the layer has no output.
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

    /// The last layer's map along rows and columns, for an image of `px` x `px`.
    pub(super) fn maps(&self, px: i64) -> Option<[PaddedAxis; 2]> {
        let [rows, cols] = [0, 1].map(|axis| self.trace(axis, px).pop().flatten());
        Some([rows?, cols?])
    }

    /// Each layer with the number of its output positions over an image.
    fn areas(&self, [rows_px, cols_px]: [i64; 2]) -> impl Iterator<Item = (&Layer, i64)> {
        let (rows, cols) = (self.trace(0, rows_px), self.trace(1, cols_px));
        let count = |cells: Option<PaddedAxis>| cells.map_or(0, |cells| cells.count);
        let areas = rows.into_iter().zip(cols).map(move |(rows, cols)| count(rows) * count(cols));
        self.0.iter().zip(areas)
    }

    /// Cost of running the layers over an image, in multiplications.
    pub(super) fn cost(&self, sides_px: [i64; 2]) -> u64 {
        self.areas(sides_px).map(|(layer, area)| (layer.cost * area).unsigned_abs()).sum()
    }

    /// Numbers in the largest map over an image.
    pub(super) fn largest(&self, sides_px: [i64; 2]) -> u64 {
        let numbers = self.areas(sides_px).map(|(layer, area)| layer.channels * area);
        numbers.max().unwrap_or(0).unsigned_abs()
    }
}
