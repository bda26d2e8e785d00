//! Where a network is cut, and the ONNX files of both parts.

use std::collections::HashSet;

use prost::Message;
use tract_onnx::pb;

use super::layers::Layers;
use super::read::{Constants, read};
use crate::model::card::Layout;
use crate::model::dense::write::{fixed, info, inline_weights, named};
use crate::model::graph::{Dim, Dtype};
use crate::model::load::Model;

/// A network in two parts, trunk and head.
#[derive(Debug, Clone)]
pub struct Halves {
    /// ONNX file of the trunk, for images of any size and number.
    pub trunk: Vec<u8>,
    /// ONNX file of the head.
    pub head: Vec<u8>,
    /// The trunk's input, `[n, 3, row, col]` or `[n, row, col, 3]`.
    pub input: String,
    /// The trunk's output and the head's input, `[n, channel, row, col]`.
    pub cut: String,
    /// What the trunk makes of one window.
    pub map: CutMap,
    layers: Layers,
    in_trunk: Vec<usize>,
}

/// The map between trunk and head.
///
/// Where windows overlap they have its elements in common but for the rims: the first
/// `before` and the last `after` rows and columns, which see the border of the window.
/// Those of an image with the same border are the same, if it is at least `before_px`,
/// or `after_px`, wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutMap {
    /// Channels.
    pub channels: usize,
    /// Rows, and columns, for a window.
    pub side: usize,
    /// Pixels between elements; divides the stride.
    pub jump_px: u32,
    /// Elements at the start that see the border.
    pub before: usize,
    /// Elements at the end that see it.
    pub after: usize,
    /// Pixels from the window's start that the first elements need; 0 without a rim.
    pub before_px: u32,
    /// Pixels to the window's end that the last elements need; 0 without a rim.
    pub after_px: u32,
}

/// A place to cut, and what that spares a window.
struct Cut {
    layer: usize,
    in_trunk: Vec<usize>,
    map: CutMap,
    spared: i64,
}

impl Halves {
    /// Cuts `model` where windows `stride_px` apart spare most; `None` where they
    /// have nothing to share, or the network is not of a kind that is known here:
    /// float32, any batch.
    #[must_use]
    pub fn of(model: &Model, stride_px: u32) -> Option<Self> {
        let batch = model.input().dims.as_ref().and_then(|dims| dims.first());
        if model.input().dtype != Dtype::F32 || batch.and_then(Dim::fixed).is_some() {
            return None;
        }
        let mut whole = pb::ModelProto::decode(model.bytes.as_slice()).ok()?;
        inline_weights(&mut whole, &model.path).ok()?;
        let graph = whole.graph.as_ref()?;
        let constants = constants(graph);
        let input = model.input().name.as_str();
        let layers = read(graph, (input, model.card.layout), &constants);
        let place = Place { layers: &layers, window_px: model.card.window_px, stride_px };
        let cuts = (1..layers.0.len()).filter_map(|layer| place.cut(layer));
        let cuts = cuts.filter(|cut| parts(graph, &constants, (input, &layers), cut));
        let best = cuts.max_by_key(|cut| (cut.spared, std::cmp::Reverse(cut.layer)))?;
        let cut = layers.0[best.layer].output.clone();
        let nodes: HashSet<usize> =
            best.in_trunk.iter().filter_map(|&layer| layers.0[layer].node).collect();
        let image = match model.card.layout {
            Layout::Nchw => vec![named("n"), fixed(3), named("rows_px"), named("cols_px")],
            Layout::Nhwc => vec![named("n"), named("rows_px"), named("cols_px"), fixed(3)],
        };
        let map = |side: &dyn Fn(&str) -> pb::tensor_shape_proto::Dimension| {
            let channels = best.map.channels as i64;
            info(&cut, vec![named("n"), fixed(channels), side("rows"), side("cols")])
        };
        let side = best.map.side as i64;
        let (any, window) = (map(&|name| named(name)), map(&|_| fixed(side)));
        let scores = graph.output.iter().find(|output| output.name == model.output().name)?;
        let trunk = part(&whole, |node| nodes.contains(&node), info(input, image), any);
        let head = part(&whole, |node| !nodes.contains(&node), window, scores.clone());
        Some(Self {
            trunk,
            head,
            input: input.to_owned(),
            cut,
            map: best.map,
            in_trunk: best.in_trunk,
            layers,
        })
    }

    /// What the trunk costs over an image, in multiplications.
    #[must_use]
    pub fn cost(&self, rows_px: u32, cols_px: u32) -> u64 {
        self.layers.cost(&self.in_trunk, [rows_px, cols_px].map(i64::from))
    }
}

