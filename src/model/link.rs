//! The step between logits and scores, both ways. Pure arithmetic.

use super::activation::{sigmoid, softmax};
use super::card::{Activation, ModelCard};
use super::check::pairs_single;

/// Logits are clipped to this size. Beyond it scores are as good as certain, and a fit would
/// follow a few windows with extreme logits.
const MOST_LOGIT: f64 = 8.0;

/// The function that turns the logits of a window into its scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// Scores are shares that sum to 1.
    Softmax,
    /// Each score is a probability of its own.
    Sigmoid,
    /// Scores are the outputs themselves.
    Identity,
}

impl Link {
    /// The link of a graph that ends with `operator`, under a card; `None` if both of them
    /// turn logits into probabilities, one after the other.
    pub(crate) fn new(operator: Option<&str>, card: Activation) -> Option<Self> {
        match (operator, card) {
            (None, Activation::None) => Some(Self::Identity),
            (None | Some("LogSoftmax"), Activation::Softmax)
            | (Some("Softmax"), Activation::None) => Some(Self::Softmax),
            (None, Activation::Sigmoid) | (Some("Sigmoid"), Activation::None) => {
                Some(Self::Sigmoid)
            }
            _ => None,
        }
    }
}

/// The link of a network with its numbers of logits and classes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScoreLink {
    link: Link,
    /// Logits per window.
    pub(crate) logits: usize,
    /// Index of the positive class.
    positive: usize,
    /// Whether one logit stands for two classes.
    pair: bool,
}

impl ScoreLink {
    pub(crate) fn new(link: Link, logits: usize, card: &ModelCard) -> Self {
        let (positive, pair) = (card.positive_index(), pairs_single(card, logits));
        Self { link, logits, positive, pair }
    }

    /// Logits that give the `scores` of a window, clipped. Logits for a softmax have mean 0,
    /// because the scores determine them only up to a common term.
    pub(crate) fn logits_of(&self, scores: &[f32]) -> Vec<f64> {
        let scores = if self.pair { &scores[self.positive..=self.positive] } else { scores };
        let scores = scores.iter().map(|&score| f64::from(score));
        match self.link {
            Link::Identity => scores.collect(),
            Link::Sigmoid => {
                scores.map(|p| (p.ln() - (-p).ln_1p()).clamp(-MOST_LOGIT, MOST_LOGIT)).collect()
            }
            Link::Softmax => {
                let logs: Vec<f64> = scores.map(f64::ln).collect();
                let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                self.centred(logs.iter().map(|log| (log - most).max(-MOST_LOGIT)).collect())
            }
        }
    }

    /// The logits without a common term that does not change the scores.
    pub(crate) fn centred(&self, mut logits: Vec<f64>) -> Vec<f64> {
        if self.link == Link::Softmax {
            let mean = logits.iter().sum::<f64>() / logits.len().max(1) as f64;
            logits.iter_mut().for_each(|logit| *logit -= mean);
        }
        logits
    }

    /// The scores of a window with these logits, one per class.
    pub(crate) fn scores_of(&self, logits: &[f64]) -> Vec<f32> {
        #[expect(clippy::cast_possible_truncation, reason = "networks compute in f32")]
        let mut scores: Vec<f32> = logits.iter().map(|&logit| logit as f32).collect();
        match self.link {
            Link::Identity => {}
            Link::Sigmoid => scores.iter_mut().for_each(|score| *score = sigmoid(*score)),
            Link::Softmax => softmax(&mut scores),
        }
        if self.pair {
            let p = scores[0];
            scores = vec![1.0 - p; 2];
            scores[self.positive] = p;
        }
        scores
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn link(link: Link, logits: usize, pair: bool) -> ScoreLink {
        ScoreLink { link, logits, positive: 1, pair }
    }

    proptest! {
        #[test]
        fn scores_give_logits_that_give_the_scores(
            logits in prop::collection::vec(-3f64..3.0, 2..5),
        ) {
            for kind in [Link::Softmax, Link::Sigmoid, Link::Identity] {
                let link = link(kind, logits.len(), false);
                let scores = link.scores_of(&logits);
                let found = link.scores_of(&link.logits_of(&scores));
                for (a, b) in scores.iter().zip(&found) {
                    prop_assert!((a - b).abs() < 1e-5, "{kind:?}: {scores:?} {found:?}");
                }
            }
            let single = link(Link::Sigmoid, 1, true);
            let scores = single.scores_of(&logits[..1]);
            prop_assert!((scores[0] + scores[1] - 1.0).abs() < 1e-6);
            prop_assert!((single.logits_of(&scores)[0] - logits[0]).abs() < 1e-4);
        }
    }

    #[test]
    fn certain_scores_have_finite_logits() {
        assert_eq!(link(Link::Softmax, 2, false).logits_of(&[0.0, 1.0]), [-4.0, 4.0]);
        assert_eq!(link(Link::Sigmoid, 2, false).logits_of(&[0.0, 1.0]), [-8.0, 8.0]);
    }

    #[test]
    fn a_graph_and_a_card_that_both_give_probabilities_have_no_link() {
        assert_eq!(Link::new(Some("Softmax"), Activation::Softmax), None);
        assert_eq!(Link::new(Some("Softmax"), Activation::None), Some(Link::Softmax));
        assert_eq!(Link::new(None, Activation::Sigmoid), Some(Link::Sigmoid));
    }
}
