//! One page for a run: `report/index.html`, and beside it a folder a slide.
//!
//! ```text
//! status, score files ──[tally]──> Cohort ──[page]──> index.html
//! heatmap, mask, truth ──[slide_files, layers]──> slides/<name>/{layers.js, slide.jpg, thumb.jpg}
//! ```
//!
//! The page reads nothing from a network, and works from a file: maps come as
//! scripts, since a page in a file may neither fetch files nor look into
//! pictures. `page` and `layers` do no I/O.

mod cohort;
mod error;
mod layers;
mod names;
mod page;
mod picture;
mod slide_files;
mod slide_parts;
mod study;
mod tally;
mod truth_shapes;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::{RunConfig, StudyKeys};
use crate::jobs::cost::RunCost;
use crate::jobs::cost_plot::plot_tasks;
use crate::jobs::view::SlideView;
use crate::process;
use crate::progress::Progress;
use crate::run_dir::{RunDir, SlideRecord};
use crate::staged;
use crate::study::describe_detection;
use crate::truth::{self, SlideKind, read_slide_list};

use cohort::{Cohort, Entry};
use slide_files::Subject;
use study::Study;
use tally::Tally;

pub use error::ReportError;

/// What a report is made of, besides the files of the run.
#[derive(Debug)]
pub struct Material {
    /// The run.
    pub run: RunDir,
    /// Where the report goes.
    pub out: PathBuf,
    /// Folder of truth; else that of the run's `[study]`, if it is there.
    pub truth: Option<PathBuf>,
    /// The slides.
    pub records: Vec<SlideRecord>,
    /// Files and schedulers, slide by slide.
    pub views: Vec<SlideView>,
    /// What the run took.
    pub cost: RunCost,
    /// The run's configuration, where it has one.
    pub config: Option<RunConfig>,
    /// What could not be asked.
    pub warnings: Vec<String>,
}

/// What a report shows, in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The page.
    pub index: PathBuf,
    /// Slides.
    pub slides: usize,
    /// Slides by state.
    pub states: BTreeMap<&'static str, usize>,
    /// Processor time of split and predict.
    pub core_hours: f64,
    /// Slides of which a file cannot be read, and which.
    pub damaged: BTreeMap<String, Vec<String>>,
}

/// Writes the report; result: what it shows.
///
/// One slide at a time: memory is that of a heatmap and a picture. Files of a
/// slide are kept when nothing they show has changed.
///
/// # Errors
/// [`ReportError`] when it cannot be written, or the study or the list of slides
/// is damaged. Damaged files of a slide are told in the page.
pub fn write(mut material: Material, progress: &Progress) -> Result<Summary, ReportError> {
    let keys = material.config.as_ref().map_or_else(StudyKeys::default, |c| c.config.study.clone());
    let study = Study::read(&material.run.study())?;
    let truth = truth_folder(&mut material, &keys);
    let kinds = truth.as_deref().map(kinds).transpose()?.unwrap_or_default();
    let task = progress.start("report", "slides", material.records.len());
    let mut slides = Vec::new();
    let mut tally = Tally::default();
    for (record, view) in material.records.iter().zip(&material.views) {
        let subject = subject(&material, record, &keys, truth.as_deref(), study.as_ref());
        let drawn = subject.draw()?;
        let of_slide = Tally::of_slide(&material.run, &record.name, view.files.groups);
        tally.merge(&of_slide);
        let mut entry = Entry::new(view.clone(), record.clone(), of_slide, drawn);
        entry.study = study.as_ref().and_then(|study| study.of_slide(&record.name).cloned());
        let listed = kinds.iter().find(|kind| kind.name == record.name);
        entry.is_tumor =
            listed.map(|kind| kind.is_tumor).or(entry.study.as_ref().map(|s| s.is_tumor));
        staged::write(&subject.folder.join("facts.js"), page::facts_js(&entry).as_bytes())?;
        slides.push(entry);
        task.advance(1);
    }
    slides.sort_by(|a, b| (a.state, &a.record.name).cmp(&(b.state, &b.record.name)));
    let index = material.out.join("index.html");
    let cohort = cohort(material, slides, tally, study, &keys);
    staged::write(&index, page::index_html(&cohort).as_bytes())?;
    Ok(summary(index, &cohort))
}

/// Where truth is; that of the configuration may have gone.
fn truth_folder(material: &mut Material, keys: &StudyKeys) -> Option<PathBuf> {
    let folder = material.truth.clone().or_else(|| keys.truth.clone())?;
    if folder.is_dir() {
        return Some(folder);
    }
    let warning = format!("{}: no such folder, so no truth is shown", folder.display());
    material.warnings.push(warning);
    None
}

fn subject<'a>(
    material: &'a Material,
    record: &'a SlideRecord,
    keys: &'a StudyKeys,
    truth: Option<&Path>,
    study: Option<&Study>,
) -> Subject<'a> {
    let id = names::folder(&record.name);
    let detections = study.and_then(Study::detections);
    let detections = detections
        .map(|folder| material.run.study().join(folder).join(format!("{}.csv", record.name)));
    Subject {
        run: &material.run,
        record,
        folder: material.out.join("slides").join(&id),
        id,
        keys,
        truth: truth.and_then(|folder| truth::find(folder, &record.name)),
        detections: detections.filter(|path| path.exists()),
    }
}

/// Which slides have tumour, where the folder of truth lists them.
fn kinds(folder: &Path) -> Result<Vec<SlideKind>, ReportError> {
    let list = folder.join("reference.csv");
    if list.is_file() { Ok(read_slide_list(&list)?) } else { Ok(Vec::new()) }
}

fn cohort(
    material: Material,
    slides: Vec<Entry>,
    tally: Tally,
    study: Option<Study>,
    keys: &StudyKeys,
) -> Cohort {
    let root = material.run.root();
    let root = std::fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
    let name = root.file_name().unwrap_or(root.as_os_str()).to_string_lossy().into_owned();
    let text = std::fs::read_to_string(root.join("run.toml")).unwrap_or_default();
    let detection = match study.as_ref().and_then(Study::detections) {
        Some(folder) => format!("from study/{folder}, or {}", describe_detection(keys)),
        None => describe_detection(keys),
    };
    Cohort {
        tasks_svg: plot_tasks(&format!("Tasks of {name} running over time"), &material.cost),
        name,
        root: root.display().to_string(),
        made_unix_s: process::unix_s(),
        slides,
        tally,
        cost: material.cost,
        config: material.config.map(|config| (config, text)),
        study,
        detection,
        warnings: material.warnings,
    }
}

fn summary(index: PathBuf, cohort: &Cohort) -> Summary {
    let damaged =
        cohort.slides.iter().filter(|s| s.drawn.damaged || !s.tally.unreadable.is_empty());
    let told = |slide: &Entry| {
        let lines = slide.drawn.notes.iter().filter(|_| slide.drawn.damaged);
        let lines = lines.chain(&slide.tally.unreadable).cloned().collect();
        (slide.record.name.clone(), lines)
    };
    Summary {
        index,
        slides: cohort.slides.len(),
        states: cohort.counts().into_iter().map(|(state, n)| (state.name(), n)).collect(),
        core_hours: cohort.core_hours(),
        damaged: damaged.map(told).collect(),
    }
}
