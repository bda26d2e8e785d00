//! The part file of a group, `t<k>.part.h5`: whether a try may go on from it, and what becomes of
//! it.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::hdf5_file::FormatError;
use crate::progress::Progress;
use crate::scores::{self, PartScores, ScoresMeta};
use crate::staged;

/// Reads a part file; `None` if there is none, and an inner error that says why the file cannot
/// be used.
pub(super) fn read_part(path: &Path) -> Result<Option<Result<PartScores, String>>, FormatError> {
    if !staged::is_there(path)? {
        return Ok(None);
    }
    match scores::read_part(path) {
        Ok(part) => Ok(Some(Ok(part))),
        // Another task has finished the group meanwhile.
        Err(FormatError::Stage(e)) if e.source.kind() == ErrorKind::NotFound => Ok(None),
        // The file may be whole.
        Err(error @ FormatError::Stage(_)) => Err(error),
        Err(error) => Ok(Some(Err(error.to_string()))),
    }
}

/// Removes a part file that the score file has replaced.
pub(super) fn remove_part(part: &Path) {
    // Usually there is none. One that stays is ignored beside the score file.
    drop(fs::remove_file(part));
}

/// Checks that a part file was made with the settings of this try; the error says what differs.
pub(super) fn check_belongs(
    part: &ScoresMeta,
    meta: &ScoresMeta,
    total: u64,
) -> Result<(), String> {
    let rules = [
        ("slide", &part.slide, &meta.slide),
        ("made_from", &part.lineage.made_from, &meta.lineage.made_from),
        ("group", &part.group.to_string(), &meta.group.to_string()),
        ("stride", &part.stride_px.to_string(), &meta.stride_px.to_string()),
        ("classes", &part.classes.join(", "), &meta.classes.join(", ")),
        ("method", &part.method, &meta.method),
        ("precision", &part.precision, &meta.precision),
        ("model_sha256", &part.model_sha256, &meta.model_sha256),
        ("config_sha256", &part.config_sha256, &meta.config_sha256),
        ("windows_total", &total.to_string(), &meta.windows.to_string()),
    ];
    for (what, found, expected) in rules {
        if found != expected {
            return Err(format!("{what} is {found}, expected {expected}"));
        }
    }
    Ok(())
}

/// Adds the figures of earlier tries to those of this one.
pub(super) fn carry_over(meta: &mut ScoresMeta, earlier: ScoresMeta) {
    meta.resumed_windows = earlier.windows;
    meta.shared_windows = earlier.shared_windows;
    meta.computed_px = earlier.computed_px;
    meta.wall_s += earlier.wall_s;
    meta.cpu_s += earlier.cpu_s;
    meta.read_s += earlier.read_s;
    meta.infer_s += earlier.infer_s;
    meta.peak_rss_bytes = earlier.peak_rss_bytes;
    meta.spans_unix_s = earlier.spans_unix_s;
    if !earlier.engine.contains(&meta.engine) {
        meta.engine = format!("{}, then {}", earlier.engine, meta.engine);
    } else {
        meta.engine = earlier.engine;
    }
}

/// Renames a part file that cannot be used, and keeps it for inspection.
pub(super) fn set_aside(part: &Path, problem: &str, progress: &Progress) {
    let aside = part.with_extension("h5.refused");
    let kept = match fs::rename(part, &aside) {
        Ok(()) => format!("set aside as {}", aside.display()),
        Err(error) => format!("it stays ({error})"),
    };
    progress.warn(&format!(
        "warning: {}: not used, the group is scored from the start: {problem}; {kept}",
        part.display()
    ));
}
