//! What is done, by files.

use std::collections::BTreeSet;

use crate::jobs::arrays::Piece;
use crate::jobs::lookup::Lookup;
use crate::jobs::todo::SlideFiles;
use crate::number::{GroupNumber, TaskNumber};
use crate::run_dir::RunDir;

/// What is missing of a run, by its files.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// Rows of slides.csv that are not split, and their slides.
    pub unsplit: Vec<(TaskNumber, String)>,
    /// Slides that are.
    pub slides: Vec<SlideFiles>,
}

impl Files {
    /// Every piece of work that is missing; the heatmaps last.
    pub fn missing(&self) -> Vec<Piece> {
        let split = self.unsplit.iter().map(|(_, name)| Piece::Split(name.clone()));
        let groups = self.slides.iter().flat_map(|slide| {
            slide.missing.iter().map(|&group| Piece::Group(slide.name.clone(), group))
        });
        let unstitched = self.slides.iter().filter(|slide| !slide.heatmap);
        let stitch = unstitched.map(|slide| Piece::Stitch(slide.name.clone()));
        split.chain(groups).chain(stitch).collect()
    }
}

/// What the files of a run say is missing.
pub fn files_of(run: &RunDir, unsplit: Vec<(TaskNumber, String)>, lookup: &Lookup) -> Files {
    let rows = lookup.rows().iter();
    let slides = rows.map(|row| {
        let scored = scored_groups(run, &row.name);
        SlideFiles {
            name: row.name.clone(),
            missing: row.group_numbers().filter(|group| !scored.contains(group)).collect(),
            heatmap: run.heatmap(&row.name, "h5").exists(),
        }
    });
    Files { unsplit, slides: slides.collect() }
}

/// One look at the folder instead of one at each file.
fn scored_groups(run: &RunDir, slide: &str) -> BTreeSet<GroupNumber> {
    let Ok(entries) = std::fs::read_dir(run.scores_of(slide)) else { return BTreeSet::new() };
    entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_prefix('t')?.strip_suffix(".h5")?.parse().ok()
        })
        .collect()
}
