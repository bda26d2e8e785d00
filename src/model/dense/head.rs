//! The head of a network: what turns the last map of a window into its scores.
//!
//! A dense run sees tissue where a window alone sees the zeros beyond its border. That
//! changes the last map, most at the window's rim and differently in every channel. So the
//! head can be fitted anew: each logit becomes a linear function of the means of the map's
//! channels over rings around the window's centre, alone or added to the network's own
//! logits.

use tract_onnx::pb;

use super::builder::{AxisCut, Builder, ints};
use super::map::{FeatureMap, MapSize, Source};
use super::operators::is_pointwise;
use crate::model::card::ModelCard;
use crate::model::link::{Link, ScoreLink};

/// Most rings that a map is divided into.
const MOST_RINGS: i64 = 4;

/// The last map of a window and the logits that are made from it.
#[derive(Debug, Clone)]
pub(super) struct Head {
    /// Name of the map in the dense network.
    pub(super) map: String,
    /// Its channels and axes.
    pub(super) size: MapSize,
    /// Name of the tensor of logits.
    pub(super) logits: String,
    /// What turns logits into scores.
    pub(super) link: ScoreLink,
}

impl Head {
    /// The head of the network whose output is `output`; `None` if there is none that can
    /// be fitted anew.
    pub(super) fn find(card: &ModelCard, builder: &Builder, output: &FeatureMap) -> Option<Self> {
        let (logits, operator) = logits_of(builder, &output.name);
        let link = Link::new(operator.as_deref(), card.activation)?;
        let link = ScoreLink::new(link, output.channels, card);
        let Source { mut map, mut size } = (**output.source.as_ref()?).clone();
        // A map of the logits themselves (convolution, then mean) says less than the map
        // that they were made from.
        while size.channels <= output.channels {
            let Some(from) = producer(builder, &map).filter(|node| keeps_places(node)) else {
                break;
            };
            let Some(below) = builder.sizes.get(&from.input[0]) else { break };
            if !below.aligned(&size) {
                break;
            }
            (map, size) = (from.input[0].clone(), below.clone());
        }
        Some(Self { map, size, logits, link })
    }

    /// Extents of the window's map.
    fn extents(&self) -> [i64; 2] {
        self.size.axes.map(|axis| axis.extent)
    }

    /// Number of rings: from the rim inwards, each one element wide, the last one the rest.
    pub(super) fn rings(&self) -> usize {
        let [rows, cols] = self.extents();
        let depth = (rows.min(cols) + 1) / 2;
        usize::try_from(depth.clamp(1, MOST_RINGS)).expect("a few rings")
    }

    /// Elements of the map without its `inset` outer rings.
    pub(super) fn box_elements(&self, inset: usize) -> f64 {
        let inset = 2 * inset as i64;
        self.extents().iter().map(|extent| (extent - inset) as f64).product()
    }

    /// Elements of a ring.
    pub(super) fn ring_elements(&self, ring: usize) -> f64 {
        let inner = if ring + 1 < self.rings() { self.box_elements(ring + 1) } else { 0.0 };
        self.box_elements(ring) - inner
    }

    /// Adds the means of `channels` channels, `first` to `first + channels` of `input`, over
    /// the window's map without its `inset` outer rings. `input` has the map's places.
    pub(super) fn box_mean(
        &self,
        builder: &mut Builder,
        input: &str,
        ChannelRange { first, count }: ChannelRange,
        inset: usize,
        grid: GridStep,
    ) -> String {
        let axes = self.size.axes;
        let along = axes.map(|axis| inset as i64 * axis.dilation());
        let hint = format!("{input}/inset_{inset}");
        let (from, to) = (first as i64, (first + count) as i64);
        let sides = (0..2).filter(|&at| along[at] > 0).map(|at| AxisCut {
            axis: at as i64 + 2,
            start: along[at],
            end: -along[at],
        });
        let cuts: Vec<AxisCut> =
            [AxisCut { axis: 1, start: from, end: to }].into_iter().chain(sides).collect();
        let name = builder.slice(&hint, input, &cuts, grid.opset);
        let kernel = axes.map(|axis| axis.extent - 2 * inset as i64);
        let strides = axes.map(|axis| grid.stride_px / axis.step_px);
        let size = MapSize { channels: count, axes };
        builder.sizes.insert(name.clone(), size.clone());
        let name =
            builder.box_mean(&hint, &name, &size, kernel, axes.map(|a| a.dilation()), strides);
        let axes = axes.map(|axis| axis.per_window(grid.stride_px, axis.from_px, axis.to_px));
        builder.sizes.insert(name.clone(), MapSize { channels: count, axes });
        name
    }
}

/// Some channels of a map.
#[derive(Debug, Clone, Copy)]
pub(super) struct ChannelRange {
    pub(super) first: usize,
    pub(super) count: usize,
}

/// Where outputs lie, and the operator set they are made with.
#[derive(Debug, Clone, Copy)]
pub(super) struct GridStep {
    pub(super) stride_px: i64,
    pub(super) opset: i64,
}

/// The node that makes a tensor.
fn producer<'b>(builder: &'b Builder, name: &str) -> Option<&'b pb::NodeProto> {
    builder.nodes.iter().find(|node| node.output.iter().any(|output| output == name))
}

/// The tensor of logits below the tensor of scores, and the operator between them.
fn logits_of(builder: &Builder, scores: &str) -> (String, Option<String>) {
    let made_by = |name: &str, operators: &[&str]| {
        producer(builder, name).filter(|node| operators.contains(&node.op_type.as_str()))
    };
    let softmax = &["Softmax", "LogSoftmax"];
    if let Some(node) = made_by(scores, &["Softmax", "LogSoftmax", "Sigmoid"]) {
        return (node.input[0].clone(), Some(node.op_type.clone()));
    }
    // In old operator sets, softmax is turned to the last axis and back.
    let turned = made_by(scores, &["Transpose"])
        .and_then(|back| made_by(&back.input[0], softmax))
        .and_then(|node| Some((node, made_by(&node.input[0], &["Transpose"])?)));
    match turned {
        Some((node, there)) => (there.input[0].clone(), Some(node.op_type.clone())),
        None => (scores.to_owned(), None),
    }
}

/// Whether each element of a node's output depends on the element of its first input at
/// the same place.
fn keeps_places(node: &pb::NodeProto) -> bool {
    let list = |name: &str| {
        let found = node.attribute.iter().find(|attribute| attribute.name == name);
        found.map(|attribute| attribute.ints.clone())
    };
    let ones = |name: &str| list(name).is_none_or(|list| list.iter().all(|&one| one == 1));
    let unpadded = list("pads").is_none_or(|pads| pads.iter().all(|&pad| pad == 0));
    match node.op_type.as_str() {
        "Conv" => {
            list("kernel_shape").is_some() && ones("kernel_shape") && ones("strides") && unpadded
        }
        "BatchNormalization" => true,
        operator => is_pointwise(operator),
    }
}

/// Adds a 1 x 1 convolution with `outputs` outputs; `weights` are `[output, channel]`.
pub(super) fn pointwise_convolution(
    builder: &mut Builder,
    hint: &str,
    input: &str,
    outputs: usize,
    weights: &[f32],
) -> String {
    let channels = weights.len() / outputs.max(1);
    let shape = [outputs as i64, channels as i64, 1, 1];
    let weight = builder.floats(&format!("{hint}/weight"), &shape, weights);
    builder.node("Conv", hint, &[input, &weight], vec![ints("kernel_shape", &[1, 1])])
}
