//! Means over the whole map: of a head, where they become sliding means over
//! windows, and of squeeze-and-excitation, where they become sliding means around
//! each place.

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

    /// Whether a reduction keeps the axes; it must reduce the whole map.
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

    /// The mean of a whole map, to be taken when it is known what of; around each
    /// place when it is to scale that map.
    pub(super) fn pooled(&mut self, node: Node<'a>, map: FeatureMap) -> FeatureMap {
        let pooled_by = BTreeSet::from([node.index]);
        if !self.gates.contains(&node.index) {
            return FeatureMap { pending: true, pooled_by, ..map };
        }
        self.differs(node, "is the mean of one window, here of the surroundings of each place");
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

    /// Takes the mean that is still to be taken, once.
    pub(super) fn with_mean(&mut self, map: FeatureMap) -> FeatureMap {
        if !map.pending {
            return map;
        }
        let form = map.form;
        if let Some(taken) = self.means.get(&map.name) {
            return FeatureMap { form, ..taken.clone() };
        }
        let (kernel, dilations) =
            (map.axes.map(|axis| axis.extent), map.axes.map(|axis| axis.dilation()));
        let taken = map.axes.map(|axis| self.stride_px / axis.step_px);
        let hint = format!("{}/mean", map.name);
        let name = self.box_mean(&hint, &map.name, &map, kernel, dilations, taken);
        let axes = map.axes.map(|axis| {
            let to_px = axis.to_px + (axis.extent - 1) * axis.jump_px;
            axis.per_window(self.stride_px, axis.from_px, to_px)
        });
        let source = map.name.clone();
        let taken = self.renamed(&FeatureMap { axes, pending: false, ..map }, name);
        self.means.insert(source, taken.clone());
        taken
    }

    /// Adds a mean over `kernel` elements, `dilations` apart, at every
    /// `taken`-th place: a product of short means along one axis at a time.
    pub(super) fn box_mean(
        &mut self,
        hint: &str,
        input: &str,
        map: &FeatureMap,
        kernel: [i64; 2],
        dilations: [i64; 2],
        taken: [i64; 2],
    ) -> String {
        let channels = map.channels as i64;
        let mut name = input.to_owned();
        for at in 0..2 {
            let lengths = factors(kernel[at]);
            let mut apart = dilations[at];
            for (pass, &length) in lengths.iter().enumerate() {
                let stride = if pass + 1 == lengths.len() { taken[at] } else { 1 };
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

/// A length as a product of one or two lengths as equal as can be.
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
