//! Free-response operating characteristic: sensitivity against false positives.

use serde::Serialize;

use super::coverage::Coverage;
use super::detect::Detection;
use super::interval::{Interval, percentile_interval, resample_counts};
use super::lesions::Lesions;

/// False positives a slide at which the challenge averages the sensitivity.
pub const SCORED_AT: [f64; 6] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0];

/// What the detections of one slide come to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SlideHits {
    /// Scores of detections outside every lesion.
    pub false_positives: Vec<f64>,
    /// For each lesion the best score that hit it; 0 for lesions missed and
    /// for isolated tumour cells, as the official script has it.
    pub lesions: Vec<f64>,
    /// Lesions to be found.
    pub to_find: usize,
}

impl SlideHits {
    /// Holds detections (level-0 px) against the lesions of their slide.
    ///
    /// Several hits of one lesion count once, hits of isolated tumour cells
    /// not at all. A detection outside the slide is a false positive.
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

    /// The same with lesions missed of which nothing was scored: what lies beside them
    /// did not find them. It is no false positive either, being in a lesion.
    #[must_use]
    pub fn without_unscored(mut self, coverage: &[Coverage]) -> Self {
        for (best, of) in self.lesions.iter_mut().zip(coverage) {
            if of.is_unscored() {
                *best = 0.0;
            }
        }
        self
    }
}

/// How sensitivity is read off between the points of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// Along straight lines (NCRF, MONAI).
    #[default]
    #[serde(rename = "interpolate")]
    Linear,
    /// The best point that has no more false positives.
    Step,
}

/// One point of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FrocPoint {
    /// False positives a slide.
    pub false_positives: f64,
    /// Share of lesions found.
    pub sensitivity: f64,
}

/// A curve, from the lowest threshold to (0, 0).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Froc {
    /// In order of falling false positives.
    pub points: Vec<FrocPoint>,
    /// The official script drops the smallest score, meant to be the 0 of a
    /// lesion missed. Where every lesion was hit and no isolated tumour cells
    /// exist it drops a real one; this says so.
    pub dropped_a_real_score: bool,
}

impl Froc {
    /// The curve over `slides`: Evaluation_FROC.py's `computeFROC`. `None`
    /// without slides or without a lesion to find.
    pub fn compute(slides: &[SlideHits]) -> Option<Self> {
        Sweep::new(slides).curve(&vec![1; slides.len()])
    }

    /// Sensitivity at a number of false positives a slide.
    pub fn sensitivity_at(&self, false_positives: f64, interpolation: Interpolation) -> f64 {
        // Points run from many false positives to none. Of points with equally
        // many the first one has the lowest threshold and finds the most.
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

    /// The challenge's score: mean sensitivity at [`SCORED_AT`].
    pub fn score(&self, interpolation: Interpolation) -> f64 {
        let at = SCORED_AT.map(|n| self.sensitivity_at(n, interpolation));
        at.iter().sum::<f64>() / at.len() as f64
    }
}

/// Interval of the score that covers `confidence` (0 to 1), by resampling
/// slides (not lesions: those of one slide are not independent) `rounds` times.
/// Samples without a lesion are drawn again. `None` where there is no score.
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

/// All scores of all slides, the highest first.
struct Sweep {
    /// Score, slide, whether it is a lesion's.
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

    /// The curve when slide `i` is there `counts[i]` times.
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
        // The lowest score's point goes: see `dropped_a_real_score`.
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
    fn a_curve_counts_from_the_top() {
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
    fn where_every_lesion_is_hit_a_real_score_is_dropped_and_said() {
        let froc = Froc::compute(&[hits(&[], &[0.9, 0.4])]).unwrap();
        assert!(froc.dropped_a_real_score);
        assert_eq!(froc.score(Interpolation::Step), 0.5);
        assert_eq!(Froc::compute(&[hits(&[0.3], &[])]), None);
        assert_eq!(Froc::compute(&[]), None);
    }

    #[test]
    fn the_interval_holds_the_score_and_follows_from_the_seed() {
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
        // Nothing varies where all slides are alike.
        let alike = vec![hits(&[0.2], &[0.9, 0.0]); 8];
        let none = score_interval(&alike, Interpolation::Step, 0.95, 50, 1).unwrap();
        assert_eq!(none.low, none.high);
    }
}
