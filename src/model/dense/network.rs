//! The dense network: its ONNX file, and the memory that its maps take.

use std::collections::HashMap;

use prost::Message;
use tract_onnx::pb;

use super::builder::Builder;
use super::head::Head;
use super::map::MapSize;
use super::{input_output, operators};
use crate::model::card::Layout;

/// A network that scores all windows of an image in one run.
#[derive(Debug, Clone)]
pub struct DenseNetwork {
    pub(super) proto: pb::ModelProto,
    /// Name of the input.
    pub input: String,
    /// Name of the output, `[1, C, rows, cols]`, before the card's activation.
    pub output: String,
    /// Order of the input's axes.
    pub layout: Layout,
    pub(super) channels: usize,
    pub(super) opset: i64,
    pub(super) sizes: HashMap<String, MapSize>,
    /// Side of the classifier's window, px.
    pub window_px: u32,
    /// Distance between neighbouring outputs, px.
    pub stride_px: u32,
    /// How far beyond a window the window's output depends on pixels, px; 0 without padding.
    pub reach_px: u32,
    /// The layers that make the outputs differ from the classifier's; empty if both are
    /// equal except for rounding.
    pub inexact: Vec<String>,
    /// What the outputs are.
    pub(super) outputs: Outputs,
    /// The head, if it can be fitted anew.
    pub(super) head: Option<Head>,
    /// Tells networks of one classifier and stride apart.
    pub(super) variant: String,
}

/// What the outputs of a dense network are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outputs {
    /// What the card's activation turns into scores.
    Scores,
    /// What a head is fitted to, as [`DenseNetwork::head_inputs`] reads it.
    HeadInputs,
}

/// The sizes of images that an ONNX file of the dense network takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Any side of at least the window.
    Any,
    /// Any side that `DenseNetwork::side_px` gives for some number of outputs.
    Filled,
    /// A square of this side, px.
    Fixed(u32),
}

impl DenseNetwork {
    /// Outputs along a side of an image of `side_px`; 0 when no window fits.
    #[must_use]
    pub fn grid(&self, side_px: u32) -> u32 {
        if side_px < self.window_px { 0 } else { (side_px - self.window_px) / self.stride_px + 1 }
    }

    /// Side of the image for `windows` outputs along a side, px.
    #[must_use]
    pub fn side_px(&self, windows: u32) -> u32 {
        (windows.max(1) - 1) * self.stride_px + self.window_px
    }

    /// The ONNX file for images of `side`.
    ///
    /// The metadata of the file hold window, stride and reach in px, and whether the outputs
    /// equal the classifier's.
    #[must_use]
    pub fn to_onnx(&self, side: Side) -> Vec<u8> {
        let mut model = self.proto.clone();
        let graph = model.graph.as_mut().expect("a dense network has a graph");
        let fixed = match side {
            Side::Any | Side::Filled => None,
            Side::Fixed(side_px) => Some(i64::from(side_px)),
        };
        let grid = match side {
            Side::Any | Side::Filled => None,
            Side::Fixed(side_px) => Some(i64::from(self.grid(side_px))),
        };
        graph.input =
            vec![input_output::info(&self.input, input_output::image_shape(self.layout, fixed))];
        graph.output =
            vec![input_output::info(&self.output, input_output::grid_shape(self.channels, grid))];
        self.trim(graph, side);
        let entries = [
            ("slidegrid_window", self.window_px.to_string()),
            ("slidegrid_stride", self.stride_px.to_string()),
            ("slidegrid_reach", self.reach_px.to_string()),
            ("slidegrid_exact", self.inexact.is_empty().to_string()),
        ];
        model.metadata_props = entries
            .map(|(key, value)| pb::StringStringEntryProto { key: key.to_owned(), value })
            .to_vec();
        model.encode_to_vec()
    }

    /// Adds nodes before the first layer that cut the image to the pixels that windows
    /// cover.
    fn trim(&self, graph: &mut pb::GraphProto, side: Side) {
        let names = graph.node.iter().flat_map(|node| &node.output);
        let names = names.chain(graph.initializer.iter().map(|tensor| &tensor.name));
        let mut builder =
            Builder::with_names(names.map(String::as_str).chain([self.input.as_str()]));
        let trimmed = match side {
            Side::Filled => None,
            Side::Fixed(side_px) if self.side_px(self.grid(side_px)) == side_px => None,
            Side::Fixed(side_px) => {
                let used_px = i64::from(self.side_px(self.grid(side_px)));
                Some(input_output::cut_input(
                    &mut builder,
                    &self.input,
                    self.layout,
                    used_px,
                    self.opset,
                ))
            }
            Side::Any => input_output::trimmed_input(
                &mut builder,
                &self.input,
                self.layout,
                self.window_px.into(),
                self.stride_px.into(),
                self.opset,
            ),
        };
        let Some(trimmed) = trimmed else { return };
        for name in graph.node.iter_mut().flat_map(|node| &mut node.input) {
            if *name == self.input {
                name.clone_from(&trimmed);
            }
        }
        graph.node.splice(0..0, builder.nodes);
        graph.initializer.extend(builder.weights);
    }

    /// Most bytes of image and maps that are held at once for `windows` outputs along a
    /// side, if maps are freed after their last use and activations work in place. That is
    /// what engines do; the memory for their own purposes comes on top.
    #[must_use]
    pub fn map_bytes(&self, windows: u32) -> u64 {
        let graph = self.proto.graph.as_ref().expect("a dense network has a graph");
        let stride_px = i64::from(self.stride_px);
        let bytes = |name: &String| {
            self.sizes.get(name).map_or(0, |MapSize { channels, axes }| {
                let [rows, cols] =
                    axes.map(|axis| axis.length(i64::from(windows), stride_px).max(0));
                4 * *channels as u64 * rows.unsigned_abs() * cols.unsigned_abs()
            })
        };
        let mut last_use: HashMap<&String, usize> = HashMap::new();
        for (index, node) in graph.node.iter().enumerate() {
            last_use.extend(node.input.iter().map(|name| (name, index)));
        }
        let (mut held, mut most) = (bytes(&self.input), 0);
        for (index, node) in graph.node.iter().enumerate() {
            let unused = |name: &&String| last_use.get(name) == Some(&index);
            let mut done: Vec<&String> = node.input.iter().filter(unused).collect();
            done.retain(|name| **name != self.input);
            done.dedup();
            let (made, freed) = (
                node.output.iter().map(bytes).sum::<u64>(),
                done.into_iter().map(bytes).sum::<u64>(),
            );
            let beside = match node.op_type.as_str() {
                operator if operators::is_composite(operator) => 2 * made,
                operator if operators::is_pointwise(operator) && made <= freed => 0,
                _ => made,
            };
            most = most.max(held + beside);
            held = (held + made).saturating_sub(freed);
        }
        most
    }

    /// Numbers per output.
    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    /// What the outputs are.
    pub(crate) fn outputs(&self) -> Outputs {
        self.outputs
    }

    /// What tells this network from others made dense from the same classifier.
    pub(crate) fn variant(&self) -> &str {
        &self.variant
    }
}
