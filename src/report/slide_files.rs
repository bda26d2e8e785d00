//! The files of one slide in the report: `thumb.jpg`, `slide.jpg` and `layers.js`.
//!
//! The files are written again only if their inputs have changed. `layers.js` begins with
//! a stamp of the inputs and with the facts that the table of slides needs.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ReportError;
use super::names::{hex, script_json};
use super::picture::Origin;
use super::slide_content::{DrawnSummary, SlideFiles, SlideLayers};
use super::slide_parts::{Notes, tissue};
use super::truth_shapes;
use crate::damage::{self, Watched};
use crate::hdf5_file::FormatError;
use crate::heatmap::Heatmap;
use crate::heatmap_h5::{HeatmapMeta, read_heatmap};
use crate::patches::PatchesFile;
use crate::run_dir::SlideStatus;
use crate::staged;

/// Version of the files' layout. Change it when the same inputs give different files.
const LAYOUT: &str = "1";

/// Content of the first line of `layers.js`, which is a comment.
#[derive(Serialize, Deserialize)]
struct Stamped {
    stamp: String,
    drawn: DrawnSummary,
}

impl SlideFiles<'_> {
    /// Writes the files, unless they exist and their inputs have not changed.
    pub(super) fn update(&self) -> Result<DrawnSummary, ReportError> {
        let stamp = self.stamp();
        if let Some(drawn) = self.up_to_date(&stamp) {
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

    /// The summary of the existing files, if they are complete and carry this stamp.
    fn up_to_date(&self, stamp: &str) -> Option<DrawnSummary> {
        let text = std::fs::read_to_string(self.folder.join("layers.js")).ok()?;
        let head = text.lines().next()?.strip_prefix("// ")?;
        let found: Stamped = serde_json::from_str(head).ok()?;
        let pictures = matches!(found.drawn.origin, Origin::Missing(_))
            || ["slide.jpg", "thumb.jpg"].iter().all(|name| self.folder.join(name).exists());
        (found.stamp == stamp && pictures && !self.may_pass(&found.drawn)).then_some(found.drawn)
    }

    /// Whether the files show a failure that may be over by now, such as a file that could not
    /// be read. A slide that could not be split is known to be so.
    fn may_pass(&self, drawn: &DrawnSummary) -> bool {
        let is_split = !matches!(self.record.status, SlideStatus::Waiting | SlideStatus::Failed);
        drawn.damaged || (is_split && matches!(drawn.origin, Origin::Missing(_)))
    }

    /// Hash of everything that the files depend on: the settings, the slide's row of
    /// `slides.csv`, and the size and times of each input file.
    fn stamp(&self) -> String {
        let name = &self.record.name;
        let mut hash = Sha256::new();
        let mut add = |text: &str| hash.update([text.as_bytes(), b"\n"].concat());
        add(LAYOUT);
        add(crate::version::WRITER);
        add(&serde_json::to_string(self.keys).expect("keys are plain data"));
        add(&serde_json::to_string(&self.origin).expect("an origin is plain data"));
        add(&serde_json::to_string(self.record).expect("a record is plain data"));
        let (patches, heatmap) = (self.run.patches(name), self.run.heatmap(name, "h5"));
        let files = [Some(&patches), Some(&heatmap), Some(&self.record.path)];
        let files = files.into_iter().chain([self.truth.as_ref(), self.detections.as_ref()]);
        for path in files {
            add(&path.map_or(String::new(), |path| state_of(path)));
        }
        hex(&hash.finalize())
    }

    fn make(&self) -> Result<(SlideLayers, DrawnSummary), ReportError> {
        let name = &self.record.name;
        let mut notes = Notes::default();
        let watched = Watched::patches(self.run, name);
        let patches = notes.read_if_present(&self.run.patches(name), |_| {
            damage::reading(&watched, "report", |path| {
                let patches = PatchesFile::open(path)?;
                patches.check_slide(name).map(|()| patches)
            })
        });
        let path = self.run.heatmap(name, "h5");
        let watched = Watched::new(&path, "stitch");
        let heatmap =
            notes.read_if_present(&path, |_| damage::reading(&watched, "report", read_named));
        let size = self.size_px(patches.as_ref(), heatmap.as_ref().map(|(meta, _)| meta));
        let mut layers = SlideLayers { size, ..SlideLayers::default() };
        let mut drawn = DrawnSummary {
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
            let start_px = self.origin.start_px(self.record.bounds_px());
            if let Some(truth) =
                notes.ok_or_note(truth_shapes::read(path, &groups, size_px, start_px))
            {
                notes.lines.extend(truth.notes);
                layers.truth = Some(truth.shapes);
            }
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

    /// Width and height of the slide, level-0 px.
    fn size_px(
        &self,
        patches: Option<&PatchesFile>,
        heatmap: Option<&HeatmapMeta>,
    ) -> Option<[f64; 2]> {
        let from_heatmap = heatmap.map(|meta| (meta.level0_width_px, meta.level0_height_px));
        let from_patches = patches.map(PatchesFile::meta);
        let from_patches = from_patches.map(|meta| (meta.level0_width_px, meta.level0_height_px));
        let from_record = self.record.level0_width.zip(self.record.level0_height);
        let (width, height) = from_heatmap.or(from_patches).or(from_record)?;
        Some([f64::from(width), f64::from(height)])
    }
}

/// Size of a file, and the times when its content and its permissions last changed, or the
/// system's error.
fn state_of(path: &Path) -> String {
    std::fs::metadata(path).map_or_else(
        |error| error.to_string(),
        |file| {
            let (written, changed) = (file.mtime_nsec(), file.ctime_nsec());
            let (written_s, changed_s) = (file.mtime(), file.ctime());
            format!("{} {written_s}.{written:09} {changed_s}.{changed:09}", file.len())
        },
    )
}

/// Reads a heatmap, which must be that of the slide after which its file is named.
fn read_named(path: &Path) -> Result<(HeatmapMeta, Array2<f32>), FormatError> {
    let (meta, score) = read_heatmap(path)?;
    meta.check_named(path).map(|()| (meta, score))
}
