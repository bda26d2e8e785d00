//! Tries a network on a few windows before it scores a slide.
//!
//! A window's score must be what the network gives to that window alone. Some networks do not
//! keep to that: dynamic quantisation takes its scales over the whole batch, and exporters bake
//! the batch of the example into a reshape. Such networks are run window by window. Outputs that
//! contradict the card's `activation` are warned of.

use super::prepare::{Preparation, PreparedPatch};
use crate::model::{Activation, EngineError, Model, Precision, Session};

/// Number of windows that are tried.
const PROBES: usize = 4;

/// Largest difference of a window's score between a run alone and a run in a batch, relative to
/// the larger of 1 and the score. Kernels for other batches round differently, by about 1e-6.
const F32_TOLERANCE: f32 = 1e-5;

/// The same for networks in 16 bits.
const F16_TOLERANCE: f32 = 5e-3;

/// Scores that differ less than this between windows are the same.
const CONSTANT: f32 = 1e-6;

/// What was found.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Trial {
    /// Whether windows must be run one at a time.
    pub(super) alone: bool,
    /// Sentences for the user.
    pub(super) notes: Vec<String>,
}

/// Tries `session` on windows of glass and of tissue, alone and together.
///
/// # Errors
/// [`EngineError`] if the network cannot score a single window.
pub(super) fn try_session(
    model: &Model,
    precision: Precision,
    session: &mut dyn Session,
) -> Result<Trial, EngineError> {
    let preparation = Preparation::new(&model.card);
    let probes = Probes::new(&preparation, model.card.window_px as usize);
    let classes = model.card.classes.len();
    let mut trial = Trial::default();
    let batch = session.batch();
    if batch > 1 {
        match probes.scores(session, classes, batch) {
            Err(error) => {
                trial.alone = true;
                trial.notes.push(format!(
                    "a batch of {batch} windows fails ({error}), so windows are run one at a time; export the network with a batch of variable size to run faster"
                ));
                return Ok(trial);
            }
            Ok(together) => {
                let alone = probes.scores(session, classes, 1)?;
                let difference = largest_difference(&alone, &together);
                if difference > tolerance(model, precision) {
                    trial.alone = true;
                    trial.notes.push(format!(
                        "the scores of a window depend on the others in its batch (by {difference:.1e}; dynamic quantisation does that), so windows are run one at a time"
                    ));
                }
            }
        }
    }
    let scores = probes.scores(session, classes, 1)?;
    trial.notes.extend(contradiction(model, &scores));
    trial.notes.extend(constant(&scores, classes));
    if model.precision() == "f16" {
        trial.notes.push(
            "the network computes in float16, so engines differ by up to 1e-3 (docs/models.md)"
                .to_owned(),
        );
    }
    Ok(trial)
}

fn tolerance(model: &Model, precision: Precision) -> f32 {
    let is_f32 = model.precision() == "f32" && precision == Precision::F32;
    if is_f32 { F32_TOLERANCE } else { F16_TOLERANCE }
}

fn largest_difference(alone: &[f32], together: &[f32]) -> f32 {
    let relative = |(a, b): (&f32, &f32)| (a - b).abs() / a.abs().max(1.0);
    alone.iter().zip(together).map(relative).fold(0.0, f32::max)
}

/// A sentence if the outputs contradict the card's activation.
fn contradiction(model: &Model, scores: &[f32]) -> Option<String> {
    let last = model.last_operator().unwrap_or_default();
    let activation = model.card.activation;
    let is_probability = matches!(last, "Softmax" | "Sigmoid");
    if is_probability && activation != Activation::None {
        return Some(format!(
            "the network ends in {last}, so its outputs already are probabilities, and the card applies its activation once more, which squeezes the scores; write activation = \"none\" in the card"
        ));
    }
    let outside = scores.iter().find(|score| !(-0.01..=1.01).contains(*score));
    let outside = outside.filter(|_| activation == Activation::None)?;
    Some(format!(
        "the network gives {outside:.3}, which lies outside 0 to 1; write activation = \"softmax\" (or \"sigmoid\") in the card"
    ))
}

