//! Puts the scores of a slide's groups together.

use std::collections::BTreeSet;

use ndarray::{Array2, s};
use xxhash_rust::xxh3::Xxh3Default;

use super::error::StitchError;
use super::groups::{read_group, set_scores_aside};
use crate::config::RunConfig;
use crate::damage::Watched;
use crate::geometry::Lattice;
use crate::heatmap::Heatmap;
use crate::number::GroupNumber;
use crate::patches::PatchesMeta;
use crate::run_dir::RunDir;
use crate::scores::{CascadeMeta, DenseMeta, PrecisionMeta, ScoresMeta};

/// The scores of a slide's groups, put together.
pub(super) struct Assembled {
    /// The heatmap of the positive class.
    pub(super) heatmap: Heatmap,
    /// The attributes of the first group; `None` without groups.
    pub(super) provenance: Option<ScoresMeta>,
    /// Number of windows that were scored.
    pub(super) windows: u64,
    /// Number of patches whose stains could not be determined.
    pub(super) unnormalized: u64,
    pub(super) dense: Option<DenseMeta>,
    pub(super) cascade: Option<CascadeMeta>,
    pub(super) deviation: Option<PrecisionMeta>,
    /// The engines of all groups, with `; ` between them.
    pub(super) engine: String,
    /// Hash over the `id` of each score file.
    pub(super) scores_id: String,
}

/// Reads the scores of `groups` and assembles the heatmap of the class `positive`. Damaged
/// score files are set aside, all of them before the error is returned.
pub(super) fn assemble(
    run: &RunDir,
    config: &RunConfig,
    meta: &PatchesMeta,
    groups: &[GroupNumber],
    positive: usize,
) -> Result<Assembled, StitchError> {
    let stride_px = config.config.predict.stride;
    let (rows, cols) = Lattice::new(meta.width_px, meta.height_px, stride_px).shape();
    let mut heatmap = Heatmap::new(rows, cols, stride_px);
    let mut provenance = None;
    let (mut windows, mut unnormalized) = (0, 0);
    let (mut dense, mut cascade, mut deviation) = (None, None, None);
    let (mut engines, mut ids) = (BTreeSet::new(), Xxh3Default::new());
    let mut damaged = Vec::new();
    for &group in groups {
        let watched = Watched::new(&run.scores(&meta.slide, group), "predict");
        let read = read_group(run, config, meta, group).and_then(|scores| {
            let column = scores.score.column(positive).to_vec();
            let scattered = heatmap.scatter(&scores.row, &scores.col, &column);
            let path = run.scores(&meta.slide, group);
            scattered.map_err(|source| StitchError::Assemble { path, source })?;
            Ok(scores)
        });
        let scores = match read {
            Ok(scores) => scores,
            // The others are read too, so that all damaged ones are scored again at once.
            Err(error) => {
                damaged.push(set_scores_aside(&watched, &error).ok_or(error)?);
                continue;
            }
        };
        engines.insert(scores.meta.engine.clone());
        ids.update(scores.meta.lineage.id.as_bytes());
        windows += scores.meta.windows;
        unnormalized += scores.meta.unnormalized_patches;
        dense = more_doubtful(dense, scores.meta.dense.clone());
        cascade = CascadeMeta::sum(cascade, scores.meta.cascade);
        deviation = PrecisionMeta::sum(deviation, scores.meta.deviation);
        provenance.get_or_insert(scores.meta);
    }
    let others = damaged.len().saturating_sub(1);
    if let Some(first) = damaged.into_iter().next() {
        return Err(StitchError::Damaged { first, others });
    }
    let engine = engines.into_iter().collect::<Vec<_>>().join("; ");
    let scores_id = format!("{:016x}", ids.digest());
    Ok(Assembled {
        heatmap,
        provenance,
        windows,
        unnormalized,
        dense,
        cascade,
        deviation,
        engine,
        scores_id,
    })
}

/// Chooses one of two groups' calibrations for the heatmap's attributes: a doubtful one, if
/// there is any, and otherwise the first. A calibration is doubtful if its fit is open, or if
/// the version that wrote it did not check this.
fn more_doubtful(known: Option<DenseMeta>, other: Option<DenseMeta>) -> Option<DenseMeta> {
    let doubtful = |meta: &DenseMeta| !meta.exact && (!meta.open.is_empty() || meta.near.is_none());
    match (known, other) {
        (Some(known), Some(other)) if !doubtful(&known) && doubtful(&other) => Some(other),
        (known, other) => known.or(other),
    }
}

/// Assembles the scores of one class. The score files are read again for each class, so that
/// memory holds only one class at a time.
pub(super) fn class_plane(
    run: &RunDir,
    config: &RunConfig,
    meta: &PatchesMeta,
    groups: &[GroupNumber],
    class: usize,
) -> Result<Array2<f32>, StitchError> {
    let stride_px = config.config.predict.stride;
    let (rows, cols) = Lattice::new(meta.width_px, meta.height_px, stride_px).shape();
    let mut plane = Heatmap::new(rows, cols, stride_px);
    for &group in groups {
        let scores = read_group(run, config, meta, group)?;
        plane
            .scatter(&scores.row, &scores.col, &scores.score.slice(s![.., class]).to_vec())
            .map_err(|source| StitchError::Assemble {
                path: run.scores(&meta.slide, group),
                source,
            })?;
    }
    Ok(plane.score)
}
