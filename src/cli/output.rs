//! Results, printed to stdout or written to a file.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::failure::{Exit, Failure};
use crate::staged;

/// Prints a result to stdout. A reader that closes the pipe early, like `head`, is no failure.
pub(super) fn print(line: &str) -> Result<(), Failure> {
    check_stdout(writeln!(std::io::stdout(), "{line}"))
}

/// Prints the path of a file to stdout.
pub(super) fn print_path(path: &Path) -> Result<(), Failure> {
    print(&path.display().to_string())
}

pub(super) fn check_stdout(result: std::io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Input, format!("cannot write results to stdout: {e}")))
        }
        _ => Ok(()),
    }
}

pub(super) fn print_json(report: &impl Serialize) -> Result<(), Failure> {
    print(&serde_json::to_string_pretty(report).expect("a report is plain data"))
}

/// Writes a text to a file, or to stdout.
pub(super) fn write_output(text: &str, out: Option<&Path>) -> Result<(), Failure> {
    match out {
        Some(path) => Ok(staged::write(path, text.as_bytes())?),
        None => print(text.trim_end()),
    }
}

/// A number with four decimal places, or `-` if there is none.
pub(super) fn number(value: Option<f64>) -> String {
    value.map_or("-".into(), |value| format!("{value:.4}"))
}
