//! Detections: the points of a heatmap that are called lesions, with their scores.
#![expect(clippy::cast_possible_truncation, reason = "lattice indices fit u32, as Mask demands")]

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::label::{Connectivity, Labels};
use super::mask::{Mask, PixelRun};
use super::region::RegionShape;

/// A point that is called a lesion, in the caller's coordinates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// Confidence, usually 0 to 1.
    pub score: f64,
    /// Position along a row, to the right.
    pub x: f64,
    /// Position along a column, downwards.
    pub y: f64,
}

/// How the score of a region is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegionScore {
    /// Mean of the region's scores.
    #[default]
    Mean,
    /// Largest of the region's scores.
    Max,
    /// Sum of the region's scores.
    Sum,
}

/// The point that stands for a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegionPoint {
    /// The mean of the region's points, which may lie outside a hollow region.
    #[default]
    Centroid,
    /// The point with the region's largest score, the first in reading order.
    Peak,
}

/// How regions become detections (Wang et al. 2016).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegionRules {
    /// Points with a score above this are part of a region.
    pub threshold: f32,
    /// Regions of fewer points are dropped.
    pub min_points: usize,
    /// Score of a detection.
    pub score: RegionScore,
    /// Place of a detection.
    pub point: RegionPoint,
}

/// One detection for each 8-connected region of points above a threshold, in reading order.
///
/// `heatmap` is `[row, col]`, NaN where not scored. The x of a detection is a column, the y a
/// row.
pub fn detect_regions(heatmap: ArrayView2<'_, f32>, rules: &RegionRules) -> Vec<Detection> {
    let mask = Mask::from_image(heatmap, |&score| score > rules.threshold);
    let regions = Labels::find(&mask, Connectivity::Eight).regions();
    let large = regions.iter().filter(|runs| points(runs) >= rules.min_points.max(1));
    large.map(|runs| region_detection(heatmap, runs, rules)).collect()
}

fn points(runs: &[PixelRun]) -> usize {
    runs.iter().map(PixelRun::len).sum()
}

fn region_detection(
    heatmap: ArrayView2<'_, f32>,
    runs: &[PixelRun],
    rules: &RegionRules,
) -> Detection {
    let RegionScores { sum, max, peak, .. } = RegionScores::collect(heatmap, runs);
    let score = match rules.score {
        RegionScore::Mean => sum / points(runs) as f64,
        RegionScore::Max => max,
        RegionScore::Sum => sum,
    };
    let [row, col] = match rules.point {
        RegionPoint::Centroid => RegionShape::measure(runs).centroid,
        RegionPoint::Peak => peak.map(f64::from),
    };
    Detection { score, x: col, y: row }
}

/// Statistics of a region's scores.
pub(super) struct RegionScores {
    pub(super) sum: f64,
    pub(super) max: f64,
    pub(super) min: f64,
    /// Row and column of the largest score, the first in reading order.
    pub(super) peak: [u32; 2],
}

impl RegionScores {
    pub(super) fn collect(heatmap: ArrayView2<'_, f32>, runs: &[PixelRun]) -> Self {
        let (mut sum, mut max, mut min) = (0.0, f64::NEG_INFINITY, f64::INFINITY);
        let mut peak = [0; 2];
        for run in runs {
            for col in run.start..run.end {
                let score = f64::from(heatmap[[run.row as usize, col as usize]]);
                sum += score;
                min = min.min(score);
                if score > max {
                    (max, peak) = (score, [run.row, col]);
                }
            }
        }
        Self { sum, max, min, peak }
    }
}

/// The neighbourhood of a detection, in which no other point can be a detection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Neighbourhood {
    /// Rows and columns `[-r, +r)` around the detection (Liu et al. 2017, NCRF, MONAI).
    #[default]
    Square,
    /// Points at a distance below r.
    Disc,
}

/// How local maxima become detections.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeakRules {
    /// Points with a score above this can be detections.
    pub threshold: f32,
    /// Radius r of the neighbourhood, in points.
    pub radius: usize,
    /// Shape of the neighbourhood.
    pub form: Neighbourhood,
}

impl PeakRules {
    /// The radius `radius_um` as a rounded number of points that are `pitch_um` apart.
    #[expect(clippy::cast_sign_loss, reason = "rounded and clamped")]
    pub fn points_of(radius_um: f64, pitch_um: f64) -> usize {
        (radius_um / pitch_um).round().clamp(0.0, f64::from(u32::MAX)) as usize
    }
}

