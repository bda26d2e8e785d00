//! Heatmaps that count in a study although their scores are in doubt.

use super::request::StudyRequest;
use crate::heatmap_h5::read_heatmap_meta;
use crate::progress::Progress;

/// Warns of heatmaps whose audit does not hold or whose calibration is open. They count in the
/// study nevertheless.
pub(crate) fn warn_of_suspect_heatmaps(request: &StudyRequest, progress: &Progress) {
    for source in &request.sources {
        for slide in &request.slides {
            let path = source.run.heatmap(&slide.name, "h5");
            // Heatmaps that cannot be read were an error before.
            let Ok(meta) = read_heatmap_meta(&path) else { continue };
            let open = meta.dense.as_ref().filter(|_| meta.cascade.is_none());
            let open = open.map(|dense| dense.open.clone()).filter(|open| !open.is_empty());
            let open = open.map(|open| format!("dense scores whose calibration is open: {open}"));
            if let Some(doubt) = meta.audit_failure().or(open) {
                progress.warn(&format!(
                    "warning: {}: {doubt}; the heatmap counts nevertheless",
                    path.display()
                ));
            }
        }
    }
}
