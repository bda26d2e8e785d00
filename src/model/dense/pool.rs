//! The dense form of poolings over a part of a map, and of the maximum over all of it.

use super::axis::{DenseLayer, SlidingLayer};
use super::builder::{int, ints};
use super::map::{FeatureMap, Form, Order, Value};
use super::node::Node;
use super::rewriter::{Problem, Rewriter, Rewritten, pair};

impl<'a> Rewriter<'a> {
    pub(super) fn max_pool(&mut self, node: Node<'a>) -> Rewritten {
        if node.proto.output.get(1).is_some_and(|name| !name.is_empty()) {
            return Err(Problem::node("it also outputs the positions of the maxima"));
        }
        let map = self.ready(node, 0)?;
        let kernel = kernel_of(node)?;
        let (axes, slides) = self.slide(node, &map, kernel)?;
        let name = self.maximum(&node.hint(), &map.name, kernel, slides)?;
        let map = FeatureMap { axes, ..map };
        Ok(Value::Map(self.renamed(&map, name)))
    }

    /// Adds a max-pooling.
    fn maximum(
        &mut self,
        hint: &str,
        input: &str,
        kernel: [i64; 2],
        [down, across]: [DenseLayer; 2],
    ) -> Result<String, Problem> {
        let mut pads = [down.pads[0], across.pads[0], down.pads[1], across.pads[1]];
        let mut input = input.to_owned();
        let dilations = [down.dilation, across.dilation];
        // Engines refuse padding as wide as the undilated kernel.
        if pads
            .iter()
            .enumerate()
            .any(|(at, &pad)| pad >= kernel[at % 2] || (pad > 0 && dilations[at % 2] > 1))
        {
            input = self.padded(&input, pads, f32::MIN);
            pads = [0; 4];
        }
        let mut attributes = vec![
            ints("kernel_shape", &kernel),
            ints("strides", &[down.stride, across.stride]),
            ints("pads", &pads),
        ];
        if dilations != [1, 1] {
            if self.opset < 10 {
                return Err(Problem::node(format!(
                    "it has to skip elements, which needs opset 10, the network has {}; export it with a newer opset",
                    self.opset
                )));
            }
            attributes.push(ints("dilations", &dilations));
        }
        let name = self.builder.node("MaxPool", hint, &[&input], attributes);
        Ok(self.crop(name, [down.crop, across.crop]))
    }

    pub(super) fn average_pool(&mut self, node: Node<'a>) -> Rewritten {
        let map = self.ready(node, 0)?;
        let kernel = kernel_of(node)?;
        let before = self.inexact.len();
        let (axes, slides) = self.slide(node, &map, kernel)?;
        let padded = self.inexact.len() > before;
        let single = pair(node, "strides") == [1, 1];
        if kernel == [1, 1] && single && !padded {
            return Ok(Value::Map(map));
        }
        let whole = map.axes.map(|axis| axis.extent) == kernel && !padded;
        if whole && pair(node, "dilations") == [1, 1] && !map.gate {
            return Ok(Value::Map(self.pooled(node, map)));
        }
        let [down, across] = slides;
        let pads = [down.pads[0], across.pads[0], down.pads[1], across.pads[1]];
        let plain = down.dilation == 1 && across.dilation == 1;
        let name = if plain && pads.iter().enumerate().all(|(at, &pad)| pad < kernel[at % 2]) {
            let attributes = vec![
                ints("kernel_shape", &kernel),
                ints("strides", &[down.stride, across.stride]),
                ints("pads", &pads),
                int("count_include_pad", node.int("count_include_pad", 0)),
            ];
            self.builder.node("AveragePool", &node.hint(), &[&map.name], attributes)
        } else {
            let input = self.padded(&map.name, pads, 0.0);
            let strides = [down.stride, across.stride];
            let dilations = [down.dilation, across.dilation];
            self.builder.box_mean(&node.hint(), &input, &map.size(), kernel, dilations, strides)
        };
        let name = self.crop(name, [down.crop, across.crop]);
        let map = FeatureMap { axes, ..map };
        Ok(Value::Map(self.renamed(&map, name)))
    }

    pub(super) fn global_max(&mut self, node: Node<'a>) -> Rewritten {
        let map = self.ready(node, 0)?;
        let keeps = self.reduces_all(node, &map)?;
        let mut axes = map.axes;
        let mut name = map.name.clone();
        // Rows, then columns: the same maximum at a fraction of the comparisons.
        for at in 0..2 {
            let extent = map.axes[at].extent;
            let slide =
                SlidingLayer { kernel: extent, dilation: 1, stride: 1, pads: [0, 0], ceil: false };
            let (axis, dense) = map.axes[at]
                .slide(&slide, self.stride_px)
                .ok_or_else(|| Problem::node("its input is empty"))?;
            let still = DenseLayer { dilation: 1, stride: 1, pads: [0, 0], crop: 0, padded: false };
            let (kernel, slides) =
                if at == 0 { ([extent, 1], [dense, still]) } else { ([1, extent], [still, dense]) };
            name = self.maximum(&node.hint(), &name, kernel, slides)?;
            axes[at] = axis;
            self.builder.sized(&name, map.channels, axes);
        }
        let form = if keeps { map.form } else { Form::Flat(map.order()) };
        Ok(Value::Map(FeatureMap { name, axes, form, ..map }))
    }
}

/// The size of a pooling window.
fn kernel_of(node: Node<'_>) -> Result<[i64; 2], Problem> {
    match node.ints("kernel_shape") {
        Some(&[rows, cols]) => Ok([rows, cols]),
        other => Err(Problem::node(format!(
            "its kernel has {} sides, expected 2: only poolings over images",
            other.map_or(0, <[i64]>::len)
        ))),
    }
}

impl FeatureMap {
    /// Whether the map is `[N, C, row, col]` in the old network.
    pub(super) fn channels_first(&self) -> bool {
        self.form == Form::Spatial(Order::ChannelsFirst)
    }
}
