//! `slidegrid densify`

use std::path::PathBuf;

use clap::Parser;

use super::{Exit, Failure, print};
use crate::model::{Model, Side, densify};
use crate::staged;

/// Rewrite a network to score a whole patch in one run, and save it.
///
/// The saved network maps an image [1, 3, P, P] (or [1, P, P, 3]) to a grid
/// [1, classes, G, G] with G = (P - window) / stride + 1. Output (r, c) is the network's
/// output for the window that starts at row r * stride, column c * stride of the image,
/// before the card's activation. The network runs in onnxruntime without changes.
#[derive(Debug, Parser)]
#[command(
    max_term_width = 100,
    after_help = "\
Examples:
  slidegrid densify model.toml --stride 16 --out dense.onnx
  slidegrid densify model.toml --stride 16 --patch 1120 --out dense.onnx
                                   only for images of 1120 px: engines plan better
  python -c \"
  import numpy, onnxruntime
  network = onnxruntime.InferenceSession('dense.onnx')
  name = network.get_inputs()[0].name
  print(network.run(None, {name: numpy.zeros((1, 3, 448, 448), 'f4')})[0].shape)\"

Prints whether the outputs equal those of single windows (a network without padding),
or which layers make them differ. `predict --method dense` rewrites the network by
itself; it does not need this command."
)]
pub(crate) struct DensifyArgs {
    /// Model card (model.toml), WSInfer config.json, or an ONNX file that has one of them
    /// beside it.
    #[arg(value_name = "MODEL_CARD")]
    model: PathBuf,

    /// Distance between neighbouring windows, px.
    #[arg(long, value_name = "S")]
    stride: u32,

    /// Side of the images, px [default: any side].
    #[arg(long, value_name = "P")]
    patch: Option<u32>,

    /// File to write the network to.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl DensifyArgs {
    /// Rewrites the network and saves it.
    ///
    /// # Errors
    /// [`Failure`] that names the nodes that cannot be rewritten.
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        if self.stride == 0 {
            return Err(Failure::new(Exit::Usage, "--stride 0, expected at least 1"));
        }
        let model = Model::load(&self.model)?;
        let window_px = model.card.window_px;
        if let Some(side_px) = self.patch.filter(|&side_px| side_px < window_px) {
            let problem =
                format!("--patch {side_px}, expected at least the window, {window_px} px");
            return Err(Failure::new(Exit::Usage, problem));
        }
        let network = densify(&model, self.stride)?;
        let side = self.patch.map_or(Side::Any, Side::Fixed);
        staged::write(&self.out, &network.to_onnx(side))?;
        print(&format!("{}: one output every {} px", self.out.display(), self.stride))?;
        if let Some(side_px) = self.patch {
            let grid = network.grid(side_px);
            print(&format!("{side_px} px images: {grid} x {grid} outputs"))?;
        }
        if network.inexact.is_empty() {
            print("outputs are those of single windows: no layer pads")?;
            return Ok(Exit::Done);
        }
        print(&format!(
            "outputs differ from those of single windows, and depend on pixels up to {} px beyond them:",
            network.reach_px
        ))?;
        for layer in &network.inexact {
            print(&format!("  {layer}"))?;
        }
        Ok(Exit::Done)
    }
}
