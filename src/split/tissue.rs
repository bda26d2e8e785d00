//! Finds the tissue of a slide and draws it: reads the pictures that the mask is made from, and
//! writes the picture that shows the mask.

use std::path::Path;

use ndarray::{Array2, Array3};
use rayon::ThreadPool;

use super::SplitError;
use crate::config::RunConfig;
use crate::export::png;
use crate::geometry::{BlockPlan, WorkingPlane};
use crate::heatmap::{MaskPicture, PlaneThumbnail, render_mask};
use crate::label_image::{LabelImage, check_shape};
use crate::number::counted;
use crate::patches::PatchesFile;
use crate::run_dir::{RunDir, SlideRecord};
use crate::slide::{self, FailedTiles, PlaneReader};
use crate::tissue::{
    self, SlideMask, TextureCheck, TileGrid, TissueMask, TissueMethod, TissueOptions,
    TissuePicture, TissueViews, picture::PICTURE_UM,
};

/// The tissue of a slide.
pub(super) struct FoundTissue {
    /// The settings with which the tissue was found.
    pub(super) options: TissueOptions,
    pub(super) mask: TissueMask,
    /// Areas of the pictures that could not be decoded.
    pub(super) unseen: Vec<String>,
}

/// Finds the tissue of a slide with the slide's own settings, or else those of the run.
pub(super) fn find(
    config: &RunConfig,
    reader: &PlaneReader<'_>,
    record: &SlideRecord,
    pool: &ThreadPool,
) -> Result<FoundTissue, SplitError> {
    let (path, plane) = (&record.path, reader.plane());
    let keys = config.config.slides.tissue(&record.name, &config.config.tissue);
    let options = keys.options();
    let tile_px = config.config.tiling.tile;
    let unreadable = |source| SplitError::Unreadable { path: path.clone(), source };
    let mut failed: Vec<FailedTiles> = Vec::new();
    let thumbnail = if options.method.needs_thumbnail() {
        let seen = slide::tile_thumbnail(reader, tile_px, pool).map_err(unreadable)?;
        failed.extend(seen.failed);
        Some(seen.rgb)
    } else {
        None
    };
    let picture = if options.method == TissueMethod::All {
        TissuePicture { rgb: Array3::zeros((0, 0, 3)), step_px: 1.0, step_um: PICTURE_UM }
    } else {
        let working_um = record.mpp.map(|um| um * plane.downsample);
        let area_px = f64::from(plane.width_px) * f64::from(plane.height_px);
        let step_px = TissuePicture::step_px(working_um, tile_px, area_px);
        let seen = slide::tissue_picture(reader, step_px, pool).map_err(unreadable)?;
        if thumbnail.is_none() {
            failed.extend(seen.failed);
        }
        let step_um = working_um.map_or(PICTURE_UM, |um| um * step_px);
        TissuePicture { rgb: seen.rgb, step_px, step_um }
    };
    let tiles = |px: u32| px.div_ceil(tile_px) as usize;
    let mask = match (&keys.mask, options.method) {
        (Some(file), TissueMethod::Mask) => Some(SlideMask {
            pixels: read_mask(path, &record.name, file, plane)?,
            tiles_down: f64::from(plane.height_px) / f64::from(tile_px),
            tiles_across: f64::from(plane.width_px) / f64::from(tile_px),
        }),
        _ => None,
    };
    let views = TissueViews {
        thumbnail: thumbnail.as_ref().map(|rgb| rgb.view()),
        picture: &picture,
        tile_px,
        grid: TileGrid { rows: tiles(plane.height_px), cols: tiles(plane.width_px) },
        mask: mask.as_ref(),
    };
    let mask = tissue::find_tissue(&views, &options)
        .map_err(|source| SplitError::Tissue { path: path.clone(), source })?;
    let unseen = failed.iter().map(|failed| failed.error.to_string()).collect();
    Ok(FoundTissue { options, mask, unseen })
}

/// Records in the slide's row how much tissue was found, and doubts about the mask.
pub(super) fn note(record: &mut SlideRecord, found: &FoundTissue) {
    record.tissue_tiles = Some(found.mask.tissue_tiles);
    let mut notes = Vec::new();
    let ink = found.mask.ink.as_ref().map_or(0, |ink| ink.iter().filter(|&&t| t != 0).count());
    if ink > 0 {
        notes.push(format!(
            "left out as strokes of a pen: {ink} of the tiles; they are orange in masks/{}.png: look whether they are tissue",
            record.name
        ));
    }
    notes.extend(unseen(found));
    note_texture(record, found, &mut notes);
    record.note = notes.join("; ");
}

/// A sentence about areas that could not be decoded, if there are any.
pub(super) fn unseen(found: &FoundTissue) -> Option<String> {
    let first = found.unseen.first()?;
    let areas = counted(found.unseen.len(), "area", "areas");
    Some(format!("{areas} could not be decoded while looking for tissue, first: {first}"))
}

