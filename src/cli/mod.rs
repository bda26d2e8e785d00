//! The command line: arguments, messages and exit codes.
//!
//! Commands do no work of their own. They read the configuration, call the stages and
//! report the outcome. Results go to stdout, everything else to stderr.

mod bench;
mod calibrate;
mod cluster;
mod densify;
mod estimate;
mod export;
mod failure;
mod forget;
mod import;
mod inputs;
mod master;
mod normalize;
mod options;
mod output;
mod predict;
mod redo;
mod report;
mod run;
mod split;
mod status;
mod stitch;
mod study;
mod synth;
mod verify;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::crash;
use crate::interrupt;
use crate::jobs::outcome::{self, Outcome, OutcomeKind, Undone};
use crate::process;
use crate::progress::tell;

use failure::CommandEnd;
pub(crate) use failure::{Exit, Failure};
use master::MasterArgs;
use output::{check_stdout, print};
use predict::PredictArgs;
use split::SplitArgs;
use stitch::StitchArgs;

/// Whole-slide images to pixelwise heatmaps on clusters of ordinary CPUs.
#[derive(Debug, Parser)]
#[command(name = "slidegrid", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  slidegrid synth --out demo --slides 2 --seed 1
  slidegrid run --config demo/quickstart.toml --run run demo/slides
  slidegrid status --run run

Exit codes: 0 done, 1 bug, 2 usage, 3 configuration, 4 input, 5 partial
(some slides or patches failed, or a cascade's audit does not hold; everything else
is done, and what failed is listed).";

/// The commands.
#[derive(Debug, Subcommand)]
enum Command {
    /// Make synthetic slides with truth, and demo models.
    Synth(synth::Args),
    /// Make heatmaps from slides: split, plan, predict and stitch in one command.
    Run(run::RunArgs),
    /// Find tissue and write it as grouped patches, one HDF5 file per slide.
    Split(SplitArgs),
    /// Number the groups of all slides as tasks, and submit jobs.
    Master(MasterArgs),
    /// Fit the dense network to single windows, over all slides of a run.
    Calibrate(calibrate::CalibrateArgs),
    /// Score groups of patches with the network.
    Predict(PredictArgs),
    /// Rewrite a network to score a whole patch in one run, and save it.
    Densify(densify::DensifyArgs),
    /// Assemble the scores of slides into heatmaps.
    Stitch(StitchArgs),
    /// Remove the scores and heatmaps of slides and make them again.
    Redo(redo::RedoArgs),
    /// Remove slides from a run, with all that was made of them.
    Forget(forget::ForgetArgs),
    /// Show what is done, missing or failed in a run, and why.
    Status(status::StatusArgs),
    /// Check every file of a run against what was recorded of it.
    Verify(verify::VerifyArgs),
    /// Make a page about a run: slides, heatmaps, truth, failures, provenance.
    Report(report::ReportArgs),
    /// Fit, preview and apply stain normalisation outside a run.
    Normalize(normalize::NormalizeArgs),
    /// Measure a run against truth: accuracy and cost at several strides.
    Study(Box<study::StudyArgs>),
    /// Write heatmaps in formats of other programs.
    Export(export::ExportArgs),
    /// Measure this machine and recommend settings.
    Bench(Box<bench::BenchArgs>),
    /// Import results of the original HPC_DPAI code.
    Import(import::ImportArgs),
    /// Print a completion script for a shell.
    ///
    /// For bash: slidegrid completions bash > ~/.local/share/bash-completion/completions/slidegrid
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// The program `slidegrid`.
pub fn main() -> ExitCode {
    program(dispatch)
}

/// `slidegrid split` as a program of its own, for the cluster scripts.
pub fn split() -> ExitCode {
    program(SplitArgs::run)
}

/// `slidegrid master` as a program of its own.
pub fn master() -> ExitCode {
    program(MasterArgs::run)
}

/// `slidegrid predict` as a program of its own.
pub fn predict() -> ExitCode {
    program(PredictArgs::run)
}

/// `slidegrid stitch` as a program of its own.
pub fn stitch() -> ExitCode {
    program(StitchArgs::run)
}

/// Runs `command` with the arguments of this process.
fn program<A: Parser, E: Into<CommandEnd>>(
    command: impl FnOnce(&A) -> Result<E, Failure>,
) -> ExitCode {
    match A::try_parse() {
        Ok(args) => report(|| command(&args).map(E::into)),
        Err(error) => report(|| print_usage(&error).map(Exit::into)),
    }
}

/// Prints the help, the version, or an error in the arguments.
fn print_usage(error: &clap::Error) -> Result<Exit, Failure> {
    let printed = error.print();
    if error.use_stderr() {
        return Ok(Exit::Usage);
    }
    check_stdout(printed).map(|()| Exit::Done)
}

fn dispatch(cli: &Cli) -> Result<CommandEnd, Failure> {
    let exit = match &cli.command {
        Command::Run(args) => return run::run(args),
        Command::Split(args) => return args.run(),
        Command::Predict(args) => return args.run(),
        Command::Stitch(args) => return args.run(),
        Command::Redo(args) => return redo::run(args),
        Command::Forget(args) => Ok(forget::run(args).map(|()| Exit::Done)?),
        Command::Synth(args) => Ok(synth::run(args).map(|()| Exit::Done)?),
        Command::Master(args) => args.run(),
        Command::Calibrate(args) => args.run(),
        Command::Densify(args) => args.run(),
        Command::Status(args) => status::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Report(args) => report::run(args),
        Command::Normalize(args) => normalize::run(args),
        Command::Study(args) => study::run(args),
        Command::Export(args) => export::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Import(args) => import::run(args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "slidegrid", &mut script);
            print(String::from_utf8_lossy(&script).trim_end())?;
            Ok(Exit::Done)
        }
    };
    exit.map(CommandEnd::from)
}

/// Runs `command`, prints its failure to stderr, and returns the exit code. A task of a job
/// also prints its outcome, as the last line.
fn report(command: impl FnOnce() -> Result<CommandEnd, Failure>) -> ExitCode {
    process::report_file_size_limit();
    if let Err(error) = crash::handle_crashes() {
        tell(&format!("warning: cannot handle crashes of libraries: {error}"));
    }
    interrupt::on_end(|| print_outcome(OutcomeKind::Interrupted, Vec::new()));
    // Results get their final names only when they are complete, so a panic leaves no file
    // behind that could be mistaken for a result.
    let (kind, undone) = match std::panic::catch_unwind(AssertUnwindSafe(command)) {
        Ok(Ok(end)) => (end.kind, end.undone),
        Ok(Err(failure)) => {
            tell(&format!("error: {failure}"));
            (failure.kind(), Vec::new())
        }
        Err(_) => {
            tell(&format!(
                "error: this is a bug in {}; please report it with the lines above",
                crate::version::WRITER
            ));
            (OutcomeKind::Bug, Vec::new())
        }
    };
    print_outcome(kind, undone);
    Exit::from(kind).code()
}

/// Prints the outcome if this process is a task of a job, whose log is read later.
fn print_outcome(kind: OutcomeKind, items: Vec<Undone>) {
    if std::env::var_os(outcome::VARIABLE).is_some() {
        tell(&Outcome { exit: Exit::from(kind).number(), kind, items }.line());
    }
}

#[cfg(test)]
mod docs_tests;
