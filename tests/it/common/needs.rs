//! Requirements of tests that may be missing. A test without its requirement ends as ignored,
//! with the reason, or fails if the environment demands the requirement.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use slidegrid::internal::model::{EngineChoice, EngineRequest, SelectedEngine, select};

use super::harness::ignore;
use super::noise;
use crate::slide::tiff::{Level, tiff};

/// Ends the test as ignored because something is missing, or as failed if the variable
/// `required` is 1.
fn missing(reason: &str, required: &str) -> ! {
    assert!(std::env::var(required).as_deref() != Ok("1"), "{required}=1, but {reason}");
    ignore(reason)
}

/// The Python with the packages of tests/requirements.txt.
pub(crate) fn python() -> PathBuf {
    let python = std::env::var_os("SLIDEGRID_TEST_PYTHON");
    let missing = || missing("SLIDEGRID_TEST_PYTHON is not set", "SLIDEGRID_REQUIRE_PYTHON");
    python.map_or_else(missing, PathBuf::from)
}

/// An inference engine, of the Python packages if it is not tract.
pub(crate) fn engine(engine: EngineChoice) -> SelectedEngine {
    let selected = select(&EngineRequest { engine, ..EngineRequest::default() });
    selected.unwrap_or_else(|error| missing(&error.to_string(), "SLIDEGRID_REQUIRE_PYTHON"))
}

/// OpenSlide, which reads slides of vendors' formats.
pub(crate) fn openslide() {
    if let Err(error) = slidegrid::internal::slide::openslide_version() {
        missing(&error.to_string(), "SLIDEGRID_REQUIRE_OPENSLIDE");
    }
}

/// libturbojpeg, which decodes tiles faster: the smallest slide that it reads shows
/// whether it is there.
pub(crate) fn turbojpeg() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("probe.tif");
    let mut level = Level::new(noise(64, 64, 1), 64);
    level.jpeg = true;
    std::fs::write(&path, tiff(&[level], None)).unwrap();
    let reader = slidegrid::slide::open(&path).unwrap().reader();
    if !reader.contains("libturbojpeg") {
        let reason = format!("tiles are read by {reader}: apt install libturbojpeg0");
        missing(&reason, "SLIDEGRID_REQUIRE_TURBOJPEG");
    }
}

/// Chromium and its driver.
pub(crate) fn browser() -> [PathBuf; 2] {
    ["chromium", "chromedriver"].map(|name| {
        let reason = format!("{name} is not on the PATH");
        program(name).unwrap_or_else(|| missing(&reason, "SLIDEGRID_REQUIRE_BROWSER"))
    })
}

/// A program on the PATH.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// A file of real slides and pictures, which are too large for the repository: in the
/// folder that `SLIDEGRID_SHARED_DATA` names, or in ../shared/data.
pub(crate) fn shared_data(name: &str) -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("SLIDEGRID_SHARED_DATA").map_or_else(beside, PathBuf::from);
    let path = folder.join(name);
    if !path.exists() {
        let reason = format!("there is no {} (SLIDEGRID_SHARED_DATA)", path.display());
        missing(&reason, "SLIDEGRID_REQUIRE_SHARED_DATA");
    }
    path
}

/// AVX-512, by which alone OpenVINO emulates bf16.
pub(crate) fn bf16() {
    let lacking = lacking_to_emulate_bf16();
    if !lacking.is_empty() {
        ignore(format!("no bf16 on this processor, which lacks {}", lacking.join(", ")));
    }
}

/// The instructions that this processor lacks to emulate bf16.
pub(crate) fn lacking_to_emulate_bf16() -> Vec<&'static str> {
    let sets = [
        ("AVX512F", std::is_x86_feature_detected!("avx512f")),
        ("AVX512BW", std::is_x86_feature_detected!("avx512bw")),
        ("AVX512DQ", std::is_x86_feature_detected!("avx512dq")),
        ("AVX512VL", std::is_x86_feature_detected!("avx512vl")),
    ];
    sets.into_iter().filter_map(|(name, there)| (!there).then_some(name)).collect()
}

/// A scheduler that tests may start on this machine.
pub(crate) fn scheduler() {
    if std::env::var("SLIDEGRID_TEST_SCHEDULERS").as_deref() != Ok("1") {
        ignore("SLIDEGRID_TEST_SCHEDULERS=1 runs the tests on real schedulers");
    }
}

/// A memory disk of a size that `mount` understands, as which a folder is mounted until
/// this value is dropped. Mounting needs root.
pub(crate) struct MemoryDisk(PathBuf);

impl MemoryDisk {
    /// Mounts a disk at `folder`, which is made.
    pub(crate) fn mount(folder: &Path, size: &str) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let options = format!("size={size}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder).stderr(Stdio::null());
        if !mount.status().is_ok_and(|status| status.success()) {
            missing("mounting a memory disk needs root", "SLIDEGRID_REQUIRE_ROOT");
        }
        Self(folder.to_owned())
    }

    /// Changes the disk's options.
    pub(crate) fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let status = Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for MemoryDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(&self.0).status());
    }
}
