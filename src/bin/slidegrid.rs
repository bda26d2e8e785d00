//! slidegrid
use clap::{Parser, Subcommand};
use slidegrid::cli::synth;

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Synth(synth::Args),
}

fn main() -> std::process::ExitCode {
    let Command::Synth(args) = Cli::parse().command;
    match synth::run(&args) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::ExitCode::from(4)
        }
    }
}
