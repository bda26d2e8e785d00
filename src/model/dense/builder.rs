//! The ONNX graph of the dense network while it is built: nodes, weights, sizes.

use std::collections::{HashMap, HashSet};

use tract_onnx::pb;
use tract_onnx::pb::attribute_proto::AttributeType;

use super::axis::Axis;
use super::map::MapSize;

const FLOAT: i32 = 1;
const INT64: i32 = 7;

/// The part of an axis that is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct AxisCut {
    pub(super) axis: i64,
    pub(super) start: i64,
    /// Index behind the part; negative: counted from the end.
    pub(super) end: i64,
}

/// A graph under construction.
#[derive(Default)]
pub(super) struct Builder {
    pub(super) nodes: Vec<pb::NodeProto>,
    pub(super) weights: Vec<pb::TensorProto>,
    taken: HashSet<String>,
    /// Names of the old network's weights that have been added.
    placed: HashSet<String>,
    /// Channels and axes of each tensor, by name.
    pub(super) sizes: HashMap<String, MapSize>,
}

impl Builder {
    /// An empty graph in which `names` are taken.
    pub(super) fn with_names<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        Self { taken: names.map(str::to_owned).collect(), ..Self::default() }
    }

    /// Takes a name that is still free: `hint`, or `hint` with a number.
    pub(super) fn name(&mut self, hint: &str) -> String {
        let mut name = hint.to_owned();
        let mut count = 1;
        while !self.taken.insert(name.clone()) {
            count += 1;
            name = format!("{hint}_{count}");
        }
        name
    }

    /// Adds a node with one output and returns the output's name.
    pub(super) fn node(
        &mut self,
        operator: &str,
        hint: &str,
        inputs: &[&str],
        attribute: Vec<pb::AttributeProto>,
    ) -> String {
        let output = self.name(hint);
        self.nodes.push(pb::NodeProto {
            name: output.clone(),
            op_type: operator.to_owned(),
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![output.clone()],
            attribute,
            ..Default::default()
        });
        output
    }

    /// Records the channels and axes of a tensor.
    pub(super) fn sized(&mut self, name: &str, channels: usize, axes: [Axis; 2]) {
        self.sizes.insert(name.to_owned(), MapSize { channels, axes });
    }

    /// Adds a node that keeps a part of a tensor: of each axis in `cuts` what lies between
    /// two indices.
    pub(super) fn slice(
        &mut self,
        hint: &str,
        input: &str,
        cuts: &[AxisCut],
        opset: i64,
    ) -> String {
        let list = |of: fn(&AxisCut) -> i64| cuts.iter().map(of).collect::<Vec<i64>>();
        let (starts, ends) = (list(|cut| cut.start), list(|cut| cut.end));
        let axes = list(|cut| cut.axis);
        if opset < 10 {
            let attributes =
                vec![ints("starts", &starts), ints("ends", &ends), ints("axes", &axes)];
            return self.node("Slice", hint, &[input], attributes);
        }
        let [starts, ends, axes] =
            [("starts", starts), ("ends", ends), ("axes", axes)].map(|(n, l)| self.integers(n, &l));
        self.node("Slice", hint, &[input, &starts, &ends, &axes], Vec::new())
    }

    /// Adds a weight of the old network under its own name, and returns the name.
    pub(super) fn weight(&mut self, tensor: &pb::TensorProto) -> String {
        self.taken.insert(tensor.name.clone());
        if self.placed.insert(tensor.name.clone()) {
            self.weights.push(tensor.clone());
        }
        tensor.name.clone()
    }

    /// Adds a reshaped weight of the old network, whose name [`Self::name`] has given.
    pub(super) fn weight_as(&mut self, tensor: pb::TensorProto) -> String {
        let name = tensor.name.clone();
        self.weights.push(tensor);
        name
    }

    /// Adds a new float32 weight and returns its name.
    pub(super) fn floats(&mut self, hint: &str, dims: &[i64], values: &[f32]) -> String {
        let name = self.name(hint);
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let dims = dims.to_vec();
        let tensor = pb::TensorProto { dims, data_type: FLOAT, raw_data, ..Default::default() };
        self.weights.push(pb::TensorProto { name: name.clone(), ..tensor });
        name
    }

    /// Adds a list of integers and returns its name.
    pub(super) fn integers(&mut self, hint: &str, values: &[i64]) -> String {
        let name = self.name(hint);
        self.weights.push(integers(&name, &[values.len()], values));
        name
    }
}

/// A tensor of 64-bit integers.
pub(super) fn integers(name: &str, dims: &[usize], values: &[i64]) -> pb::TensorProto {
    pb::TensorProto {
        name: name.to_owned(),
        dims: dims.iter().map(|&size| size as i64).collect(),
        data_type: INT64,
        raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        ..Default::default()
    }
}

/// The numbers of a float32 tensor; `None` for other types, or if they lie in another file.
pub(super) fn floats_of(tensor: &pb::TensorProto) -> Option<Vec<f32>> {
    if tensor.data_type != FLOAT || !tensor.external_data.is_empty() {
        return None;
    }
    if tensor.raw_data.is_empty() {
        return Some(tensor.float_data.clone());
    }
    let fours = tensor.raw_data.as_chunks::<4>().0;
    Some(fours.iter().map(|&four| f32::from_le_bytes(four)).collect())
}

/// The numbers of a tensor of 32-bit or 64-bit integers; `None` for other types.
pub(super) fn integers_of(tensor: &pb::TensorProto) -> Option<Vec<i64>> {
    match (tensor.data_type, tensor.raw_data.is_empty()) {
        (INT64, true) => Some(tensor.int64_data.clone()),
        (INT64, false) => {
            let eights = tensor.raw_data.as_chunks::<8>().0;
            Some(eights.iter().map(|&eight| i64::from_le_bytes(eight)).collect())
        }
        (6, true) => Some(tensor.int32_data.iter().map(|&value| i64::from(value)).collect()),
        (6, false) => {
            let fours = tensor.raw_data.as_chunks::<4>().0;
            Some(fours.iter().map(|&four| i64::from(i32::from_le_bytes(four))).collect())
        }
        _ => None,
    }
}

/// An integer attribute.
pub(super) fn int(name: &str, value: i64) -> pb::AttributeProto {
    let kind = AttributeType::Int as i32;
    pb::AttributeProto { name: name.to_owned(), r#type: kind, i: value, ..Default::default() }
}

/// An attribute that is a list of integers.
pub(super) fn ints(name: &str, values: &[i64]) -> pb::AttributeProto {
    pb::AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Ints as i32,
        ints: values.to_vec(),
        ..Default::default()
    }
}

/// A float attribute.
pub(super) fn float(name: &str, value: f32) -> pb::AttributeProto {
    let kind = AttributeType::Float as i32;
    pb::AttributeProto { name: name.to_owned(), r#type: kind, f: value, ..Default::default() }
}