fn note_texture(record: &mut SlideRecord, found: &FoundTissue, notes: &mut Vec<String>) {
    let Some(texture) = &found.mask.texture else { return };
    record.tissue_differs = Some((texture.differing_share * 1000.0).round() / 1000.0);
    record.tissue_left_out = Some(texture.left_out);
    record.tissue_added = Some(texture.added);
    if texture.is_suspicious() {
        notes.push(doubt(&record.name, found, texture));
    }
}

fn doubt(name: &str, found: &FoundTissue, texture: &TextureCheck) -> String {
    format!(
        "tissue: {} marks {} tiles, texture {}; they differ on {:.0} % of the tiles that either marks ({} left out, {} without texture): look at masks/{name}.png, where what was left out is orange, and if tissue is, try another [tissue] method or a mask for this slide",
        found.options.method,
        found.mask.tissue_tiles,
        texture.mask.iter().filter(|&&tile| tile != 0).count(),
        100.0 * texture.differing_share,
        texture.left_out,
        texture.added,
    )
}

/// A sentence that begins with `no tissue found`, and what can be done about that.
pub(super) fn none_found(name: &str, found: &FoundTissue) -> String {
    let dark = if found.mask.dark > 0.5 {
        format!(
            "; {:.0} % of the slide is dark, as in fluorescence, and has no bright glass to compare stain with",
            100.0 * found.mask.dark
        )
    } else {
        String::new()
    };
    format!(
        "no tissue found ({}{dark}); look at masks/{name}.png, then try another [tissue] method, or method = \"mask\" with an image of your own{}",
        thresholds(found),
        unseen(found).map_or(String::new(), |unseen| format!("; {unseen}")),
    )
}

fn thresholds(found: &FoundTissue) -> String {
    let values: Vec<_> =
        found.mask.thresholds.iter().map(|(name, value)| format!("{name} {value}")).collect();
    match values.as_slice() {
        [] => found.options.method.to_string(),
        values => format!("{}, thresholds: {}", found.options.method, values.join(", ")),
    }
}

/// Reads the user's mask image, `[row, col]`; a folder holds one per slide, `<slide>.png`. Every
/// value but 0 is tissue.
fn read_mask(
    slide: &Path,
    name: &str,
    given: &Path,
    plane: &WorkingPlane,
) -> Result<Array2<u8>, SplitError> {
    let file = if given.is_dir() { given.join(format!("{name}.png")) } else { given.to_owned() };
    let (width, height) = (f64::from(plane.width_px), f64::from(plane.height_px));
    let mask = LabelImage::read(&file).and_then(|image| {
        let (rows, cols) = image.values.dim();
        check_shape(rows, cols, width, height)?;
        Ok(image.nonzero())
    });
    mask.map_err(|problem| SplitError::Mask { path: slide.to_owned(), mask: file, problem })
}

/// Writes the tile mask of a slide that is split already, as `--masks-only` does for other
/// slides.
pub(super) fn write_tiles_of(run: &RunDir, name: &str) -> Result<(), SplitError> {
    let mask = PatchesFile::open(&run.patches(name))?.tissue()?;
    Ok(png::write_mask_tiles(&run.mask_tiles(name), mask.view())?)
}

/// Tiles that the texture check marks, or that were taken for ink, `[row, col]`.
fn left_out(mask: &TissueMask) -> Array2<u8> {
    let mut tiles = mask.ink.clone().unwrap_or_else(|| Array2::zeros(mask.mask.dim()));
    if let Some(texture) = &mask.texture {
        tiles.zip_mut_with(&texture.mask, |tile, &texture| *tile |= texture);
    }
    tiles
}

/// Writes `masks/<slide>.png`: the slide, its tissue, and tiles that were left out in orange.
pub(super) fn write_picture(
    run: &RunDir,
    record: &SlideRecord,
    overview: &Array3<u8>,
    found: &FoundTissue,
    plane: &WorkingPlane,
    plan: &BlockPlan,
) -> Result<(), SplitError> {
    let tiling = plan.tiling();
    let slide = PlaneThumbnail {
        rgb: overview.view(),
        width_px: plane.width_px,
        height_px: plane.height_px,
    };
    let mut title = vec![
        record.name.clone(),
        format!("{}: {} tissue tiles", thresholds(found), found.mask.tissue_tiles),
    ];
    if let Some(texture) = found.mask.texture.as_ref().filter(|texture| texture.is_suspicious()) {
        title.push(format!(
            "LOOK: texture differs on {:.0} % of the tiles; {} were left out (orange)",
            100.0 * texture.differing_share,
            texture.left_out
        ));
    }
    let left_out = left_out(&found.mask);
    let options = MaskPicture {
        textured: Some(left_out.view()),
        title,
        tile_px: tiling.tile_px(),
        block_tiles: Some(tiling.block_tiles()),
        ..MaskPicture::default()
    };
    let picture = render_mask(&slide, found.mask.mask.view(), &options)
        .map_err(|source| SplitError::Render { path: record.path.clone(), source })?;
    Ok(png::write_png(&run.mask_png(&record.name), &picture)?)
}
