//! The dense form of means over a whole map. In the head of a network they become sliding
//! means over windows; in squeeze-and-excitation they become sliding means around each
//! position.

use std::collections::BTreeSet;

use super::builder::{int, ints};
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
        let name = self.box_mean(&node.hint(), &input, &map, kernel, dilations, [1, 1]);
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
        let name = self.box_mean(&hint, &map.name, &map, kernel, dilations, strides);
        let axes = map.axes.map(|axis| {
            let to_px = axis.to_px + (axis.extent - 1) * axis.jump_px;
            axis.per_window(self.stride_px, axis.from_px, to_px)
        });
        let source = map.name.clone();
        let mean = self.renamed(&FeatureMap { axes, pending: false, ..map }, name);
        self.means.insert(source, mean.clone());
        mean
    }

    /// Adds a mean over `kernel` elements, `dilations` apart, at every `strides`-th
    /// position, as a product of short means along one axis at a time.
    pub(super) fn box_mean(
        &mut self,
        hint: &str,
        input: &str,
        map: &FeatureMap,
        kernel: [i64; 2],
        dilations: [i64; 2],
        strides: [i64; 2],
    ) -> String {
        let channels = map.channels as i64;
        let mut name = input.to_owned();
        for at in 0..2 {
            let lengths = factors(kernel[at]);
            let mut apart = dilations[at];
            for (pass, &length) in lengths.iter().enumerate() {
                let stride = if pass + 1 == lengths.len() { strides[at] } else { 1 };
                if length == 1 && stride == 1 {
                    continue;
                }
                let along = |value: i64| if at == 0 { [value, 1] } else { [1, value] };
                let shape = [channels, 1, along(length)[0], along(length)[1]];
                let values = vec![1.0 / length as f32; (channels * length) as usize];
                let weight = self.builder.floats(&format!("{hint}/weight"), &shape, &values);
                let attributes = vec![
                    ints("kernel_shape", &along(length)),
                    ints("strides", &along(stride)),
                    ints("dilations", &along(apart)),
                    int("group", channels),
                ];
                name = self.builder.node("Conv", hint, &[&name, &weight], attributes);
                self.builder.sized(&name, map.channels, map.axes);
                apart *= length;
            }
        }
        name
    }
}

/// A length above 8 as a product of two lengths as equal as possible; other lengths, and
/// primes, as they are.
fn factors(length: i64) -> Vec<i64> {
    if length <= 8 {
        return vec![length];
    }
    let root = (1..).take_while(|side| side * side <= length);
    match root.filter(|side| length % side == 0).last() {
        None | Some(1) => vec![length],
        Some(side) => vec![side, length / side],
    }
}
