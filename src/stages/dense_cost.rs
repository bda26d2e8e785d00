//! What dense runs cost beside single windows, by their multiplications, in words.

use super::slides::is_unsplit;
use crate::config::{Method, RunConfig};
use crate::model::DenseCost;
use crate::progress::Progress;
use crate::resolve::dense_cost_of;
use crate::run_dir::{RunDir, SlideRecord};

/// Notes what dense runs cost beside single windows, and warns if they cost more.
pub(super) fn note_cost(method: Method, cost: DenseCost, progress: &Progress) {
    match cost_warning(method, cost) {
        Some(warning) => progress.warn_once(&warning),
        None => progress.note(&format!(
            "predict: method {}: {} ({:.1} times)",
            method.name(),
            cost_in_words(cost),
            cost.gain()
        )),
    }
}

/// Warns if dense runs of the network cost more than single windows and slides are still to be
/// split: their patches would have a margin for nothing.
pub(crate) fn warn_before_split(
    run: &RunDir,
    config: &RunConfig,
    slides: &[&SlideRecord],
    progress: &Progress,
) {
    if !slides.iter().any(|slide| is_unsplit(run, slide)) {
        return;
    }
    let cost = dense_cost_of(config);
    if let Some(text) = cost.and_then(|cost| cost_warning(config.config.predict.method, cost)) {
        progress.warn_once(&text);
    }
}

/// The warning that single windows cost less than dense runs; `None` if they do not.
fn cost_warning(method: Method, cost: DenseCost) -> Option<String> {
    let method = method.name();
    if cost.dense.is_infinite() {
        return Some(format!(
            "warning: method {method}: the maps of a dense run of this network take more memory than there is for them, its margin included; use method = \"window\" in another run directory"
        ));
    }
    (cost.gain() < 1.0).then(|| {
        format!(
            "warning: method {method}: {}: single windows cost less; use method = \"window\" in another run directory, or larger blocks (tiling.block)",
            cost_in_words(cost)
        )
    })
}

fn cost_in_words(cost: DenseCost) -> String {
    let (dense, window) = (cost.dense / 1e6, cost.window / 1e6);
    format!(
        "a dense run takes {dense:.1} million multiplications per point where all is tissue, its margin included; a single window takes {window:.1} million"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_runs_that_do_not_pay_are_warned_of() {
        let warning = |dense, window| cost_warning(Method::Cascade, DenseCost { dense, window });
        assert_eq!(warning(1e6, 2e7), None);
        let dear = warning(5e7, 2e7).unwrap();
        assert!(
            dear.contains("takes 50.0 million") && dear.contains("takes 20.0 million"),
            "{dear}"
        );
        let large = warning(f64::INFINITY, 2e7).unwrap();
        assert!(large.contains("more memory") && !large.contains("inf "), "{large}");
    }
}
