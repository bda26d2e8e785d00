//! The program as a user starts it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A command that takes longer than this hangs.
const LIMIT: Duration = Duration::from_secs(1800);

/// Variables whose names begin like this change what the program does: of a scheduler,
/// of whoever runs the tests, of the library that OpenVINO computes with.
const CLEANED: [&str; 10] =
    ["SLIDEGRID_", "SLURM", "SGE_", "JOB_", "PBS_", "LSB_", "NSLOTS", "PE_", "ONEDNN_", "DNNL_"];

/// `slidegrid WORDS`, to be started in a folder with a clean environment.
#[must_use]
pub(crate) struct Slidegrid {
    folder: PathBuf,
    words: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    /// Shell commands that run before the program.
    prelude: String,
    /// Whether nothing else writes into the folder.
    alone: bool,
    /// A command that takes longer hangs.
    limit: Duration,
}

impl Slidegrid {
    /// `line` is cut into words at spaces.
    pub(crate) fn new(folder: &Path, line: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            words: line.split_whitespace().map(OsString::from).collect(),
            variables: Vec::new(),
            prelude: String::new(),
            alone: true,
            limit: LIMIT,
        }
    }

    pub(crate) fn arg(mut self, word: impl AsRef<OsStr>) -> Self {
        self.words.push(word.as_ref().to_owned());
        self
    }

    pub(crate) fn args(mut self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.words.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// Keys of the configuration, each `section.key=value`.
    pub(crate) fn set(self, keys: &[&str]) -> Self {
        self.args(keys.iter().flat_map(|&key| ["--set", key]))
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// A line of shell that comes first, such as `ulimit -f 60`.
    pub(crate) fn after(mut self, prelude: &str) -> Self {
        self.prelude = prelude.to_owned();
        self
    }

    /// Temporary files of others may be in the folder.
    pub(crate) fn while_others_write(mut self) -> Self {
        self.alone = false;
        self
    }

    /// The program must end within `limit`.
    pub(crate) fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The command, for tests that start it in their own way.
    pub(crate) fn command(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_slidegrid");
        let mut command = match self.prelude.as_str() {
            "" => Command::new(program),
            prelude => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("{prelude}; exec \"$0\" \"$@\""), program]);
                shell
            }
        };
        for (name, _) in std::env::vars_os() {
            if CLEANED.iter().any(|start| name.as_encoded_bytes().starts_with(start.as_bytes())) {
                command.env_remove(name);
            }
        }
        command.args(&self.words).current_dir(&self.folder);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the program; what it prints can be read from the child.
    pub(crate) fn spawn(self) -> Child {
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Runs the program to its end.
    #[track_caller]
    pub(crate) fn run(self) -> Outcome {
        let line: Vec<_> = self.words.iter().map(|word| word.to_string_lossy()).collect();
        let started = Instant::now();
        let mut command = assert_cmd::Command::from_std(self.command());
        let output = command.timeout(self.limit).output().unwrap();
        let outcome = Outcome::new(line.join(" "), output);
        assert!(started.elapsed() < self.limit, "ended because it hung: {outcome:#?}");
        outcome.assert_quiet();
        if self.alone {
            outcome.assert_results_whole(&self.folder);
        }
        outcome
    }

    /// Runs the program, which must exit with 0.
    #[track_caller]
    pub(crate) fn done(self) -> Outcome {
        self.exits(0)
    }

    /// Runs the program, which must exit with `code`.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Outcome {
        self.run().has_code(code)
    }

    /// Runs the program, which must exit with 0 and print JSON.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        self.done().json()
    }
}

/// The outcome of a command.
#[derive(Debug)]
pub(crate) struct Outcome {
    line: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    fn new(line: String, output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        Self { line, code: output.status.code(), stdout, stderr }
    }

    /// Waits for the end of a program that [`Slidegrid::spawn`] started.
    pub(crate) fn wait(child: Child) -> Self {
        Self::new(format!("process {}", child.id()), child.wait_with_output().unwrap())
    }

    /// The program must have exited with `code`.
    #[track_caller]
    pub(crate) fn has_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// One line of stderr must hold all of `words`.
    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        let holds = |line: &str| words.iter().all(|word| line.contains(word));
        assert!(self.stderr.lines().any(holds), "{words:?} in {self:#?}");
        self
    }

    /// Stderr must hold all of `words`, on any line.
    #[track_caller]
    pub(crate) fn mentions(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} in {self:#?}");
        }
        self
    }

    /// Stderr must not hold `word`.
    #[track_caller]
    pub(crate) fn omits(self, word: &str) -> Self {
        assert!(!self.stderr.contains(word), "{word:?} in {self:#?}");
        self
    }

    /// Stdout must hold all of `words`, on any line.
    #[track_caller]
    pub(crate) fn prints(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stdout.contains(word), "{word:?} in {self:#?}");
        }
        self
    }

    /// What stdout holds, as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Stderr holds no panic, and nothing that HDF5 says by itself.
    #[track_caller]
    fn assert_quiet(&self) {
        for noise in ["panicked", "HDF5-DIAG", "HDF5: infinite", "RUST_BACKTRACE", "os error 0"] {
            assert!(!self.stderr.contains(noise), "{self:#?}");
        }
    }

    /// Each line of results names a file, and no temporary file is left.
    #[track_caller]
    fn assert_results_whole(&self, folder: &Path) {
        let command = self.line.split(' ').next().unwrap_or_default();
        let names_files = ["run", "split", "predict", "stitch", "export", "import"];
        if names_files.contains(&command) && !self.line.contains("--help") {
            for line in self.stdout.lines() {
                assert!(folder.join(line).exists(), "no result: {line} in {self:#?}");
            }
        }
        assert_eq!(parts(folder), Vec::<PathBuf>::new(), "{self:#?}");
    }
}

/// Sends a signal, such as `TERM`, to a program.
pub(crate) fn send(signal: &str, child: &Child) {
    let status = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

/// Temporary files below `folder`.
pub(crate) fn parts(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(parts(&path));
        } else if path.extension().is_some_and(|suffix| suffix == "part") {
            found.push(path);
        }
    }
    found
}
