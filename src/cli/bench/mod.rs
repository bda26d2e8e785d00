//! `slidegrid bench`

mod infer;
mod io;

use clap::{Args, Subcommand};

use super::{Exit, Failure};

/// Measure this machine and recommend settings.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  slidegrid bench infer --model model.toml        engine, batch, threads
  slidegrid bench io --dir scratch                group size, compression"
)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    command: BenchCommand,
}

#[derive(Debug, Subcommand)]
enum BenchCommand {
    Infer(infer::InferArgs),
    Io(io::IoArgs),
}

pub(super) fn run(args: &BenchArgs) -> Result<Exit, Failure> {
    match &args.command {
        BenchCommand::Infer(args) => infer::run(args),
        BenchCommand::Io(args) => io::run(args),
    }
}
