//! `slidegrid master estimate`

use clap::Args;

use super::options::{EngineOptions, RunOptions, ThreadOptions, catch_signals};
use super::output::print_json;
use super::{Exit, Failure, print};
use crate::jobs::estimate::Spread;
use crate::progress::Progress;
use crate::stages::estimate::{EstimateReport, EstimateTerms, estimate_run};
use crate::threads::Workers;

/// Time a few groups on this machine and estimate the cost of the rest.
///
/// The groups are sampled evenly over the slides, and their scores are kept. The range is that
/// of the speeds of the sampled groups.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slidegrid master estimate --run run
  slidegrid master estimate --run run --cores 4000 --price 0.04 --threads 7")]
pub(crate) struct EstimateArgs {
    #[command(flatten)]
    options: RunOptions,

    /// Number of groups to time.
    #[arg(long, value_name = "G", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    groups: u16,

    /// Number of cores to plan for [default: those of a task].
    #[arg(long, value_name = "N")]
    cores: Option<usize>,

    /// Price of a core-hour, in any currency.
    #[arg(long, value_name = "P")]
    price: Option<f64>,

    /// Print the result as JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    threads: ThreadOptions,

    #[command(flatten)]
    engine: EngineOptions,
}

/// Times groups and prints the estimate.
///
/// # Errors
/// [`Failure`] when the run has no groups, or one cannot be scored.
pub(crate) fn run(args: &EstimateArgs) -> Result<Exit, Failure> {
    let signals = catch_signals()?;
    let (run, progress) = (args.options.dir(), args.options.progress());
    let mut config = args.options.settle()?;
    args.engine.over(&mut config);
    let pool = args.threads.pool(config.config.predict.threads, &progress);
    let workers = Workers { pool: &pool, interrupt: signals.interrupt() };
    let terms =
        EstimateTerms { groups: usize::from(args.groups), cores: args.cores, price: args.price };
    let Some(report) = estimate_run(&run, &config, &terms, &workers, &progress)? else {
        return Ok(Exit::Partial);
    };
    if args.json {
        print_json(&report)?;
    } else {
        print(&report_text(&report, &progress))?;
    }
    Ok(Exit::Done)
}

fn report_text(report: &EstimateReport, progress: &Progress) -> String {
    for timed in &report.timed {
        progress.note(&format!(
            "timed {} t{}: {} windows in {:.1} s on {} cores",
            timed.slide, timed.group, timed.windows, timed.wall_s, timed.cores
        ));
    }
    let found = &report.estimate;
    let mut lines = vec![format!(
        "{} groups left, {:.0} windows, {} timed",
        found.groups,
        found.windows,
        report.timed.len()
    )];
    lines.push(format!("{:24}  {:>12}  {:>12}  {:>12}", "", "fastest", "median", "slowest"));
    let mut line = |what: &str, spread: &Spread| {
        let Spread { min, median, max } = spread;
        lines.push(format!("{what:24}  {min:>12.3}  {median:>12.3}  {max:>12.3}"));
    };
    let rate = found.windows_per_core_s;
    line("windows per core-second", &Spread { min: rate.max, median: rate.median, max: rate.min });
    line("core-hours", &found.core_hours);
    line(&format!("hours on {} cores", report.cores), &found.wall_hours);
    if let Some(money) = &found.money {
        line("money", money);
    }
    let disk = &report.disk;
    lines.push(format!(
        "disk: patches {:.3} GB, scores about {:.3} GB, heatmaps about {:.3} GB",
        disk.patches_bytes as f64 / 1e9,
        disk.scores_bytes as f64 / 1e9,
        disk.heatmaps_bytes as f64 / 1e9
    ));
    lines.push(format!(
        "each task of {} cores starts with {:.1} s to load the model",
        report.cores_per_task, report.start_s
    ));
    lines.join("\n")
}
