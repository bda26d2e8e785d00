//! The dense network with another head: one that gives what a head is fitted to, and one
//! whose head has been fitted anew.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use tract_onnx::pb;

use super::builder::{Builder, int};
use super::head::{ChannelRange, GridStep, Head, pointwise_convolution};
use super::map::MapSize;
use super::network::{DenseNetwork, Outputs};
use crate::model::link::ScoreLink;
use crate::sha256::sha256_of_bytes;

/// A head that was fitted to exact windows: a linear function of the means of the last
/// map's channels over rings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeadFit {
    /// Rings of the window's map, from its rim inwards.
    pub(crate) rings: usize,
    /// Channels of the map.
    pub(crate) channels: usize,
    /// Whether the function is added to the network's own logits; else it takes their place.
    pub(crate) own: bool,
    /// `[logit, ring, channel]`
    #[serde(with = "exact_floats")]
    pub(crate) weights: Vec<f32>,
    /// One for each logit.
    #[serde(with = "exact_floats")]
    pub(crate) bias: Vec<f32>,
}

/// f32 written as f64: the decimal digits of an f64 give the same f32 whatever the reader
/// does with the last of them.
mod exact_floats {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(values: &[f32], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(values.iter().map(|&value| f64::from(value)))
    }

    #[expect(clippy::cast_possible_truncation, reason = "they were f32")]
    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Vec<f32>, D::Error> {
        let values = Vec::<f64>::deserialize(from)?;
        Ok(values.into_iter().map(|value| value as f32).collect())
    }
}

impl HeadFit {
    /// SHA-256 of everything that decides scores.
    pub(crate) fn sha256(&self) -> String {
        let mut bytes = Vec::with_capacity(4 * (self.weights.len() + self.bias.len()) + 32);
        for number in [self.rings, self.channels, usize::from(self.own), self.bias.len()] {
            bytes.extend_from_slice(&(number as u64).to_le_bytes());
        }
        for value in self.weights.iter().chain(&self.bias) {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        sha256_of_bytes(&bytes)
    }
}

/// The last map of a window, as a head is fitted to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeadShape {
    /// Rings that its elements are divided into.
    pub(crate) rings: usize,
    pub(crate) channels: usize,
}

/// The numbers of one window from which a head is fitted.
#[derive(Debug, Clone)]
pub(crate) struct HeadInputs {
    /// The network's own logits.
    pub(crate) logits: Vec<f64>,
    /// `[ring, channel]`
    pub(crate) rings: Vec<f32>,
}

impl DenseNetwork {
    /// What turns logits into scores; `None` for a network whose head cannot be fitted anew.
    pub(crate) fn score_link(&self) -> Option<ScoreLink> {
        self.head.as_ref().map(|head| head.link)
    }

    /// The last map, from which a head is fitted.
    pub(crate) fn head_shape(&self) -> Option<HeadShape> {
        let shape = |head: &Head| HeadShape { rings: head.rings(), channels: head.size.channels };
        self.head.as_ref().map(shape)
    }

    /// The network whose outputs [`Self::head_inputs`] reads; `None` if its head cannot be
    /// fitted anew.
    pub(crate) fn sampling(&self) -> Option<Self> {
        let head = self.head.as_ref()?;
        let made = |builder: &mut Builder| {
            let all = ChannelRange { first: 0, count: head.size.channels };
            let boxes = (0..head.rings())
                .map(|inset| head.box_mean(builder, &head.map, all, inset, self.grid_step()));
            let parts: Vec<String> = boxes.collect();
            let mut inputs = vec![head.logits.as_str()];
            inputs.extend(parts.iter().map(String::as_str));
            builder.node("Concat", "head_inputs", &inputs, vec![int("axis", 1)])
        };
        let channels = head.link.logits + head.rings() * head.size.channels;
        Some(self.with_output(channels, Outputs::HeadInputs, "head", made))
    }

    /// What one row of outputs of the network of [`Self::sampling`] says.
    pub(crate) fn head_inputs(&self, row: &[f32]) -> HeadInputs {
        let head = self.head.as_ref().expect("a network that samples has a head");
        let (logits, means) = row.split_at(head.link.logits);
        let logits = logits.iter().map(|&logit| f64::from(logit)).collect();
        let channels = head.size.channels;
        let mut rings = Vec::with_capacity(means.len());
        for ring in 0..head.rings() {
            // A ring is a box without the next smaller one.
            let outer = &means[ring * channels..][..channels];
            let share = head.box_elements(ring) / head.ring_elements(ring);
            let inner = means.get((ring + 1) * channels..(ring + 2) * channels);
            let inner_share = share - 1.0;
            rings.extend((0..channels).map(|channel| {
                let below = inner.map_or(0.0, |inner| f64::from(inner[channel]));
                narrow(f64::from(outer[channel]) * share - below * inner_share)
            }));
        }
        HeadInputs { logits: head.link.centred(logits), rings }
    }

