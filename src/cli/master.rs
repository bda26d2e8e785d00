//! `slidegrid master`

use clap::{Parser, Subcommand};

use super::cluster::{self, ClusterOptions, SubmitOptions};
use super::estimate::{self, EstimateArgs};
use super::options::RunOptions;
use super::{Exit, Failure, print};
use crate::jobs::lookup::LookupRow;
use crate::stages::plan::plan;

/// Number the groups of all slides as tasks, and submit them as array jobs.
#[derive(Debug, Parser)]
#[command(
    name = "master",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  slidegrid master plan --run run       writes run/lookup.csv
  slidegrid master submit --run run --scheduler slurm --dry-run
                                        shows and writes run/jobs/*.sh; submits nothing
  slidegrid master retry --run run      submits what is missing; what ran out of
                                        memory or time asks for twice as much
  slidegrid master retry --run run --memory-factor 1.5
                                        everything missing asks for 1.5 times the memory"
)]
pub(crate) struct MasterArgs {
    #[command(subcommand)]
    command: MasterCommand,
}

#[derive(Debug, Subcommand)]
enum MasterCommand {
    /// Write RUN/lookup.csv, which maps task numbers to slides and groups.
    Plan {
        #[command(flatten)]
        options: RunOptions,
    },
    /// Time a few groups on this machine and estimate the cost of the rest.
    Estimate(EstimateArgs),
    /// Submit array jobs for what is missing: split, calibrate, predict, stitch.
    ///
    /// One array for split, one per slide for predict (one task per group), one job
    /// per slide for stitch, started when its groups have ended. Work that
    /// is done, queued or running is not submitted. Prints one line per job.
    Submit {
        #[command(flatten)]
        options: RunOptions,
        #[command(flatten)]
        cluster: ClusterOptions,
        /// Continue the chain of command N (used by the master job).
        #[arg(long, value_name = "N", hide = true)]
        round: Option<usize>,
    },
    /// Submit exactly what is missing, and print what that is and why.
    ///
    /// Work that is done, queued or running is not submitted. Tasks that ran out of memory or
    /// time request twice as much as before, now and later.
    Retry {
        #[command(flatten)]
        options: RunOptions,
        #[command(flatten)]
        cluster: ClusterOptions,
        /// Request this many times the configured memory for all missing work.
        #[arg(long, value_name = "F")]
        memory_factor: Option<f64>,
        /// Request this many times the configured wall time for all missing work.
        #[arg(long, value_name = "F")]
        time_factor: Option<f64>,
    },
}

impl MasterArgs {
    /// Plans or submits.
    ///
    /// # Errors
    /// [`Failure`] when the table cannot be written or the scheduler refuses;
    /// patch files that cannot be read are listed and give [`Exit::Partial`].
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        match &self.command {
            MasterCommand::Plan { options } => {
                options.settle()?;
                let (lookup, completion) = plan(&options.dir(), &options.progress())?;
                for row in lookup.rows() {
                    let LookupRow { start, end, name, patches, .. } = row;
                    print(&format!("{start}-{end} {name} ({patches} patches)"))?;
                }
                Ok(completion.into())
            }
            MasterCommand::Estimate(args) => estimate::run(args),
            MasterCommand::Submit { options, cluster, round } => {
                let wanted = SubmitOptions {
                    round: *round,
                    keeps_scripts: true,
                    ..SubmitOptions::default()
                };
                cluster::submit(options, cluster, &wanted)
            }
            MasterCommand::Retry { options, cluster, memory_factor, time_factor } => {
                let factors = cluster::factors(*memory_factor, *time_factor)?;
                let wanted = SubmitOptions { retry: Some(factors), ..SubmitOptions::default() };
                cluster::submit(options, cluster, &wanted)
            }
        }
    }
}
