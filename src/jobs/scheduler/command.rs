//! The one place where a scheduler's programs are run.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::shell::quoted;

/// A command line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Call {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// A file it reads from standard input.
    pub stdin: Option<PathBuf>,
}

impl Call {
    /// A program with arguments.
    pub fn new(program: &str, args: &[&str]) -> Self {
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        Self { program: program.to_owned(), args, stdin: None }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// As it would be typed.
    pub fn line(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.args);
        let mut line = words.map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        if let Some(file) = &self.stdin {
            line.push_str(&format!(" < {}", quoted(&file.to_string_lossy())));
        }
        line
    }
}

/// What a program said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Whether it ended with 0.
    pub ok: bool,
    /// Exit code or signal, in words.
    pub status: String,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Who runs commands: the system, or a test.
pub trait Commands {
    /// Runs one to its end.
    ///
    /// # Errors
    /// When it cannot be started.
    fn run(&self, call: &Call) -> io::Result<Answer>;
}

/// Runs them.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Commands for System {
    fn run(&self, call: &Call) -> io::Result<Answer> {
        let mut command = Command::new(found(&call.program));
        command.args(&call.args).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(match &call.stdin {
            Some(file) => Stdio::from(std::fs::File::open(file)?),
            None => Stdio::null(),
        });
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(belongs_to_this_job) {
                command.env_remove(&name);
            }
        }
        // The language decides how some schedulers word their answers.
        command.env("LC_ALL", "C");
        let output = command.spawn()?.wait_with_output()?;
        io::stderr().flush()?;
        Ok(Answer {
            ok: output.status.success(),
            status: output.status.to_string(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

/// A job submitted by a job would inherit what SLURM told the first one, such
/// as its number of cores.
fn belongs_to_this_job(name: &str) -> bool {
    name.starts_with("SLURM_") && name != "SLURM_CONF"
}

/// Where a program is: on PATH, or on the PATH of who submitted this Grid
/// Engine job, whose own PATH is often bare.
fn found(program: &str) -> PathBuf {
    if program.contains('/') {
        return program.into();
    }
    let paths = ["PATH", "SGE_O_PATH", "PBS_O_PATH"].into_iter().filter_map(std::env::var_os);
    paths
        .flat_map(|paths| std::env::split_paths(&paths).collect::<Vec<_>>())
        .map(|folder| folder.join(program))
        .find(|path| is_program(path))
        .unwrap_or_else(|| program.into())
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}
