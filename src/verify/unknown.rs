//! Names the files of a run that the program does not make, and what killed writers left.

use std::collections::BTreeSet;
use std::path::Path;

use super::findings::Findings;
use crate::damage;
use crate::export::ExportFormat;
use crate::jobs::lookup::Lookup;
use crate::number::GroupNumber;
use crate::run_dir::{RunDir, SlideRecord};

/// Folders whose files are made for people, and are made again by one command.
const FREE: [&str; 5] = ["logs", "jobs", "study", "report", "calibration"];

/// Adds the files and folders that no command of this program makes.
pub(super) fn find(
    run: &RunDir,
    slides: &[SlideRecord],
    lookup: Option<&Lookup>,
    findings: &mut Findings,
) {
    let mut known = known_files(run, slides);
    known.extend(["run.toml", "slides.csv", "lookup.csv"].map(String::from));
    let folders = ["patches", "masks", "masks/tiles", "scores", "heatmaps", "coords"];
    known.extend(folders.iter().chain(&FREE).map(|&name| name.to_owned()));
    known.extend(slides.iter().map(|slide| format!("scores/{}", slide.name)));
    for folder in std::iter::once("").chain(folders) {
        add_unknown(run, folder, &known, findings);
    }
    // The scores of one slide at a time: a run may have a million of them.
    for slide in slides {
        let known = known_scores(run, slide, lookup);
        add_unknown(run, &format!("scores/{}", slide.name), &known, findings);
    }
    findings.unknown.sort();
}

/// Adds the files of a folder that are not among the `known` paths below the run directory.
fn add_unknown(run: &RunDir, folder: &str, known: &BTreeSet<String>, findings: &mut Findings) {
    let entries = std::fs::read_dir(run.root().join(folder)).into_iter().flatten().flatten();
    for entry in entries {
        let file = entry.file_name().to_string_lossy().into_owned();
        let name = if folder.is_empty() { file } else { format!("{folder}/{file}") };
        if !known.contains(&name) {
            findings.unknown.push(run.root().join(name));
        }
    }
}

/// The score files of a slide that commands make, by their paths below the run directory.
fn known_scores(run: &RunDir, slide: &SlideRecord, lookup: Option<&Lookup>) -> BTreeSet<String> {
    let name = &slide.name;
    let planned = lookup.and_then(|lookup| lookup.of_slide(name)).map(|row| row.groups);
    let mut known = BTreeSet::new();
    add(run, &run.scores_of(name).join("calibration.json"), &mut known);
    for group in GroupNumber::up_to(planned.or(slide.groups).unwrap_or(0)) {
        add_with_damaged(run, &run.scores(name, group), &mut known);
        add(run, &run.part(name, group), &mut known);
    }
    known
}

fn add(run: &RunDir, path: &Path, known: &mut BTreeSet<String>) {
    let below = path.strip_prefix(run.root()).ok().and_then(Path::to_str);
    known.extend(below.map(str::to_owned));
}

/// Adds a file, and the names that it and its reason have once it is set aside as damaged.
fn add_with_damaged(run: &RunDir, path: &Path, known: &mut BTreeSet<String>) {
    let aside = damage::aside(path);
    add(run, path, known);
    add(run, &aside, known);
    add(run, &aside.with_added_extension("json"), known);
}

/// The files of the slides that commands make, but for their scores, by their paths below the run
/// directory.
fn known_files(run: &RunDir, slides: &[SlideRecord]) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for slide in slides {
        let name = &slide.name;
        for path in [run.patches(name), run.heatmap(name, "h5")] {
            add_with_damaged(run, &path, &mut known);
        }
        let mut add = |path: &Path| add(run, path, &mut known);
        add(&run.patches(name).with_extension("npy"));
        add(&run.mask_png(name));
        add(&run.mask_tiles(name));
        add(&run.heatmap(name, "png"));
        add(&run.heatmap(name, "npy"));
        add(&run.heatmaps().join(format!("{name}_files")));
        ExportFormat::ALL.iter().for_each(|format| add(&format.path(&run.heatmaps(), name)));
        add(&run.coords().join(format!("{name}.h5")));
        add(&run.coords().join(format!("{name}_patches.h5")));
    }
    known
}
