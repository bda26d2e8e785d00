//! The umbrella program.

use std::process::ExitCode;

use clap::Parser;
use slidegrid::cli::{self, Cli};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli::report(|| cli::run(&cli))
}
