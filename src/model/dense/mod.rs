//! A classifier rewritten to score a whole patch in one run.
//!
//! The rewritten network maps `[1, 3, P, P]` (or `[1, P, P, 3]`) to a grid of
//! outputs `[1, C, G, G]` at the heatmap's stride, `G = (P - window) / stride + 1`:
//! output (r, c) is the classifier's output for the window that starts at pixel
//! (x, y) = (c * stride, r * stride) of the patch.
//!
//! - Layers that slide keep sliding. Once strides have added up to the heatmap's
//!   stride, further strides become dilations (a trous): every output is kept, and
//!   the kernels of later layers are spread wider ([`axis`]).
//! - A mean over the window's map becomes a sliding mean; a linear layer after it
//!   goes before it where that is cheaper, which is the same by linearity.
//! - A fully connected layer becomes a convolution as large as the window's map.
//! - A squeeze-and-excitation scales a map by one number per window. The dense
//!   network scales by the mean around each position, which is not the same.
//!
//! Without padding and squeeze-and-excitation the outputs equal the classifier's
//! except for rounding. A layer that pads makes a window see zeros at its own
//! border where the dense run sees the neighbourhood: [`DenseNetwork::inexact`]
//! names these layers, and [`DenseNetwork::reach_px`] says how far beyond a window
//! its output depends on pixels, and so on the patch's border.
//!
//! The idea is that of Giusti et al., "Fast image scanning with deep max-pooling
//! convolutional neural networks" (ICIP 2013), with dilations in place of
//! fragments.

#![expect(
    clippy::cast_possible_truncation,
    reason = "sizes of tensors, which fit the address space"
)]

pub(super) mod axis;
mod box_mean;
mod builder;
mod channels;
mod constants;
mod conv;
mod cost;
mod head;
pub(super) mod input_output;
mod join;
mod linear;
mod map;
mod mean;
pub(crate) mod network;
pub(super) mod node;
pub(super) mod operators;
mod pointwise;
mod pool;
mod refit;
pub(super) mod rewriter;
mod shape;
pub(super) mod write;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::rc::Rc;

use prost::Message;
use thiserror::Error;
use tract_onnx::pb;

use super::card::Layout;
use super::load::Model;
use super::widen::widen;
use axis::Axis;
use builder::{Builder, ints};
use map::{FeatureMap, Form, Order, Value};
use node::Node;
use rewriter::{Problem, Rewriter};

pub(crate) use cost::DenseCost;
pub(crate) use network::Outputs;
pub(crate) use network::{DenseNetwork, Side};
pub(crate) use refit::{HeadFit, HeadInputs, HeadShape};

/// A network cannot be rewritten.
#[derive(Debug, Error)]
pub enum DenseError {
    /// The file does not decode, or stores its weights in a way that is not supported.
    #[error("{}: {detail}", path.display())]
    File {
        /// The ONNX file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// Some nodes have no dense form.
    #[error("{}: cannot be made dense; use method = \"window\", or export the network without:{}", path.display(), problems.iter().map(|problem| format!("\n  {problem}")).collect::<String>())]
    Nodes {
        /// The ONNX file.
        path: PathBuf,
        /// One line per node.
        problems: Vec<String>,
    },
    /// The output is not one row of scores per window.
    #[error("{}: cannot be made dense: output `{output}` is {shape:?} for one window, expected one number per class", path.display())]
    Output {
        /// The ONNX file.
        path: PathBuf,
        /// The output.
        output: String,
        /// Its shape.
        shape: Vec<i64>,
    },
}

/// Rewrites `model` to score the windows of a patch at a distance of `stride_px`.
///
/// # Errors
/// [`DenseError`] naming every node that has no dense form.
pub fn densify(model: &Model, stride_px: u32) -> Result<DenseNetwork, DenseError> {
    let file = |detail: String| DenseError::File { path: model.path.clone(), detail };
    let mut old = pb::ModelProto::decode(model.bytes.as_slice())
        .map_err(|error| file(format!("not an ONNX file: {error}")))?;
    write::inline_weights(&mut old, &model.path).map_err(file)?;
    widen(&mut old).map_err(file)?;
    let stride = i64::from(stride_px.max(1));
    let mut gates = BTreeSet::new();
    loop {
        match GraphRewrite::new(model, &old, stride, &gates).rewrite() {
            Ok(network) => return Ok(network),
            Err(RewriteStopped::Dense(error)) => return Err(error),
            // Each round adds pooling nodes, of which there are finitely many.
            Err(RewriteStopped::Gates(more)) => gates.extend(more),
        }
    }
}

/// Cost of scoring blocks of `block_px` by dense runs of `network`, with maps of at most
/// `most_bytes`, beside that of single windows of `model`.
///
/// # Errors
/// [`DenseError`] if the network has no dense form.
pub(crate) fn dense_cost(
    model: &Model,
    network: &DenseNetwork,
    block_px: u32,
    most_bytes: u64,
) -> Result<DenseCost, DenseError> {
    let window = densify(model, cost::APART_PX)?.multiplications(1);
    Ok(network.cost(window, block_px, most_bytes))
}

/// Why a walk over the graph ended without a dense network.
enum RewriteStopped {
    /// The network has no dense form.
    Dense(DenseError),
    /// The pooling nodes of these indices scale a whole map, which the walk did not know.
    Gates(BTreeSet<usize>),
}

/// One walk over the graph.
struct GraphRewrite<'a> {
    model: &'a Model,
    old: &'a pb::ModelProto,
    graph: &'a pb::GraphProto,
    rewriter: Rewriter<'a>,
}

