//! Weights that are no numbers.
//!
//! Engines treat them differently: in one a NaN spreads to every score, in another a rectifier
//! turns it into 0, and the scores look like any others. So a network that has one is refused.

use std::collections::BTreeSet;

use tract_onnx::pb;

/// Operators that multiply their inputs or add them up, so that an infinite weight makes no sense.
/// Elsewhere infinities are used on purpose, such as in the masks of attention.
const WEIGHTED: [&str; 12] = [
    "BatchNormalization",
    "Conv",
    "ConvTranspose",
    "GRU",
    "Gemm",
    "GroupNormalization",
    "InstanceNormalization",
    "LSTM",
    "LayerNormalization",
    "MatMul",
    "PRelu",
    "Scale",
];

/// A weight that is not finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BadWeight {
    /// Its place in the tensor, from 0.
    pub(super) index: usize,
    /// NaN or an infinity.
    pub(super) value: f64,
}

/// A tensor whose values are in another file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalTensor {
    /// Name of the tensor.
    pub name: String,
    /// The file, relative to the ONNX file.
    pub file: String,
    /// First byte in the file, as the network states it; 0 if it states none.
    pub(super) offset: String,
    /// Number of bytes, as the network states it.
    pub(super) length: Option<String>,
    /// Number of bytes that the tensor's shape and type take, if that is known.
    pub(super) shape_bytes: Option<u64>,
    /// Whether a node uses the tensor.
    pub(super) is_used: bool,
    /// Whether infinities are refused.
    pub(super) is_strict: bool,
    pub(super) data_type: i32,
}

impl ExternalTensor {
    /// A tensor with this name in the graph, if its values are in another file. It counts as used,
    /// and as one whose infinities are refused.
    pub(super) fn from_proto(name: &str, tensor: &pb::TensorProto) -> Option<Self> {
        let entry = |key: &str| {
            let entry = tensor.external_data.iter().find(|entry| entry.key == key);
            entry.map(|entry| entry.value.clone())
        };
        Some(Self {
            name: name.to_owned(),
            file: entry("location")?,
            offset: entry("offset").unwrap_or_else(|| "0".to_owned()),
            length: entry("length"),
            shape_bytes: shape_bytes(tensor),
            is_used: true,
            is_strict: true,
            data_type: tensor.data_type,
        })
    }

    /// The first value in `bytes`, those of the tensor, that cannot be a weight.
    pub(super) fn bad_weight(&self, bytes: &[u8]) -> Option<BadWeight> {
        if !self.is_used {
            return None;
        }
        first_bad(of_bytes(self.data_type, bytes), self.is_strict)
    }
}

/// Names of the tensors that nodes use, and of those that weigh something.
#[derive(Debug, Default)]
pub(super) struct Uses<'g> {
    used: BTreeSet<&'g str>,
    weighted: BTreeSet<&'g str>,
}

impl<'g> Uses<'g> {
    /// The uses in a graph and the graphs inside it.
    pub(super) fn in_graph(graph: &'g pb::GraphProto) -> Self {
        let mut uses = Self::default();
        uses.add(graph);
        uses
    }

    fn add(&mut self, graph: &'g pb::GraphProto) {
        self.used.extend(graph.output.iter().map(|output| output.name.as_str()));
        for node in &graph.node {
            let inputs = node.input.iter().map(String::as_str);
            if WEIGHTED.contains(&node.op_type.as_str()) {
                self.weighted.extend(inputs.clone());
            }
            self.used.extend(inputs);
            for attribute in &node.attribute {
                attribute.g.iter().chain(&attribute.graphs).for_each(|inner| self.add(inner));
            }
        }
    }

    /// The first value of `tensor`, which has this name in the graph, that cannot be a weight.
    /// Values in another file are not looked at.
    pub(super) fn bad_weight(&self, name: &str, tensor: &pb::TensorProto) -> Option<BadWeight> {
        if !self.used.contains(name) {
            return None;
        }
        first_bad(values(tensor), self.weighted.contains(name))
    }

