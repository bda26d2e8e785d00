//! Inputs and outputs of a graph, and nodes that cut its input.

use tract_onnx::pb;

use super::builder::{Builder, int, ints};
use crate::model::card::Layout;

/// ONNX number of float32.
const FLOAT: i32 = 1;

/// Shape of the input, with rows and columns of `side_px`, or named if that is `None`.
pub(super) fn image_shape(
    layout: Layout,
    side_px: Option<i64>,
) -> Vec<pb::tensor_shape_proto::Dimension> {
    let side = |name: &str| side_px.map_or_else(|| named(name), fixed);
    match layout {
        Layout::Nchw => vec![fixed(1), fixed(3), side("rows_px"), side("cols_px")],
        Layout::Nhwc => vec![fixed(1), side("rows_px"), side("cols_px"), fixed(3)],
    }
}

/// Shape of the output, with rows and columns of `side`, or named if that is `None`.
pub(super) fn grid_shape(
    channels: usize,
    side: Option<i64>,
) -> Vec<pb::tensor_shape_proto::Dimension> {
    let side = |name: &str| side.map_or_else(|| named(name), fixed);
    vec![fixed(1), fixed(channels as i64), side("rows"), side("cols")]
}

pub(in crate::model) fn fixed(size: i64) -> pb::tensor_shape_proto::Dimension {
    let value = Some(pb::tensor_shape_proto::dimension::Value::DimValue(size));
    pb::tensor_shape_proto::Dimension { value, ..Default::default() }
}

pub(in crate::model) fn named(name: &str) -> pb::tensor_shape_proto::Dimension {
    let value = Some(pb::tensor_shape_proto::dimension::Value::DimParam(name.to_owned()));
    pb::tensor_shape_proto::Dimension { value, ..Default::default() }
}

/// An input or output of the graph.
pub(in crate::model) fn info(
    name: &str,
    dim: Vec<pb::tensor_shape_proto::Dimension>,
) -> pb::ValueInfoProto {
    let tensor =
        pb::type_proto::Tensor { elem_type: FLOAT, shape: Some(pb::TensorShapeProto { dim }) };
    let value = Some(pb::type_proto::Value::TensorType(tensor));
    pb::ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(pb::TypeProto { value, ..Default::default() }),
        ..Default::default()
    }
}

/// Adds nodes that drop the rows and columns at the end of the image that no window covers,
/// so that all maps have the lengths that the rewriting assumed. `None` for operator sets
/// without `Mod`.
pub(super) fn trimmed_input(
    builder: &mut Builder,
    input: &str,
    layout: Layout,
    window_px: i64,
    stride_px: i64,
    opset: i64,
) -> Option<String> {
    if opset < 13 {
        return None;
    }
    let (first, end) = match layout {
        Layout::Nchw => (2, 4),
        Layout::Nhwc => (1, 3),
    };
    let list = |builder: &mut Builder, values: &[i64]| builder.integers("trim", values);
    let shape = builder.node("Shape", "trim_shape", &[input], Vec::new());
    let (from, to) = (list(builder, &[first]), list(builder, &[end]));
    let sides = builder.node("Slice", "trim_sides", &[&shape, &from, &to], Vec::new());
    let window = list(builder, &[window_px]);
    let more = builder.node("Sub", "trim_more", &[&sides, &window], Vec::new());
    let stride = list(builder, &[stride_px]);
    let rest = builder.node("Mod", "trim_rest", &[&more, &stride], vec![int("fmod", 0)]);
    let ends = builder.node("Sub", "trim_ends", &[&sides, &rest], Vec::new());
    let (starts, axes) = (list(builder, &[0, 0]), list(builder, &[first, first + 1]));
    Some(builder.node("Slice", "trimmed", &[input, &starts, &ends, &axes], Vec::new()))
}

/// Adds nodes that cut the image to `side_px` rows and columns, in any operator set.
pub(super) fn cut_input(
    builder: &mut Builder,
    input: &str,
    layout: Layout,
    side_px: i64,
    opset: i64,
) -> String {
    let axes = match layout {
        Layout::Nchw => [2, 3],
        Layout::Nhwc => [1, 2],
    };
    if opset < 10 {
        let attributes =
            vec![ints("starts", &[0, 0]), ints("ends", &[side_px; 2]), ints("axes", &axes)];
        return builder.node("Slice", "trimmed", &[input], attributes);
    }
    let lists = [[0, 0], [side_px; 2], axes].map(|values| builder.integers("trim", &values));
    builder.node("Slice", "trimmed", &[input, &lists[0], &lists[1], &lists[2]], Vec::new())
}
