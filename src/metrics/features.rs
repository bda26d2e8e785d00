//! The 30 features by which a slide's heatmap is classified.
//!
//! The features are those of the paper's pipeline (its `Parameter_Extraction_For_Random_Forest`
//! script), with the same names in the same order: shares of the tissue above five thresholds,
//! and measures of the two largest regions above one threshold. They differ where that script
//! depends on data outside the heatmap or on an accident; docs/study.md lists the differences.

use ndarray::ArrayView2;

use super::detect::RegionScores;
use super::label::{Connectivity, Labels};
use super::mask::{Mask, PixelRun};
use super::region::RegionShape;

/// Names of the features, in their order.
pub const NAMES: [&str; 30] = [
    "ratio_cancer_tissue50",
    "ratio_cancer_tissue60",
    "ratio_cancer_tissue70",
    "ratio_cancer_tissue80",
    "ratio_cancer_tissue90",
    "ratio_sum_tissue50",
    "ratio_sum_tissue60",
    "ratio_sum_tissue70",
    "ratio_sum_tissue80",
    "ratio_sum_tissue90",
    "largest_area",
    "eccentricity_largest",
    "extend_largest",
    "area_bbox_largest",
    "major_axis_length_largest",
    "maxprob_largest",
    "minprob_largest",
    "aveprob_largest",
    "aspect_ratio_bbox_largest",
    "solidity_largest",
    "second_largest_area",
    "eccentricity_second_largest",
    "extend_second_largest",
    "area_bbox_second_largest",
    "major_axis_length_second_largest",
    "maxprob_second_largest",
    "minprob_second_largest",
    "aveprob_second_largest",
    "aspect_ratio_bbox_second_largest",
    "solidity_second_largest",
];

/// The five thresholds of the tissue shares.
const SHARES: [f32; 5] = [0.5, 0.6, 0.7, 0.8, 0.9];

/// How the features are computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeatureRules {
    /// Points with a score above this are part of a region; 0.5 to 0.9 in the paper.
    pub threshold: f32,
    /// Whether regions that touch the heatmap's edge are left out, like in the paper's script.
    /// The paper's heatmaps end where the tissue ends. Those of slidegrid end with the slide,
    /// so that a region at the edge is tumor like any other.
    pub clear_border: bool,
    /// Number of tissue points; `None` takes the number of points that have a score.
    pub tissue_points: Option<f64>,
}

impl Default for FeatureRules {
    fn default() -> Self {
        Self { threshold: 0.5, clear_border: false, tissue_points: None }
    }
}

/// The features of a heatmap, in the order of [`NAMES`].
///
/// `heatmap` is `[row, col]`, NaN where not scored. Areas and lengths are in lattice points
/// and therefore depend on the stride. The features of a region that does not exist are 0, and
/// so are all features of a heatmap without scores.
pub fn features(heatmap: ArrayView2<'_, f32>, rules: &FeatureRules) -> [f64; 30] {
    let (counts, sums, scored) = shares(heatmap);
    let tissue = rules.tissue_points.unwrap_or(scored);
    let mut all = [0.0; 30];
    if tissue > 0.0 {
        for i in 0..SHARES.len() {
            all[i] = counts[i] / tissue;
            all[SHARES.len() + i] = sums[i] / tissue;
        }
    }
    let mask = Mask::from_image(heatmap, |&score| score > rules.threshold);
    let mut labels = Labels::find(&mask, Connectivity::Eight);
    if rules.clear_border {
        labels = Labels::find(&labels.without_border_regions(), Connectivity::Eight);
    }
    let regions = labels.regions();
    for (place, runs) in two_largest(&regions).into_iter().enumerate() {
        if let Some(runs) = runs {
            let first = 2 * SHARES.len() + 10 * place;
            all[first..first + 10].copy_from_slice(&region_features(heatmap, runs));
        }
    }
    all
}

