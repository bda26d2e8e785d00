//! Free-response receiver operating characteristic (FROC): sensitivity to lesions against false
//! positives per slide.

use serde::Serialize;

use super::coverage::Coverage;
use super::detect::Detection;
use super::interval::{Interval, percentile_interval, resample_counts};
use super::lesions::Lesions;

/// The numbers of false positives per slide at which the challenge averages the sensitivity.
pub const SCORED_AT: [f64; 6] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0];

/// The hits and false positives among the detections of one slide.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SlideHits {
    /// Scores of detections outside every lesion.
    pub false_positives: Vec<f64>,
    /// For each lesion, the highest score of a detection inside. Like in the official script,
    /// it is 0 for missed lesions and for isolated tumor cells.
    pub lesions: Vec<f64>,
    /// Number of lesions to be found.
    pub to_find: usize,
}

impl SlideHits {
    /// Compares detections, in level-0 px, with the lesions of their slide.
    ///
    /// Several hits of one lesion count once, and hits of isolated tumor cells do not count. A
    /// detection outside the slide is a false positive.
    pub fn count(detections: &[Detection], lesions: &Lesions) -> Self {
        let mut hits = Self {
            false_positives: Vec::new(),
            lesions: vec![0.0; lesions.lesions.len()],
            to_find: lesions.to_find(),
        };
        for detection in detections {
            match lesions.at(detection.x, detection.y) {
                None => hits.false_positives.push(detection.score),
                Some(lesion) if lesions.lesions[lesion - 1].is_itc => {}
                Some(lesion) => {
                    let best = &mut hits.lesions[lesion - 1];
                    *best = best.max(detection.score);
                }
            }
        }
        hits
    }

    /// The same hits, but lesions without any score are missed. Such a lesion can be hit only by
    /// a detection in the margin by which lesions are grown, which did not find it. That
    /// detection is no false positive either, because it lies inside the lesion.
    #[must_use]
    pub fn without_unscored(mut self, coverage: &[Coverage]) -> Self {
        for (best, coverage) in self.lesions.iter_mut().zip(coverage) {
            if coverage.is_unscored() {
                *best = 0.0;
            }
        }
        self
    }
}

/// How the sensitivity between two points of a curve is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// By linear interpolation (NCRF, MONAI).
    #[default]
    #[serde(rename = "interpolate")]
    Linear,
    /// From the best point with no more false positives.
    Step,
}

/// One point of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FrocPoint {
    /// False positives per slide.
    pub false_positives: f64,
    /// Share of lesions that are found, 0 to 1.
    pub sensitivity: f64,
}

/// A FROC curve, from the lowest threshold to (0, 0).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Froc {
    /// The points in order of falling false positives.
    pub points: Vec<FrocPoint>,
    /// Whether the smallest score, which is dropped, belongs to a detection.
    ///
    /// The official script drops the smallest score, which is meant to be the 0 of a missed
    /// lesion. If every lesion is hit and there are no isolated tumor cells, the smallest score
    /// is that of a detection.
    pub dropped_a_real_score: bool,
}

impl Froc {
    /// The curve over `slides`, equal to that of `computeFROC` in the challenge's
    /// Evaluation_FROC.py. `None` without slides or without a lesion to find.
    pub fn compute(slides: &[SlideHits]) -> Option<Self> {
        Sweep::new(slides).curve(&vec![1; slides.len()])
    }

    /// The sensitivity, 0 to 1, at a number of false positives per slide.
    pub fn sensitivity_at(&self, false_positives: f64, interpolation: Interpolation) -> f64 {
        // The points run from many false positives to none. Of points with equally many, the
        // first has the lowest threshold and the highest sensitivity.
        let right = self.points.partition_point(|p| p.false_positives > false_positives);
        let Some(here) = self.points.get(right) else { return 0.0 };
        let Some(left) = right.checked_sub(1).map(|place| self.points[place]) else {
            return here.sensitivity;
        };
        match interpolation {
            Interpolation::Step => here.sensitivity,
            Interpolation::Linear => {
                let span = left.false_positives - here.false_positives;
                let share = (false_positives - here.false_positives) / span;
                here.sensitivity + share * (left.sensitivity - here.sensitivity)
            }
        }
    }

    /// The score of the challenge: the mean sensitivity at [`SCORED_AT`].
    pub fn score(&self, interpolation: Interpolation) -> f64 {
        let at = SCORED_AT.map(|n| self.sensitivity_at(n, interpolation));
        at.iter().sum::<f64>() / at.len() as f64
    }
}

/// The interval of the score for a `confidence` of 0 to 1, from `rounds` samples of the slides.
///
/// Slides are resampled and not lesions, because the lesions of one slide are not independent.
/// Samples without a lesion are replaced by new ones. `None` if there is no score.
pub fn score_interval(
    slides: &[SlideHits],
    interpolation: Interpolation,
    confidence: f64,
    rounds: usize,
    seed: u64,
) -> Option<Interval> {
    let sweep = Sweep::new(slides);
    sweep.curve(&vec![1; slides.len()])?;
    let scores = resample_counts(slides.len(), seed)
        .filter_map(|counts| Some(sweep.curve(&counts)?.score(interpolation)));
    percentile_interval(scores.take(rounds).collect(), confidence)
}

