//! Reads from an ONNX graph the layers whose outputs depend on a neighbourhood only.

use std::collections::HashMap;

use tract_onnx::pb;

use super::layers::{Layer, Layers};
use crate::model::card::Layout;
use crate::model::dense::axis::SlidingLayer;
use crate::model::dense::node::Node;
use crate::model::dense::operators;
use crate::model::dense::rewriter::sliding_layers;

/// Cost of an output's memory traffic, expressed in multiplications. Measured on the demo
/// networks, where the costs of layers are then within a factor of 2 of their times.
const OUTPUT_COST: i64 = 40;

/// Shapes of the tensors that do not depend on the image, by name.
pub(super) type Constants<'g> = HashMap<&'g str, &'g [i64]>;

/// The state of the walk over the graph.
struct Reader<'g> {
    layers: Vec<Layer>,
    /// Indices of the layers by the names of their outputs.
    by_output: HashMap<&'g str, usize>,
    constants: &'g Constants<'g>,
}

/// The layers of `graph` whose outputs depend on a neighbourhood only.
pub(super) fn read<'g>(
    graph: &'g pb::GraphProto,
    input: &'g str,
    layout: Layout,
    constants: &'g Constants<'g>,
) -> Layers {
    let image = Layer {
        inputs: Vec::new(),
        node: None,
        output: input.to_owned(),
        slides: None,
        channels: 3,
        jump_px: [1, 1],
        cost: 0,
        channels_first: layout == Layout::Nchw,
    };
    let by_output = HashMap::from([(input, 0)]);
    let mut reader = Reader { layers: vec![image], by_output, constants };
    for (index, proto) in graph.node.iter().enumerate() {
        let [output] = proto.output.as_slice() else { continue };
        let own = matches!(proto.domain.as_str(), "" | "ai.onnx");
        if !own || constants.contains_key(output.as_str()) {
            continue;
        }
        if let Some(layer) = reader.layer(Node { proto, index }) {
            reader.by_output.insert(output, reader.layers.len());
            reader.layers.push(layer);
        }
    }
    Layers(reader.layers)
}

impl<'g> Reader<'g> {
    /// The layer of a node; `None` if the node depends on more than a neighbourhood, or its
    /// operator is not supported here.
    fn layer(&self, node: Node<'g>) -> Option<Layer> {
        let reached = node.inputs().iter().filter(|name| !name.is_empty());
        let reached = reached.filter(|name| !self.constants.contains_key(name.as_str()));
        let inputs: Vec<usize> = reached
            .map(|name| self.by_output.get(name.as_str()).copied())
            .collect::<Option<_>>()?;
        let first = &self.layers[*inputs.first()?];
        let alike = inputs.iter().all(|&input| {
            let layer = &self.layers[input];
            layer.jump_px == first.jump_px && layer.channels_first == first.channels_first
        });
        if !alike {
            return None;
        }
        let layer = Layer {
            inputs: inputs.clone(),
            node: Some(node.index),
            output: node.proto.output[0].clone(),
            slides: None,
            cost: 0,
            ..first.clone()
        };
        let single = inputs.len() == 1 && self.by_output.contains_key(node.inputs()[0].as_str());
        match node.operator() {
            "Transpose" => (node.ints("perm") == Some(&[0, 3, 1, 2]) && !layer.channels_first)
                .then_some(Layer { channels_first: true, ..layer }),
            _ if !layer.channels_first => None,
            "Conv" if single => {
                let &[outputs, inputs, rows, cols] = self.shape(node, 1)? else { return None };
                let cost = outputs * inputs * rows * cols + OUTPUT_COST * outputs;
                sliding(Layer { channels: outputs, cost, ..layer }, node, [rows, cols])
            }
            "MaxPool" | "AveragePool" => {
                let &[rows, cols] = node.ints("kernel_shape")? else { return None };
                let cost = layer.channels * (rows * cols + OUTPUT_COST);
                sliding(Layer { cost, ..layer }, node, [rows, cols])
            }
            "BatchNormalization" if single && node.int("training_mode", 0) == 0 => Some(layer),
            "Identity" | "Dropout" if single => Some(layer),
            "Concat" if node.int("axis", 0) == 1 && inputs.len() == node.inputs().len() => {
                let channels = inputs.iter().map(|&input| self.layers[input].channels).sum();
                Some(Layer { channels, ..layer })
            }
            "Add" | "Sub" | "Mul" | "Div" | "Max" | "Min" | "PRelu" => {
                let channels = |&input: &usize| self.layers[input].channels;
                let equal = inputs.iter().all(|input| channels(input) == layer.channels);
                (equal && self.constants_fit(node, layer.channels)).then_some(layer)
            }
            operator if single && operators::is_pointwise(operator) => Some(layer),
            _ => None,
        }
    }

    fn shape(&self, node: Node<'g>, input: usize) -> Option<&[i64]> {
        Some(self.constants.get(node.inputs().get(input)?.as_str())?)
    }

    /// Whether each constant input of an elementwise node is one number, or one per channel.
    fn constants_fit(&self, node: Node<'g>, channels: i64) -> bool {
        node.inputs().iter().filter_map(|name| self.constants.get(name.as_str())).all(|shape| {
            let count: i64 = shape.iter().product();
            count == 1
                || (count == channels
                    && shape.len() >= 3
                    && shape[shape.len() - 3] == channels
                    && shape.len() <= 4)
        })
    }
}

/// The layer with the kernel, stride and padding of its node; `None` if these depend on the
/// image's size.
fn sliding(layer: Layer, node: Node<'_>, kernel: [i64; 2]) -> Option<Layer> {
    let sized = |pad: &str| pad != "NOTSET" && pad != "VALID";
    if node.text("auto_pad").is_some_and(sized) {
        return None;
    }
    let pads = match node.ints("pads").filter(|_| node.text("auto_pad") != Some("VALID")) {
        Some(&[top, left, bottom, right]) => [top, left, bottom, right],
        Some(_) => return None,
        None => [0; 4],
    };
    let slides = sliding_layers(node, kernel, pads);
    let known = |slide: &SlidingLayer| {
        slide.stride > 0 && slide.dilation > 0 && slide.pads.iter().all(|&pad| pad >= 0)
    };
    let jump_px = [0, 1].map(|at| layer.jump_px[at] * slides[at].stride);
    slides.iter().all(known).then_some(Layer { slides: Some(slides), jump_px, ..layer })
}
