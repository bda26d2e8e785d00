//! `slidegrid master`

use clap::{Parser, Subcommand};

use super::options::RunOptions;
use super::{Exit, Failure, print};
use crate::jobs::lookup::Lookup;
use crate::patches::PatchesFile;
use crate::progress::Progress;
use crate::run_dir::{self, RunDir, SlideRecord};

/// Number the groups of all slides as tasks: the look-up table.
#[derive(Debug, Parser)]
#[command(
    name = "master",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  slidegrid master plan --run run     writes run/lookup.csv"
)]
pub struct MasterArgs {
    #[command(subcommand)]
    command: MasterCommand,
}

#[derive(Debug, Subcommand)]
enum MasterCommand {
    /// Write RUN/lookup.csv: which slide and group each task number means.
    Plan {
        #[command(flatten)]
        options: RunOptions,
    },
}

impl MasterArgs {
    /// Plans.
    ///
    /// # Errors
    /// [`Failure`] when the table cannot be written; patch files that cannot
    /// be read are listed and give [`Exit::Partial`].
    pub fn run(&self) -> Result<Exit, Failure> {
        let MasterCommand::Plan { options } = &self.command;
        options.settle()?;
        let (lookup, exit) = plan(&options.dir(), &options.progress())?;
        for row in lookup.rows() {
            let row = format!("{}-{} {} ({} patches)", row.start, row.end, row.name, row.patches);
            print(&row)?;
        }
        Ok(exit)
    }
}

/// Writes the look-up table over every slide that has patches.
pub(super) fn plan(run: &RunDir, progress: &Progress) -> Result<(Lookup, Exit), Failure> {
    let mut slides = Vec::new();
    let mut failed = 0;
    for SlideRecord { name, .. } in run_dir::known_slides(run)? {
        let path = run.patches(&name);
        if !path.exists() {
            continue;
        }
        match PatchesFile::open(&path) {
            Ok(file) => {
                for assumption in file.assumptions() {
                    progress.warn(&format!("warning: {}: {assumption}", path.display()));
                }
                slides.push((name, file.meta().groups, file.meta().patches));
            }
            Err(error) => {
                failed += 1;
                progress.warn(&format!("error: {error}"));
            }
        }
    }
    let done = slides.len();
    let lookup = Lookup::plan(slides.iter().map(|(name, g, p)| (name.as_str(), *g, *p)));
    lookup.write(run)?;
    progress.note(&format!(
        "plan: {} tasks over {} slides with tissue",
        lookup.tasks(),
        lookup.rows().len()
    ));
    Ok((lookup, Exit::of(done, failed)))
}
