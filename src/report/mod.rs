//! The report of a run: one page, `report/index.html`, and beside it one folder per slide.
//!
//! ```text
//! status, score files ──[tally]──> CohortContent ──[page]──> index.html
//! heatmap, mask, truth ──[slide_files, layers]──> slides/<name>/{layers.js, slide.jpg, thumb.jpg}
//! ```
//!
//! The page works when opened from a file, without a network. Maps are stored as
//! scripts, because browsers let a page that was opened from a file neither fetch other
//! files nor read the pixels of pictures. `page` and `layers` do no I/O.

mod cohort;
mod error;
mod layers;
mod names;
mod page;
mod picture;
mod slide_content;
mod slide_files;
mod slide_parts;
mod study;
mod tally;
mod truth_shapes;

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::{RunConfig, Slides, StudyKeys};
use crate::jobs::cost::RunCost;
use crate::jobs::cost_plot::plot_tasks;
use crate::jobs::listing::SlideListing;
use crate::jobs::view::SlideView;
use crate::process;
use crate::progress::Progress;
use crate::run_dir::{RunDir, SlideRecord};
use crate::staged;
use crate::study::describe_detection;
use crate::truth::{self, SlideKind, TruthSources, read_slide_list};

use cohort::{CohortContent, CohortSlide};
use slide_content::SlideFiles;
use study::ShownStudy;
use tally::Tally;

pub(crate) use error::ReportError;

/// What a report is made from, besides the files of the run.
#[derive(Debug)]
pub(crate) struct ReportInputs {
    /// The run.
    pub run: RunDir,
    /// Folder that the report is written to.
    pub out: PathBuf,
    /// Folder with the truth; `None` stands for the folder of the run's `[study]`.
    pub truth: Option<PathBuf>,
    /// The slides of the run.
    pub slides: Vec<SlideListing>,
    /// Progress of each slide, in the order of `slides`.
    pub views: Vec<SlideView>,
    /// Cost of the run, by stage.
    pub cost: RunCost,
    /// The run's configuration, if it has one.
    pub config: Option<RunConfig>,
    /// Warnings to show at the top of the page.
    pub warnings: Vec<String>,
}

/// The numbers of a report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Summary {
    /// Path of the page.
    pub index: PathBuf,
    /// Number of slides.
    pub slides: usize,
    /// Number of slides in each state that occurs.
    pub states: BTreeMap<&'static str, usize>,
    /// Processor time of the stages split and predict, hours.
    pub core_hours: f64,
    /// Slides with files that cannot be read, and what is wrong with each file.
    pub damaged: BTreeMap<String, Vec<String>>,
}

/// Writes the report and returns its numbers.
///
/// Slides are processed one at a time, so the memory needed is that of one heatmap and one
/// picture. The files of a slide are kept if nothing that they show has changed.
///
/// # Errors
/// [`ReportError`] if the report cannot be written, or if the study or the list of slides
/// beside the truth is damaged. Damaged files of a slide are no error; the page names them.
pub(crate) fn write(mut inputs: ReportInputs, progress: &Progress) -> Result<Summary, ReportError> {
    let keys = inputs.config.as_ref().map_or_else(StudyKeys::default, |c| c.config.study.clone());
    let study = ShownStudy::read(&inputs.run.study())?;
    let folder = truth_folder(&mut inputs, &keys);
    let own = inputs.config.as_ref().map(|c| c.config.slides.clone()).unwrap_or_default();
    let kinds = kinds(folder.as_deref(), &own, &mut inputs.warnings)?;
    let truth = TruthSources { folder, of_slide: own.truth_of };
    let task = progress.start("report", "slides", inputs.slides.len());
    let mut slides = Vec::new();
    let mut tally = Tally::default();
    for (listing, view) in inputs.slides.iter().zip(&inputs.views) {
        let record = &listing.record;
        let files = slide_files(&inputs, record, &keys, &truth, study.as_ref())?;
        let drawn = files.update()?;
        let mut of_slide = Tally::of_slide(&inputs.run, &record.name, view.files.groups);
        let damaged = listing.damaged.values().map(|damage| damage.reason.clone());
        of_slide.unreadable.extend(damaged);
        tally.merge(&of_slide);
        let mut entry = CohortSlide::new(view.clone(), record.clone(), of_slide, drawn);
        entry.study = study.as_ref().and_then(|study| study.slide_result(&record.name).cloned());
        let listed = kinds.iter().find(|kind| kind.name == record.name);
        entry.is_tumor =
            listed.map(|kind| kind.is_tumor).or(entry.study.as_ref().map(|s| s.is_tumor));
        staged::write(&files.folder.join("facts.js"), page::facts_js(&entry).as_bytes())?;
        slides.push(entry);
        task.advance(1);
    }
    remove_others(&inputs.out.join("slides"), &slides)?;
    slides.sort_by(|a, b| (a.state, &a.record.name).cmp(&(b.state, &b.record.name)));
    let index = inputs.out.join("index.html");
    let cohort = cohort(inputs, slides, tally, study, &keys);
    staged::write(&index, page::index_html(&cohort).as_bytes())?;
    Ok(summary(index, &cohort))
}