    /// The tensor, if its values are in another file.
    pub(super) fn external(&self, name: &str, tensor: &pb::TensorProto) -> Option<ExternalTensor> {
        let (is_used, is_strict) = (self.used.contains(name), self.weighted.contains(name));
        let found = ExternalTensor::from_proto(name, tensor)?;
        Some(ExternalTensor { is_used, is_strict, ..found })
    }
}

/// The bytes that a tensor's shape and type take; `None` for types of another kind, and for sizes
/// that no file has.
fn shape_bytes(tensor: &pb::TensorProto) -> Option<u64> {
    use pb::tensor_proto::DataType;
    let item = match DataType::try_from(tensor.data_type).ok()? {
        DataType::Float | DataType::Int32 | DataType::Uint32 => 4,
        DataType::Double | DataType::Int64 | DataType::Uint64 => 8,
        DataType::Float16 | DataType::Bfloat16 | DataType::Int16 | DataType::Uint16 => 2,
        DataType::Int8 | DataType::Uint8 | DataType::Bool => 1,
        _ => return None,
    };
    let sides = tensor.dims.iter().map(|&side| u64::try_from(side).ok());
    sides.into_iter().try_fold(item, |all: u64, side| all.checked_mul(side?))
}

fn first_bad(values: impl Iterator<Item = f64>, strict: bool) -> Option<BadWeight> {
    let bad = |(_, value): &(usize, f64)| value.is_nan() || (strict && value.is_infinite());
    values.enumerate().find(bad).map(|(index, value)| BadWeight { index, value })
}

const FLOAT: i32 = 1;
const FLOAT16: i32 = 10;
const DOUBLE: i32 = 11;
const BFLOAT16: i32 = 16;

/// The values of a tensor of floats that are in the ONNX file itself; none of other types.
fn values(tensor: &pb::TensorProto) -> Box<dyn Iterator<Item = f64> + '_> {
    if !tensor.raw_data.is_empty() {
        return of_bytes(tensor.data_type, &tensor.raw_data);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "16 bits in an i32"
    )]
    let halves = tensor.int32_data.iter().map(|&bits| bits as u16);
    match tensor.data_type {
        FLOAT => Box::new(tensor.float_data.iter().map(|&value| f64::from(value))),
        DOUBLE => Box::new(tensor.double_data.iter().copied()),
        FLOAT16 => Box::new(halves.map(of_half)),
        BFLOAT16 => Box::new(halves.map(of_bfloat)),
        _ => Box::new(std::iter::empty()),
    }
}

/// The values in the bytes of a tensor of floats, little-endian; none of other types.
fn of_bytes(data_type: i32, bytes: &[u8]) -> Box<dyn Iterator<Item = f64> + '_> {
    let halves = bytes.as_chunks::<2>().0.iter().map(|&half| u16::from_le_bytes(half));
    match data_type {
        FLOAT => {
            let values = bytes.as_chunks::<4>().0.iter();
            Box::new(values.map(|&value| f64::from(f32::from_le_bytes(value))))
        }
        DOUBLE => {
            let values = bytes.as_chunks::<8>().0.iter();
            Box::new(values.map(|&value| f64::from_le_bytes(value)))
        }
        FLOAT16 => Box::new(halves.map(of_half)),
        BFLOAT16 => Box::new(halves.map(of_bfloat)),
        _ => Box::new(std::iter::empty()),
    }
}

/// NaN and infinities as such, all other numbers as 0: an exponent of ones is what tells them
/// apart.
fn special(bits: u16, exponent: u16) -> f64 {
    let mantissa = bits & (exponent & exponent.wrapping_neg()).wrapping_sub(1);
    match (bits & exponent == exponent, mantissa, bits >> 15) {
        (false, ..) => 0.0,
        (true, 0, 0) => f64::INFINITY,
        (true, 0, _) => f64::NEG_INFINITY,
        (true, ..) => f64::NAN,
    }
}

fn of_half(bits: u16) -> f64 {
    special(bits, 0x7c00)
}

