//! Writing the dense network as an ONNX model.

use std::path::Path;

use tract_onnx::pb;

use super::builder::{Builder, int, ints};
use super::map::FeatureMap;
use super::network::DenseNetwork;
use super::rewriter::Rewriter;
use crate::model::card::Layout;
use crate::model::load::Model;

/// ONNX number of float32.
const FLOAT: i32 = 1;

/// The dense network of a finished rewriting, whose output is `map`.
pub(super) fn finish(
    model: &Model,
    old: &pb::ModelProto,
    mut rewriter: Rewriter<'_>,
    map: &FeatureMap,
) -> DenseNetwork {
    let output = rewriter.builder.node("Identity", "dense_scores", &[&map.name], Vec::new());
    rewriter.builder.sized(&output, map.channels, map.axes);
    let window_px = i64::from(model.card.window_px);
    let beyond = map.axes.map(|axis| (-axis.from_px).max(axis.to_px - window_px).max(0));
    let reach_px = u32::try_from(beyond[0].max(beyond[1])).unwrap_or(u32::MAX);
    let Builder { nodes, weights, sizes, .. } = rewriter.builder;
    let graph = pb::GraphProto {
        node: nodes,
        name: "dense".to_owned(),
        initializer: weights,
        doc_string: old.graph.as_ref().map_or(String::new(), |graph| graph.name.clone()),
        ..Default::default()
    };
    let proto = pb::ModelProto {
        ir_version: old.ir_version,
        opset_import: old
            .opset_import
            .iter()
            .filter(|set| matches!(set.domain.as_str(), "" | "ai.onnx"))
            .cloned()
            .collect(),
        producer_name: "slidegrid".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(graph),
        ..Default::default()
    };
    DenseNetwork {
        proto,
        path: model.path.clone(),
        input: model.input().name.clone(),
        output,
        layout: model.card.layout,
        channels: map.channels,
        opset: model.graph.opset,
        sizes,
        window_px: model.card.window_px,
        stride_px: u32::try_from(rewriter.stride_px).unwrap_or(u32::MAX),
        reach_px,
        inexact: rewriter.inexact,
    }
}

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
    (window_px, stride_px): (i64, i64),
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

/// Moves weights that are stored in other files into the model.
pub(in crate::model) fn inline_weights(
    model: &mut pb::ModelProto,
    path: &Path,
) -> Result<(), String> {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    for tensor in model.graph.iter_mut().flat_map(|graph| &mut graph.initializer) {
        let entry = |key: &str| {
            tensor
                .external_data
                .iter()
                .find(|entry| entry.key == key)
                .map(|entry| entry.value.clone())
        };
        let Some(location) = entry("location") else { continue };
        let number = |key: &str| entry(key).and_then(|value| value.parse::<usize>().ok());
        let bytes = std::fs::read(folder.join(&location))
            .map_err(|error| format!("cannot read {location}, which holds weights: {error}"))?;
        let start = number("offset").unwrap_or(0);
        let end = number("length").map_or(bytes.len(), |length| start + length);
        let part = bytes.get(start..end).ok_or_else(|| {
            format!("{location} ends at byte {}, weight `{}` at {end}", bytes.len(), tensor.name)
        })?;
        tensor.raw_data = part.to_vec();
        tensor.external_data.clear();
        tensor.data_location = None;
    }
    Ok(())
}
