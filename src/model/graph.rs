//! The facts that an ONNX file declares about its inputs, outputs and operators.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use prost::Message;
use thiserror::Error;
use tract_onnx::pb;

use super::weights::{BadWeight, ExternalTensor, Uses};

/// One axis of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dim {
    /// The file fixes the size.
    Fixed(usize),
    /// The size is free; the axis has this name, which may be empty.
    Symbolic(String),
}

impl Dim {
    /// The size, if the file fixes it.
    #[must_use]
    pub fn fixed(&self) -> Option<usize> {
        match self {
            Self::Fixed(size) => Some(*size),
            Self::Symbolic(_) => None,
        }
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Symbolic(name) if name.is_empty() => f.write_str("?"),
            Self::Symbolic(name) => f.write_str(name),
        }
    }
}

/// Element type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    /// 32-bit float.
    F32,
    /// 16-bit float.
    F16,
    /// Another type, by its number in ONNX.
    Other(i32),
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::F32 => f.write_str("float32"),
            Self::F16 => f.write_str("float16"),
            Self::Other(code) => match pb::tensor_proto::DataType::try_from(*code) {
                Ok(named) => write!(f, "{}", format!("{named:?}").to_lowercase()),
                Err(_) => write!(f, "type {code}"),
            },
        }
    }
}

/// An input or output of the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorFacts {
    /// Name of the tensor.
    pub name: String,
    /// Type of the elements.
    pub dtype: Dtype,
    /// Axes of the tensor; `None` if the file does not declare them.
    pub dims: Option<Vec<Dim>>,
}

impl TensorFacts {
    /// The shape as a reader would write it: `[N, 3, 224, 224]`.
    #[must_use]
    pub fn shape(&self) -> String {
        self.dims.as_ref().map_or_else(
            || "[unknown]".to_owned(),
            |dims| format!("[{}]", dims.iter().map(Dim::to_string).collect::<Vec<_>>().join(", ")),
        )
    }
}

/// A node of the graph or of a graph inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFacts {
    /// Name of the node, or of its first output if the node has none.
    pub name: String,
    /// Domain of the operator; empty for ONNX's own.
    pub domain: String,
    /// Name of the operator.
    pub operator: String,
}

/// The facts about a network that its ONNX file declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphFacts {
    /// Inputs, without the initialisers (weights) among them.
    pub inputs: Vec<TensorFacts>,
    /// Outputs.
    pub outputs: Vec<TensorFacts>,
    /// All nodes, including those of inner graphs.
    pub nodes: Vec<NodeFacts>,
    /// For each output of the graph, by name, the operator that computes its values. Operators
    /// that only change the shape or the type are passed over.
    pub last_operators: BTreeMap<String, String>,
    /// Version of ONNX's own operator set; 0 if the file gives none.
    pub opset: i64,
    /// Files with weights outside the ONNX file, relative to it.
    pub external_files: BTreeSet<String>,
    /// The tensors in these files.
    pub external_tensors: Vec<ExternalTensor>,
}

/// The file is not an ONNX model.
#[derive(Debug, Error)]
pub enum GraphError {
    /// The protobuf does not decode.
    #[error("not an ONNX file: {source}; is it a TorchScript, Keras or Git LFS pointer file?")]
    Decode {
        /// The decoder's message.
        source: prost::DecodeError,
    },
    /// The file holds no graph, or an empty one.
    #[error("not an ONNX model: it has no nodes; was the download cut short?")]
    Empty,
    /// A weight is NaN or infinite.
    #[error(
        "value {index} of the weights {tensor} is {value}, expected finite numbers: the network cannot give scores; export it again from a checkpoint with finite weights"
    )]
    NotFinite {
        /// Name of the tensor.
        tensor: String,
        /// Place of the weight in the tensor, from 0.
        index: usize,
        /// The weight.
        value: f64,
    },
}

impl GraphError {
    pub(super) fn not_finite(tensor: &str, bad: BadWeight) -> Self {
        Self::NotFinite { tensor: tensor.to_owned(), index: bad.index, value: bad.value }
    }
}

impl GraphFacts {
    /// Decodes an ONNX file.
    ///
    /// # Errors
    /// [`GraphError`] when `bytes` is not an ONNX model.
    pub fn decode(bytes: &[u8]) -> Result<Self, GraphError> {
        let model =
            pb::ModelProto::decode(bytes).map_err(|source| GraphError::Decode { source })?;
        let graph = model.graph.filter(|graph| !graph.node.is_empty()).ok_or(GraphError::Empty)?;
        let constants: BTreeSet<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
        let inputs = graph.input.iter().filter(|input| !constants.contains(input.name.as_str()));
        let mut walk = Walk::new(Uses::in_graph(&graph));
        walk.graph(&graph)?;
        Ok(Self {
            inputs: inputs.map(tensor).collect(),
            outputs: graph.output.iter().map(tensor).collect(),
            nodes: walk.nodes,
            last_operators: last_operators(&graph),
            opset: model
                .opset_import
                .iter()
                .find(|set| set.domain.is_empty() || set.domain == "ai.onnx")
                .map_or(0, |set| set.version),
            external_files: walk.external_files,
            external_tensors: walk.external_tensors,
        })
    }
}

/// Operators that change the shape or the type of a tensor, and not its values.
const SHAPING: [&str; 7] =
    ["Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Cast", "Transpose"];