/// A sentence if all windows have the same scores.
fn constant(scores: &[f32], classes: usize) -> Option<String> {
    let mut windows = scores.chunks_exact(classes);
    let first = windows.next()?;
    let same = windows.all(|window| largest_difference(first, window) < CONSTANT);
    same.then(|| "the network gives the same scores to glass and to tissue: check `range`, `mean` and `std` in the card".to_owned())
}

/// Windows of glass, of tissue and of ink, ready to be run.
struct Probes<'p> {
    preparation: &'p Preparation,
    patches: Vec<PreparedPatch>,
}

impl<'p> Probes<'p> {
    fn new(preparation: &'p Preparation, window_px: usize) -> Self {
        let patches = (0..PROBES).map(|kind| {
            let mut patch = PreparedPatch::default();
            preparation.prepare(&picture(kind, window_px), window_px, &mut patch);
            patch
        });
        Self { preparation, patches: patches.collect() }
    }

    /// Scores `[probe, class]` of the probes, run `batch` at a time; a batch that is not full of
    /// probes repeats them.
    fn scores(
        &self,
        session: &mut dyn Session,
        classes: usize,
        batch: usize,
    ) -> Result<Vec<f32>, EngineError> {
        let length = self.preparation.window_len();
        let mut all = Vec::with_capacity(PROBES * classes);
        for first in (0..PROBES).step_by(batch) {
            let mut scores = vec![0.0; batch * classes];
            let mut fill = |input: &mut [f32]| {
                for (index, window) in input.chunks_exact_mut(length).take(batch).enumerate() {
                    let patch = &self.patches[(first + index) % PROBES];
                    self.preparation.window(patch, 0, 0, window);
                }
            };
            session.run_filled(batch, &mut fill, &mut scores)?;
            let wanted = (PROBES - first).min(batch) * classes;
            all.extend_from_slice(&scores[..wanted]);
        }
        Ok(all)
    }
}

/// A picture `[row, col, rgb]`: glass, tissue in pink and purple, dark nuclei, and glass beside
/// tissue.
fn picture(kind: usize, side_px: usize) -> Vec<u8> {
    const BASES: [[u8; 3]; PROBES] = [[255; 3], [214, 150, 190], [92, 50, 120], [200, 140, 180]];
    let mut state = 0x9E37_79B9_u32.wrapping_mul(u32::try_from(kind).unwrap_or(0) + 1);
    let mut rgb = Vec::with_capacity(3 * side_px * side_px);
    for row in 0..side_px {
        for col in 0..side_px {
            let is_glass = kind == 0 || (kind == 3 && 2 * col < side_px);
            // A linear congruential generator (Numerical Recipes); its upper bits are used.
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = u8::try_from(state >> 27).unwrap_or(0);
            let wave = if (row / 9 + col / 7) % 2 == 0 { 30 } else { 0 };
            rgb.extend(BASES[kind].map(|base| {
                if is_glass { 255 } else { base.saturating_sub(noise).saturating_sub(wave) }
            }));
        }
    }
    rgb
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_differ() {
        let pictures: Vec<_> = (0..PROBES).map(|kind| picture(kind, 32)).collect();
        for (index, picture) in pictures.iter().enumerate() {
            assert_eq!(picture.len(), 3 * 32 * 32);
            assert!(!pictures[..index].contains(picture));
        }
    }

    #[test]
    fn differences_are_relative_to_large_scores() {
        assert!((largest_difference(&[0.5, 100.0], &[0.6, 101.0]) - 0.1).abs() < 1e-6);
    }

    #[test]
    fn equal_scores_of_all_windows_are_named() {
        assert!(constant(&[0.1, 0.9, 0.1, 0.9], 2).is_some());
        assert!(constant(&[0.1, 0.9, 0.2, 0.8], 2).is_none());
    }
}
