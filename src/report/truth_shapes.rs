//! The truth about a slide in the form that the page draws: outlines, or a mask.

use std::path::Path;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::layers::{GridLayer, tile_layer};
use crate::metrics::mask::Mask;
use crate::metrics::raster::{Outline, SampleGrid};
use crate::truth::{AnnotationGroups, Truth, TruthError, TruthFile};

/// Cells along the slide's longer side when a truth image becomes a mask.
const MASK_CELLS: f64 = 1024.0;

/// The shapes that are drawn on a slide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Shapes {
    /// Closed rings, level-0 px.
    Outlines(Vec<Ring>),
    /// A mask, of which the page draws the border.
    Mask(GridLayer),
}

/// One closed ring.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Ring {
    /// Whether the ring's area is taken away from lesions.
    excludes: bool,
    /// x, y, x, y, and so on, level-0 px.
    points: Vec<f64>,
}

/// The truth about a slide as the page draws it.
pub(super) struct DrawnTruth {
    pub(super) shapes: Shapes,
    /// What was left out of the file, and how its values were understood.
    pub(super) notes: Vec<String>,
}

/// Reads the truth about a slide; `size_px` is its width and height, level-0 px, and `start_px`
/// that of [`Truth::read`].
pub(super) fn read(
    path: &Path,
    groups: &AnnotationGroups,
    size_px: [f64; 2],
    start_px: [f64; 2],
) -> Result<DrawnTruth, TruthError> {
    let TruthFile { truth, notes } = Truth::read(path, groups, start_px)?;
    let shapes = match truth {
        Truth::Outlines(outlines) => Shapes::Outlines(outlines.iter().flat_map(rings).collect()),
        image @ Truth::Image(..) => {
            let cell_px = (size_px[0].max(size_px[1]) / MASK_CELLS).max(1.0);
            let grid = SampleGrid::pixels(size_px[0], size_px[1], cell_px);
            let mask = image.covering(path, size_px[0], size_px[1])?.raster(&grid);
            Shapes::Mask(tile_layer(array(&mask.unwrap_or(Mask::empty(1, 1))).view(), cell_px))
        }
    };
    Ok(DrawnTruth { shapes, notes })
}

fn rings(outline: &Outline) -> impl Iterator<Item = Ring> + '_ {
    let tenth = |at: f64| (at * 10.0).round() / 10.0;
    outline.rings.iter().map(move |ring| Ring {
        excludes: outline.excludes,
        points: ring.iter().flatten().map(|&at| tenth(at)).collect(),
    })
}

fn array(mask: &Mask) -> Array2<u8> {
    let (rows, cols) = mask.shape();
    let mut array = Array2::zeros((rows as usize, cols as usize));
    for run in mask.runs() {
        for col in run.start..run.end {
            array[[run.row as usize, col as usize]] = 1;
        }
    }
    array
}
