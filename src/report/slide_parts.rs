//! The parts of a slide's files in the report: heatmap, detections, tissue, pictures.

use std::path::Path;

use super::ReportError;
use super::layers::{GridLayer, heat_layer, tile_layer};
use super::picture::{self, Origin, SlidePicture};
use super::slide_content::{DrawnSummary, SlideFiles, SlideLayers};
use crate::config::DetectionKey;
use crate::heatmap::{Heatmap, PlaneThumbnail, render_small};
use crate::heatmap_h5::HeatmapMeta;
use crate::patches::PatchesFile;
use crate::run_dir::SlideStatus;
use crate::staged;
use crate::study::detect;
use crate::study::detections_csv::read_detections;

/// Longer side of the pictures in the table of slides, px.
const THUMB_PX: usize = 160;
/// Largest number of detections shown; those with the highest scores are kept.
const MAX_DETECTIONS: usize = 2000;

impl SlideFiles<'_> {
    pub(super) fn add_heatmap(
        &self,
        meta: &HeatmapMeta,
        map: &Heatmap,
        layers: &mut SlideLayers,
        drawn: &mut DrawnSummary,
        notes: &mut Notes,
    ) {
        let pitch_px = f64::from(map.stride_px) * meta.downsample;
        let max = map.score.iter().copied().fold(f32::NAN, f32::max);
        drawn.max = (!max.is_nan()).then_some(max);
        drawn.scored = map.scored() as u64;
        let layer = heat_layer(map.score.view(), pitch_px);
        if layer.reduced > 1 {
            let factor = layer.reduced;
            notes.add(format!(
                "each cell shows the highest of {factor} x {factor} points; heatmaps/{}.h5 holds all points",
                self.record.name
            ));
        }
        layers.heat = Some(layer);
        layers.detections = self.detections(map, pitch_px, layers.mpp, notes);
        drawn.detections = Some(layers.detections.len());
        if layers.detections.len() > MAX_DETECTIONS {
            notes.add(format!(
                "only the {MAX_DETECTIONS} highest-scoring of {} detections are shown",
                layers.detections.len()
            ));
            layers.detections.truncate(MAX_DETECTIONS);
        }
    }

    /// The detections that the study stored, or else those that the rules of `[study]` give;
    /// each is `[score, x, y]` in level-0 px, the highest score first.
    fn detections(
        &self,
        map: &Heatmap,
        pitch_px: f64,
        mpp: Option<f64>,
        notes: &mut Notes,
    ) -> Vec<[f64; 3]> {
        let stored = self.detections.as_ref().map(|path| read_detections(path));
        let found = match stored.and_then(|read| notes.ok_or_note(read)) {
            Some(found) => found,
            None if mpp.is_none() && self.keys.detection == DetectionKey::Nms => {
                notes.add("no detections: the distance between detections is given in um, and the slide's resolution is unknown".into());
                Vec::new()
            }
            None => {
                let mut found = detect(self.keys, map.score.view(), pitch_px * mpp.unwrap_or(1.0));
                found.iter_mut().for_each(|d| (d.x, d.y) = (d.x * pitch_px, d.y * pitch_px));
                found
            }
        };
        let tenth = |at: f64| (at * 10.0).round() / 10.0;
        let mut rows: Vec<[f64; 3]> =
            found.iter().map(|d| [d.score, tenth(d.x), tenth(d.y)]).collect();
        rows.sort_by(|a, b| b[0].total_cmp(&a[0]));
        rows
    }

    pub(super) fn write_pictures(
        &self,
        patches: Option<&PatchesFile>,
        map: Option<&Heatmap>,
        layers: &mut SlideLayers,
        notes: &mut Notes,
    ) -> Result<Origin, ReportError> {
        let SlidePicture { rgb, extent_px, origin } =
            match picture::overview(patches, &self.record.path) {
                Ok(overview) => overview,
                Err(why) => {
                    // The failure itself is already shown as the reason for the slide's state.
                    if self.record.status != SlideStatus::Failed {
                        notes.add(format!("no picture of the slide: {why}"));
                    }
                    return Ok(Origin::Missing(why));
                }
            };
        layers.size = layers.size.or(Some(extent_px));
        picture::write_jpeg(&self.folder.join("slide.jpg"), rgb.view())?;
        layers.picture = Some(extent_px);
        let plane = patches.map(PatchesFile::meta).map(|meta| (meta.width_px, meta.height_px));
        let plane = plane.unwrap_or_else(|| {
            let (rows, cols, _) = rgb.dim();
            self.plane_px(rows, cols)
        });
        let slide = PlaneThumbnail { rgb: rgb.view(), width_px: plane.0, height_px: plane.1 };
        // `status` reports a heatmap of the wrong size; here the slide is shown without it.
        let small =
            render_small(&slide, map, THUMB_PX).or_else(|_| render_small(&slide, None, THUMB_PX));
        match small {
            Ok(small) => picture::write_small(&self.folder.join("thumb.jpg"), &small)?,
            Err(error) => notes.add(error.to_string()),
        }
        Ok(origin)
    }

    /// Width and height of the working plane, px; those of a picture of so many rows and
    /// columns if they are unknown.
    fn plane_px(&self, rows: usize, cols: usize) -> (u32, u32) {
        let side =
            |px: usize| u32::try_from(px).expect("a picture has fewer than 2^32 rows and columns");
        self.record.width.zip(self.record.height).unwrap_or((side(cols), side(rows)))
    }
}

/// One value per tile: 0 for no tissue, 1 for tissue, 2 for tissue without scores in the
/// heatmap, 3 for a tile that has the texture of tissue but is not in the tissue mask.
pub(super) fn tissue(
    patches: &PatchesFile,
    map: Option<&Heatmap>,
    notes: &mut Notes,
) -> Option<GridLayer> {
    let meta = patches.meta();
    let mut tiles = notes.ok_or_note(patches.tissue())?;
    tiles.mapv_inplace(|tile| u8::from(tile != 0));
    if let Some(map) = map {
        tiles += &map.missing_tiles(tiles.view(), meta.tile_px).mapv(|tile| u8::from(tile != 0));
    }
    if let Some(texture) = notes.ok_or_note(patches.texture())? {
        tiles.zip_mut_with(&texture, |tile, &textured| {
            if *tile == 0 && textured != 0 {
                *tile = 3;
            }
        });
    }
    Some(tile_layer(tiles.view(), f64::from(meta.tile_px) * meta.downsample))
}

/// Notes on a slide for the reader of the page.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) lines: Vec<String>,
    pub(super) damaged: bool,
}

impl Notes {
    fn add(&mut self, line: String) {
        self.lines.push(line);
    }

    /// The value of a result; an error becomes a note, and marks the slide as damaged.
    pub(super) fn ok_or_note<T, E: std::fmt::Display>(
        &mut self,
        result: Result<T, E>,
    ) -> Option<T> {
        result.map_err(|error| (self.add(error.to_string()), self.damaged = true)).ok()
    }

    /// Reads a file if it exists; an error becomes a note.
    pub(super) fn read_if_present<T, E: std::fmt::Display>(
        &mut self,
        path: &Path,
        read: impl FnOnce(&Path) -> Result<T, E>,
    ) -> Option<T> {
        match self.ok_or_note(staged::is_there(path))? {
            true => self.ok_or_note(read(path)),
            false => None,
        }
    }
}
