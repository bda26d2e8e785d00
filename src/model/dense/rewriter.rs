//! The rewriting of a network node by node, in the order of the graph.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use tract_onnx::pb;

use super::axis::{Axis, DenseLayer, SlidingLayer};
use super::builder::{AxisCut, Builder, ints};
use super::map::{FeatureMap, Source, Value};
use super::node::Node;
use super::operators::{has_dense_form, is_pointwise};

/// Why a node cannot be rewritten.
pub(super) enum Problem {
    /// The node has no dense form, for this reason.
    Node(String),
    /// The pooling nodes of these indices scale a whole map; the rewriting has to start
    /// again with [`Rewriter::gates`] extended by them.
    Gates(BTreeSet<usize>),
    /// An input comes from an earlier node that cannot be rewritten and is already reported.
    Unknown,
}

impl Problem {
    pub(super) fn node(text: impl Into<String>) -> Self {
        Self::Node(text.into())
    }
}

pub(super) type Rewritten = Result<Value, Problem>;

/// The state of the rewriting: values of the old network so far, and the dense network.
pub(super) struct Rewriter<'a> {
    pub(super) builder: Builder,
    pub(super) values: HashMap<&'a str, Value>,
    /// Mean nodes added so far, by the name of their input tensor.
    pub(super) means: HashMap<String, FeatureMap>,
    pub(super) stride_px: i64,
    pub(super) opset: i64,
    /// Indices of the pooling nodes known to scale a whole map.
    pub(super) gates: &'a BTreeSet<usize>,
    /// Nodes that make the dense scores differ from those of windows, and how.
    pub(super) inexact: Vec<String>,
}

impl<'a> Rewriter<'a> {
    /// Rewrites one node.
    pub(super) fn rewrite(&mut self, node: Node<'a>) -> Rewritten {
        let inputs = node.inputs().iter().filter(|input| !input.is_empty());
        let mut constant = true;
        for input in inputs {
            match self.values.get(input.as_str()) {
                Some(Value::Constant(_)) => {}
                Some(Value::Map(_)) => constant = false,
                // After a node that fails, only operators without any dense form are reported.
                Some(Value::Unknown) | None
                    if has_dense_form(node.operator()) && !self.cuts_places(node) =>
                {
                    return Err(Problem::Unknown);
                }
                Some(Value::Unknown) | None => return Err(no_dense_form(node)),
            }
        }
        if constant {
            return self.fold(node);
        }
        match node.operator() {
            "Conv" => self.conv(node),
            "MaxPool" => self.max_pool(node),
            "AveragePool" => self.average_pool(node),
            "GlobalAveragePool" | "ReduceMean" => self.global_mean(node),
            "GlobalMaxPool" | "ReduceMax" => self.global_max(node),
            "Gemm" => self.gemm(node),
            "MatMul" => self.mat_mul(node),
            "Identity" | "Dropout" | "Cast" => self.pass(node),
            "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => self.reshape(node),
            "Transpose" => self.transpose(node),
            "Shape" => self.shape(node),
            "BatchNormalization" => self.batch_normalization(node),
            "Softmax" | "LogSoftmax" => self.softmax(node),
            "Add" | "Sub" | "Mul" | "Div" | "Max" | "Min" | "Pow" | "Sum" | "PRelu" => {
                self.join(node)
            }
            "Concat" => self.concat(node),
            "Gather" => self.gather(node),
            "Slice" => self.slice(node),
            "Split" => self.split(node),
            "Pad" => self.pad(node),
            operator if is_pointwise(operator) => self.pointwise(node),
            _ => Err(no_dense_form(node)),
        }
    }

    /// An input that depends on the image.
    pub(super) fn map(&self, node: Node<'a>, input: usize) -> Result<FeatureMap, Problem> {
        match node.inputs().get(input).and_then(|name| self.values.get(name.as_str())) {
            Some(Value::Map(map)) => Ok(map.clone()),
            Some(Value::Constant(_)) => Err(Problem::node(format!(
                "its input {input} is a constant, expected something that depends on the image"
            ))),
            _ => Err(Problem::Unknown),
        }
    }

    /// Like [`Self::map`], with the nodes of a pending mean added.
    pub(super) fn ready(&mut self, node: Node<'a>, input: usize) -> Result<FeatureMap, Problem> {
        let map = self.map(node, input)?;
        Ok(self.with_mean(map))
    }

    /// An input that does not depend on the image; `None` if the node lacks the input.
    pub(super) fn constant(
        &self,
        node: Node<'a>,
        input: usize,
    ) -> Result<Option<Rc<pb::TensorProto>>, Problem> {
        match node.inputs().get(input).map(String::as_str) {
            None | Some("") => Ok(None),
            Some(name) => match self.values.get(name) {
                Some(Value::Constant(tensor)) => Ok(Some(Rc::clone(tensor))),
                _ => Err(Problem::node(format!(
                    "its input {input} (`{name}`) is computed from the image, expected a constant"
                ))),
            },
        }
    }

    /// Like [`Self::constant`], for an input that must be present.
    pub(super) fn needed(
        &self,
        node: Node<'a>,
        input: usize,
    ) -> Result<Rc<pb::TensorProto>, Problem> {
        self.constant(node, input)?.ok_or_else(|| Problem::node(format!("it has no input {input}")))
    }

    /// Records that the node makes the dense scores differ from those of windows.
    pub(super) fn differs(&mut self, node: Node<'a>, why: &str) {
        self.inexact.push(format!("{} `{}` {why}", node.operator(), node.name()));
    }

