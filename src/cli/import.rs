//! `slidegrid import`

use std::path::PathBuf;

use clap::{Args, Subcommand, value_parser};

use super::{Exit, Failure, print};
use crate::import::{LegacyHeatmap, import_heatmap};
use crate::progress::tell;

/// Import results of the original HPC_DPAI code.
///
/// Its patch files need no import: copy SLIDE.h5 into RUN/patches, then run
/// `slidegrid master plan`, `predict --all` and `stitch --all`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    #[command(subcommand)]
    command: ImportCommand,
}

#[derive(Debug, Subcommand)]
enum ImportCommand {
    /// Import a heatmap onto the lattice of the whole slide.
    #[command(after_help = "\
Example:
  slidegrid import heatmap --cells tumor_026_preds.npy --dimensions tumor_026.npy \\
      --width 97792 --height 221184 --mpp 0.243 --out heatmaps/tumor_026.h5 --png")]
    Heatmap(HeatmapArgs),
}

#[derive(Debug, Args)]
struct HeatmapArgs {
    /// The map of the tissue's bounding box, float32 [rows, cols].
    #[arg(long, value_name = "NPY")]
    cells: PathBuf,

    /// The index file of the slide: nine integers that contain the bounding box.
    #[arg(long, value_name = "NPY")]
    dimensions: PathBuf,

    /// Width of the slide, level-0 px.
    #[arg(long, value_name = "PX", value_parser = value_parser!(u32).range(1..))]
    width: u32,

    /// Height of the slide, level-0 px.
    #[arg(long, value_name = "PX", value_parser = value_parser!(u32).range(1..))]
    height: u32,

    /// Resolution of level 0, um per px.
    #[arg(long, value_name = "UM")]
    mpp: Option<f64>,

    /// File to write; its stem becomes the slide's name.
    #[arg(long, value_name = "H5")]
    out: PathBuf,

    /// Also write the picture of the heatmap, beside the file.
    #[arg(long)]
    png: bool,
}

pub(super) fn run(args: &ImportArgs) -> Result<Exit, Failure> {
    let ImportCommand::Heatmap(args) = &args.command;
    let given = LegacyHeatmap {
        cells: args.cells.clone(),
        dimensions: args.dimensions.clone(),
        width_px: args.width,
        height_px: args.height,
        mpp: args.mpp,
    };
    let imported = import_heatmap(&given, &args.out, args.png)?;
    for file in &imported.files {
        print(&file.display().to_string())?;
    }
    tell(&format!("import {}: {} points scored", args.out.display(), imported.scored));
    if imported.cells_outside > 0 {
        tell(&format!(
            "warning: {}: {} scored cells lie outside {} x {} px and were left out; is that the slide's size at level 0?",
            args.cells.display(),
            imported.cells_outside,
            args.width,
            args.height
        ));
        return Ok(Exit::Partial);
    }
    Ok(Exit::Done)
}
