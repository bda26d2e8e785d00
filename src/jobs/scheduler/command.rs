//! Runs the programs of schedulers.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::shell::quoted;

/// Time that a program of a scheduler has for its answer, seconds. SLURM itself gives up after
/// two minutes.
const LIMIT_S: u64 = 180;

/// A command line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Call {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// File that the program reads as its standard input.
    pub stdin: Option<PathBuf>,
    /// Time after which the program is killed, seconds; `None` for no limit.
    pub limit_s: Option<u64>,
}

impl Call {
    /// A command line of a program and its arguments.
    pub fn new(program: &str, args: &[&str]) -> Self {
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        Self { program: program.to_owned(), args, stdin: None, limit_s: Some(LIMIT_S) }
    }

    /// Lets the program run for as long as it takes.
    #[must_use]
    pub fn without_limit(self) -> Self {
        Self { limit_s: None, ..self }
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
    /// Whether the program was killed because it did not answer in time.
    pub timed_out: bool,
}

/// Runs commands: by the system, or in a test by prepared answers.
pub trait Commands {
    /// Runs a command and waits for its end.
    ///
    /// # Errors
    /// [`io::Error`] if the program cannot be started.
    fn run(&self, call: &Call) -> io::Result<Answer>;

    /// Pauses after which a query that got no answer is repeated, seconds. Without pauses, it is
    /// run once.
    fn pauses_s(&self) -> &[u64] {
        &[]
    }

    /// Waits before a query is repeated.
    fn pause(&self, seconds: u64) {
        std::thread::sleep(Duration::from_secs(seconds));
    }
}

/// Runs commands by the system.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct System {
    /// See [`Commands::pauses_s`].
    pub pauses_s: &'static [u64],
}

impl System {
    /// Runs each query once, for callers that can repeat the command.
    pub(crate) const ONCE: Self = Self { pauses_s: &[] };
    /// For a command at a terminal: a scheduler may be unreachable for 15 s.
    pub(crate) const BRIEF: Self = Self { pauses_s: &[1, 4, 10] };
    /// For a master job, with which a chain would end: a scheduler may be unreachable for half
    /// an hour.
    pub(crate) const PATIENT: Self = Self { pauses_s: &[5, 15, 30, 60, 120, 300, 600, 600] };
}

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
        let answer = answer_of(command.spawn()?, call.limit_s)?;
        io::stderr().flush()?;
        Ok(answer)
    }

    fn pauses_s(&self) -> &[u64] {
        self.pauses_s
    }
}

/// Waits for the end of a program, or kills it at its limit.
fn answer_of(mut child: Child, limit_s: Option<u64>) -> io::Result<Answer> {
    let stdout = text_of(child.stdout.take().expect("stdout is piped"));
    let stderr = text_of(child.stderr.take().expect("stderr is piped"));
    let status = match limit_s {
        None => Some(child.wait()?),
        Some(limit_s) => wait_until(&mut child, Instant::now() + Duration::from_secs(limit_s))?,
    };
    // Something that the killed program started may hold its output open.
    let received = |text: &mpsc::Receiver<String>| match status {
        Some(_) => text.recv().unwrap_or_default(),
        None => text.recv_timeout(Duration::from_secs(1)).unwrap_or_default(),
    };
    let (stdout, stderr) = (received(&stdout), received(&stderr));
    Ok(Answer {
        ok: status.is_some_and(|status| status.success()),
        status: status.map_or_else(
            || format!("no answer within {} s", limit_s.unwrap_or_default()),
            |status| status.to_string(),
        ),
        stdout,
        stderr,
        timed_out: status.is_none(),
    })
}

/// Waits for the end of a program. `None` if it was killed at `limit`.
fn wait_until(child: &mut Child, limit: Instant) -> io::Result<Option<ExitStatus>> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = (2 * pause).min(Duration::from_millis(50));
    }
}

/// Reads a program's output in a thread of its own, so that the program never waits for it.
fn text_of(mut output: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        drop(output.read_to_end(&mut bytes));
        drop(sender.send(String::from_utf8_lossy(&bytes).into_owned()));
    });
    receiver
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_an_answer_is_killed_at_its_limit() {
        let shell = |script: &str| Call::new("sh", &["-c", script]);
        let answer = System::ONCE.run(&shell("echo out; echo err >&2; exit 3")).unwrap();
        assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("out\n", "err\n"));
        assert!(!answer.ok && !answer.timed_out && answer.status.contains('3'), "{answer:?}");
        // More than a pipe holds.
        let long = System::ONCE.run(&shell("seq 200000")).unwrap();
        assert_eq!(long.stdout.lines().count(), 200_000);
        let began = Instant::now();
        let call = Call { limit_s: Some(1), ..shell("echo out; sleep 100") };
        let answer = System::ONCE.run(&call).unwrap();
        assert!(answer.timed_out && !answer.ok, "{answer:?}");
        assert_eq!(answer.status, "no answer within 1 s");
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
