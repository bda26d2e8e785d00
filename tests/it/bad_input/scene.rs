//! A folder of inputs, and the real program run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder with slides, a configuration and runs.
pub(crate) struct Scene {
    dir: TempDir,
}

/// Settings that make many small groups quickly; network `centre32`.
pub(crate) const SMALL: &str = "[tissue]\nmethod = \"all\"\n[tiling]\ntile = 32\nblock = 1\npatches_per_group = 4\n[predict]\nstride = 8\nengine = \"tract\"\nthreads = 1\n";

impl Scene {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// A folder with configuration `c.toml` and slides `a.png`, `b.png`.
    pub(crate) fn usual() -> Self {
        let scene = Self::new();
        scene.config("c.toml", "centre32", SMALL);
        scene.noise("a.png", 130, 100);
        scene.noise("b.png", 100, 70);
        scene
    }

    /// The usual folder after `split` and `master plan` of slide `a`: 20 patches,
    /// 5 groups.
    pub(crate) fn planned() -> Self {
        let scene = Self::usual();
        scene.slidegrid("split --run run --config c.toml a.png").exits(0);
        scene.slidegrid("master plan --run run").exits(0);
        scene
    }

    /// The usual folder after `predict` of slide `a`.
    pub(crate) fn scored() -> Self {
        let scene = Self::planned();
        scene.slidegrid("predict --run run --all").exits(0);
        scene
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file and the folders above it.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Reads a text file.
    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Changes bytes of a file.
    pub(crate) fn edit(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(self.path(name)).unwrap();
        change(&mut bytes);
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Writes a configuration for one of the test networks.
    pub(crate) fn config(&self, name: &str, model: &str, rest: &str) {
        self.write(name, format!("[model]\ncard = {:?}\n{rest}", model_card(model)));
    }

    /// Writes a picture without structure.
    pub(crate) fn noise(&self, name: &str, width: u32, height: u32) {
        let mut state = 88_172_645_463_325_252_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        image::RgbImage::from_fn(width, height, |_, _| image::Rgb([next(), next(), next()]))
            .save(self.path(name))
            .unwrap();
    }

    /// Writes a picture of one colour.
    pub(crate) fn plain(&self, name: &str, side: u32, colour: [u8; 3]) {
        let picture = image::RgbImage::from_pixel(side, side, image::Rgb(colour));
        picture.save(self.path(name)).unwrap();
    }

    /// `slidegrid ARGS` in the folder, to be started; arguments at spaces.
    pub(crate) fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slidegrid"));
        command.args(args.split_whitespace()).current_dir(self.dir.path());
        command.env_remove("SLURM_CPUS_PER_TASK").env_remove("NSLOTS");
        command
    }

    /// Runs `slidegrid ARGS` in the folder and checks what always holds.
    pub(crate) fn slidegrid(&self, args: &str) -> Outcome {
        self.finish(args, self.command(args).output().unwrap())
    }

    /// Runs `LIMITS; exec slidegrid ARGS` in a shell.
    pub(crate) fn limited(&self, limits: &str, args: &str) -> Outcome {
        let mut shell = Command::new("sh");
        let program = env!("CARGO_BIN_EXE_slidegrid");
        shell.arg("-c").arg(format!("{limits}; exec {program} {args}"));
        self.finish(args, shell.current_dir(self.dir.path()).output().unwrap())
    }

    fn finish(&self, args: &str, output: Output) -> Outcome {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let outcome = Outcome {
            args: args.to_owned(),
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        for noise in ["panicked", "HDF5-DIAG", "HDF5: infinite", "RUST_BACKTRACE", "os error 0"] {
            assert!(!outcome.stderr.contains(noise), "{outcome:?}");
        }
        if !args.starts_with("status") && !args.starts_with("master") {
            for line in outcome.stdout.lines() {
                assert!(self.path(line).is_file(), "no result: {line} in {outcome:?}");
            }
        }
        assert_eq!(parts(self.dir.path()), Vec::<PathBuf>::new(), "{outcome:?}");
        outcome
    }
}

/// What became of a command.
#[derive(Debug)]
pub(crate) struct Outcome {
    #[expect(dead_code, reason = "shown when a test fails")]
    args: String,
    code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Its exit code must be `code`.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// One line of stderr must hold all of `words`.
    #[track_caller]
    pub(crate) fn says(self, words: &[&str]) -> Self {
        let told = |line: &str| words.iter().all(|word| line.contains(word));
        assert!(self.stderr.lines().any(told), "{words:?} in {self:#?}");
        self
    }

    /// Stderr must not hold `word`.
    #[track_caller]
    pub(crate) fn lacks(self, word: &str) -> Self {
        assert!(!self.stderr.contains(word), "{word:?} in {self:#?}");
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

/// A test network's card.
pub(crate) fn model_card(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models").join(format!("{name}.toml"))
}
