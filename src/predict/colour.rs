//! Normalises the colours of patches to those of the template, as patches are read.

use crate::config::{NormalizeKeys, OnFailure, RunConfig, Scope};
use crate::normalize::{ColourEstimate, ColourTransform, NormalizeError, normalize_patch};
use crate::patches::PatchesFile;
use crate::scores::{ColourFailure, UnnormalizedKind, UnnormalizedPatch};

use super::error::PredictError;

/// Normalises the patches of one slide to the template's colours.
pub(super) struct Normalizer {
    target: ColourEstimate,
    scope: Scope,
    on_failure: OnFailure,
    /// The transform by the slide's estimate, or the reason why there is none.
    slide: Result<ColourTransform, String>,
}

/// Why a patch was not normalised in the configured way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unnormalized {
    /// What went wrong, and what was done instead.
    pub(super) reason: String,
    /// The same as a code.
    pub(super) kind: UnnormalizedKind,
}

impl From<Unnormalized> for UnnormalizedPatch {
    fn from(failure: Unnormalized) -> Self {
        Self { reason: failure.reason, kind: Some(failure.kind) }
    }
}

impl Normalizer {
    /// The normaliser for a slide of the run; `None` if the run does not normalise colours.
    ///
    /// # Errors
    /// [`PredictError::NoColours`] when the run needs the slide's estimate and the patch file
    /// has none.
    pub(super) fn of_run(
        config: &RunConfig,
        patches: &PatchesFile,
    ) -> Result<Option<Self>, PredictError> {
        let Some(target) = config.resolved.target else { return Ok(None) };
        let keys = &config.config.normalize;
        let slide = match patches.colours()? {
            Some(colours) => colours.estimate.and_then(|estimate| {
                ColourTransform::new(&estimate, &target).map_err(|error| error.to_string())
            }),
            None if keys.needs_slide_estimate() => {
                return Err(PredictError::NoColours { path: patches.path().to_owned() });
            }
            None => Err("the patch file has none".to_owned()),
        };
        let NormalizeKeys { scope, on_failure, .. } = *keys;
        Ok(Some(Self { target, scope, on_failure, slide }))
    }

    /// Whether a part of a patch is normalised just as within the whole patch.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.scope, Scope::Slide)
    }

    /// Normalises the pixels of a patch in place; `rgb`: `[row, col, rgb]`.
    pub(super) fn apply(&self, rgb: &mut [u8]) -> Result<(), Unnormalized> {
        let failed = |cause: ColourFailure, what: String, scored: bool| {
            let done = if scored { "scored" } else { "not scored" };
            let kind = UnnormalizedKind { cause, scored };
            Err(Unnormalized { reason: format!("{what}; {done}"), kind })
        };
        let raw = self.on_failure == OnFailure::Raw;
        let reason = match (self.scope, &self.slide) {
            (Scope::Slide, Ok(transform)) => {
                transform.apply(rgb);
                return Ok(());
            }
            (Scope::Slide, Err(reason)) => {
                let what = if raw { ", in its own colours" } else { "" };
                let what = format!("no estimate of the slide: {reason}{what}");
                return failed(ColourFailure::NoSlideEstimate, what, raw);
            }
            (Scope::Patch, _) => match normalize_patch(rgb, &self.target) {
                Ok(()) => return Ok(()),
                Err(reason) => reason,
            },
        };
        let cause = cause_of(&reason);
        match (self.on_failure, &self.slide) {
            (OnFailure::Raw, _) => failed(cause, format!("{reason}, in its own colours"), true),
            (OnFailure::Fail, _) => failed(cause, reason.to_string(), false),
            (OnFailure::SlideEstimate, Ok(transform)) => {
                transform.apply(rgb);
                failed(cause, format!("{reason}, by the slide's estimate"), true)
            }
            (OnFailure::SlideEstimate, Err(slide)) => {
                let what = format!("{reason}, and no estimate of the slide: {slide}");
                failed(cause, what, false)
            }
        }
    }
}

/// The code of an error, as score files name it.
fn cause_of(error: &NormalizeError) -> ColourFailure {
    match error {
        NormalizeError::TooLittleTissue { .. } => ColourFailure::TooLittleTissue,
        NormalizeError::OneColour => ColourFailure::OneColour,
        NormalizeError::SingularStains { .. } => ColourFailure::SingularStains,
        NormalizeError::AbsentStain { .. } => ColourFailure::AbsentStain,
        NormalizeError::OtherMethod { .. } => ColourFailure::OtherMethod,
    }
}

/// The normalisation as score files describe it; empty without normalisation.
pub(super) fn described(keys: &NormalizeKeys) -> String {
    let named = |method: crate::normalize::ColourMethod| {
        format!("{method}, scope {}, on_failure {}", keys.scope.name(), keys.on_failure.name())
    };
    keys.method.method().map_or(String::new(), named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalize::ColourMethod;

    /// Pixels with two stains in all proportions.
    fn tissue() -> Vec<u8> {
        let [h, e] = [[0.65f64, 0.70, 0.29], [0.07, 0.99, 0.11]];
        let pixel = |at: usize| {
            let (a, b) = ((at % 40) as f64 / 25.0, (at / 40 % 40) as f64 / 30.0);
            std::array::from_fn::<u8, 3, _>(|c| (240.0 * (-(a * h[c] + b * e[c])).exp()) as u8)
        };
        (0..4000).flat_map(pixel).collect()
    }

    fn normalizer(scope: Scope, on_failure: OnFailure, slide: bool) -> Normalizer {
        let target = ColourMethod::Macenko.estimate(&tissue()).unwrap();
        let slide = if slide {
            Ok(ColourTransform::new(&target, &target).unwrap())
        } else {
            Err("too little tissue".to_owned())
        };
        Normalizer { target, scope, on_failure, slide }
    }

    #[test]
    fn each_policy_normalises_and_scores_as_its_name_says() {
        use OnFailure::{Fail, Raw, SlideEstimate};
        let glass = vec![244; 3 * 4000];
        let rows = [
            (Scope::Slide, Raw, true, None),
            (Scope::Slide, Raw, false, Some(true)),
            (Scope::Slide, Fail, false, Some(false)),
            (Scope::Slide, SlideEstimate, false, Some(false)),
            (Scope::Patch, Raw, true, Some(true)),
            (Scope::Patch, Fail, true, Some(false)),
            (Scope::Patch, SlideEstimate, true, Some(true)),
            (Scope::Patch, SlideEstimate, false, Some(false)),
        ];
        for (scope, on_failure, slide, expected) in rows {
            let mut rgb = glass.clone();
            let found = normalizer(scope, on_failure, slide).apply(&mut rgb);
            let case = format!("{scope:?} {on_failure:?} {slide}: {found:?}");
            assert_eq!(found.as_ref().err().map(|failure| failure.kind.scored), expected, "{case}");
            let changed = rgb != glass;
            let by_slide = slide && (scope == Scope::Slide || on_failure == SlideEstimate);
            assert_eq!(changed, by_slide, "{case}");
            if let Err(failure) = found {
                assert!(failure.reason.contains("too little tissue"), "{case}");
                let of_slide = scope == Scope::Slide;
                assert_eq!(
                    failure.kind.cause == ColourFailure::NoSlideEstimate,
                    of_slide,
                    "{case}"
                );
                let of_patch = failure.kind.cause == ColourFailure::TooLittleTissue;
                assert_eq!(of_patch, !of_slide, "{case}");
            }
            let mut rgb = tissue();
            assert_eq!(normalizer(Scope::Patch, on_failure, slide).apply(&mut rgb), Ok(()));
        }
    }
}
