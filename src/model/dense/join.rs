//! The dense form of nodes with several inputs: residual sums, products, concatenations,
//! and the scaling of squeeze-and-excitation.

use std::collections::BTreeSet;

use super::builder::int;
use super::map::{FeatureMap, Form, Value};
use super::node::Node;
use super::rewriter::{Problem, Rewriter, Rewritten};

impl<'a> Rewriter<'a> {
    /// Rewrites an operator that combines its inputs element by element.
    pub(super) fn join(&mut self, node: Node<'a>) -> Rewritten {
        let joined = self.joined(node)?;
        let mut inputs = Vec::with_capacity(node.inputs().len());
        for name in node.inputs() {
            let value = self.values.get(name.as_str()).cloned();
            inputs.push(match value {
                Some(Value::Map(map)) => self.with_mean(map).name,
                Some(Value::Constant(tensor)) => self.beside(&joined, &tensor)?,
                Some(Value::Unknown) | None => return Err(Problem::Unknown),
            });
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let attributes = node.proto.attribute.clone();
        let name = self.builder.node(node.operator(), &node.hint(), &inputs, attributes);
        Ok(Value::Map(self.renamed(&joined, name)))
    }

    /// The map that results from the maps among the inputs, without constants.
    fn joined(&mut self, node: Node<'a>) -> Result<FeatureMap, Problem> {
        let mut joined: Option<FeatureMap> = None;
        for (input, name) in node.inputs().iter().enumerate() {
            if !matches!(self.values.get(name.as_str()), Some(Value::Map(_))) {
                continue;
            }
            let map = self.ready(node, input)?;
            joined = Some(match joined {
                None => map,
                Some(other) => combined(&other, &map)?,
            });
        }
        joined.ok_or(Problem::Unknown)
    }

    pub(super) fn concat(&mut self, node: Node<'a>) -> Rewritten {
        let mut maps: Vec<FeatureMap> = Vec::with_capacity(node.inputs().len());
        for input in 0..node.inputs().len() {
            maps.push(self.ready(node, input)?);
        }
        let first = maps[0].clone();
        let rank = first.shape().len() as i64;
        let axis = node.int("axis", 1);
        let axis = if axis < 0 { axis + rank } else { axis } as usize;
        if let Some(map) = maps.iter().find(|map| map.channel_axis() != Some(axis)) {
            let shape = map.shape();
            return Err(Problem::node(format!(
                "it joins along axis {axis} of {shape:?}, not along channels"
            )));
        }
        let mut joined = first.clone();
        for map in &maps[1..] {
            let same = FeatureMap { channels: joined.channels, ..map.clone() };
            joined = combined(&joined, &same)?;
        }
        joined.channels = maps.iter().map(|map| map.channels).sum();
        let inputs: Vec<&str> = maps.iter().map(|map| map.name.as_str()).collect();
        let name = self.builder.node("Concat", &node.hint(), &inputs, vec![int("axis", 1)]);
        Ok(Value::Map(self.renamed(&joined, name)))
    }
}

/// The map that results from two maps element by element. One of them may be one number
/// per window, which scales the other, a whole map.
fn combined(a: &FeatureMap, b: &FeatureMap) -> Result<FeatureMap, Problem> {
    let (large, small) = if a.extents().iter().product::<i64>() >= b.extents().iter().product() {
        (a, b)
    } else {
        (b, a)
    };
    if large.extents() != small.extents() && !small.gate {
        if small.extents() == [1, 1] && !small.pooled_by.is_empty() {
            return Err(Problem::Gates(small.pooled_by.clone()));
        }
        return Err(incompatible(a, b));
    }
    let same_channels =
        large.channels == small.channels || large.channels == 1 || small.channels == 1;
    let regrouped = [large, small].iter().any(|map| matches!(map.form, Form::Grouped { .. }));
    if regrouped && large.form != small.form {
        return Err(incompatible(a, b));
    }
    if !large.aligned(small) || !same_channels || large.shape().len() != small.shape().len() {
        return Err(incompatible(a, b));
    }
    let pooled_by = if large.gate || large.extents() == [1, 1] {
        large.pooled_by.union(&small.pooled_by).copied().collect()
    } else {
        BTreeSet::new()
    };
    Ok(FeatureMap {
        axes: large.joined_axes(small),
        channels: large.channels.max(small.channels),
        pooled_by,
        ..large.clone()
    })
}

fn incompatible(a: &FeatureMap, b: &FeatureMap) -> Problem {
    Problem::node(format!("it joins {:?} with {:?}", a.shape(), b.shape()))
}
