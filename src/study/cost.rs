//! The core time of scoring a slide, summed over its score files.

use std::path::Path;

use crate::run_dir::RunDir;
use crate::scores;

/// The cost of scoring a slide.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SlideCost {
    /// Number of windows scored.
    pub(super) windows: u64,
    /// Processor time of all threads, seconds.
    pub(super) core_s: f64,
}

/// Adds up the score files of a slide. `None` if some are missing or cannot be read: a run
/// may have been kept without its score files.
pub(super) fn slide_cost(run: &RunDir, slide: &str, groups_missing: bool) -> Option<SlideCost> {
    let entries = std::fs::read_dir(run.scores_of(slide)).ok()?;
    let mut cost = SlideCost { windows: 0, core_s: 0.0 };
    for entry in entries {
        let path = entry.ok()?.path();
        if is_group(&path) {
            let meta = scores::read_scores_meta(&path).ok()?;
            cost.windows += meta.windows;
            cost.core_s += meta.cpu_s;
        }
    }
    (cost.windows > 0 && !groups_missing).then_some(cost)
}

/// Whether this is the score file of a whole group, `t<k>.h5`.
fn is_group(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let number = name.strip_prefix('t').and_then(|rest| rest.strip_suffix(".h5"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_score_files_of_whole_groups_count() {
        for (name, expected) in [
            ("t1.h5", true),
            ("t12.h5", true),
            ("t1.part.h5", false),
            (".t1.h5", false),
            ("t.h5", false),
        ] {
            assert_eq!(is_group(Path::new(name)), expected, "{name}");
        }
    }
}
