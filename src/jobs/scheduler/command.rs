//! Runs the programs of schedulers.

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
    /// File that the program reads as its standard input.
    pub stdin: Option<PathBuf>,
}

impl Call {
    /// A command line of a program and its arguments.
    pub fn new(program: &str, args: &[&str]) -> Self {
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        Self { program: program.to_owned(), args, stdin: None }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// The command line as one would type it.
    pub fn line(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.args);
        let mut line = words.map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        if let Some(file) = &self.stdin {
            line.push_str(&format!(" < {}", quoted(&file.to_string_lossy())));
        }
        line
    }
}

/// The result of a program.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Whether the exit code is 0.
    pub ok: bool,
    /// Exit code or signal, in words.
    pub status: String,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs commands: by the system, or in a test by prepared answers.
pub trait Commands {
    /// Runs a command and waits for its end.
    ///
    /// # Errors
    /// [`io::Error`] if the program cannot be started.
    fn run(&self, call: &Call) -> io::Result<Answer>;
}

/// Runs commands by the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Commands for System {
    fn run(&self, call: &Call) -> io::Result<Answer> {
        let mut command = Command::new(path_of(&call.program));
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
        // The answers of some schedulers depend on the language.
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

/// Whether a variable describes the SLURM job in which this program runs, such as its number of
/// cores. A job that it submits would inherit the variable.
fn belongs_to_this_job(name: &str) -> bool {
    name.starts_with("SLURM_") && name != "SLURM_CONF"
}

/// The path of a program: from PATH, or from the PATH of the shell that submitted this job, because
/// that of a Grid Engine job is often bare.
fn path_of(program: &str) -> PathBuf {
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