/// Removes the files of slides that the run no longer has.
fn remove_others(folder: &Path, slides: &[CohortSlide]) -> Result<(), ReportError> {
    let kept: BTreeSet<String> = slides.iter().map(|s| names::folder(&s.record.name)).collect();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        // Other folders were put there by hand.
        if !kept.contains(&name) && path.join("facts.js").is_file() {
            std::fs::remove_dir_all(&path).map_err(|source| ReportError::Old { path, source })?;
        }
    }
    Ok(())
}

/// The folder with the truth, if it exists. If it does not, a warning is added: the folder
/// named in the configuration may have been removed since.
fn truth_folder(inputs: &mut ReportInputs, keys: &StudyKeys) -> Option<PathBuf> {
    let folder = inputs.truth.clone().or_else(|| keys.truth.clone())?;
    let why = match std::fs::metadata(&folder) {
        Ok(found) if found.is_dir() => return Some(folder),
        Ok(_) => "is no folder".to_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => "no such folder".to_owned(),
        Err(error) => format!("cannot look at it: {error}"),
    };
    let warning = format!("{}: {why}, so no truth is shown", folder.display());
    inputs.warnings.push(warning);
    None
}

fn slide_files<'a>(
    inputs: &'a ReportInputs,
    record: &'a SlideRecord,
    keys: &'a StudyKeys,
    truth: &TruthSources,
    study: Option<&ShownStudy>,
) -> Result<SlideFiles<'a>, ReportError> {
    let id = names::folder(&record.name);
    let detections = study.and_then(ShownStudy::detections);
    let detections = detections
        .map(|folder| inputs.run.study().join(folder).join(format!("{}.csv", record.name)));
    let has_detections = detections.as_deref().map_or(Ok(false), staged::is_there)?;
    let truth = truth.find(&record.name)?;
    Ok(SlideFiles {
        run: &inputs.run,
        record,
        folder: inputs.out.join("slides").join(&id),
        id,
        keys,
        origin: inputs.config.as_ref().map(|c| c.config.slides.origin()).unwrap_or_default(),
        truth,
        detections: detections.filter(|_| has_detections),
    })
}

/// The slides listed in `reference.csv` of the truth folder, and those with a label of their own. A
/// label that contradicts the list is a warning.
fn kinds(
    folder: Option<&Path>,
    own: &Slides,
    warnings: &mut Vec<String>,
) -> Result<Vec<SlideKind>, ReportError> {
    let list = folder.map(|folder| folder.join("reference.csv"));
    let mut kinds = match list {
        Some(list) if truth::is_file(&list)? => read_slide_list(&list)?,
        _ => Vec::new(),
    };
    for (name, label) in &own.label_of {
        let Some(is_tumor) = truth::is_tumor(label) else { continue };
        match kinds.iter().find(|listed| listed.name == *name) {
            Some(listed) if listed.is_tumor != is_tumor => warnings.push(format!(
                "{name} has the label {label:?}, and is of another kind in reference.csv, which counts here"
            )),
            Some(_) => {}
            None => kinds.push(SlideKind { name: name.clone(), is_tumor }),
        }
    }
    Ok(kinds)
}

fn cohort(
    inputs: ReportInputs,
    slides: Vec<CohortSlide>,
    tally: Tally,
    study: Option<ShownStudy>,
    keys: &StudyKeys,
) -> CohortContent {
    let root = inputs.run.root();
    let root = std::fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
    let name = root.file_name().unwrap_or(root.as_os_str()).to_string_lossy().into_owned();
    let text = std::fs::read_to_string(root.join("run.toml")).unwrap_or_default();
    let detection = match study.as_ref().and_then(ShownStudy::detections) {
        Some(folder) => format!("from study/{folder}, or {}", describe_detection(keys)),
        None => describe_detection(keys),
    };
    CohortContent {
        tasks_svg: plot_tasks(&format!("Tasks of {name} running over time"), &inputs.cost),
        name,
        root: root.display().to_string(),
        made_unix_s: process::unix_s(),
        slides,
        tally,
        cost: inputs.cost,
        config: inputs.config.map(|config| (config, text)),
        study,
        detection,
        warnings: inputs.warnings,
    }
}

fn summary(index: PathBuf, cohort: &CohortContent) -> Summary {
    let damaged =
        cohort.slides.iter().filter(|s| s.drawn.damaged || !s.tally.unreadable.is_empty());
    let problems = |slide: &CohortSlide| {
        let lines = slide.drawn.notes.iter().filter(|_| slide.drawn.damaged);
        let lines = lines.chain(&slide.tally.unreadable).cloned().collect();
        (slide.record.name.clone(), lines)
    };
    Summary {
        index,
        slides: cohort.slides.len(),
        states: cohort.counts().into_iter().map(|(state, n)| (state.name(), n)).collect(),
        core_hours: cohort.core_hours(),
        damaged: damaged.map(problems).collect(),
    }
}
