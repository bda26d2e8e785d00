//! Nodes that do not depend on the image, such as the arithmetic of shapes, or weights under
//! another name. They are evaluated while the network is rewritten.

use std::rc::Rc;

use tract_onnx::pb;

use super::builder::{floats_of, integers, integers_of};
use super::map::Value;
use super::node::Node;
use super::rewriter::{Problem, Rewriter, Rewritten};

impl<'a> Rewriter<'a> {
    /// The value of a node whose inputs are all known.
    pub(super) fn fold(&mut self, node: Node<'a>) -> Rewritten {
        let folded = match node.operator() {
            "Constant" => self.literal(node),
            "Identity" | "Dropout" => self.constant(node, 0)?,
            "Cast" => self.constant(node, 0)?.filter(|tensor| {
                let float = |kind: i64| kind == 1;
                float(i64::from(tensor.data_type)) == float(node.int("to", 1))
            }),
            "Reshape" => self.reshaped(node)?,
            "Transpose" => self.transposed(node)?,
            "Shape" => {
                let tensor = self.needed(node, 0)?;
                Some(self.named(node, &[tensor.dims.len()], &tensor.dims))
            }
            "Gather" | "Unsqueeze" | "Squeeze" | "Concat" | "Slice" | "Mul" | "Add" | "Div" => {
                self.integer_list(node)?
            }
            _ => None,
        };
        folded.map(Value::Constant).ok_or_else(|| {
            Problem::node("it computes with constants in a way that is not supported; fold them first (onnxsim, or onnxruntime's basic optimisation)")
        })
    }

    fn named(&mut self, node: Node<'a>, dims: &[usize], values: &[i64]) -> Rc<pb::TensorProto> {
        let name = self.builder.name(&node.hint());
        Rc::new(integers(&name, dims, values))
    }

    fn literal(&mut self, node: Node<'a>) -> Option<Rc<pb::TensorProto>> {
        let name = self.builder.name(&node.hint());
        if let Some(tensor) = node.tensor("value") {
            return Some(Rc::new(pb::TensorProto { name, ..tensor.clone() }));
        }
        if let Some(values) = node.ints("value_ints") {
            return Some(Rc::new(integers(&name, &[values.len()], values)));
        }
        if node.has_attribute("value_int") {
            return Some(Rc::new(integers(&name, &[], &[node.int("value_int", 0)])));
        }
        node.has_attribute("value_float").then(|| {
            let raw_data = node.float("value_float", 0.0).to_le_bytes().to_vec();
            Rc::new(pb::TensorProto { name, data_type: 1, raw_data, ..Default::default() })
        })
    }

    fn reshaped(&mut self, node: Node<'a>) -> Result<Option<Rc<pb::TensorProto>>, Problem> {
        let (tensor, wanted) = (self.needed(node, 0)?, self.needed(node, 1)?);
        let Some(mut dims) = integers_of(&wanted) else { return Ok(None) };
        let all: i64 = tensor.dims.iter().product();
        for (at, size) in dims.iter_mut().enumerate() {
            if *size == 0 {
                *size = tensor.dims.get(at).copied().unwrap_or(1);
            }
        }
        if let Some(free) = dims.iter().position(|&size| size == -1) {
            let known: i64 = dims.iter().filter(|&&size| size != -1).product();
            dims[free] = all / known.max(1);
        }
        let name = self.builder.name(&node.hint());
        Ok(Some(Rc::new(pb::TensorProto { name, dims, ..(*tensor).clone() })))
    }

    fn transposed(&mut self, node: Node<'a>) -> Result<Option<Rc<pb::TensorProto>>, Problem> {
        let tensor = self.needed(node, 0)?;
        let (&[rows, cols], Some(values)) = (tensor.dims.as_slice(), floats_of(&tensor)) else {
            return Ok(None);
        };
        let (rows, cols) = (rows as usize, cols as usize);
        let transposed: Vec<f32> = (0..cols)
            .flat_map(|col| (0..rows).map(move |row| row * cols + col))
            .map(|at| values[at])
            .collect();
        let name = self.builder.name(&node.hint());
        Ok(Some(Rc::new(pb::TensorProto {
            name,
            dims: vec![cols as i64, rows as i64],
            data_type: 1,
            raw_data: transposed.iter().flat_map(|value| value.to_le_bytes()).collect(),
            ..Default::default()
        })))
    }

    /// The value of a node that computes a list of integers, such as a reshape's shape.
    fn integer_list(&mut self, node: Node<'a>) -> Result<Option<Rc<pb::TensorProto>>, Problem> {
        let mut lists = Vec::new();
        for input in 0..node.inputs().len() {
            let tensor = self.constant(node, input)?;
            let list = tensor.and_then(|tensor| Some((tensor.dims.len(), integers_of(&tensor)?)));
            lists.push(list);
        }
        let Some(lists) = lists.into_iter().collect::<Option<Vec<_>>>() else { return Ok(None) };
        let first = &lists[0].1;
        let (rank, values) = match node.operator() {
            "Gather" if lists[0].0 == 1 => {
                let (rank, indices) = &lists[1];
                let at = |&index: &i64| {
                    let index = if index < 0 { index + first.len() as i64 } else { index };
                    usize::try_from(index).ok().and_then(|index| first.get(index)).copied()
                };
                let Some(values) = indices.iter().map(at).collect::<Option<Vec<_>>>() else {
                    return Ok(None);
                };
                (*rank, values)
            }
            "Unsqueeze" if first.len() == 1 => (1, first.clone()),
            "Squeeze" if first.len() == 1 => (0, first.clone()),
            "Concat" => (1, lists.iter().flat_map(|(_, list)| list.iter().copied()).collect()),
            "Slice" if lists.len() >= 3 && lists.get(4).is_none_or(|(_, step)| step == &[1]) => {
                let length = first.len() as i64;
                let clamp =
                    |at: i64| (if at < 0 { at + length } else { at }).clamp(0, length) as usize;
                let (start, end) = (clamp(lists[1].1[0]), clamp(lists[2].1[0]));
                (1, first.get(start..end).unwrap_or_default().to_vec())
            }
            "Mul" if first.len() == 1 && lists[1].1.len() == 1 => {
                (lists[0].0, vec![first[0] * lists[1].1[0]])
            }
            // ONNX divides integers towards 0.
            "Div" if first.len() == 1 && lists[1].1.len() == 1 && lists[1].1[0] != 0 => {
                (lists[0].0, vec![first[0] / lists[1].1[0]])
            }
            "Add" if first.len() == 1 && lists[1].1.len() == 1 => {
                (lists[0].0, vec![first[0] + lists[1].1[0]])
            }
            _ => return Ok(None),
        };
        let dims: Vec<usize> = if rank == 0 { Vec::new() } else { vec![values.len()] };
        Ok(Some(self.named(node, &dims, &values)))
    }
}
