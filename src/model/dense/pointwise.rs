//! The dense form of nodes that compute each element, or each channel, by itself, and of
//! nodes that pad.

use super::builder::{int, ints};
use super::map::{FeatureMap, Form, Value};
use super::node::Node;
use super::rewriter::{Problem, Rewriter, Rewritten};

impl<'a> Rewriter<'a> {
    pub(super) fn pointwise(&mut self, node: Node<'a>) -> Rewritten {
        let map = self.ready(node, 0)?;
        let mut inputs = vec![map.name.clone()];
        for input in 1..node.inputs().len() {
            let constant = self.constant(node, input)?;
            inputs.push(constant.map_or(String::new(), |tensor| self.builder.weight(&tensor)));
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let attributes = node.proto.attribute.clone();
        let name = self.builder.node(node.operator(), &node.hint(), &inputs, attributes);
        Ok(Value::Map(self.renamed(&map, name)))
    }

    pub(super) fn batch_normalization(&mut self, node: Node<'a>) -> Rewritten {
        let map = self.ready(node, 0)?;
        let learns = node.int("training_mode", 0) != 0
            || node.proto.output.iter().skip(1).any(|name| !name.is_empty());
        if learns {
            return Err(Problem::node("it is still training; export the network after eval()"));
        }
        if map.channel_axis() != Some(1) {
            let shape = map.shape();
            return Err(Problem::node(format!("its input {shape:?} has no channels on axis 1")));
        }
        let mut inputs = vec![map.name.clone()];
        for input in 1..5 {
            let tensor = self.needed(node, input)?;
            inputs.push(self.builder.weight(&tensor));
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let attributes = node.proto.attribute.clone();
        let name = self.builder.node(node.operator(), &node.hint(), &inputs, attributes);
        Ok(Value::Map(self.renamed(&map, name)))
    }

    pub(super) fn softmax(&mut self, node: Node<'a>) -> Rewritten {
        let map = self.ready(node, 0)?;
        let shape = map.shape();
        let rank = shape.len() as i64;
        let axis = node.int("axis", if self.opset < 13 { 1 } else { -1 });
        let axis = if axis < 0 { axis + rank } else { axis };
        // Before opset 13 softmax goes over this axis and all that follow.
        let rest = &shape[(axis as usize + 1).min(shape.len())..];
        let over_channels = map.channel_axis() == Some(axis as usize)
            && (self.opset >= 13 || rest.iter().all(|&size| size == 1));
        if !over_channels {
            return Err(Problem::node(format!(
                "it goes over axis {axis} of {shape:?}, not over channels"
            )));
        }
        let (operator, hint) = (node.operator(), node.hint());
        let name = if self.opset >= 13 {
            self.builder.node(operator, &hint, &[&map.name], vec![int("axis", 1)])
        } else {
            let turn = |order: &[i64]| vec![ints("perm", order)];
            let last = self.builder.node("Transpose", &hint, &[&map.name], turn(&[0, 2, 3, 1]));
            let done = self.builder.node(operator, &hint, &[&last], vec![int("axis", 3)]);
            self.builder.node("Transpose", &hint, &[&done], turn(&[0, 3, 1, 2]))
        };
        Ok(Value::Map(self.renamed(&map, name)))
    }

    /// Rewrites a node that puts zeros or another constant around a map.
    pub(super) fn pad(&mut self, node: Node<'a>) -> Rewritten {
        let map = self.ready(node, 0)?;
        if node.text("mode").is_some_and(|mode| mode != "constant") {
            return Err(Problem::node("it pads with something that is not a constant"));
        }
        let pads = match (node.ints("pads"), self.constant(node, 1)?) {
            (Some(pads), _) => pads.to_vec(),
            (None, Some(tensor)) => super::builder::integers_of(&tensor).unwrap_or_default(),
            (None, None) => Vec::new(),
        };
        let value = match self.constant(node, 2)? {
            Some(tensor) => {
                super::builder::floats_of(&tensor).and_then(|values| values.first().copied())
            }
            None => Some(node.float("value", 0.0)),
        };
        let (&[0, 0, top, left, 0, 0, bottom, right], Some(value), true) =
            (pads.as_slice(), value, map.channels_first() && !map.gate)
        else {
            return Err(Problem::node(format!("it pads {:?} by {pads:?}", map.shape())));
        };
        if [top, left, bottom, right].iter().any(|&pad| pad < 0) {
            return Err(Problem::node("it crops the map"));
        }
        if (top, left, bottom, right) == (0, 0, 0, 0) {
            return Ok(Value::Map(map));
        }
        self.differs(node, "pads its input");
        let [rows, cols] = map.axes.map(|axis| axis.dilation());
        let dense = [top * rows, left * cols, bottom * rows, right * cols];
        let name = self.padded(&map.name, dense, value);
        let mut axes = map.axes;
        for (axis, (before, after)) in axes.iter_mut().zip([(top, bottom), (left, right)]) {
            axis.extent += before + after;
            axis.from_px -= before * axis.jump_px;
            axis.to_px -= before * axis.jump_px;
        }
        Ok(Value::Map(self.renamed(&FeatureMap { axes, ..map }, name)))
    }

    /// Adds a constant input of an elementwise node, in a shape that broadcasts over `map`:
    /// one number, or one per channel.
    pub(super) fn beside(
        &mut self,
        map: &FeatureMap,
        tensor: &tract_onnx::pb::TensorProto,
    ) -> Result<String, Problem> {
        let count: i64 = tensor.dims.iter().product();
        if count == 1 {
            let mut scalar = tensor.clone();
            scalar.dims.clear();
            scalar.name = self.builder.name(&format!("{}/scalar", tensor.name));
            return Ok(self.builder.weight_as(scalar));
        }
        let rank = map.shape().len();
        let from_end = map.channel_axis().map(|axis| rank - axis);
        let place = tensor.dims.iter().position(|&size| size != 1);
        let at_channels = place.map(|place| tensor.dims.len() - place) == from_end
            && tensor.dims.iter().filter(|&&size| size != 1).count() == 1
            && count == map.channels as i64
            && !matches!(map.form, Form::Grouped { .. } | Form::Plane);
        if !at_channels {
            return Err(Problem::node(format!(
                "its constant has shape {:?} beside {:?}: not one number per channel",
                tensor.dims,
                map.shape()
            )));
        }
        let mut column = tensor.clone();
        column.dims = vec![1, count, 1, 1];
        column.name = self.builder.name(&format!("{}/channels", tensor.name));
        Ok(self.builder.weight_as(column))
    }
}
