//! Reads the scores of a group.

use super::error::StitchError;
use crate::config::RunConfig;
use crate::damage::{SetAside, Watched};
use crate::hdf5_file::Lineage;
use crate::number::GroupNumber;
use crate::patches::PatchesMeta;
use crate::run_dir::RunDir;
use crate::scores::{self, Scores};

/// Reads a group's scores and checks that they belong to this run and slide.
pub(super) fn read_group(
    run: &RunDir,
    config: &RunConfig,
    meta: &PatchesMeta,
    group: GroupNumber,
) -> Result<Scores, StitchError> {
    let path = run.scores(&meta.slide, group);
    let scores = scores::read_scores(&path)?;
    let found = &scores.meta;
    let stride_px = config.config.predict.stride;
    let checks = [
        ("slide", found.slide.clone(), meta.slide.clone()),
        ("group", found.group.to_string(), group.to_string()),
        ("made_from", made_from(&found.lineage, &meta.lineage), meta.lineage.id.clone()),
        ("stride", found.stride_px.to_string(), stride_px.to_string()),
        ("window", found.window_px.to_string(), meta.window_px.to_string()),
        ("config_sha256", found.config_sha256.clone(), config.scores_sha256()),
    ];
    let method = config.method_of(&meta.slide).name();
    if found.method != method {
        return Err(StitchError::other_method(path, &found.method, method));
    }
    for (what, found, expected) in checks {
        if found != expected {
            return Err(StitchError::Foreign { path, what, found, expected });
        }
    }
    Ok(scores)
}

/// Sets a score file aside if this error says that it is damaged: its bytes, or points that
/// the slide does not have.
pub(super) fn set_scores_aside(watched: &Watched<'_>, error: &StitchError) -> Option<SetAside> {
    match error {
        StitchError::Format(error) => watched.note(error, "stitch"),
        StitchError::Assemble { .. } => watched.set_aside(&error.to_string(), "stitch"),
        _ => None,
    }
}

/// The `id` of the patches that a file was made from; what is not known of files of version 1
/// is taken to fit.
pub(super) fn made_from(file: &Lineage, patches: &Lineage) -> String {
    if file.fits(patches) { patches.id.clone() } else { file.made_from.clone() }
}
