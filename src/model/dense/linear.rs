//! The dense form of fully connected layers: convolutions with a kernel as large as the
//! window's map.

use std::rc::Rc;

use tract_onnx::pb;

use super::axis::SlidingLayer;
use super::builder::floats_of;
use super::map::{FeatureMap, Form, Order, Value};
use super::node::Node;
use super::rewriter::{Problem, Rewriter, Rewritten};

/// What is added to the outputs of a layer.
struct Bias {
    tensor: Rc<pb::TensorProto>,
    /// What its numbers are multiplied by.
    factor: f32,
}

impl<'a> Rewriter<'a> {
    pub(super) fn gemm(&mut self, node: Node<'a>) -> Rewritten {
        if node.int("transA", 0) != 0 {
            return Err(Problem::node("it transposes its input"));
        }
        let (alpha, factor) = (node.float("alpha", 1.0), node.float("beta", 1.0));
        let bias = self.constant(node, 2)?.map(|tensor| Bias { tensor, factor });
        self.connected(node, node.int("transB", 0) != 0, alpha, bias)
    }

    pub(super) fn mat_mul(&mut self, node: Node<'a>) -> Rewritten {
        self.connected(node, false, 1.0, None)
    }

    fn connected(
        &mut self,
        node: Node<'a>,
        transposed: bool,
        alpha: f32,
        bias: Option<Bias>,
    ) -> Rewritten {
        let mut map = self.map(node, 0)?;
        let matrix = LinearWeights::read(&*self.needed(node, 1)?, transposed)?;
        let pointwise = match map.form {
            Form::Flat(_) => map.extents() == [1, 1],
            Form::Spatial(Order::ChannelsLast) => true,
            Form::Spatial(Order::ChannelsFirst) | Form::Grouped { .. } | Form::Plane => {
                return Err(Problem::node(format!(
                    "it multiplies along the columns of {:?}",
                    map.shape()
                )));
            }
        };
        let inputs = map.shape().last().copied().unwrap_or(0);
        if inputs != matrix.inputs as i64 {
            return Err(Problem::node(format!(
                "its weight takes {} numbers, its input has {inputs}",
                matrix.inputs
            )));
        }
        if map.pending && matrix.outputs >= map.channels {
            map = self.with_mean(map);
        }
        let [rows, cols] = if pointwise { [1, 1] } else { map.axes.map(|axis| axis.extent) };
        let dims = [matrix.outputs as i64, map.channels as i64, rows, cols];
        let values = matrix.kernel(map.channels, (rows * cols) as usize, map.order(), alpha);
        let weight = self.builder.floats(&format!("{}/weight", node.hint()), &dims, &values);
        let mut inputs = vec![map.name.clone(), weight];
        if let Some(bias) = bias {
            inputs.push(self.bias(node, &bias, matrix.outputs)?);
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let slide =
            |kernel| SlidingLayer { kernel, dilation: 1, stride: 1, pads: [0, 0], ceil: false };
        let mut attributes = vec![super::builder::ints("kernel_shape", &[rows, cols])];
        let mut axes = map.axes;
        if !pointwise {
            let slid = [0, 1].map(|at| {
                let kernel = map.axes[at].extent;
                map.axes[at]
                    .slide(&slide(kernel), self.stride_px)
                    .expect("a kernel as large as the map fits")
            });
            axes = slid.map(|(axis, _)| axis);
            attributes.push(super::builder::ints("strides", &slid.map(|(_, dense)| dense.stride)));
            attributes
                .push(super::builder::ints("dilations", &slid.map(|(_, dense)| dense.dilation)));
        }
        let name = self.builder.node("Conv", &node.hint(), &inputs, attributes);
        let map = FeatureMap { channels: matrix.outputs, axes, ..map };
        Ok(Value::Map(self.renamed(&map, name)))
    }

    fn bias(
        &mut self,
        node: Node<'a>,
        Bias { tensor, factor }: &Bias,
        outputs: usize,
    ) -> Result<String, Problem> {
        let values = floats_of(tensor).ok_or_else(|| Problem::node("its bias is not float32"))?;
        let values: Vec<f32> = match values.len() {
            1 => vec![values[0] * factor; outputs],
            count if count == outputs => values.iter().map(|value| value * factor).collect(),
            count => {
                return Err(Problem::node(format!(
                    "its bias has {count} numbers for {outputs} outputs"
                )));
            }
        };
        Ok(self.builder.floats(&format!("{}/bias", node.hint()), &[outputs as i64], &values))
    }
}

/// The weights of a fully connected layer.
struct LinearWeights {
    inputs: usize,
    outputs: usize,
    values: Vec<f32>,
    /// Whether `values` are ordered `[output, input]`, not `[input, output]`.
    transposed: bool,
}

impl LinearWeights {
    fn read(tensor: &pb::TensorProto, transposed: bool) -> Result<Self, Problem> {
        let &[a, b] = tensor.dims.as_slice() else {
            return Err(Problem::node(format!(
                "its weight has {} axes, expected 2",
                tensor.dims.len()
            )));
        };
        let (a, b) = (a as usize, b as usize);
        let values = floats_of(tensor).filter(|values| values.len() == a * b);
        let values = values.ok_or_else(|| Problem::node("its weight is not float32"))?;
        let (inputs, outputs) = if transposed { (b, a) } else { (a, b) };
        Ok(Self { inputs, outputs, values, transposed })
    }

    /// The weights times `alpha`, as `[output, channel, place]`.
    fn kernel(&self, channels: usize, places: usize, order: Order, alpha: f32) -> Vec<f32> {
        let mut kernel = Vec::with_capacity(self.values.len());
        for output in 0..self.outputs {
            for channel in 0..channels {
                for place in 0..places {
                    let input = match order {
                        Order::ChannelsFirst => channel * places + place,
                        Order::ChannelsLast => place * channels + channel,
                    };
                    let at = if self.transposed {
                        output * self.inputs + input
                    } else {
                        input * self.outputs + output
                    };
                    kernel.push(self.values[at] * alpha);
                }
            }
        }
        kernel
    }
}