    /// The network with a head that was fitted anew.
    pub(crate) fn refitted(&self, fit: &HeadFit) -> Self {
        let head = self.head.as_ref().expect("a fit is of a network with a head");
        let logits = head.link.logits;
        let made = |builder: &mut Builder| {
            let weights = box_weights(head, fit);
            let boxes = logits * fit.rings;
            let hint = "refitted_head";
            let each = pointwise_convolution(builder, hint, &head.map, boxes, &weights);
            let size = MapSize { channels: boxes, axes: head.size.axes };
            builder.sizes.insert(each.clone(), size);
            let bias = builder.floats("refitted_head/bias", &[1, logits as i64, 1, 1], &fit.bias);
            let mut sum = if fit.own { Some(head.logits.clone()) } else { None };
            for ring in 0..fit.rings {
                let of = ChannelRange { first: ring * logits, count: logits };
                let mean = head.box_mean(builder, &each, of, ring, self.grid_step());
                let other = sum.as_deref().unwrap_or(&bias);
                sum = Some(builder.node("Add", "refitted_logits", &[&mean, other], Vec::new()));
            }
            let sum = sum.expect("there is a ring");
            if fit.own {
                builder.node("Add", "refitted_logits", &[&sum, &bias], Vec::new())
            } else {
                sum
            }
        };
        let variant = format!("refitted {}", fit.sha256());
        self.with_output(self.channels, Outputs::Scores, &variant, made)
    }

    fn grid_step(&self) -> GridStep {
        GridStep { stride_px: i64::from(self.stride_px), opset: self.opset }
    }

    /// The network with nodes that `made` adds before those that turn logits into scores.
    /// What nothing depends on any more is dropped.
    fn with_output(
        &self,
        channels: usize,
        outputs: Outputs,
        variant: &str,
        made: impl FnOnce(&mut Builder) -> String,
    ) -> Self {
        let head = self.head.as_ref().expect("a network with another head has a head");
        let mut network = self.clone();
        let graph = network.proto.graph.as_mut().expect("a dense network has a graph");
        let names = graph.node.iter().flat_map(|node| &node.output);
        let names = names.chain(graph.initializer.iter().map(|tensor| &tensor.name));
        let names = names.map(String::as_str).chain([self.input.as_str()]);
        let mut builder = Builder::with_names(names);
        builder.sizes = std::mem::take(&mut network.sizes);
        let axes = builder.sizes[&self.output].axes;
        let new = made(&mut builder);
        // Nodes are in the order of their inputs: the ones after the logits come last.
        let after: HashSet<String> = descendants(graph, &head.logits);
        let (tail, before): (Vec<_>, Vec<_>) = std::mem::take(&mut graph.node)
            .into_iter()
            .partition(|node| node.output.iter().any(|output| after.contains(output)));
        graph.node = before;
        graph.node.append(&mut builder.nodes);
        let refits = outputs == Outputs::Scores;
        if refits {
            for mut node in tail {
                for input in node.input.iter_mut().filter(|input| **input == head.logits) {
                    input.clone_from(&new);
                }
                graph.node.push(node);
            }
        } else {
            network.output.clone_from(&new);
        }
        let made: Vec<String> =
            graph.node.iter().flat_map(|node| node.output.iter().cloned()).collect();
        for name in made {
            let size = || MapSize { channels, axes };
            builder.sizes.entry(name).or_insert_with(size);
        }
        graph.initializer.append(&mut builder.weights);
        drop_unused(graph, &network.output);
        network.sizes = builder.sizes;
        network.channels = channels;
        network.outputs = outputs;
        variant.clone_into(&mut network.variant);
        network
    }
}

/// Weights `[ring, logit][channel]` of the means over boxes, of a fit over rings.
fn box_weights(head: &Head, fit: &HeadFit) -> Vec<f32> {
    let (logits, rings, channels) = (fit.bias.len(), fit.rings, fit.channels);
    let mut weights = Vec::with_capacity(fit.weights.len());
    for ring in 0..rings {
        for logit in 0..logits {
            let each = |ring: usize, channel: usize| {
                let weight = fit.weights[(logit * rings + ring) * channels + channel];
                f64::from(weight) / head.ring_elements(ring)
            };
            weights.extend((0..channels).map(|channel| {
                let outer = if ring == 0 { 0.0 } else { each(ring - 1, channel) };
                narrow(head.box_elements(ring) * (each(ring, channel) - outer))
            }));
        }
    }
    weights
}