    /// The value of a node, which knows the map that it was made from if the node has made
    /// one place of many.
    pub(super) fn sourced(&self, node: Node<'a>, value: Value) -> Value {
        let Value::Map(mut map) = value else { return value };
        if map.extents() == [1, 1] && !map.gate && map.source.is_none() {
            let inputs = node.inputs().iter().filter_map(|name| self.values.get(name.as_str()));
            let from = inputs.into_iter().find_map(|value| match value {
                Value::Map(from) if from.extents() != [1, 1] => Some(from),
                _ => None,
            });
            let source = |from: &FeatureMap| Source { map: from.name.clone(), size: from.size() };
            map.source = from.map(|from| Rc::new(source(from)));
        }
        Value::Map(map)
    }

    /// The same map under another tensor's name.
    pub(super) fn renamed(&mut self, map: &FeatureMap, name: String) -> FeatureMap {
        self.builder.sized(&name, map.channels, map.axes);
        FeatureMap { name, ..map.clone() }
    }

    /// The axes after a sliding layer, and the layer in the dense run.
    pub(super) fn slide(
        &mut self,
        node: Node<'a>,
        map: &FeatureMap,
        kernel: [i64; 2],
    ) -> Result<([Axis; 2], [DenseLayer; 2]), Problem> {
        if !map.channels_first() {
            return Err(Problem::node("its input is not [N, C, row, col]"));
        }
        if map.gate {
            return Err(Problem::node(
                "it reads the neighbourhood of what is one number per window",
            ));
        }
        let pads = pads_of(node, map, kernel);
        let slides = sliding_layers(node, kernel, pads);
        let mut slid = Vec::with_capacity(2);
        for (at, slide) in slides.iter().enumerate() {
            let extent = map.axes[at].extent;
            slid.push(map.axes[at].slide(slide, self.stride_px).ok_or_else(|| {
                Problem::node(format!("a kernel of {} does not fit a map of {extent}", kernel[at]))
            })?);
        }
        let [(rows, down), (cols, across)] = slid[..] else { unreachable!("two axes") };
        if down.padded || across.padded {
            self.differs(node, "pads its input");
        }
        Ok(([rows, cols], [down, across]))
    }

    /// Adds a node that drops rows and columns at the end, if there are any to drop.
    pub(super) fn crop(&mut self, name: String, crop: [i64; 2]) -> String {
        if crop == [0, 0] {
            return name;
        }
        let cuts = (0..2).filter(|&at| crop[at] > 0);
        let cuts: Vec<AxisCut> =
            cuts.map(|at| AxisCut { axis: at as i64 + 2, start: 0, end: -crop[at] }).collect();
        self.builder.slice(&format!("{name}/cropped"), &name, &cuts, self.opset)
    }

    /// Adds a node that puts `value` around a map; `pads` are rows before, columns before,
    /// rows after, columns after.
    pub(super) fn padded(&mut self, name: &str, pads: [i64; 4], value: f32) -> String {
        if pads == [0; 4] {
            return name.to_owned();
        }
        let [top, left, bottom, right] = pads;
        let pads = [0, 0, top, left, 0, 0, bottom, right];
        let hint = format!("{name}/padded");
        if self.opset < 11 {
            let attributes = vec![ints("pads", &pads), super::builder::float("value", value)];
            return self.builder.node("Pad", &hint, &[name], attributes);
        }
        let pads = self.builder.integers("pads", &pads);
        let value = self.builder.floats("padding", &[], &[value]);
        self.builder.node("Pad", &hint, &[name, &pads, &value], Vec::new())
    }
}

fn no_dense_form(node: Node<'_>) -> Problem {
    Problem::node(format!("the operator {} has no dense form here", node.operator()))
}

/// The sliding layer of a node along rows and columns, with `pads` from [`pads_of`].
pub(in crate::model) fn sliding_layers(
    node: Node<'_>,
    kernel: [i64; 2],
    pads: [i64; 4],
) -> [SlidingLayer; 2] {
    let (strides, dilations) = (pair(node, "strides"), pair(node, "dilations"));
    [0, 1].map(|at| SlidingLayer {
        kernel: kernel[at],
        dilation: dilations[at],
        stride: strides[at],
        pads: [pads[at], pads[at + 2]],
        ceil: node.int("ceil_mode", 0) != 0,
    })
}

/// An attribute with a number for rows and one for columns; 1 and 1 if the node has none.
pub(super) fn pair(node: Node<'_>, name: &str) -> [i64; 2] {
    match node.ints(name) {
        Some(&[a, b]) => [a, b],
        _ => [1, 1],
    }
}

/// Padding of a node: rows before, columns before, rows after, columns after.
fn pads_of(node: Node<'_>, map: &FeatureMap, kernel: [i64; 2]) -> [i64; 4] {
    let upper = match node.text("auto_pad") {
        Some("SAME_UPPER") => true,
        Some("SAME_LOWER") => false,
        Some("VALID") => return [0; 4],
        _ => {
            return match node.ints("pads") {
                Some(&[top, left, bottom, right]) => [top, left, bottom, right],
                _ => [0; 4],
            };
        }
    };
    let (strides, dilations) = (pair(node, "strides"), pair(node, "dilations"));
    let mut pads = [0; 4];
    for at in 0..2 {
        let extent = map.axes[at].extent;
        let outputs = (extent + strides[at] - 1) / strides[at];
        let reach = (outputs - 1) * strides[at] + dilations[at] * (kernel[at] - 1) + 1;
        let total = (reach - extent).max(0);
        let less = total / 2;
        (pads[at], pads[at + 2]) = if upper { (less, total - less) } else { (total - less, less) };
    }
    pads
}
