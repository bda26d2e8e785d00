//! `slidegrid master`

use clap::{Parser, Subcommand};

use super::options::RunOptions;
use super::{Exit, Failure};
use crate::hdf5_file::FormatError;
use crate::jobs::lookup::Lookup;
use crate::patches::PatchesFile;
use crate::progress::Progress;
use crate::run_dir::{self, RunDir};

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
            println!("{}-{} {} ({} patches)", row.start, row.end, row.name, row.patches);
        }
        Ok(exit)
    }
}

/// Writes the look-up table over every slide that has patches.
pub(super) fn plan(run: &RunDir, progress: &Progress) -> Result<(Lookup, Exit), Failure> {
    let mut slides = Vec::new();
    let mut failed = 0;
    for name in slide_names(run)? {
        let path = run.patches(&name);
        if !path.exists() {
            continue;
        }
        match groups_of(&path) {
            Ok((groups, patches)) => slides.push((name, groups, patches)),
            Err(error) => {
                failed += 1;
                progress.note(&format!("error: {error}"));
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

fn groups_of(path: &std::path::Path) -> Result<(usize, usize), FormatError> {
    let file = PatchesFile::open(path)?;
    Ok((file.meta().groups, file.meta().patches))
}

/// Names in the order of the table; patch files alone (as the original code
/// leaves them) in order of name.
fn slide_names(run: &RunDir) -> Result<Vec<String>, Failure> {
    let records = if run.slides_csv().exists() { run_dir::read_slides(run)? } else { Vec::new() };
    let mut names: Vec<String> = records.into_iter().map(|record| record.name).collect();
    let folder = run.root().join("patches");
    let mut others: Vec<String> = std::fs::read_dir(&folder)
        .map(|entries| {
            entries
                .filter_map(|entry| {
                    let name = entry.ok()?.file_name().into_string().ok()?;
                    let stem = name.strip_suffix(".h5")?;
                    (!stem.starts_with('.')).then(|| stem.to_owned())
                })
                .collect()
        })
        .unwrap_or_default();
    others.retain(|name| !names.contains(name));
    others.sort();
    names.extend(others);
    if names.is_empty() {
        return Err(Failure::new(
            Exit::Input,
            format!("{}: no slides here; run `slidegrid split` first", run.root().display()),
        ));
    }
    Ok(names)
}
