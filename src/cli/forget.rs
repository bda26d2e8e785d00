//! `slidegrid forget`

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use crate::config::RunConfig;
use crate::progress::Progress;
use crate::run_dir::RunDir;
use crate::stages::forget;

/// Remove slides from a run, with all that was made of them.
///
/// The slides' patches, masks, scores, heatmaps, exports, records, rows of slides.csv and lookup.csv
/// and settings in run.toml are removed. Their files stay, and so does everything of other slides.
/// The command is refused while tasks of these slides are queued or running. When it is
/// interrupted, the same command does the rest.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slidegrid forget --run run tumor_026
  slidegrid forget --run run -- -odd-name")]
pub(crate) struct ForgetArgs {
    /// Run directory.
    #[arg(long, value_name = "DIR")]
    run: PathBuf,

    /// Names of the slides, as `slidegrid status` lists them.
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,

    /// Print no progress, only warnings and errors.
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn run(args: &ForgetArgs) -> Result<(), Failure> {
    let (run, progress) = (RunDir::new(&args.run), Progress::on_stderr(args.quiet));
    let mut config = RunConfig::read(&args.run)?;
    Ok(forget::forget(&run, &mut config, &args.names, &progress)?)
}
