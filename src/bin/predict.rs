//! `slidegrid predict` under its short name, for the cluster scripts.

use std::process::ExitCode;

use clap::Parser;
use slidegrid::cli::{self, PredictArgs};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = PredictArgs::parse();
    cli::report(|| args.run())
}