impl Halves {
    /// Bytes that a worker needs for them, the trunk run over images of so many pixels a
    /// side: weights, as they are and as the engine orders them, and the largest map
    /// with what comes before and after it. Within a third of what was measured.
    #[must_use]
    pub fn bytes(&self, side_px: u32) -> u64 {
        let map = 4 * self.layers.largest(&self.in_trunk, [side_px, side_px].map(i64::from));
        2 * (self.trunk.len() + self.head.len()) as u64 + 3 * map
    }
}

/// Shapes of what no image reaches; `[-1]` where that is not known.
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

/// Whether all that comes after the cut looks at nothing before it.
fn parts(
    graph: &pb::GraphProto,
    constants: &Constants<'_>,
    (input, layers): (&str, &Layers),
    cut: &Cut,
) -> bool {
    let nodes: HashSet<usize> =
        cut.in_trunk.iter().filter_map(|&layer| layers.0[layer].node).collect();
    let mut made = HashSet::from([layers.0[cut.layer].output.as_str()]);
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

/// What cutting depends on.
struct Place<'p> {
    layers: &'p Layers,
    window_px: u32,
    stride_px: u32,
}

impl Place<'_> {
    /// The cut behind `layer`; `None` where its map is not shared.
    fn cut(&self, layer: usize) -> Option<Cut> {
        let (at, window_px) = (&self.layers.0[layer], i64::from(self.window_px));
        let [rows, cols] = [0, 1].map(|axis| self.layers.trace(axis, window_px)[layer]);
        let (rows, cols) = (rows?, cols?);
        let jump_px = at.jump_px[0];
        let square = rows.count == cols.count && at.jump_px[1] == jump_px && at.channels_first;
        if !square || i64::from(self.stride_px) % jump_px != 0 {
            return None;
        }
        let (before, after) = (rows.before.max(cols.before), rows.after.max(cols.after));
        if rows.count <= before + after {
            return None;
        }
        let (before_px, after_px) = self.rims_px(layer, (rows.count, before, after))?;
        let in_trunk = self.layers.up_to(layer);
        let cost = |rows_px: i64, cols_px: i64| {
            i64::try_from(self.layers.cost(&in_trunk, [rows_px, cols_px])).ok()
        };
        let sides_px = [before_px, after_px];
        let corners = sides_px.iter().flat_map(|&rows| sides_px.map(|cols| (rows, cols)));
        let corners: Option<i64> = corners.map(|(rows_px, cols_px)| cost(rows_px, cols_px)).sum();
        // Its elements are copied, once and again.
        let copied = 2 * at.channels * rows.count * cols.count;
        let spared = cost(window_px, window_px)? - corners? - copied;
        let map = CutMap {
            channels: usize::try_from(at.channels).ok()?,
            side: usize::try_from(rows.count).ok()?,
            jump_px: u32::try_from(jump_px).ok()?,
            before: usize::try_from(before).ok()?,
            after: usize::try_from(after).ok()?,
            before_px: u32::try_from(before_px).ok()?,
            after_px: u32::try_from(after_px).ok()?,
        };
        (spared > 0).then_some(Cut { layer, in_trunk, map, spared })
    }

    /// The narrowest images, from the window's start and to its end, that have its
    /// rims: of `count` elements the first `before` and the last `after`.
    fn rims_px(&self, layer: usize, (count, before, after): (i64, i64, i64)) -> Option<(i64, i64)> {
        let (window_px, jump_px) = (i64::from(self.window_px), self.layers.0[layer].jump_px[0]);
        let both = |px: i64| {
            let [rows, cols] = [0, 1].map(|axis| self.layers.trace(axis, px)[layer]);
            rows.zip(cols)
        };
        let has_start = |px: &i64| {
            both(*px).is_some_and(|(rows, cols)| {
                rows.count - rows.after >= before && cols.count - cols.after >= before
            })
        };
        let has_end = |px: &i64| {
            let all = count - (window_px - px) / jump_px;
            both(*px).is_some_and(|(rows, cols)| {
                [rows, cols].iter().all(|axis| axis.count == all && axis.before + after <= all)
            })
        };
        let start = (1..=window_px / jump_px).map(|elements| elements * jump_px).find(has_start);
        let end =
            (0..window_px / jump_px).rev().map(|more| window_px - more * jump_px).find(has_end);
        Some((if before == 0 { 0 } else { start? }, if after == 0 { 0 } else { end? }))
    }
}

/// The ONNX file of some of the nodes, with the constants that they need.
fn part(
    whole: &pb::ModelProto,
    takes: impl Fn(usize) -> bool,
    input: pb::ValueInfoProto,
    output: pb::ValueInfoProto,
) -> Vec<u8> {
    let graph = whole.graph.as_ref().expect("it was cut");
    let constants = constants(graph);
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
    let graph = pb::GraphProto {
        node: nodes,
        name: graph.name.clone(),
        initializer: weights.cloned().collect(),
        input: vec![input],
        output: vec![output],
        ..Default::default()
    };
    pb::ModelProto { graph: Some(graph), ..whole.clone() }.encode_to_vec()
}