impl<'a> GraphRewrite<'a> {
    fn new(
        model: &'a Model,
        old: &'a pb::ModelProto,
        stride_px: i64,
        gates: &'a BTreeSet<usize>,
    ) -> Self {
        let graph = old.graph.as_ref().expect("a loaded model has a graph");
        let weights = graph.initializer.iter();
        let names = weights.clone().map(|tensor| tensor.name.as_str());
        let input = model.input().name.as_str();
        let mut values: HashMap<&str, Value> = weights
            .map(|tensor| (tensor.name.as_str(), Value::Constant(Rc::new(tensor.clone()))))
            .collect();
        let mut builder = Builder::with_names(names.chain([input]));
        let axes = [Axis::image(i64::from(model.card.window_px)); 2];
        let (form, name) = match model.card.layout {
            Layout::Nchw => (Form::Spatial(Order::ChannelsFirst), input.to_owned()),
            Layout::Nhwc => {
                let turn = vec![ints("perm", &[0, 3, 1, 2])];
                let turned = builder.node("Transpose", "channels_first", &[input], turn);
                (Form::Spatial(Order::ChannelsLast), turned)
            }
        };
        builder.sized(&name, 3, axes);
        let (pending, gate, pooled_by) = (false, false, BTreeSet::new());
        let source = None;
        let image = FeatureMap { name, channels: 3, axes, form, pending, gate, pooled_by, source };
        values.insert(input, Value::Map(image));
        let rewriter = Rewriter {
            builder,
            values,
            means: HashMap::new(),
            stride_px,
            opset: model.graph.opset,
            gates,
            inexact: Vec::new(),
        };
        Self { model, old, graph, rewriter }
    }

    fn rewrite(mut self) -> Result<DenseNetwork, RewriteStopped> {
        let path = self.model.path.clone();
        let output = self.model.output().name.clone();
        let needed = self.needed(&output);
        let mut problems = Vec::new();
        for (index, proto) in self.graph.node.iter().enumerate() {
            if !needed.contains(&index) {
                continue;
            }
            let node = Node { proto, index };
            let foreign = !matches!(proto.domain.as_str(), "" | "ai.onnx");
            let value = if foreign {
                Err(Problem::node(format!("its operator belongs to the domain {}", proto.domain)))
            } else {
                self.rewriter.rewrite(node)
            };
            let value = match value {
                Ok(value) => self.rewriter.sourced(node, value),
                Err(Problem::Gates(gates)) => return Err(RewriteStopped::Gates(gates)),
                Err(Problem::Unknown) => Value::Unknown,
                Err(Problem::Node(what)) => {
                    problems.push(format!("{} `{}`: {what}", node.operator(), node.name()));
                    Value::Unknown
                }
            };
            if let Some(output) = proto.output.first() {
                self.rewriter.values.insert(output.as_str(), value);
            }
        }
        if !problems.is_empty() {
            return Err(RewriteStopped::Dense(DenseError::Nodes { path, problems }));
        }
        match self.rewriter.values.get(output.as_str()).cloned() {
            Some(Value::Map(map)) if map.extents() == [1, 1] && !map.gate => {
                let map = self.rewriter.with_mean(map);
                Ok(write::finish(self.model, self.old, self.rewriter, &map))
            }
            other => {
                let shape = match other {
                    Some(Value::Map(map)) => map.shape(),
                    _ => Vec::new(),
                };
                Err(RewriteStopped::Dense(DenseError::Output { path, output, shape }))
            }
        }
    }

    /// Indices of the nodes that the output depends on.
    fn needed(&self, output: &str) -> HashSet<usize> {
        let mut names = HashSet::from([output]);
        let mut needed = HashSet::new();
        for (index, node) in self.graph.node.iter().enumerate().rev() {
            if node.output.iter().any(|name| names.contains(name.as_str())) {
                needed.insert(index);
                names.extend(node.input.iter().map(String::as_str));
            }
        }
        needed
    }
}
