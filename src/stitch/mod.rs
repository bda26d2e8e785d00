//! Assembles a slide's score files into its heatmap and writes the heatmap's files.
//!
//! The memory needed is that of one heatmap of f32, one group's scores, and a picture whose
//! size is bounded.

mod error;
mod groups;
mod pictures;

use std::path::PathBuf;

use ndarray::{Array2, s};

use crate::config::RunConfig;
use crate::damage::{self, SetAside, Watched};
use crate::export::{ExportError, ExportFormat, export_heatmap};
use crate::geometry::Lattice;
use crate::heatmap::Heatmap;
use crate::heatmap_h5::{self, HeatmapMeta, HeatmapWriter};
use crate::model::{Model, card_sha256};
use crate::number::GroupNumber;
use crate::patches::{PatchesFile, PatchesMeta};
use crate::run_dir::RunDir;
use crate::scores::{CascadeMeta, DenseMeta, PrecisionMeta, ScoresMeta};

pub(crate) use error::StitchError;
use groups::{read_group, set_scores_aside};
use pictures::write_pictures;

/// The result of stitching a slide.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stitched {
    /// Paths of the heatmap's files, the HDF5 file first.
    pub files: Vec<PathBuf>,
    /// Groups without scores, which were left out.
    pub missing: Vec<GroupNumber>,
    /// Why the cascade's audit does not hold for the heatmap; `None` if it holds.
    pub audit_failure: Option<String>,
    /// Number of lattice points with a score.
    pub scored: usize,
    /// Largest score; `None` without scores, or if the heatmap existed already.
    pub max: Option<f32>,
    /// Whether the heatmap existed already.
    pub already_there: bool,
    /// Number of exports that were added to an existing heatmap.
    pub added: usize,
    /// The damaged heatmap that this one replaces.
    pub replaced: Option<SetAside>,
}

/// Assembles the heatmap of a slide and writes the files that the run's configuration asks for.
///
/// A heatmap that exists and is complete is kept; only exports that are missing are added.
///
/// # Errors
/// [`StitchError::Missing`] if groups have no scores and `allow_missing` is not set;
/// [`StitchError::Foreign`], [`StitchError::OtherMethod`] or [`StitchError::OtherCard`] if a
/// file does not belong to the run; [`StitchError::Damaged`] if patches or scores are damaged;
/// other errors if a file cannot be read or written.
pub(crate) fn stitch_slide(
    run: &RunDir,
    config: &RunConfig,
    slide: &str,
    allow_missing: bool,
) -> Result<Stitched, StitchError> {
    let patches = Watched::patches(run, slide);
    make_heatmap(run, config, slide, allow_missing).map_err(|error| match error {
        StitchError::Format(error) => match patches.note(&error, "stitch") {
            Some(first) => StitchError::Damaged { first, others: 0 },
            None => error.into(),
        },
        error => error,
    })
}

fn make_heatmap(
    run: &RunDir,
    config: &RunConfig,
    slide: &str,
    allow_missing: bool,
) -> Result<Stitched, StitchError> {
    let patches = PatchesFile::open(&run.patches(slide))?;
    let meta = patches.meta().clone();
    let watched = Watched::new(&run.heatmap(slide, "h5"), "stitch");
    let replaced = match existing_heatmap(run, config, &meta) {
        Ok(Some(existing)) => return Ok(existing),
        Ok(None) => None,
        Err(StitchError::Format(error) | StitchError::Export(ExportError::Format(error))) => {
            Some(watched.note(&error, "stitch").ok_or(error)?)
        }
        Err(error) => return Err(error),
    };
    let (present, missing): (Vec<GroupNumber>, Vec<GroupNumber>) =
        GroupNumber::up_to(meta.groups).partition(|&group| run.scores(slide, group).exists());
    if !missing.is_empty() && !allow_missing {
        return Err(StitchError::Missing { slide: slide.into(), groups: meta.groups, missing });
    }
    let classes = Classes::load(config)?;
    let Assembled { heatmap, provenance, windows, unnormalized, dense, cascade, deviation } =
        assemble(run, config, &meta, &present, classes.positive)?;
    let file = file_meta(config, &meta, &classes, provenance, &missing);
    let file = HeatmapMeta { windows, unnormalized_patches: unnormalized, deviation, ..file };
    let mut files = write_pictures(run, config, &meta, &patches, &heatmap, &file)?;
    let h5 = run.heatmap(slide, "h5");
    let mut writer = HeatmapWriter::create(&h5, &file, heatmap.score.view())?;
    writer.write_method_errors(dense.as_ref(), cascade.as_ref())?;
    if config.config.stitch.all_classes {
        for class in 0..classes.names.len() {
            let plane = class_plane(run, config, &meta, &present, class)?;
            writer.write_class(class, plane.view())?;
        }
    }
    let values = heatmap.score.iter().copied().filter(|score| !score.is_nan());
    let (scored, max) = values.fold((0, None), |(count, max): (usize, Option<f32>), score| {
        (count + 1, Some(max.map_or(score, |m| m.max(score))))
    });
    // Exports read the heatmap from the file, so that memory does not hold it twice.
    drop(heatmap);
    let closed = writer.close()?;
    let (folder, keys) = (run.heatmaps(), &config.config.stitch);
    let rules = keys.geojson_rules(&config.config.study);
    files.extend(export_heatmap(closed.path(), &folder, slide, &keys.export, &rules)?);
    closed.commit()?;
    damage::clear(&h5);
    files.insert(0, h5);
    let audit_failure = cascade.as_ref().and_then(CascadeMeta::audit_failure);
    let (already_there, added) = (false, 0);
    Ok(Stitched { files, missing, audit_failure, scored, max, already_there, added, replaced })
}

