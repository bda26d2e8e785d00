//! A float16 graph rewritten to compute in float32.
//!
//! tract refuses some float16 graphs (its `Gemm` mixes the two types), and
//! processors without float16 arithmetic gain nothing from it.

use half::f16;
use tract_onnx::pb;

const F32: i32 = 1;
const F16: i32 = 10;

/// Turns every float16 of the model into float32: weights, constants, casts,
/// inputs and outputs.
///
/// # Errors
/// A message that names a float16 weight kept outside the ONNX file.
pub(crate) fn widen(model: &mut pb::ModelProto) -> Result<(), String> {
    model.graph.as_mut().map_or(Ok(()), widen_graph)
}

fn widen_graph(graph: &mut pb::GraphProto) -> Result<(), String> {
    graph.initializer.iter_mut().try_for_each(widen_tensor)?;
    for info in graph.input.iter_mut().chain(&mut graph.output).chain(&mut graph.value_info) {
        if let Some(pb::type_proto::Value::TensorType(tensor)) =
            info.r#type.as_mut().and_then(|facts| facts.value.as_mut())
            && tensor.elem_type == F16
        {
            tensor.elem_type = F32;
        }
    }
    for node in &mut graph.node {
        for attribute in &mut node.attribute {
            // `to` of Cast and `dtype` of RandomNormal, EyeLike and their kin hold a type.
            if matches!(attribute.name.as_str(), "to" | "dtype") && attribute.i == i64::from(F16) {
                attribute.i = i64::from(F32);
            }
            attribute.t.iter_mut().chain(&mut attribute.tensors).try_for_each(widen_tensor)?;
            attribute.g.iter_mut().chain(&mut attribute.graphs).try_for_each(widen_graph)?;
        }
    }
    Ok(())
}

/// ONNX keeps float16 as little-endian bytes, or as bit patterns in 32-bit integers.
fn widen_tensor(tensor: &mut pb::TensorProto) -> Result<(), String> {
    if tensor.data_type != F16 {
        return Ok(());
    }
    if !tensor.external_data.is_empty() {
        return Err(format!("float16 weight `{}` is kept outside the ONNX file", tensor.name));
    }
    let wide: Vec<u8> = if tensor.raw_data.is_empty() {
        let bits = tensor.int32_data.iter().map(|bits| {
            u16::try_from(*bits)
                .map_err(|_| format!("float16 weight `{}` holds {bits}", tensor.name))
        });
        bits.map(|bits| Ok(f16::from_bits(bits?).to_f32().to_le_bytes()))
            .collect::<Result<Vec<_>, String>>()?
            .concat()
    } else {
        let halves = tensor.raw_data.chunks_exact(2);
        halves.flat_map(|two| f16::from_le_bytes([two[0], two[1]]).to_f32().to_le_bytes()).collect()
    };
    tensor.int32_data.clear();
    tensor.raw_data = wide;
    tensor.data_type = F32;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_widen_to_the_same_numbers() {
        let halves = [1.0, -0.5, 65504.0, 6e-8].map(f16::from_f32);
        let raw = pb::TensorProto {
            data_type: F16,
            raw_data: halves.iter().flat_map(|half| half.to_le_bytes()).collect(),
            ..Default::default()
        };
        let integers = pb::TensorProto {
            data_type: F16,
            int32_data: halves.iter().map(|half| i32::from(half.to_bits())).collect(),
            ..Default::default()
        };
        let expected: Vec<u8> =
            halves.iter().flat_map(|half| half.to_f32().to_le_bytes()).collect();
        for mut tensor in [raw, integers] {
            widen_tensor(&mut tensor).unwrap();
            assert_eq!(
                (tensor.data_type, &tensor.raw_data, tensor.int32_data.len()),
                (F32, &expected, 0)
            );
        }
    }
}