/// The scores of all slides, the highest first, from which curves are computed.
struct Sweep {
    /// Score, index of the slide, and whether the score is that of a lesion.
    scores: Vec<(f64, usize, bool)>,
    to_find: Vec<usize>,
}

impl Sweep {
    fn new(slides: &[SlideHits]) -> Self {
        let mut scores = Vec::new();
        for (slide, hits) in slides.iter().enumerate() {
            scores.extend(hits.false_positives.iter().map(|&score| (score, slide, false)));
            scores.extend(hits.lesions.iter().map(|&score| (score, slide, true)));
        }
        scores.sort_by(|a, b| b.0.total_cmp(&a.0));
        Self { scores, to_find: slides.iter().map(|hits| hits.to_find).collect() }
    }

    /// The curve of a sample that holds slide `i` `counts[i]` times.
    fn curve(&self, counts: &[usize]) -> Option<Froc> {
        let slides: usize = counts.iter().sum();
        let to_find: usize = self.to_find.iter().zip(counts).map(|(n, count)| n * count).sum();
        if slides == 0 || to_find == 0 {
            return None;
        }
        let (mut false_positives, mut found) = (0, 0);
        let mut points = vec![FrocPoint { false_positives: 0.0, sensitivity: 0.0 }];
        let mut lowest = 0.0;
        for tied in self.scores.chunk_by(|a, b| a.0 == b.0) {
            if tied.iter().all(|&(_, slide, _)| counts[slide] == 0) {
                continue;
            }
            for &(_, slide, is_lesion) in tied {
                let sum = if is_lesion { &mut found } else { &mut false_positives };
                *sum += counts[slide];
            }
            lowest = tied[0].0;
            points.push(FrocPoint {
                false_positives: false_positives as f64 / slides as f64,
                sensitivity: found as f64 / to_find as f64,
            });
        }
        // The point of the lowest score is dropped; see `dropped_a_real_score`.
        if points.len() > 1 {
            points.pop();
        }
        points.reverse();
        Some(Froc { points, dropped_a_real_score: lowest != 0.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(false_positives: &[f64], lesions: &[f64]) -> SlideHits {
        SlideHits {
            false_positives: false_positives.to_vec(),
            lesions: lesions.to_vec(),
            to_find: lesions.len(),
        }
    }

    #[test]
    fn a_curve_has_the_points_and_sensitivities_counted_by_hand() {
        let slides = [hits(&[0.8, 0.3], &[0.9, 0.0]), hits(&[0.5], &[0.5, 0.6])];
        let froc = Froc::compute(&slides).unwrap();
        let points: Vec<_> =
            froc.points.iter().map(|p| (p.false_positives, p.sensitivity)).collect();
        let expected = [(1.5, 0.75), (1.0, 0.75), (0.5, 0.5), (0.5, 0.25), (0.0, 0.25), (0.0, 0.0)];
        assert_eq!(points, expected);
        assert!(!froc.dropped_a_real_score);
        assert_eq!(froc.sensitivity_at(0.5, Interpolation::Linear), 0.5);
        assert_eq!(froc.sensitivity_at(0.75, Interpolation::Linear), 0.625);
        assert_eq!(froc.sensitivity_at(0.75, Interpolation::Step), 0.5);
        assert_eq!(froc.sensitivity_at(99.0, Interpolation::Linear), 0.75);
        assert_eq!(froc.sensitivity_at(0.0, Interpolation::Step), 0.25);
    }

    #[test]
    fn a_real_score_is_dropped_if_every_lesion_is_hit() {
        let froc = Froc::compute(&[hits(&[], &[0.9, 0.4])]).unwrap();
        assert!(froc.dropped_a_real_score);
        assert_eq!(froc.score(Interpolation::Step), 0.5);
        assert_eq!(Froc::compute(&[hits(&[0.3], &[])]), None);
        assert_eq!(Froc::compute(&[]), None);
    }

    #[test]
    fn the_interval_holds_the_score_and_depends_only_on_the_seed() {
        let slides: Vec<_> = (0..30)
            .map(|i| hits(&[f64::from(i % 7) / 10.0], &[f64::from(i * 7 % 11) / 10.0]))
            .collect();
        let score = Froc::compute(&slides).unwrap().score(Interpolation::Linear);
        let interval =
            |seed| score_interval(&slides, Interpolation::Linear, 0.95, 200, seed).unwrap();
        let found = interval(3);
        assert!(found.low < score && score < found.high, "{found:?} {score}");
        assert_eq!(found, interval(3));
        assert_ne!(found, interval(4));
        // If all slides are alike, the score does not vary.
        let alike = vec![hits(&[0.2], &[0.9, 0.0]); 8];
        let none = score_interval(&alike, Interpolation::Step, 0.95, 50, 1).unwrap();
        assert_eq!(none.low, none.high);
    }
}