/// For each threshold, the number of points above the threshold and the sum of their excess
/// over the threshold; then the number of points that have a score.
fn shares(heatmap: ArrayView2<'_, f32>) -> ([f64; 5], [f64; 5], f64) {
    let (mut counts, mut sums, mut scored) = ([0_usize; 5], [0.0_f64; 5], 0_usize);
    for row in heatmap.rows() {
        // A row has few enough terms to be summed in f32, which is faster.
        let (mut row_counts, mut row_sums, mut row_scored) = ([0_u32; 5], [0.0_f32; 5], 0_u32);
        for &score in row {
            row_scored += u32::from(!score.is_nan());
            if score > SHARES[0] {
                for (i, threshold) in SHARES.into_iter().enumerate() {
                    row_counts[i] += u32::from(score > threshold);
                    row_sums[i] += (score - threshold).max(0.0);
                }
            }
        }
        scored += row_scored as usize;
        for i in 0..SHARES.len() {
            counts[i] += row_counts[i] as usize;
            sums[i] += f64::from(row_sums[i]);
        }
    }
    (counts.map(|count| count as f64), sums, scored as f64)
}

/// The largest region and the largest of the smaller regions; of equal regions, the first.
///
/// Like in the paper's script, a region exactly as large as the largest is never the second.
fn two_largest(regions: &[Vec<PixelRun>]) -> [Option<&Vec<PixelRun>>; 2] {
    let area = |runs: &Vec<PixelRun>| runs.iter().map(PixelRun::len).sum::<usize>();
    let first_largest = |limit: usize| {
        let below = regions.iter().filter(|runs| area(runs) < limit);
        below.fold(None, |best: Option<&Vec<PixelRun>>, runs| match best {
            Some(best) if area(best) >= area(runs) => Some(best),
            _ => Some(runs),
        })
    };
    let largest = first_largest(usize::MAX);
    [largest, largest.and_then(|runs| first_largest(area(runs)))]
}

fn region_features(heatmap: ArrayView2<'_, f32>, runs: &[PixelRun]) -> [f64; 10] {
    let shape = RegionShape::measure(runs);
    let scores = RegionScores::collect(heatmap, runs);
    let (rows, cols) = shape.bbox_sides();
    [
        shape.area as f64,
        shape.eccentricity,
        shape.extent(),
        shape.bbox_area() as f64,
        shape.major_axis_px,
        scores.max,
        scores.min,
        scores.sum / shape.area as f64,
        rows as f64 / cols as f64,
        shape.solidity(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn at(all: &[f64; 30], name: &str) -> f64 {
        all[NAMES.iter().position(|&n| n == name).unwrap()]
    }

    #[test]
    fn shares_are_relative_to_the_scored_points() {
        let mut heatmap = Array2::from_elem((10, 10), 0.25_f32);
        heatmap.row_mut(0).fill(f32::NAN);
        heatmap[[5, 5]] = 0.75;
        let all = features(heatmap.view(), &FeatureRules::default());
        assert_eq!(at(&all, "ratio_cancer_tissue70"), 1.0 / 90.0);
        assert_eq!(at(&all, "ratio_cancer_tissue80"), 0.0);
        assert_eq!(at(&all, "ratio_sum_tissue50"), 0.25 / 90.0);
        let given = FeatureRules { tissue_points: Some(10.0), ..FeatureRules::default() };
        assert_eq!(at(&features(heatmap.view(), &given), "ratio_cancer_tissue50"), 0.1);
        let nothing = Array2::from_elem((3, 3), f32::NAN);
        assert_eq!(features(nothing.view(), &FeatureRules::default()), [0.0; 30]);
    }

    #[test]
    fn the_two_largest_regions_are_taken_and_edges_can_be_cleared() {
        let mut heatmap = Array2::zeros((20, 20));
        heatmap.slice_mut(ndarray::s![0..2, 0..10]).fill(0.8_f32);
        heatmap.slice_mut(ndarray::s![5..8, 5..9]).fill(0.9);
        heatmap.slice_mut(ndarray::s![12..15, 5..9]).fill(0.95);
        heatmap[[18, 18]] = 0.6;
        let all = features(heatmap.view(), &FeatureRules::default());
        assert_eq!((at(&all, "largest_area"), at(&all, "second_largest_area")), (20.0, 12.0));
        assert_eq!(at(&all, "aspect_ratio_bbox_largest"), 0.2);
        // Of two regions of equal size, the first is the largest and the other is left out.
        let cleared = FeatureRules { clear_border: true, ..FeatureRules::default() };
        let all = features(heatmap.view(), &cleared);
        assert_eq!((at(&all, "largest_area"), at(&all, "second_largest_area")), (12.0, 1.0));
        assert!((at(&all, "maxprob_largest") - 0.9).abs() < 1e-6);
    }
}
