//! Writes `<slide>.ome.zarr/`, the scores as OME-Zarr 0.5 (Zarr 3), placed on the slide.
//!
//! Pixel (row, col) of `s0` is the score of the lattice point (row, col), NaN where not
//! scored. OME-Zarr positions pixels by their centres. The scale is therefore the pitch,
//! and the translation is 0, so that the origin is the slide's top left corner. A pixel
//! of a lower resolution lies in the centre of the four pixels that it summarises.
//!
//! The metadata are written as plain JSON, because the crate for them,
//! `ome_zarr_metadata`, holds scales as f32, which is too coarse for positions on a slide.
//!
//! Memory beside the heatmap: a quarter of its size, and one compressed shard.

use std::path::Path;

use ndarray::{Array2, ArrayView2};
use serde_json::{Value, json};

use super::error::ExportError;
use super::slide_lattice::SlideLattice;
use super::{pyramid, zarr_array};
use crate::heatmap_h5::HeatmapMeta;
use crate::staged::StagedFolder;

/// Writes the heatmap `score` `[row, col]`, NaN where not scored.
pub(super) fn write(
    target: &Path,
    meta: &HeatmapMeta,
    score: ArrayView2<'_, f32>,
) -> Result<(), ExportError> {
    let mut folder = StagedFolder::new(target)?;
    let (rows, cols) = score.dim();
    let side = |points: usize| {
        u32::try_from(points).expect("a lattice has fewer than 2^32 rows and columns")
    };
    let levels = pyramid::sizes(side(cols), side(rows), side(zarr_array::CHUNK)).len();
    let mut reduced: Option<Array2<f32>> = None;
    for level in 0..levels {
        if level > 0 {
            let finer = reduced.as_ref().map_or(score, |map| map.view());
            reduced = Some(pyramid::reduce_map(finer));
        }
        let map = reduced.as_ref().map_or(score, |map| map.view());
        zarr_array::write(&mut folder, &format!("s{level}"), map)?;
    }
    let group = json!({
        "zarr_format": 3,
        "node_type": "group",
        "attributes": {"ome": multiscales(meta, levels)},
    });
    folder.write("zarr.json", group.to_string().as_bytes())?;
    Ok(folder.commit()?)
}

/// The `ome` attribute, in micrometres, or in level-0 px when the resolution is unknown.
fn multiscales(meta: &HeatmapMeta, levels: usize) -> Value {
    let lattice = SlideLattice::new(meta);
    let [x, y] = lattice.pitch_um().unwrap_or([lattice.pitch_px; 2]);
    let axis = |name: &str| match lattice.um_per_px {
        Some(_) => json!({"name": name, "type": "space", "unit": "micrometer"}),
        None => json!({"name": name, "type": "space"}),
    };
    let dataset = |level: usize| {
        let factor = (1u64 << level) as f64;
        let shift = (factor - 1.0) / 2.0;
        json!({
            "path": format!("s{level}"),
            "coordinateTransformations": [
                {"type": "scale", "scale": [y * factor, x * factor]},
                {"type": "translation", "translation": [y * shift, x * shift]},
            ],
        })
    };
    let class = &meta.classes[meta.positive as usize];
    json!({
        "version": "0.5",
        "multiscales": [{
            "name": meta.slide,
            "axes": [axis("y"), axis("x")],
            "datasets": (0..levels).map(dataset).collect::<Vec<_>>(),
            "type": "max",
            "metadata": {
                "description": format!("score of class {class}, NaN where not scored; pixels of lower resolutions are the largest of four"),
                "slide": meta.slide,
                "class": class,
                "level0_px_per_point": lattice.pitch_px,
                "level0_size_px": [lattice.height_px, lattice.width_px],
                "writer": crate::version::WRITER,
            },
        }],
    })
}