fn last_operators(graph: &pb::GraphProto) -> BTreeMap<String, String> {
    let makers: BTreeMap<&str, &pb::NodeProto> = graph
        .node
        .iter()
        .flat_map(|node| node.output.iter().map(move |output| (output.as_str(), node)))
        .collect();
    let last = |output: &pb::ValueInfoProto| {
        let mut maker = makers.get(output.name.as_str())?;
        while SHAPING.contains(&maker.op_type.as_str()) {
            maker = makers.get(maker.input.first()?.as_str())?;
        }
        Some((output.name.clone(), maker.op_type.clone()))
    };
    graph.output.iter().filter_map(last).collect()
}

fn tensor(info: &pb::ValueInfoProto) -> TensorFacts {
    let facts = info.r#type.as_ref().and_then(|t| t.value.as_ref());
    let (code, shape) = match facts {
        Some(pb::type_proto::Value::TensorType(tensor)) => {
            (tensor.elem_type, tensor.shape.as_ref())
        }
        None => (0, None),
    };
    let dtype = match code {
        1 => Dtype::F32,
        10 => Dtype::F16,
        other => Dtype::Other(other),
    };
    TensorFacts {
        name: info.name.clone(),
        dtype,
        dims: shape.map(|s| s.dim.iter().map(dim).collect()),
    }
}

fn dim(dim: &pb::tensor_shape_proto::Dimension) -> Dim {
    use pb::tensor_shape_proto::dimension::Value;
    match &dim.value {
        // Exporters write 0 and -1 for "any size".
        Some(Value::DimValue(size)) if *size > 0 => {
            usize::try_from(*size).map_or_else(|_| Dim::Symbolic(String::new()), Dim::Fixed)
        }
        Some(Value::DimParam(name)) => Dim::Symbolic(name.clone()),
        _ => Dim::Symbolic(String::new()),
    }
}

/// Collects nodes and external files, including those of inner graphs, and checks weights.
struct Walk<'g> {
    uses: Uses<'g>,
    nodes: Vec<NodeFacts>,
    external_files: BTreeSet<String>,
    external_tensors: Vec<ExternalTensor>,
}

impl<'g> Walk<'g> {
    fn new(uses: Uses<'g>) -> Self {
        let (nodes, external_files) = (Vec::new(), BTreeSet::new());
        Self { uses, nodes, external_files, external_tensors: Vec::new() }
    }

    fn graph(&mut self, graph: &pb::GraphProto) -> Result<(), GraphError> {
        for tensor in &graph.initializer {
            self.tensor(&tensor.name, tensor)?;
        }
        for node in &graph.node {
            let name = if node.name.is_empty() {
                node.output.first().cloned().unwrap_or_default()
            } else {
                node.name.clone()
            };
            let domain = if node.domain == "ai.onnx" { String::new() } else { node.domain.clone() };
            self.nodes.push(NodeFacts { name, domain, operator: node.op_type.clone() });
            for attribute in &node.attribute {
                // The value of a constant has the name of the node's output.
                let output = node.output.first().map_or("", String::as_str);
                if let Some(tensor) = &attribute.t {
                    self.tensor(output, tensor)?;
                }
                for inner in attribute.g.iter().chain(&attribute.graphs) {
                    self.graph(inner)?;
                }
            }
        }
        Ok(())
    }

    fn tensor(&mut self, name: &str, tensor: &pb::TensorProto) -> Result<(), GraphError> {
        if let Some(bad) = self.uses.bad_weight(name, tensor) {
            return Err(GraphError::not_finite(name, bad));
        }
        self.external_tensors.extend(self.uses.external(name, tensor));
        let location = tensor.external_data.iter().find(|entry| entry.key == "location");
        self.external_files.extend(location.map(|entry| entry.value.clone()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn facts(name: &str) -> GraphFacts {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models");
        GraphFacts::decode(&std::fs::read(folder.join(name)).unwrap()).unwrap()
    }

    #[test]
    fn shapes_types_and_operators_are_read() {
        let padded = facts("padded.onnx");
        assert_eq!(padded.inputs.len(), 1);
        assert_eq!(padded.inputs[0].shape(), "[N, 3, 64, 64]");
        assert_eq!(padded.outputs[0].shape(), "[N, 2]");
        assert_eq!(padded.opset, 13);
        let convolutions = padded.nodes.iter().filter(|node| node.operator == "Conv");
        assert_eq!(convolutions.count(), 2);
        assert_eq!(facts("half.onnx").inputs[0].dtype, Dtype::F16);
        assert_eq!(facts("batch4.onnx").inputs[0].shape(), "[4, 3, 32, 32]");
    }

    #[test]
    fn initialisers_among_the_inputs_are_not_inputs() {
        let listed = facts("listed_initialisers.onnx");
        assert_eq!(listed.inputs.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["x"]);
    }

    #[test]
    fn weights_that_are_not_finite_are_refused_by_name() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models");
        let bytes = std::fs::read(folder.join("padded.onnx")).unwrap();
        for bad in [f32::NAN, f32::INFINITY] {
            let mut model = pb::ModelProto::decode(bytes.as_slice()).unwrap();
            let graph = model.graph.as_mut().unwrap();
            let weights = graph.initializer.iter_mut().find(|t| t.data_type == 1).unwrap();
            let name = weights.name.clone();
            weights.raw_data[8..12].copy_from_slice(&bad.to_le_bytes());
            let error = GraphFacts::decode(&model.encode_to_vec()).unwrap_err().to_string();
            let words = format!("value 2 of the weights {name} is {bad}, expected finite numbers");
            assert!(error.contains(&words), "{error}");
        }
    }

    #[test]
    fn other_files_are_refused() {
        assert!(matches!(GraphFacts::decode(b""), Err(GraphError::Empty)));
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n";
        assert!(GraphFacts::decode(pointer).unwrap_err().to_string().contains("Git LFS"));
    }
}