/// The tensors that depend on `name`.
fn descendants(graph: &pb::GraphProto, name: &str) -> HashSet<String> {
    let mut found = HashSet::from([name.to_owned()]);
    for node in &graph.node {
        if node.input.iter().any(|input| found.contains(input)) {
            found.extend(node.output.iter().cloned());
        }
    }
    found.remove(name);
    found
}

/// Drops nodes and weights that `output` does not depend on.
fn drop_unused(graph: &mut pb::GraphProto, output: &str) {
    let mut used = HashSet::from([output.to_owned()]);
    let mut kept: Vec<pb::NodeProto> = Vec::new();
    for node in std::mem::take(&mut graph.node).into_iter().rev() {
        if node.output.iter().any(|name| used.contains(name)) {
            used.extend(node.input.iter().cloned());
            kept.push(node);
        }
    }
    kept.reverse();
    graph.node = kept;
    graph.initializer.retain(|tensor| used.contains(&tensor.name));
}

#[expect(clippy::cast_possible_truncation, reason = "networks compute in f32")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::geometry::dense_tiles::{GridPlace, GridSize};
    use crate::model::engine::Engine;
    use crate::model::tract::TractEngine;
    use crate::model::{DenseUse, Model, densify};

    /// Outputs of a network over a random image of 3 x 3 windows.
    fn outputs(model: &Model, network: &DenseNetwork, width: usize) -> Vec<f32> {
        let side_px = network.side_px(3);
        let engine = TractEngine::new();
        let mut session = engine.load_dense(model, network, side_px, DenseUse::Sampling).unwrap();
        let places: Vec<GridPlace> =
            (0..9).map(|at| GridPlace { row: at / 3, col: at % 3 }).collect();
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let mut fill = |image: &mut [f32]| image.fill_with(|| random.random_range(-2.0..2.0));
        let mut found = vec![0.0; 9 * width];
        let grid = GridSize { rows: 3, cols: 3 };
        session.run(grid, &mut fill, &places, &mut found).unwrap();
        found
    }

    #[test]
    fn a_head_is_the_linear_function_it_was_fitted_as() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/models");
        for name in ["demo-padded.toml", "demo-valid.toml"] {
            let model = Model::load(&folder.join(name)).unwrap();
            let network = densify(&model, 16).unwrap();
            let (link, shape) = (network.score_link().unwrap(), network.head_shape().unwrap());
            assert!(shape.channels > 2, "{shape:?}");
            let sampling = network.sampling().unwrap();
            let rows = outputs(&model, &sampling, sampling.channels());
            let mut random = ChaCha8Rng::seed_from_u64(9);
            let count = 2 * shape.rings * shape.channels;
            for own in [true, false] {
                let mut draw = |count: usize| -> Vec<f32> {
                    (0..count).map(|_| random.random_range(-0.2..0.2)).collect()
                };
                let fit = HeadFit {
                    rings: shape.rings,
                    channels: shape.channels,
                    own,
                    weights: draw(count),
                    bias: draw(2),
                };
                let json = serde_json::to_string(&fit).unwrap();
                assert_eq!(serde_json::from_str::<HeadFit>(&json).unwrap(), fit);
                let scores = outputs(&model, &network.refitted(&fit), 2);
                let windows = rows.chunks_exact(sampling.channels()).zip(scores.chunks_exact(2));
                for (row, scores) in windows {
                    let inputs = sampling.head_inputs(row);
                    let logits = (0..2).map(|logit| {
                        let weights = &fit.weights[logit * count / 2..][..count / 2];
                        let terms = weights.iter().zip(&inputs.rings);
                        let sum: f64 = terms.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                        let own = if own { inputs.logits[logit] } else { 0.0 };
                        sum + own + f64::from(fit.bias[logit])
                    });
                    let expected = link.scores_of(&logits.collect::<Vec<f64>>());
                    assert!((expected[1] - scores[1]).abs() < 1e-4, "{expected:?} {scores:?}");
                }
            }
        }
    }

    #[test]
    fn the_networks_own_logits_are_among_what_a_head_is_fitted_to() {
        let card = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/models/demo-padded.toml");
        let model = Model::load(&card).unwrap();
        let network = densify(&model, 16).unwrap();
        let sampling = network.sampling().unwrap();
        let rows = outputs(&model, &sampling, sampling.channels());
        let scores = outputs(&model, &network, 2);
        let link = network.score_link().unwrap();
        for (row, scores) in rows.chunks_exact(sampling.channels()).zip(scores.chunks_exact(2)) {
            let own = link.scores_of(&sampling.head_inputs(row).logits);
            assert!((own[1] - scores[1]).abs() < 1e-5, "{own:?} {scores:?}");
        }
    }
}
