//! `slidegrid verify`

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::options::{ThreadOptions, catch_signals};
use super::output::{print, print_json};
use super::{Exit, Failure};
use crate::config::RunConfig;
use crate::number::counted;
use crate::progress::Progress;
use crate::run_dir::RunDir;
use crate::threads::Workers;
use crate::verify::{Findings, VerifyOptions, Without, verify};

/// Check every file of a run against what was recorded of it.
///
/// Reads patches, scores, heatmaps, exports, tables and records in full, and compares checksums,
/// what each file was made from, counts with the plan, values with those that are possible, the
/// slides' own files with their recorded size and hash, and the network with its hash. Prints a
/// line for each problem. A damaged file of patches, scores or a heatmap becomes NAME.damaged, so
/// that `slidegrid run` or `master retry` makes it anew. Files that no command makes are named.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slidegrid verify --run run
  slidegrid verify --run run --keep              look only, set nothing aside
  slidegrid verify --run run --without patches   they were deleted after scoring
  slidegrid verify --run run --json | jq '.problems[] | .file'

Exit code 0 if all is well, 5 if anything is damaged, missing or in the wrong place. Files of
version 1 have no checksums; of these, structure and values are checked.")]
pub(crate) struct VerifyArgs {
    /// Run directory.
    #[arg(long, value_name = "DIR")]
    run: PathBuf,

    /// Do not check the slides' own files, or allow that patches are missing. Repeatable.
    #[arg(long, value_name = "slides|patches")]
    without: Vec<Left>,

    /// Leave damaged files where they are.
    #[arg(long)]
    keep: bool,

    /// As JSON.
    #[arg(long)]
    json: bool,

    /// Print no progress, only warnings and errors.
    #[arg(long, short)]
    quiet: bool,

    #[command(flatten)]
    threads: ThreadOptions,
}

/// What a check leaves out.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Left {
    Slides,
    Patches,
}

impl From<Left> for Without {
    fn from(left: Left) -> Self {
        match left {
            Left::Slides => Self::Slides,
            Left::Patches => Self::Patches,
        }
    }
}

#[derive(serde::Serialize)]
struct VerifyReport<'a> {
    run: &'a Path,
    #[serde(flatten)]
    findings: &'a Findings,
}

pub(super) fn run(args: &VerifyArgs) -> Result<Exit, Failure> {
    let (run, progress) = (RunDir::new(&args.run), Progress::on_stderr(args.quiet));
    let config = RunConfig::read(&args.run)?;
    let pool = args.threads.pool(None, &progress);
    let signals = catch_signals()?;
    let workers = Workers { pool: &pool, interrupt: signals.interrupt() };
    let without = args.without.iter().copied().map(Without::from).collect();
    let options = VerifyOptions { without, keep: args.keep };
    let findings = verify(&run, &config, &options, workers, &progress);
    if args.json {
        print_json(&VerifyReport { run: &args.run, findings: &findings })?;
    } else {
        for problem in &findings.problems {
            print(&problem.problem)?;
        }
        for file in &findings.unknown {
            print(&format!("{}: no command of slidegrid makes this; not checked", file.display()))?;
        }
        for note in &findings.notes {
            print(&format!("note: {note}"))?;
        }
        print(&summary(&findings))?;
    }
    if let Some(signal) = findings.interrupted {
        progress.warn(&format!("verify: {signal}: ended before all files were checked"));
    }
    let is_well = findings.problems.is_empty() && findings.interrupted.is_none();
    Ok(if is_well { Exit::Done } else { Exit::Partial })
}

fn summary(findings: &Findings) -> String {
    let (files, problems) = (findings.files, findings.problems.len());
    let mut line = format!(
        "{}, {}, {}",
        counted(files as u64, "file", "files"),
        size(findings.bytes),
        counted(problems as u64, "problem", "problems")
    );
    if findings.without_checksums > 0 {
        line += &format!(
            "; {} of version 1 or of another program without checksums: structure and values were checked, bytes cannot be",
            counted(findings.without_checksums as u64, "file is", "files are")
        );
    }
    line
}

/// A number of bytes in decimal units.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = "bytes";
    for next in UNITS {
        if value < 1000.0 {
            break;
        }
        (value, unit) = (value / 1000.0, next);
    }
    if unit == "bytes" { format!("{bytes} bytes") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_decimal_place() {
        let found = [0, 999, 1000, 1_234_567, 5 << 40].map(size);
        assert_eq!(found, ["0 bytes", "999 bytes", "1.0 kB", "1.2 MB", "5.5 TB"]);
    }
}