/// The scores of a slide's groups, put together.
struct Assembled {
    /// The heatmap of the positive class.
    heatmap: Heatmap,
    /// The attributes of the first group; `None` without groups.
    provenance: Option<ScoresMeta>,
    /// Number of windows that were scored.
    windows: u64,
    /// Number of patches whose stains could not be determined.
    unnormalized: u64,
    dense: Option<DenseMeta>,
    cascade: Option<CascadeMeta>,
    deviation: Option<PrecisionMeta>,
}

/// Reads the scores of `groups` and assembles the heatmap of the class `positive`. Damaged
/// score files are set aside, all of them before the error is returned.
fn assemble(
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
    Ok(Assembled { heatmap, provenance, windows, unnormalized, dense, cascade, deviation })
}

/// The heatmap of an earlier stitch, if it is complete. Missing exports are added to it.
fn existing_heatmap(
    run: &RunDir,
    config: &RunConfig,
    patches: &PatchesMeta,
) -> Result<Option<Stitched>, StitchError> {
    let path = run.heatmap(&patches.slide, "h5");
    if !path.exists() {
        return Ok(None);
    }
    let meta = heatmap_h5::read_heatmap_meta(&path)?;
    let expected = config.scores_sha256();
    if meta.config_sha256 != expected {
        return Err(StitchError::Foreign {
            path,
            what: "config_sha256",
            found: meta.config_sha256,
            expected,
        });
    }
    let (found, expected) = (&meta.method, config.method_of(&patches.slide).name());
    if found != expected {
        return Err(StitchError::other_method(path, found, expected));
    }
    let plane = |width_px, height_px, downsample| {
        format!("{width_px} x {height_px} px at downsample {downsample}")
    };
    let found = plane(meta.width_px, meta.height_px, meta.downsample);
    let expected = plane(patches.width_px, patches.height_px, patches.downsample);
    if found != expected {
        return Err(StitchError::Foreign { path, what: "its working plane", found, expected });
    }
    let pictures = [("png", config.config.stitch.png), ("npy", config.config.stitch.npy)];
    let files: Vec<PathBuf> = pictures
        .iter()
        .filter(|(_, is_wanted)| *is_wanted)
        .map(|(suffix, _)| run.heatmap(&patches.slide, suffix))
        .collect();
    let has_classes = !config.config.stitch.all_classes || heatmap_h5::has_classes(&path)?;
    if !has_classes || !meta.missing_groups.is_empty() || files.iter().any(|file| !file.exists()) {
        return Ok(None);
    }
    let (folder, keys) = (run.heatmaps(), &config.config.stitch);
    let slide = &patches.slide;
    let target = |format: &ExportFormat| format.path(&folder, slide);
    let formats = keys.export.iter().copied();
    let absent: Vec<_> = formats.filter(|format| !target(format).exists()).collect();
    let rules = keys.geojson_rules(&config.config.study);
    let added = export_heatmap(&path, &folder, slide, &absent, &rules)?.len();
    let files = std::iter::once(path).chain(files).chain(keys.export.iter().map(target)).collect();
    Ok(Some(Stitched {
        files,
        missing: Vec::new(),
        audit_failure: meta.audit_failure(),
        scored: usize::try_from(meta.windows).expect("a usize has 64 bits"),
        max: None,
        already_there: true,
        added,
        replaced: None,
    }))
}

/// The names of the model's classes, and the index of the one that the heatmap shows.
struct Classes {
    names: Vec<String>,
    positive: usize,
}

impl Classes {
    /// Reads the classes from the run's model card; a run without a card has one class.
    fn load(config: &RunConfig) -> Result<Self, StitchError> {
        let Some(path) = &config.config.model.card else {
            return Ok(Self { names: vec!["score".into()], positive: 0 });
        };
        let card = Model::load(path)?.card;
        if card_sha256(&card) != config.resolved.card_sha256 {
            return Err(StitchError::OtherCard { path: path.clone() });
        }
        let positive = card.positive_index();
        Ok(Self { names: card.classes, positive })
    }
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
fn class_plane(
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

fn file_meta(
    config: &RunConfig,
    patches: &PatchesMeta,
    classes: &Classes,
    provenance: Option<ScoresMeta>,
    missing: &[GroupNumber],
) -> HeatmapMeta {
    let ScoresMeta { engine, precision, normalize, .. } = provenance.unwrap_or_default();
    HeatmapMeta {
        slide: patches.slide.clone(),
        stride_px: config.config.predict.stride,
        window_px: patches.window_px,
        downsample: patches.downsample,
        mpp_x: patches.mpp_x,
        mpp_y: patches.mpp_y,
        width_px: patches.width_px,
        height_px: patches.height_px,
        level0_width_px: patches.level0_width_px,
        level0_height_px: patches.level0_height_px,
        missing_groups: missing.to_vec(),
        classes: classes.names.clone(),
        positive: u32::try_from(classes.positive).expect("a card has fewer than 2^32 classes"),
        method: config.method_of(&patches.slide).name().to_owned(),
        engine,
        precision,
        deviation: None,
        dense: None,
        cascade: None,
        model_sha256: config.resolved.model_sha256.clone(),
        config_sha256: config.scores_sha256(),
        windows: 0,
        normalize,
        unnormalized_patches: 0,
        writer: String::new(),
    }
}
