//! The dense form of means over a whole map. In the head of a network they become sliding
//! means over windows; in squeeze-and-excitation they become sliding means around each
//! position.

use std::collections::BTreeSet;

use super::map::{FeatureMap, Form, Value};
use super::node::Node;
use super::rewriter::{Problem, Rewriter, Rewritten};

impl<'a> Rewriter<'a> {
    pub(super) fn global_mean(&mut self, node: Node<'a>) -> Rewritten {
        let map = self.ready(node, 0)?;
        let keeps = self.reduces_all(node, &map)?;
        let form = if keeps { map.form } else { Form::Flat(map.order()) };
        if map.extents() == [1, 1] {
            return Ok(Value::Map(FeatureMap { form, ..map }));
        }
        let pooled = self.pooled(node, map);
        Ok(Value::Map(FeatureMap { form, ..pooled }))
    }

    /// Whether a reduction keeps the axes. A reduction of less than the whole map is refused.
    pub(super) fn reduces_all(&self, node: Node<'a>, map: &FeatureMap) -> Result<bool, Problem> {
        if node.operator().starts_with("Global") {
            if !map.channels_first() {
                return Err(Problem::node("its input is not [N, C, row, col]"));
            }
            return Ok(true);
        }
        let axes = match (node.ints("axes"), self.constant(node, 1)?) {
            (Some(axes), _) => axes.to_vec(),
            (None, Some(tensor)) => super::builder::integers_of(&tensor).unwrap_or_default(),
            (None, None) => Vec::new(),
        };
        let rank = map.shape().len() as i64;
        let mut axes: Vec<i64> =
            axes.into_iter().map(|axis| if axis < 0 { axis + rank } else { axis }).collect();
        axes.sort_unstable();
        if map.spatial_axes().map(|axes| axes.to_vec()) != Some(axes.clone()) {
            return Err(Problem::node(format!(
                "it reduces axes {axes:?} of {:?}, expected rows and columns",
                map.shape()
            )));
        }
        Ok(node.int("keepdims", 1) != 0)
    }

    /// The mean of a whole map. The mean is left pending, so that a linear layer after it
    /// may go before it; a mean that scales its map is taken around each position.
    pub(super) fn pooled(&mut self, node: Node<'a>, map: FeatureMap) -> FeatureMap {
        let pooled_by = BTreeSet::from([node.index]);
        if !self.gates.contains(&node.index) {
            return FeatureMap { pending: true, pooled_by, ..map };
        }
        self.differs(
            node,
            "averages over the window; the dense network averages around each position",
        );
        let around = map.axes.map(|axis| {
            let before = axis.extent / 2;
            (before, axis.extent - 1 - before)
        });
        let [rows, cols] = [0, 1].map(|at| {
            let apart = map.axes[at].dilation();
            (around[at].0 * apart, around[at].1 * apart)
        });
        let input = self.padded(&map.name, [rows.0, cols.0, rows.1, cols.1], 0.0);
        let (kernel, dilations) =
            (map.axes.map(|axis| axis.extent), map.axes.map(|axis| axis.dilation()));
        let name =
            self.builder.box_mean(&node.hint(), &input, &map.size(), kernel, dilations, [1, 1]);
        let mut axes = map.axes;
        for (axis, (before, after)) in axes.iter_mut().zip(around) {
            axis.from_px -= before * axis.jump_px;
            axis.to_px += after * axis.jump_px;
        }
        let map = FeatureMap { axes, gate: true, pooled_by, ..map };
        self.renamed(&map, name)
    }

    /// Adds the nodes of a pending mean, once for each map; other maps are returned as they
    /// are.
    pub(super) fn with_mean(&mut self, map: FeatureMap) -> FeatureMap {
        if !map.pending {
            return map;
        }
        let form = map.form;
        if let Some(mean) = self.means.get(&map.name) {
            return FeatureMap { form, ..mean.clone() };
        }
        let (kernel, dilations) =
            (map.axes.map(|axis| axis.extent), map.axes.map(|axis| axis.dilation()));
        let strides = map.axes.map(|axis| self.stride_px / axis.step_px);
        let hint = format!("{}/mean", map.name);
        let name = self.builder.box_mean(&hint, &map.name, &map.size(), kernel, dilations, strides);
        let axes = map.axes.map(|axis| {
            let to_px = axis.to_px + (axis.extent - 1) * axis.jump_px;
            axis.per_window(self.stride_px, axis.from_px, to_px)
        });
        let source = map.name.clone();
        let mean = self.renamed(&FeatureMap { axes, pending: false, ..map }, name);
        self.means.insert(source, mean.clone());
        mean
    }
}
