//! `slidegrid report`

use std::path::PathBuf;

use clap::Args;

use super::{Exit, Failure, print};
use crate::config::{ConfigError, RunConfig};
use crate::jobs::cost::cost_of;
use crate::jobs::run_view::RunView;
use crate::progress::Progress;
use crate::report::{self, ReportInputs};
use crate::run_dir::RunDir;

/// Make a page about a run: slides, heatmaps, truth, failures, provenance.
///
/// Writes RUN/report/index.html and, beside it, a folder per slide with pictures and maps,
/// which the page loads when the slide is selected. The page opens in any browser, from a
/// file, without a network; the folder can be moved or packed as a whole. The command
/// can be repeated at any time; files that have not changed are kept.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slidegrid report --run run
  slidegrid report --run run --truth annotations     outlines over the heatmaps
  slidegrid report --run run --out /srv/www/run --json")]
pub(crate) struct ReportArgs {
    /// Run directory.
    #[arg(long, value_name = "DIR")]
    run: PathBuf,

    /// Folder with the truth: SLIDE.xml (ASAP), .geojson (QuPath), .json (NCRF), .png or
    /// .tif (masks) [default: study.truth of the run].
    #[arg(long, value_name = "DIR")]
    truth: Option<PathBuf>,

    /// Folder for the page [default: RUN/report].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Print the numbers of the page as JSON.
    #[arg(long)]
    json: bool,

    /// Print no progress, only warnings and errors.
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn run(args: &ReportArgs) -> Result<Exit, Failure> {
    let run = RunDir::new(&args.run);
    let progress = Progress::on_stderr(args.quiet);
    if let Some(truth) = args.truth.as_ref().filter(|truth| !truth.is_dir()) {
        let problem = format!("--truth {}: no such folder", truth.display());
        return Err(Failure::new(Exit::Usage, problem));
    }
    let config = match RunConfig::read(&args.run) {
        Ok(config) => Some(config),
        Err(ConfigError::NoRun { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let RunView { state, slides, .. } = RunView::read(&run)?;
    let inputs = ReportInputs {
        out: args.out.clone().unwrap_or_else(|| run.report()),
        truth: args.truth.clone(),
        cost: cost_of(&run, &state),
        slides: state.listing.slides,
        views: slides,
        config,
        warnings: state.answers.warnings,
        run,
    };
    let summary =
        report::write(inputs, &progress).map_err(|error| Failure::new(Exit::Input, error))?;
    for (slide, lines) in &summary.damaged {
        for line in lines {
            progress.warn(&format!("warning: {slide}: {line}"));
        }
    }
    if args.json {
        print(&serde_json::to_string_pretty(&summary).expect("a summary is plain data"))?;
    } else {
        print(&summary.index.display().to_string())?;
    }
    Ok(if summary.damaged.is_empty() { Exit::Done } else { Exit::Partial })
}
