//! `slidegrid stitch` under its short name, for the cluster scripts.

use std::process::ExitCode;

use clap::Parser;
use slidegrid::cli::{self, StitchArgs};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = StitchArgs::parse();
    cli::report(|| args.run())
}
