//! What dense runs and single windows cost, in multiplications.

use std::collections::HashMap;

use tract_onnx::pb;

use super::map::MapSize;
use super::network::DenseNetwork;
use crate::geometry::dense_tiles::DenseTiles;

/// Windows at this distance share nothing: all strides up to 64 divide it, so that no layer of
/// a network made dense for it is spread wider than in the network itself.
pub(super) const APART_PX: u32 = 64 * 3 * 5 * 7 * 16;

/// Cost of scoring by dense runs, beside that of scoring by single windows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DenseCost {
    /// Multiplications of a dense run for each point that it scores, where all of a block is
    /// tissue; the margin counts.
    pub(crate) dense: f64,
    /// Multiplications of one window.
    pub(crate) window: f64,
}

impl DenseCost {
    /// How many times less a dense run costs.
    pub(crate) fn gain(&self) -> f64 {
        self.window / self.dense
    }
}

impl DenseNetwork {
    /// Cost of scoring blocks of `block_px`, with maps of at most `most_bytes`, where one window
    /// takes `window` multiplications.
    pub(super) fn cost(&self, window: f64, block_px: u32, most_bytes: u64) -> DenseCost {
        let fits = |grid: u32| self.map_bytes(grid) <= most_bytes;
        let tiles = DenseTiles::new(self.window_px, self.stride_px, self.reach_px, block_px, fits);
        let scored = f64::from(tiles.grid() - 2 * tiles.margin()).powi(2);
        let dense = if fits(tiles.grid()) {
            self.multiplications(tiles.grid()) / scored
        } else {
            f64::INFINITY
        };
        DenseCost { dense, window }
    }

    /// Multiplications of the convolutions of a run with `windows` outputs along a side.
    pub(crate) fn multiplications(&self, windows: u32) -> f64 {
        let graph = self.proto.graph.as_ref().expect("a dense network has a graph");
        let weights: HashMap<&str, &pb::TensorProto> =
            graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        let each = graph.node.iter().filter(|node| node.op_type == "Conv").map(|node| {
            let weight = weights.get(node.input[1].as_str());
            let per_place: f64 =
                weight.map_or(0.0, |weight| weight.dims.iter().map(|&size| size as f64).product());
            per_place * self.places(&node.output[0], windows)
        });
        each.sum()
    }

    /// Elements of a channel of a tensor, or of what is kept of the tensor.
    fn places(&self, name: &str, windows: u32) -> f64 {
        let kept = || {
            let graph = self.proto.graph.as_ref()?;
            let next = graph.node.iter().find(|node| node.input.iter().any(|i| i == name))?;
            self.sizes.get(&next.output[0])
        };
        let Some(MapSize { axes, .. }) = self.sizes.get(name).or_else(kept) else { return 0.0 };
        let along = axes.map(|axis| axis.length(i64::from(windows), i64::from(self.stride_px)));
        along[0] as f64 * along[1] as f64
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::model::{Model, dense_cost, densify};

    #[test]
    fn small_networks_gain_and_wide_margins_cost() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/models");
        let model = Model::load(&folder.join("demo-padded.toml")).unwrap();
        let network = densify(&model, 16).unwrap();
        let cost = |block_px| dense_cost(&model, &network, block_px, 450_000_000).unwrap();
        let (small, large) = (cost(224), cost(1792));
        // The card says 42 MFLOP, two of which are one multiplication with its sum.
        assert!((small.window / 21e6 - 1.0).abs() < 0.15, "{small:?}");
        assert!(large.gain() > 20.0 && large.gain() > small.gain(), "{large:?} {small:?}");
        let far = DenseNetwork { reach_px: 1500, ..network.clone() };
        let far = dense_cost(&model, &far, 224, u64::MAX).unwrap();
        assert!(far.gain() < small.gain() / 5.0, "{far:?}");
        assert!(dense_cost(&model, &network, 224, 1_000).unwrap().gain() == 0.0);
    }
}
