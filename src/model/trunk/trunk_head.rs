//! A network cut into trunk and head, as two ONNX files.

use std::collections::HashSet;

use prost::Message;
use tract_onnx::pb;

use super::cut::Trunk;
use super::read::{Constants, read};
use crate::model::card::Layout;
use crate::model::dense::input_output::{fixed, info, named};
use crate::model::dense::write::inline_weights;
use crate::model::graph::{Dim, Dtype};
use crate::model::load::Model;

/// A network cut into trunk and head.
#[derive(Debug, Clone)]
pub struct TrunkHead {
    /// ONNX file of the trunk, for images of any size and number.
    pub trunk_onnx: Vec<u8>,
    /// ONNX file of the head.
    pub head_onnx: Vec<u8>,
    /// Name of the trunk's input, `[n, 3, row, col]` or `[n, row, col, 3]`.
    pub input: String,
    /// Name of the trunk's output, which is the head's input, `[n, channel, row, col]`.
    pub cut: String,
    /// Layers and map of the trunk.
    pub trunk: Trunk,
}

impl TrunkHead {
    /// Cuts `model` where windows `stride_px` apart save most work. `None` if windows share
    /// nothing, or the network is not supported: an input other than float32, a fixed
    /// batch, or graphs inside nodes.
    #[must_use]
    pub fn cut(model: &Model, stride_px: u32) -> Option<Self> {
        let batch = model.input().dims.as_ref().and_then(|dims| dims.first());
        if model.input().dtype != Dtype::F32 || batch.and_then(Dim::fixed).is_some() {
            return None;
        }
        let mut whole = pb::ModelProto::decode(model.bytes.as_slice()).ok()?;
        inline_weights(&mut whole, &model.path).ok()?;
        let graph = whole.graph.take().filter(plain)?;
        let constants = constants(&graph);
        let (input, window_px) = (model.input().name.as_str(), model.card.window_px);
        let layers = read(&graph, input, model.card.layout, &constants);
        let trunks = (1..layers.0.len()).filter_map(|layer| {
            let trunk = Trunk::ending_with(layers.up_to(layer), window_px, stride_px)?;
            separates(&graph, &constants, input, &trunk).then_some(trunk)
        });
        // Ties go to the first cut.
        let trunk =
            trunks.reduce(|best, next| if next.spared > best.spared { next } else { best })?;
        let (cut, nodes) = (trunk.layers.last().output.clone(), trunk.layers.nodes());
        let image = match model.card.layout {
            Layout::Nchw => vec![named("n"), fixed(3), named("rows_px"), named("cols_px")],
            Layout::Nhwc => vec![named("n"), named("rows_px"), named("cols_px"), fixed(3)],
        };
        let (channels, side) = (trunk.map.channels as i64, trunk.map.side as i64);
        let any = info(&cut, vec![named("n"), fixed(channels), named("rows"), named("cols")]);
        let window = info(&cut, vec![named("n"), fixed(channels), fixed(side), fixed(side)]);
        let scores = graph.output.iter().find(|output| output.name == model.output().name)?;
        let part = |in_trunk: bool, input: pb::ValueInfoProto, output: pb::ValueInfoProto| {
            let takes = |node: usize| nodes.contains(&node) == in_trunk;
            let graph = Some(part(&graph, &constants, takes, input, output));
            pb::ModelProto { graph, ..whole.clone() }.encode_to_vec()
        };
        Some(Self {
            trunk_onnx: part(true, info(input, image), any),
            head_onnx: part(false, window, scores.clone()),
            input: input.to_owned(),
            cut,
            trunk,
        })
    }

    /// Estimated bytes that a worker needs for both parts if the trunk runs over images of
    /// `side_px` x `side_px`: the weights twice, since the engine keeps them in its own
    /// order too, and the largest map three times, for the maps before and after it. For
    /// images of 720 px that is 190 MB with ResNet-18 and 150 MB with GoogLeNet;
    /// onnxruntime took 190 to 210 MB and 220 to 300 MB.
    #[must_use]
    pub fn bytes(&self, side_px: u32) -> u64 {
        let map = 4 * self.trunk.layers.largest([side_px, side_px].map(i64::from));
        2 * (self.trunk_onnx.len() + self.head_onnx.len()) as u64 + 3 * map
    }
}

/// Whether a graph consists of nodes and dense weights alone, without graphs inside nodes.
fn plain(graph: &pb::GraphProto) -> bool {
    let mut attributes = graph.node.iter().flat_map(|node| &node.attribute);
    graph.sparse_initializer.is_empty()
        && attributes.all(|attribute| attribute.g.is_none() && attribute.graphs.is_empty())
}

/// Shapes of the tensors that do not depend on the image; `[-1]` where the shape is not
/// known.
fn constants(graph: &pb::GraphProto) -> Constants<'_> {
    let weights = graph.initializer.iter();
    let mut known: Constants<'_> =
        weights.map(|tensor| (tensor.name.as_str(), tensor.dims.as_slice())).collect();
    for node in &graph.node {
        let mut inputs = node.input.iter().filter(|name| !name.is_empty());
        if !inputs.all(|name| known.contains_key(name.as_str())) {
            continue;
        }
        let value = node.attribute.iter().find(|attribute| attribute.name == "value");
        let dims = value.and_then(|value| value.t.as_ref()).map(|tensor| tensor.dims.as_slice());
        let dims = match node.op_type.as_str() {
            "Constant" => dims,
            "Identity" => node.input.first().map(|name| known[name.as_str()]),
            _ => None,
        };
        known.extend(node.output.iter().map(|name| (name.as_str(), dims.unwrap_or(&[-1]))));
    }
    known
}

/// Whether the nodes after the trunk depend on nothing in the trunk but its last output.
fn separates(
    graph: &pb::GraphProto,
    constants: &Constants<'_>,
    input: &str,
    trunk: &Trunk,
) -> bool {
    let nodes = trunk.layers.nodes();
    let mut made = HashSet::from([trunk.layers.last().output.as_str()]);
    for (index, node) in graph.node.iter().enumerate() {
        let output = node.output.first().map_or("", String::as_str);
        if nodes.contains(&index) || constants.contains_key(output) {
            continue;
        }
        let known =
            |name: &str| name.is_empty() || constants.contains_key(name) || made.contains(name);
        if !node.input.iter().all(|name| name != input && known(name)) {
            return false;
        }
        made.extend(node.output.iter().map(String::as_str));
    }
    graph.output.iter().all(|output| made.contains(output.name.as_str()))
}

/// The graph of the nodes for which `takes` is true, with the constants that they need.
fn part(
    graph: &pb::GraphProto,
    constants: &Constants<'_>,
    takes: impl Fn(usize) -> bool,
    input: pb::ValueInfoProto,
    output: pb::ValueInfoProto,
) -> pb::GraphProto {
    let mut needed = HashSet::from([output.name.as_str()]);
    let mut nodes = Vec::new();
    for (index, node) in graph.node.iter().enumerate().rev() {
        let constant = node.output.iter().any(|name| constants.contains_key(name.as_str()));
        if (takes(index) || constant) && node.output.iter().any(|n| needed.contains(n.as_str())) {
            needed.extend(node.input.iter().map(String::as_str));
            nodes.push(node.clone());
        }
    }
    nodes.reverse();
    let weights = graph.initializer.iter().filter(|tensor| needed.contains(tensor.name.as_str()));
    pb::GraphProto {
        node: nodes,
        name: graph.name.clone(),
        initializer: weights.cloned().collect(),
        input: vec![input],
        output: vec![output],
        ..Default::default()
    }
}
