//! The files of one slide: `thumb.jpg`, `slide.jpg` and `layers.js`.
//!
//! They are made anew only when what they show has changed: `layers.js` begins
//! with a stamp of it, and what the table needs to know.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ReportError;
use super::layers::Layer;
use super::names::{hex, script_json};
use super::picture::Origin;
use super::slide_parts::{Notes, tissue};
use super::truth_shapes::{self, Shapes};
use crate::config::StudyKeys;
use crate::export::heatmap_h5::{HeatmapMeta, read_heatmap};
use crate::heatmap::Heatmap;
use crate::patches::PatchesFile;
use crate::run_dir::{RunDir, SlideRecord, SlideStatus};
use crate::staged;

/// Changes when the files look different for the same input.
const LAYOUT: &str = "1";

/// Whose files, and from what.
pub(super) struct Subject<'a> {
    pub(super) run: &'a RunDir,
    pub(super) record: &'a SlideRecord,
    /// Where the files go.
    pub(super) folder: PathBuf,
    /// The folder's name.
    pub(super) id: String,
    /// `[study]`: how detections are made, which annotations are lesions.
    pub(super) keys: &'a StudyKeys,
    /// The file of truth.
    pub(super) truth: Option<PathBuf>,
    /// The detections that a study found.
    pub(super) detections: Option<PathBuf>,
}

/// What the files show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Drawn {
    /// Where the picture is from.
    pub(super) origin: Origin,
    /// Largest score.
    pub(super) max: Option<f32>,
    /// Points with a score.
    pub(super) scored: u64,
    /// Detections; `None` without a heatmap.
    pub(super) detections: Option<usize>,
    /// Whether truth is drawn.
    pub(super) has_truth: bool,
    /// What could not be shown as it is, and why.
    pub(super) notes: Vec<String>,
    /// Of these, whether one is about a file that is wrong.
    pub(super) damaged: bool,
}

/// First line of `layers.js`, after the slashes.
#[derive(Serialize, Deserialize)]
struct Stamped {
    stamp: String,
    drawn: Drawn,
}

/// What `layers.js` tells the page.
#[derive(Serialize, Default)]
pub(super) struct Layers {
    /// Level-0 px.
    pub(super) size: Option<[f64; 2]>,
    /// um per level-0 px.
    pub(super) mpp: Option<f64>,
    /// Level-0 px that `slide.jpg` shows.
    pub(super) picture: Option<[f64; 2]>,
    pub(super) heat: Option<Layer>,
    /// 1 = tissue, 2 = tissue without scores, 3 = texture of tissue, left out.
    pub(super) tissue: Option<Layer>,
    /// Score, x, y.
    pub(super) detections: Vec<[f64; 3]>,
    pub(super) truth: Option<Shapes>,
    pub(super) notes: Vec<String>,
}

