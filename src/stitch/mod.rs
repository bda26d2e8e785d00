//! Assembles a slide's score files into its heatmap and writes the heatmap's files.
//!
//! The memory needed is that of one heatmap of f32, one group's scores, and a picture whose
//! size is bounded.

mod assemble;
mod error;
mod groups;
mod pictures;

use std::path::PathBuf;

use crate::config::RunConfig;
use crate::damage::{self, SetAside, Watched};
use crate::export::{ExportError, ExportFormat, export_heatmap, with_tiles};
use crate::hdf5_file::FormatError;
use crate::heatmap_h5::{self, HeatmapMeta, HeatmapWriter};
use crate::model::{Model, card_sha256};
use crate::number::GroupNumber;
use crate::patches::{PatchesFile, PatchesMeta};
use crate::run_dir::{self, RunDir};
use crate::scores::ScoresMeta;
use crate::staged;

use assemble::{Assembled, assemble, class_plane};
pub(crate) use error::StitchError;
use groups::made_from;
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
    /// The engines, if groups were scored by several.
    pub several_engines: Option<String>,
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
    patches.check_slide(slide)?;
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
    let (mut present, mut missing) = (Vec::new(), Vec::new());
    for group in GroupNumber::up_to(meta.groups) {
        match staged::is_there(&run.scores(slide, group))? {
            true => present.push(group),
            false => missing.push(group),
        }
    }
    if !missing.is_empty() && !allow_missing {
        return Err(StitchError::Missing { slide: slide.into(), groups: meta.groups, missing });
    }
    let classes = ClassNames::load(config)?;
    let assembled = assemble(run, config, &meta, &present, classes.positive)?;
    let Assembled { heatmap, provenance, windows, unnormalized, dense, cascade, .. } = assembled;
    let Assembled { deviation, engine, scores_id, .. } = assembled;
    let file = file_meta(config, &meta, &classes, provenance, &missing);
    let unnormalized_patches = unnormalized;
    let file = HeatmapMeta { windows, unnormalized_patches, deviation, engine, scores_id, ..file };
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
    let rules = keys.geojson_rules(&config.config.study, &config.config.slides);
    files.extend(export_heatmap(closed.path(), &folder, slide, &keys.export, &rules)?);
    run_dir::record_files(run, slide, &with_tiles(&run.heatmaps(), slide, &files))?;
    closed.commit()?;
    damage::clear(&h5);
    files.insert(0, h5);
    let audit_failure = cascade.as_ref().and_then(|cascade| cascade.audit_failure(windows));
    Ok(Stitched {
        files,
        missing,
        audit_failure,
        several_engines: file.several_engines().map(ToOwned::to_owned),
        scored,
        max,
        already_there: false,
        added: 0,
        replaced,
    })
}

/// The heatmap of an earlier stitch, if it is complete. Missing exports are added to it.
fn existing_heatmap(
    run: &RunDir,
    config: &RunConfig,
    patches: &PatchesMeta,
) -> Result<Option<Stitched>, StitchError> {
    let path = run.heatmap(&patches.slide, "h5");
    if !staged::is_there(&path)? {
        return Ok(None);
    }
    let meta = heatmap_h5::read_heatmap_meta(&path)?;
    FormatError::check_slide(&path, &meta.slide, &patches.slide)?;
    let (found, expected) = (made_from(&meta.lineage, &patches.lineage), &patches.lineage.id);
    if found != *expected {
        let expected = expected.clone();
        return Err(StitchError::Foreign { path, what: "made_from", found, expected });
    }
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
    let mut is_whole = has_classes && meta.missing_groups.is_empty();
    for file in &files {
        is_whole &= staged::is_there(file)?;
    }
    if !is_whole {
        return Ok(None);
    }
    let (folder, keys) = (run.heatmaps(), &config.config.stitch);
    let slide = &patches.slide;
    let target = |format: &ExportFormat| format.path(&folder, slide);
    let mut wanted = Vec::new();
    for format in &keys.export {
        let path = target(format);
        if !staged::is_there(&path)? || !run_dir::is_recorded(run, slide, &path)? {
            wanted.push(*format);
        }
    }
    let rules = keys.geojson_rules(&config.config.study, &config.config.slides);
    heatmap_h5::read_heatmap_meta(&path)?.check_named(&path)?;
    let made = export_heatmap(&path, &folder, slide, &wanted, &rules)?;
    let added = made.len();
    if added > 0 {
        run_dir::record_files(run, slide, &with_tiles(&run.heatmaps(), slide, &made))?;
    }
    let files = std::iter::once(path).chain(files).chain(keys.export.iter().map(target)).collect();
    Ok(Some(Stitched {
        files,
        missing: Vec::new(),
        audit_failure: meta.audit_failure(),
        several_engines: meta.several_engines().map(ToOwned::to_owned),
        scored: usize::try_from(meta.windows).expect("a usize has 64 bits"),
        max: None,
        already_there: true,
        added,
        replaced: None,
    }))
}

/// The names of the model's classes, and the index of the one that the heatmap shows.
struct ClassNames {
    names: Vec<String>,
    positive: usize,
    /// The card's activation; empty without a card.
    activation: &'static str,
}

impl ClassNames {
    /// Reads the classes from the run's model card; a run without a card has one class.
    fn load(config: &RunConfig) -> Result<Self, StitchError> {
        let Some(path) = &config.config.model.card else {
            return Ok(Self { names: vec!["score".into()], positive: 0, activation: "" });
        };
        let card = Model::load(path)?.card;
        if card_sha256(&card) != config.resolved.card_sha256 {
            return Err(StitchError::OtherCard { path: path.clone() });
        }
        let positive = card.positive_index();
        Ok(Self { names: card.classes, positive, activation: card.activation.name() })
    }
}

fn file_meta(
    config: &RunConfig,
    patches: &PatchesMeta,
    classes: &ClassNames,
    provenance: Option<ScoresMeta>,
    missing: &[GroupNumber],
) -> HeatmapMeta {
    let ScoresMeta { precision, normalize, .. } = provenance.unwrap_or_default();
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
        activation: classes.activation.to_owned(),
        engine: String::new(),
        lineage: patches.lineage.of_what_is_made(),
        scores_id: String::new(),
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