/// Detections by non-maximum suppression, in order of falling score.
///
/// The largest point becomes a detection and its neighbourhood is excluded; this repeats while
/// a point above the threshold is left. Of equal points, the first in reading order is taken.
/// `heatmap` is like that of [`detect_regions`].
pub fn detect_peaks(heatmap: ArrayView2<'_, f32>, rules: &PeakRules) -> Vec<Detection> {
    let (rows, cols) = heatmap.dim();
    let mut open: Vec<(f32, u32, u32)> = heatmap
        .indexed_iter()
        .filter(|&(_, &score)| score > rules.threshold)
        .map(|((row, col), &score)| (score, row as u32, col as u32))
        .collect();
    // The sort is stable and keeps reading order among equal scores.
    open.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut suppressed = ndarray::Array2::from_elem((rows, cols), false);
    let r = rules.radius;
    let mut found = Vec::new();
    for (score, row, col) in open {
        let (row, col) = (row as usize, col as usize);
        if suppressed[[row, col]] {
            continue;
        }
        found.push(Detection { score: f64::from(score), x: col as f64, y: row as f64 });
        for y in row.saturating_sub(r)..(row + r).max(row + 1).min(rows) {
            for x in col.saturating_sub(r)..(col + r).max(col + 1).min(cols) {
                let (dy, dx) = (y.abs_diff(row), x.abs_diff(col));
                let inside = rules.form == Neighbourhood::Square || dy * dy + dx * dx < r * r;
                suppressed[[y, x]] |= inside;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, arr2};
    use proptest::prelude::*;

    /// The loop of the papers: finds the maximum of the map until none is left.
    fn by_maxima(mut heatmap: Array2<f32>, rules: &PeakRules) -> Vec<Detection> {
        let mut found = Vec::new();
        loop {
            let largest = heatmap.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            if largest <= rules.threshold {
                return found;
            }
            let (row, col) = heatmap.indexed_iter().find(|&(_, &v)| v == largest).unwrap().0;
            found.push(Detection { score: largest.into(), x: col as f64, y: row as f64 });
            for ((r, c), value) in heatmap.indexed_iter_mut() {
                let radius = rules.radius as isize;
                let (dy, dx) = (r as isize - row as isize, c as isize - col as isize);
                let near = match rules.form {
                    Neighbourhood::Square => {
                        (-radius..radius).contains(&dy) && (-radius..radius).contains(&dx)
                    }
                    Neighbourhood::Disc => dy * dy + dx * dx < radius * radius,
                };
                if near || (dy == 0 && dx == 0) {
                    *value = 0.0;
                }
            }
        }
    }

    fn heatmaps() -> impl Strategy<Value = Array2<f32>> {
        (1_usize..18, 1_usize..18).prop_flat_map(|(rows, cols)| {
            proptest::collection::vec(0_u8..24, rows * cols).prop_map(move |values| {
                let values = values.into_iter().map(|v| f32::from(v) / 16.0 - 0.4).collect();
                Array2::from_shape_vec((rows, cols), values).unwrap()
            })
        })
    }

    proptest! {
        #[test]
        fn suppression_equals_the_loop_over_maxima(
            heatmap in heatmaps(), radius in 0_usize..6, disc in any::<bool>(),
        ) {
            let form = if disc { Neighbourhood::Disc } else { Neighbourhood::Square };
            let rules = PeakRules { threshold: 0.5, radius, form };
            prop_assert_eq!(detect_peaks(heatmap.view(), &rules), by_maxima(heatmap.clone(), &rules));
        }

        #[test]
        fn every_detection_is_above_the_threshold(heatmap in heatmaps()) {
            let rules = RegionRules { threshold: 0.5, min_points: 1, score: RegionScore::Mean, point: RegionPoint::Peak };
            for detection in detect_regions(heatmap.view(), &rules) {
                prop_assert!(detection.score > 0.5);
                prop_assert!(heatmap[[detection.y as usize, detection.x as usize]] > 0.5);
            }
        }
    }

    #[test]
    fn regions_have_scores_and_places() {
        let nan = f32::NAN;
        let heatmap = arr2(&[[0.95, 0.1, nan, 0.1], [0.1, 1.0, nan, 0.1], [0.1, 0.1, 0.1, 0.96]]);
        let rules = RegionRules {
            threshold: 0.9,
            min_points: 1,
            score: RegionScore::Mean,
            point: RegionPoint::Centroid,
        };
        let found = detect_regions(heatmap.view(), &rules);
        assert_eq!(found.len(), 2);
        assert!((found[0].score - 0.975).abs() < 1e-6);
        assert_eq!((found[0].x, found[0].y), (0.5, 0.5));
        assert_eq!((found[1].x, found[1].y), (3.0, 2.0));
        let peak = RegionRules {
            point: RegionPoint::Peak,
            score: RegionScore::Max,
            min_points: 2,
            ..rules
        };
        assert_eq!(
            detect_regions(heatmap.view(), &peak),
            [Detection { score: 1.0, x: 1.0, y: 1.0 }]
        );
        let sum = RegionRules { score: RegionScore::Sum, ..peak };
        assert!((detect_regions(heatmap.view(), &sum)[0].score - 1.95).abs() < 1e-6);
    }
}
