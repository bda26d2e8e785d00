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
    let mut known = known_files(run, slides, lookup);
    known.extend(["run.toml", "slides.csv", "lookup.csv"].map(String::from));
    let folders = ["patches", "masks", "masks/tiles", "scores", "heatmaps", "coords"];
    known.extend(folders.iter().chain(&FREE).map(|&name| name.to_owned()));
    let scores = slides.iter().map(|slide| format!("scores/{}", slide.name));
    known.extend(scores.clone());
    let listed = std::iter::once(String::new()).chain(folders.map(String::from)).chain(scores);
    for folder in listed {
        let entries = std::fs::read_dir(run.root().join(&folder)).into_iter().flatten().flatten();
        for entry in entries {
            let file = entry.file_name().to_string_lossy().into_owned();
            let name = if folder.is_empty() { file } else { format!("{folder}/{file}") };
            if !known.contains(&name) {
                findings.unknown.push(run.root().join(name));
            }
        }
    }
    findings.unknown.sort();
}

/// The files of the slides that commands make, by their paths below the run directory.
fn known_files(run: &RunDir, slides: &[SlideRecord], lookup: Option<&Lookup>) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    let mut add = |path: &Path| {
        let below = path.strip_prefix(run.root()).ok().and_then(Path::to_str);
        known.extend(below.map(str::to_owned));
    };
    for slide in slides {
        let name = &slide.name;
        let planned = lookup.and_then(|lookup| lookup.of_slide(name)).map(|row| row.groups);
        let groups = planned.or(slide.groups).unwrap_or(0);
        let mut may_be_aside = vec![run.patches(name), run.heatmap(name, "h5")];
        for group in GroupNumber::up_to(groups) {
            may_be_aside.push(run.scores(name, group));
            add(&run.part(name, group));
        }
        for path in may_be_aside {
            let aside = damage::aside(&path);
            add(&path);
            add(&aside);
            add(&aside.with_added_extension("json"));
        }
        add(&run.patches(name).with_extension("npy"));
        add(&run.mask_png(name));
        add(&run.mask_tiles(name));
        add(&run.scores_of(name).join("calibration.json"));
        add(&run.heatmap(name, "png"));
        add(&run.heatmap(name, "npy"));
        add(&run.heatmaps().join(format!("{name}_files")));
        ExportFormat::ALL.iter().for_each(|format| add(&format.path(&run.heatmaps(), name)));
        add(&run.coords().join(format!("{name}.h5")));
        add(&run.coords().join(format!("{name}_patches.h5")));
    }
    known
}
