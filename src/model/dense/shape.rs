//! Nodes that only rearrange numbers. The dense network keeps its own arrangement, so most
//! of these nodes vanish.

use std::rc::Rc;

use super::builder::{integers, integers_of};
use super::map::{FeatureMap, Form, Order, Value};
use super::node::Node;
use super::rewriter::{Problem, Rewriter, Rewritten};

impl<'a> Rewriter<'a> {
    /// Rewrites a node that passes its input on: identity, dropout after training, a cast
    /// from float to float.
    pub(super) fn pass(&mut self, node: Node<'a>) -> Rewritten {
        if node.operator() == "Cast" && node.int("to", 1) != 1 {
            return Err(Problem::node("it casts to something that is not float32"));
        }
        if node.proto.output.iter().skip(1).any(|name| !name.is_empty()) {
            self.differs(node, "has a second output, which is taken to be unused");
        }
        Ok(Value::Map(self.map(node, 0)?))
    }

    pub(super) fn reshape(&mut self, node: Node<'a>) -> Rewritten {
        let map = self.map(node, 0)?;
        let shape = map.shape();
        let target = match node.operator() {
            "Flatten" => {
                let axis = node.int("axis", 1);
                let axis = if axis < 0 { axis + shape.len() as i64 } else { axis } as usize;
                let product = |sizes: &[i64]| sizes.iter().product::<i64>();
                vec![
                    product(&shape[..axis.min(shape.len())]),
                    product(&shape[axis.min(shape.len())..]),
                ]
            }
            "Reshape" => {
                let wanted = integers_of(&*self.needed(node, 1)?)
                    .ok_or_else(|| Problem::node("its shape is not a list of integers"))?;
                filled(&wanted, &shape, node.int("allowzero", 0) != 0)
            }
            operator => self.squeezed(node, &shape, operator == "Unsqueeze")?,
        };
        if let Some(map) = self.regrouped(&map, &target) {
            return Ok(Value::Map(map));
        }
        let form = form_of(&map, &target).ok_or_else(|| {
            Problem::node(format!(
                "it reshapes {shape:?} to {target:?}, which mixes positions and channels"
            ))
        })?;
        Ok(Value::Map(FeatureMap { form, ..map }))
    }

    fn squeezed(&self, node: Node<'a>, shape: &[i64], insert: bool) -> Result<Vec<i64>, Problem> {
        let axes = match (node.ints("axes"), self.constant(node, 1)?) {
            (Some(axes), _) => axes.to_vec(),
            (None, Some(tensor)) => integers_of(&tensor).unwrap_or_default(),
            // All axes of size 1 except that of the batch.
            (None, None) => {
                (1..shape.len()).filter(|&axis| shape[axis] == 1).map(|a| a as i64).collect()
            }
        };
        let rank = (shape.len() + if insert { axes.len() } else { 0 }) as i64;
        let mut axes: Vec<i64> =
            axes.iter().map(|&axis| if axis < 0 { axis + rank } else { axis }).collect();
        axes.sort_unstable();
        let mut target = shape.to_vec();
        if insert {
            for axis in axes {
                target.insert((axis as usize).min(target.len()), 1);
            }
        } else {
            for axis in axes.into_iter().rev() {
                if target.get(axis as usize) != Some(&1) {
                    return Err(Problem::node(format!("it squeezes axis {axis} of {shape:?}")));
                }
                target.remove(axis as usize);
            }
        }
        Ok(target)
    }

    pub(super) fn transpose(&mut self, node: Node<'a>) -> Rewritten {
        let map = self.map(node, 0)?;
        let form = match (node.ints("perm"), map.form) {
            (Some([0, 3, 1, 2]), Form::Spatial(Order::ChannelsLast)) => {
                Form::Spatial(Order::ChannelsFirst)
            }
            (Some([0, 2, 3, 1]), Form::Spatial(Order::ChannelsFirst)) => {
                Form::Spatial(Order::ChannelsLast)
            }
            (Some([0, 2, 1, 3, 4]), Form::Grouped { groups, swapped }) => {
                Form::Grouped { groups, swapped: !swapped }
            }
            (Some([0, 1] | [0, 1, 2, 3]), form) => form,
            (perm, _) => {
                let shape = map.shape();
                return Err(Problem::node(format!("it transposes {shape:?} by {perm:?}")));
            }
        };
        Ok(Value::Map(FeatureMap { form, ..map }))
    }

    /// The shape of a map in the run of one window, as a constant.
    pub(super) fn shape(&mut self, node: Node<'a>) -> Rewritten {
        let shape = self.map(node, 0)?.shape();
        if node.has_attribute("start") || node.has_attribute("end") {
            return Err(Problem::node("it takes a part of a shape by attributes"));
        }
        let name = self.builder.name(&node.hint());
        Ok(Value::Constant(Rc::new(integers(&name, &[shape.len()], &shape))))
    }

    /// Rewrites a node that selects one channel, as torchvision's `transform_input` does.
    pub(super) fn gather(&mut self, node: Node<'a>) -> Rewritten {
        let map = self.map(node, 0)?;
        let indices = self.needed(node, 1)?;
        let index = integers_of(&indices).filter(|list| list.len() == 1 && indices.dims.len() < 2);
        let (Some(index), true) = (index, node.int("axis", 0) == 1 && map.channels_first()) else {
            return Err(Problem::node("it selects something other than one channel"));
        };
        let map = self.with_mean(map);
        let index = if index[0] < 0 { index[0] + map.channels as i64 } else { index[0] };
        let list = self.builder.integers("channel", &[index]);
        let attributes = vec![super::builder::int("axis", 1)];
        let name = self.builder.node("Gather", &node.hint(), &[&map.name, &list], attributes);
        let form = if indices.dims.is_empty() { Form::Plane } else { map.form };
        let map = FeatureMap { channels: 1, form, ..map };
        Ok(Value::Map(self.renamed(&map, name)))
    }
}

/// The shape that a reshape asks for, with 0 and -1 filled in.
fn filled(wanted: &[i64], shape: &[i64], zero_is_zero: bool) -> Vec<i64> {
    let mut target: Vec<i64> = wanted
        .iter()
        .enumerate()
        .map(|(at, &size)| match size {
            0 if !zero_is_zero => shape.get(at).copied().unwrap_or(1),
            size => size,
        })
        .collect();
    if let Some(free) = target.iter().position(|&size| size == -1) {
        let known: i64 = target.iter().filter(|&&size| size != -1).product();
        target[free] = shape.iter().product::<i64>() / known.max(1);
    }
    target
}

/// The arrangement in which `map` has the shape `target`, if no numbers have to move.
fn form_of(map: &FeatureMap, target: &[i64]) -> Option<Form> {
    let shape = map.shape();
    if target.iter().product::<i64>() != shape.iter().product::<i64>() {
        return None;
    }
    let candidates = [
        map.form,
        Form::Flat(map.order()),
        Form::Spatial(map.order()),
        Form::Spatial(Order::ChannelsFirst),
        Form::Spatial(Order::ChannelsLast),
        Form::Plane,
    ];
    let single = map.extents() == [1, 1];
    candidates.into_iter().find(|&form| {
        let allowed = match form {
            // Only `Rewriter::regrouped` knows what becomes of these.
            _ if matches!(map.form, Form::Grouped { .. }) => form == map.form,
            Form::Spatial(order) => single || map.channels == 1 || order == map.order(),
            Form::Plane => map.channels == 1,
            Form::Flat(_) | Form::Grouped { .. } => true,
        };
        allowed && FeatureMap { form, ..map.clone() }.shape() == target
    })
}