impl Subject<'_> {
    /// Writes the files unless they are there and nothing has changed.
    pub(super) fn draw(&self) -> Result<Drawn, ReportError> {
        let stamp = self.stamp();
        if let Some(drawn) = self.kept(&stamp) {
            return Ok(drawn);
        }
        let (layers, drawn) = self.make()?;
        let head = script_json(&Stamped { stamp, drawn: drawn.clone() });
        let text = format!(
            "// {head}\nslidegrid.layers({}, {});\n",
            script_json(&self.id),
            script_json(&layers)
        );
        staged::write(&self.folder.join("layers.js"), text.as_bytes())?;
        Ok(drawn)
    }

    fn kept(&self, stamp: &str) -> Option<Drawn> {
        let text = std::fs::read_to_string(self.folder.join("layers.js")).ok()?;
        let head = text.lines().next()?.strip_prefix("// ")?;
        let found: Stamped = serde_json::from_str(head).ok()?;
        let pictures = matches!(found.drawn.origin, Origin::Missing(_))
            || ["slide.jpg", "thumb.jpg"].iter().all(|name| self.folder.join(name).exists());
        (found.stamp == stamp && pictures).then_some(found.drawn)
    }

    /// Hash of the sizes and times of all that is shown.
    fn stamp(&self) -> String {
        let name = &self.record.name;
        let mut hash = Sha256::new();
        let mut add = |text: &str| hash.update([text.as_bytes(), b"\n"].concat());
        add(LAYOUT);
        add(crate::version::WRITER);
        add(&serde_json::to_string(self.keys).expect("keys are plain data"));
        add(&serde_json::to_string(self.record).expect("a record is plain data"));
        let (patches, heatmap) = (self.run.patches(name), self.run.heatmap(name, "h5"));
        let files = [Some(&patches), Some(&heatmap), Some(&self.record.path)];
        let files = files.into_iter().chain([self.truth.as_ref(), self.detections.as_ref()]);
        for path in files {
            add(&path.map_or(String::new(), |path| state_of(path)));
        }
        hex(&hash.finalize())
    }

    fn make(&self) -> Result<(Layers, Drawn), ReportError> {
        let name = &self.record.name;
        let mut notes = Notes::default();
        let patches = notes.of(&self.run.patches(name), PatchesFile::open);
        let heatmap = notes.of(&self.run.heatmap(name, "h5"), read_heatmap);
        let mut layers =
            Layers { size: self.size_px(patches.as_ref(), heatmap.as_ref()), ..Layers::default() };
        let mut drawn = Drawn {
            origin: Origin::Missing("not split yet".into()),
            max: None,
            scored: 0,
            detections: None,
            has_truth: false,
            notes: Vec::new(),
            damaged: false,
        };
        layers.mpp = self.record.mpp;
        let heatmap = heatmap.map(|(meta, score)| {
            let map = Heatmap { score, stride_px: meta.stride_px };
            layers.mpp = meta.mpp_x.map(|mpp| mpp / meta.downsample).or(layers.mpp);
            (meta, map)
        });
        if let Some((meta, map)) = &heatmap {
            self.add_heatmap(meta, map, &mut layers, &mut drawn, &mut notes);
        }
        if let Some(patches) = &patches {
            layers.tissue = tissue(patches, heatmap.as_ref().map(|(_, map)| map), &mut notes);
        }
        if let (Some(path), Some(size_px)) = (&self.truth, layers.size) {
            let groups = self.keys.groups();
            layers.truth = notes.taken(truth_shapes::read(path, &groups, size_px));
            drawn.has_truth = layers.truth.is_some();
        }
        if self.record.status != SlideStatus::Waiting {
            let map = heatmap.as_ref().map(|(_, map)| map);
            drawn.origin = self.write_pictures(patches.as_ref(), map, &mut layers, &mut notes)?;
        }
        layers.notes.clone_from(&notes.lines);
        (drawn.notes, drawn.damaged) = (notes.lines, notes.damaged);
        Ok((layers, drawn))
    }

    /// Level-0 width and height.
    fn size_px(
        &self,
        patches: Option<&PatchesFile>,
        heatmap: Option<&(HeatmapMeta, ndarray::Array2<f32>)>,
    ) -> Option<[f64; 2]> {
        let of_heatmap = heatmap.map(|(meta, _)| (meta.level0_width_px, meta.level0_height_px));
        let of_patches = patches.map(PatchesFile::meta);
        let of_patches = of_patches.map(|meta| (meta.level0_width_px, meta.level0_height_px));
        let of_record = self.record.level0_width.zip(self.record.level0_height);
        let (width, height) = of_heatmap.or(of_patches).or(of_record)?;
        Some([f64::from(width), f64::from(height)])
    }
}

/// Size and time of a file, or that it is not there.
fn state_of(path: &Path) -> String {
    std::fs::metadata(path).map_or("absent".into(), |file| {
        format!("{} {}.{:09}", file.len(), file.mtime(), file.mtime_nsec())
    })
}
