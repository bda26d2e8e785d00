//! What a slide's files are put together from: heatmap, detections, tissue,
//! pictures.

use std::path::Path;

use super::ReportError;
use super::layers::{Layer, heat_layer, tile_layer};
use super::picture::{self, Origin, Overview};
use super::slide_files::{Drawn, Layers, Subject};
use crate::config::DetectionKey;
use crate::export::heatmap_h5::HeatmapMeta;
use crate::heatmap::{Heatmap, PlaneThumbnail, render_small};
use crate::patches::PatchesFile;
use crate::run_dir::SlideStatus;
use crate::study::detect;
use crate::study::detections_csv::read_detections;

/// Longer side of the table's pictures.
const THUMB_PX: usize = 160;
/// Detections shown, the most certain first.
const MAX_DETECTIONS: usize = 2000;

impl Subject<'_> {
    pub(super) fn add_heatmap(
        &self,
        meta: &HeatmapMeta,
        map: &Heatmap,
        layers: &mut Layers,
        drawn: &mut Drawn,
        notes: &mut Notes,
    ) {
        let pitch_px = f64::from(map.stride_px) * meta.downsample;
        let max = map.score.iter().copied().fold(f32::NAN, f32::max);
        drawn.max = (!max.is_nan()).then_some(max);
        drawn.scored = map.scored() as u64;
        let layer = heat_layer(map.score.view(), pitch_px);
        if layer.reduced > 1 {
            let times = layer.reduced;
            notes.say(format!(
                "of {times} x {times} points of the heatmap, the highest is shown; heatmaps/{}.h5 has them all",
                self.record.name
            ));
        }
        layers.heat = Some(layer);
        layers.detections = self.detections(map, pitch_px, layers.mpp, notes);
        drawn.detections = Some(layers.detections.len());
        if layers.detections.len() > MAX_DETECTIONS {
            notes.say(format!(
                "of {} detections the {MAX_DETECTIONS} most certain are shown",
                layers.detections.len()
            ));
            layers.detections.truncate(MAX_DETECTIONS);
        }
    }

    /// Those of the study, or made by the rules of `[study]`; the most certain
    /// first.
    fn detections(
        &self,
        map: &Heatmap,
        pitch_px: f64,
        mpp: Option<f64>,
        notes: &mut Notes,
    ) -> Vec<[f64; 3]> {
        let stored = self.detections.as_ref().map(|path| read_detections(path));
        let found = match stored.and_then(|read| notes.taken(read)) {
            Some(found) => found,
            None if mpp.is_none() && self.keys.detection == DetectionKey::Nms => {
                notes.say("no detections: the slide's resolution, which their distance is measured by, is unknown".into());
                Vec::new()
            }
            None => {
                let mut found = detect(self.keys, map.score.view(), pitch_px * mpp.unwrap_or(1.0));
                found.iter_mut().for_each(|of| (of.x, of.y) = (of.x * pitch_px, of.y * pitch_px));
                found
            }
        };
        let tenth = |at: f64| (at * 10.0).round() / 10.0;
        let mut rows: Vec<[f64; 3]> =
            found.iter().map(|of| [of.score, tenth(of.x), tenth(of.y)]).collect();
        rows.sort_by(|a, b| b[0].total_cmp(&a[0]));
        rows
    }

    pub(super) fn write_pictures(
        &self,
        patches: Option<&PatchesFile>,
        map: Option<&Heatmap>,
        layers: &mut Layers,
        notes: &mut Notes,
    ) -> Result<Origin, ReportError> {
        let Overview { rgb, extent_px, origin } =
            match picture::overview(patches, &self.record.path) {
                Ok(overview) => overview,
                Err(why) => {
                    // What failed has said why.
                    if self.record.status != SlideStatus::Failed {
                        notes.say(format!("no picture of the slide: {why}"));
                    }
                    return Ok(Origin::Missing(why));
                }
            };
        layers.size = layers.size.or(Some(extent_px));
        picture::write_jpeg(&self.folder.join("slide.jpg"), rgb.view())?;
        layers.picture = Some(extent_px);
        let plane = patches.map(PatchesFile::meta).map(|meta| (meta.width_px, meta.height_px));
        let plane = plane.unwrap_or_else(|| self.plane_px(rgb.dim()));
        let slide = PlaneThumbnail { rgb: rgb.view(), width_px: plane.0, height_px: plane.1 };
        // A heatmap of another size is told by `status`; the slide still shows.
        let small =
            render_small(&slide, map, THUMB_PX).or_else(|_| render_small(&slide, None, THUMB_PX));
        match small {
            Ok(small) => picture::write_small(&self.folder.join("thumb.jpg"), &small)?,
            Err(error) => notes.say(error.to_string()),
        }
        Ok(origin)
    }

    /// The working plane, px; the picture's own size where it is unknown.
    fn plane_px(&self, (rows, cols, _): (usize, usize, usize)) -> (u32, u32) {
        let side = |px: usize| u32::try_from(px).unwrap_or(u32::MAX);
        self.record.width.zip(self.record.height).unwrap_or((side(cols), side(rows)))
    }
}

/// Tissue (1), where it has no scores although there is a heatmap (2), and what has the
/// texture of tissue and was left out (3).
pub(super) fn tissue(
    patches: &PatchesFile,
    map: Option<&Heatmap>,
    notes: &mut Notes,
) -> Option<Layer> {
    let meta = patches.meta();
    let mut tiles = notes.taken(patches.tissue())?;
    tiles.mapv_inplace(|tile| u8::from(tile != 0));
    if let Some(map) = map {
        tiles += &map.missing_tiles(tiles.view(), meta.tile_px).mapv(|tile| u8::from(tile != 0));
    }
    if let Some(texture) = notes.taken(patches.texture())? {
        tiles.zip_mut_with(&texture, |tile, &textured| {
            if *tile == 0 && textured != 0 {
                *tile = 3;
            }
        });
    }
    Some(tile_layer(tiles.view(), f64::from(meta.tile_px) * meta.downsample))
}

/// What the reader of the page has to know.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) lines: Vec<String>,
    pub(super) damaged: bool,
}

impl Notes {
    fn say(&mut self, line: String) {
        self.lines.push(line);
    }

    /// The result, or nothing and a line about it.
    pub(super) fn taken<T, E: std::fmt::Display>(&mut self, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| (self.say(error.to_string()), self.damaged = true)).ok()
    }

    /// What a file holds, if it is there.
    pub(super) fn of<T, E: std::fmt::Display>(
        &mut self,
        path: &Path,
        read: impl FnOnce(&Path) -> Result<T, E>,
    ) -> Option<T> {
        if path.exists() { self.taken(read(path)) } else { None }
    }
}
