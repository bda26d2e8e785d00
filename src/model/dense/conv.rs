//! The dense form of convolutions, including grouped and depthwise ones.

use std::rc::Rc;

use tract_onnx::pb;

use super::axis::DenseLayer;
use super::builder::{int, ints};
use super::map::{FeatureMap, Value};
use super::node::Node;
use super::rewriter::{Problem, Rewriter, Rewritten, pair};

/// The constants of a convolution.
struct ConvWeights<'w> {
    weight: &'w pb::TensorProto,
    bias: Option<Rc<pb::TensorProto>>,
    /// Number of groups that the channels are divided into.
    groups: i64,
}

impl<'a> Rewriter<'a> {
    pub(super) fn conv(&mut self, node: Node<'a>) -> Rewritten {
        let mut map = self.map(node, 0)?;
        let weight = self.needed(node, 1)?;
        let bias = self.constant(node, 2)?;
        let &[outputs, _, rows, cols] = weight.dims.as_slice() else {
            return Err(Problem::node(format!(
                "its weight has {} axes, expected 4: only convolutions over images",
                weight.dims.len()
            )));
        };
        let kernel = [rows, cols];
        let weights = ConvWeights { weight: &weight, bias, groups: node.int("group", 1) };
        let single = kernel == [1, 1]
            && pair(node, "strides") == [1, 1]
            && node.ints("pads").is_none_or(|pads| pads.iter().all(|&pad| pad == 0))
            && map.channels_first();
        if map.pending && !(single && (outputs as usize) < map.channels) {
            map = self.with_mean(map);
        }
        if single && (map.pending || map.gate || map.axes.iter().all(|axis| axis.extent == 1)) {
            return Ok(Value::Map(self.at_each_place(node, &map, weights)));
        }
        let (axes, slides) = self.slide(node, &map, kernel)?;
        let name = self.convolution(&node.hint(), &map.name, weights, kernel, slides);
        let name = self.crop(name, slides.map(|slide| slide.crop));
        let pooled_by = if axes.iter().all(|axis| axis.extent == 1) {
            map.pooled_by.clone()
        } else {
            std::collections::BTreeSet::new()
        };
        let map = FeatureMap { channels: outputs as usize, axes, pooled_by, ..map };
        Ok(Value::Map(self.renamed(&map, name)))
    }

    /// Adds a 1 x 1 convolution, which keeps the positions of the elements.
    fn at_each_place(
        &mut self,
        node: Node<'a>,
        map: &FeatureMap,
        weights: ConvWeights<'_>,
    ) -> FeatureMap {
        let outputs = weights.weight.dims[0] as usize;
        let in_place = DenseLayer { dilation: 1, stride: 1, pads: [0, 0], crop: 0, padded: false };
        let name = self.convolution(&node.hint(), &map.name, weights, [1, 1], [in_place; 2]);
        let map = FeatureMap { channels: outputs, ..map.clone() };
        self.renamed(&map, name)
    }

    /// Adds a convolution.
    fn convolution(
        &mut self,
        hint: &str,
        input: &str,
        ConvWeights { weight, bias, groups }: ConvWeights<'_>,
        kernel: [i64; 2],
        [down, across]: [DenseLayer; 2],
    ) -> String {
        let weight = self.builder.weight(weight);
        let bias = bias.map(|bias| self.builder.weight(&bias));
        let attributes = vec![
            ints("kernel_shape", &kernel),
            ints("strides", &[down.stride, across.stride]),
            ints("dilations", &[down.dilation, across.dilation]),
            ints("pads", &[down.pads[0], across.pads[0], down.pads[1], across.pads[1]]),
            int("group", groups),
        ];
        let inputs: Vec<&str> = [input, &weight].into_iter().chain(bias.as_deref()).collect();
        self.builder.node("Conv", hint, &inputs, attributes)
    }
}
