//! Writing the dense network as an ONNX model.

use std::path::Path;

use tract_onnx::pb;

use super::builder::Builder;
use super::head::Head;
use super::map::FeatureMap;
use super::network::{DenseNetwork, Outputs};
use super::rewriter::Rewriter;
use crate::model::load::Model;
use crate::model::weights::ExternalTensor;

/// The dense network of a finished rewriting, whose output is `map`.
pub(super) fn finish(
    model: &Model,
    old: &pb::ModelProto,
    mut rewriter: Rewriter<'_>,
    map: &FeatureMap,
) -> DenseNetwork {
    let head = Head::find(&model.card, &rewriter.builder, map);
    let output = rewriter.builder.node("Identity", "dense_scores", &[&map.name], Vec::new());
    rewriter.builder.sized(&output, map.channels, map.axes);
    let window_px = i64::from(model.card.window_px);
    let beyond = map.axes.map(|axis| (-axis.from_px).max(axis.to_px - window_px).max(0));
    // A reach that does not fit into u32 is too far for any patch, as u32::MAX is.
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
        input: model.input().name.clone(),
        output,
        layout: model.card.layout,
        channels: map.channels,
        opset: model.graph.opset,
        sizes,
        window_px: model.card.window_px,
        stride_px: u32::try_from(rewriter.stride_px).expect("a stride is given as u32"),
        reach_px,
        inexact: rewriter.inexact,
        outputs: Outputs::Scores,
        head,
        variant: "own".to_owned(),
    }
}

/// Moves weights that are stored in other files into the model.
pub(in crate::model) fn inline_weights(
    model: &mut pb::ModelProto,
    path: &Path,
) -> Result<(), String> {
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    for tensor in model.graph.iter_mut().flat_map(|graph| &mut graph.initializer) {
        let Some(external) = ExternalTensor::from_proto(&tensor.name, tensor) else { continue };
        let (name, file) = (&external.name, &external.file);
        let bytes = std::fs::read(folder.join(file))
            .map_err(|error| format!("cannot read {file}, which holds weights: {error}"))?;
        let place = external.place(bytes.len() as u64);
        let place =
            place.map_err(|problem| format!("its weights {name} are in {file}, {problem}"))?;
        tensor.raw_data = bytes[place].to_vec();
        tensor.external_data.clear();
        tensor.data_location = None;
    }
    Ok(())
}
