//! `slidegrid split` under its short name, for the cluster scripts.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    slidegrid::internal::cli::split()
}