fn of_bfloat(bits: u16) -> f64 {
    special(bits, 0x7f80)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(operator: &str, tensor: pb::TensorProto) -> pb::GraphProto {
        let node = pb::NodeProto {
            op_type: operator.into(),
            input: vec!["x".into(), "w".into()],
            output: vec!["y".into()],
            ..Default::default()
        };
        pb::GraphProto {
            node: vec![node],
            initializer: vec![pb::TensorProto { name: "w".into(), ..tensor }],
            ..Default::default()
        }
    }

    fn bad(operator: &str, name: &str, tensor: pb::TensorProto) -> Option<(usize, String)> {
        let graph = graph(operator, tensor);
        let uses = Uses::in_graph(&graph);
        let found = uses.bad_weight(name, &graph.initializer[0])?;
        Some((found.index, found.value.to_string()))
    }

    #[test]
    fn every_type_and_layout_of_floats_is_looked_at() {
        for (value, word) in
            [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")]
        {
            let half: u16 = if value.is_nan() { 0x7e01 } else { 0x7c00 };
            let sign: u16 = if value.is_sign_negative() && !value.is_nan() { 0x8000 } else { 0 };
            let bfloat = (value.to_bits() >> 16) as u16;
            let f32s: Vec<u8> = [1.0, value].iter().flat_map(|v| v.to_le_bytes()).collect();
            let f64s: Vec<u8> =
                [1.0, f64::from(value)].iter().flat_map(|v| v.to_le_bytes()).collect();
            let halves = |bits: u16| [0x3c00_u16, bits].map(u16::to_le_bytes).concat();
            let raw =
                |data_type, raw_data| pb::TensorProto { data_type, raw_data, ..Default::default() };
            let tensors = [
                raw(FLOAT, f32s),
                raw(DOUBLE, f64s),
                raw(FLOAT16, halves(half | sign)),
                raw(BFLOAT16, halves(bfloat)),
                pb::TensorProto {
                    data_type: FLOAT,
                    float_data: vec![1.0, value],
                    ..Default::default()
                },
                pb::TensorProto {
                    data_type: DOUBLE,
                    double_data: vec![1.0, f64::from(value)],
                    ..Default::default()
                },
                pb::TensorProto {
                    data_type: FLOAT16,
                    int32_data: vec![0x3c00, i32::from(half | sign)],
                    ..Default::default()
                },
            ];
            for tensor in tensors {
                let found = bad("Conv", "w", tensor.clone());
                assert_eq!(found, Some((1, word.to_owned())), "{tensor:?}");
                // A mask may be infinite, and nothing may be NaN but what nobody uses.
                let found = bad("Add", "w", tensor.clone());
                assert_eq!(found.is_some(), value.is_nan(), "{tensor:?}");
                assert_eq!(bad("Conv", "unused", tensor), None);
            }
        }
        let ints = pb::TensorProto { data_type: 7, raw_data: vec![0xff; 16], ..Default::default() };
        assert_eq!(bad("Conv", "w", ints), None);
    }

    #[test]
    fn weights_in_another_file_are_found_at_their_place() {
        let entry = |key: &str, value: &str| pb::StringStringEntryProto {
            key: key.into(),
            value: value.into(),
        };
        let external_data =
            vec![entry("location", "w.data"), entry("offset", "4"), entry("length", "8")];
        let graph = graph(
            "Gemm",
            pb::TensorProto {
                data_type: FLOAT,
                dims: vec![2],
                external_data,
                ..Default::default()
            },
        );
        let uses = Uses::in_graph(&graph);
        let tensor = uses.external("w", &graph.initializer[0]).unwrap();
        assert_eq!(
            (tensor.file.as_str(), uses.bad_weight("w", &graph.initializer[0])),
            ("w.data", None)
        );
        let found = |values: [f32; 4]| {
            let file = values.map(f32::to_le_bytes).concat();
            tensor.bad_weight(&file[tensor.place(16).unwrap()])
        };
        assert_eq!(found([f32::NAN, 1.0, 2.0, f32::NAN]), None);
        assert_eq!(found([1.0, 1.0, f32::INFINITY, 1.0]).unwrap().index, 1);
    }
}
