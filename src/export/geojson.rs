//! Writes `<slide>.geojson.gz`, objects that QuPath imports. The objects are written one
//! by one, so memory does not grow with their number.
//!
//! The form is that of QuPath's reader of path objects: `objectType` is inside
//! `properties`, ids are UUIDs, measurements are an object of numbers, and polygons are
//! closed rings in level-0 px, counted from the corner of the slide's bounds unless the
//! configuration says otherwise. Each id is derived from slide, kind, row and column.
//! The file is therefore the same when it is made again, and QuPath recognises the
//! objects.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use ndarray::ArrayView2;
use sha2::{Digest, Sha256};

use super::error::{ExportError, write_error};
use super::slide_lattice::SlideLattice;
use super::{GeoJsonObjects, GeoJsonRules};
use crate::heatmap::render::colour_of;
use crate::heatmap_h5::HeatmapMeta;
use crate::metrics::detect::{PeakRules, detect_peaks};
use crate::staged::StagedStream;

/// Colour of the class in QuPath's lists.
const CLASS_COLOUR: [u8; 3] = [200, 0, 0];

/// Writes the heatmap `score` `[row, col]`, NaN where not scored, as tiles or detections.
pub(super) fn write(
    target: &Path,
    meta: &HeatmapMeta,
    score: ArrayView2<'_, f32>,
    rules: &GeoJsonRules,
) -> Result<(), ExportError> {
    let lattice = SlideLattice::new(meta);
    let detections = match rules.objects {
        GeoJsonObjects::Tiles => None,
        GeoJsonObjects::Detections => Some(peaks(&meta.slide, &lattice, score, rules)?),
    };
    // `Features` writes small pieces; the buffer collects them for the encoder.
    let packed = GzEncoder::new(StagedStream::new(target)?, Compression::new(4));
    let start_px = rules.origin.start_px(meta.lineage.bounds_px);
    let mut out = Features::new(BufWriter::new(packed), meta, &lattice, start_px);
    let written = match detections {
        None => out.write_tiles(score, rules.min_score),
        Some(peaks) => out.write_detections(score, &peaks),
    };
    let stream = written.and_then(|()| out.finish()).map_err(write_error(target))?;
    Ok(stream.commit()?)
}

/// `[row, col]` of the maxima that non-maximum suppression leaves, by falling score.
fn peaks(
    slide: &str,
    lattice: &SlideLattice,
    score: ArrayView2<'_, f32>,
    rules: &GeoJsonRules,
) -> Result<Vec<[usize; 2]>, ExportError> {
    let [pitch_um, _] = lattice.pitch_um().ok_or(ExportError::NoResolution {
        slide: slide.to_owned(),
        what: "detections are kept apart by micrometres",
    })?;
    let rules = PeakRules {
        threshold: rules.min_score,
        radius: PeakRules::points_of(rules.nms_radius_um, pitch_um),
        form: rules.nms_form,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "lattice indices")]
    let index = |position: f64| position as usize;
    Ok(detect_peaks(score, &rules).iter().map(|peak| [index(peak.y), index(peak.x)]).collect())
}

/// Writer of a feature collection.
struct Features<'a, W: Write> {
    out: W,
    meta: &'a HeatmapMeta,
    lattice: &'a SlideLattice,
    /// Where the file's coordinates begin, x and y, level-0 px.
    start_px: [f64; 2],
    /// Name of the positive class, as a JSON string.
    class: String,
    /// Name of its score, as a JSON string.
    measurement: String,
    /// Features written so far.
    count: usize,
}

impl Features<'_, BufWriter<GzEncoder<StagedStream>>> {
    fn finish(mut self) -> io::Result<StagedStream> {
        if self.count == 0 {
            self.start()?;
        }
        self.out.write_all(b"\n]}\n")?;
        let packed = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        packed.finish()
    }
}

impl<'a, W: Write> Features<'a, W> {
    fn new(out: W, meta: &'a HeatmapMeta, lattice: &'a SlideLattice, start_px: [f64; 2]) -> Self {
        let class = &meta.classes[meta.positive as usize];
        let json = |text: &str| serde_json::to_string(text).expect("a text is JSON");
        let (class, measurement) = (json(class), json(&super::notation::probability_name(class)));
        Self { out, meta, lattice, start_px, class, measurement, count: 0 }
    }

    fn start(&mut self) -> io::Result<()> {
        self.out.write_all(b"{\"type\":\"FeatureCollection\",\"features\":[")
    }

    fn write_tiles(&mut self, score: ArrayView2<'_, f32>, min_score: f32) -> io::Result<()> {
        for ((row, col), &value) in score.indexed_iter() {
            if value >= min_score {
                self.put("tile", [row, col], self.lattice.pitch_px, value)?;
            }
        }
        Ok(())
    }

    fn write_detections(
        &mut self,
        score: ArrayView2<'_, f32>,
        peaks: &[[usize; 2]],
    ) -> io::Result<()> {
        for &point in peaks {
            self.put("detection", point, self.lattice.window_px, score[point])?;
        }
        Ok(())
    }

    /// Writes a square of side `side_px`, level-0 px, centred on the lattice point `point`,
    /// `[row, col]`.
    fn put(&mut self, kind: &str, point: [usize; 2], side_px: f64, score: f32) -> io::Result<()> {
        if self.count == 0 {
            self.start()?;
        }
        let [row, col] = point;
        let comma = if self.count == 0 { "" } else { "," };
        let [left, top, right, bottom] = self.lattice.square(row, col, side_px);
        let [x, y] = self.start_px;
        let [x0, y0, x1, y1] =
            [left - x, top - y, right - x, bottom - y].map(super::notation::round_thousandth);
        let id = id(&self.meta.slide, kind, row, col);
        let [r, g, b] = colour_of(score);
        let [class_r, class_g, class_b] = CLASS_COLOUR;
        let (class, measurement) = (&self.class, &self.measurement);
        self.count += 1;
        write!(
            self.out,
            "{comma}\n{{\"type\":\"Feature\",\"id\":\"{id}\",\"geometry\":{{\"type\":\"Polygon\",\"coordinates\":[[[{x1},{y0}],[{x1},{y1}],[{x0},{y1}],[{x0},{y0}],[{x1},{y0}]]]}},\"properties\":{{\"objectType\":\"{kind}\",\"color\":[{r},{g},{b}],\"classification\":{{\"name\":{class},\"color\":[{class_r},{class_g},{class_b}]}},\"measurements\":{{{measurement}:{score}}}}}}}"
        )
    }
}

/// The id of an object: a UUID of version 8 (RFC 9562), whose free bits are a hash.
fn id(slide: &str, kind: &str, row: usize, col: usize) -> String {
    let digest = Sha256::digest(format!("{slide}\n{kind}\n{row}\n{col}"));
    let mut bytes: [u8; 16] = digest[..16].try_into().expect("a digest has 32 bytes");
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_derived_from_slide_kind_row_and_column() {
        let one = id("a", "tile", 1, 12);
        assert_eq!(one, id("a", "tile", 1, 12));
        let others = [id("b", "tile", 1, 12), id("a", "tile", 11, 2), id("a", "detection", 1, 12)];
        assert!(others.iter().all(|other| *other != one));
        let parts: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(&one[14..15], "8");
        assert!("89ab".contains(&one[19..20]));
    }
}
