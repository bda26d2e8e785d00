//! Where the OpenSlide library is.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libloading::Library;
use thiserror::Error;

/// Environment variable: path of the library to use.
const VARIABLE: &str = "SLIDEGRID_OPENSLIDE";

/// Names of the library, newest interface first.
#[cfg(target_os = "macos")]
const SONAMES: [&str; 2] = ["libopenslide.1.dylib", "libopenslide.0.dylib"];
#[cfg(not(target_os = "macos"))]
const SONAMES: [&str; 2] = ["libopenslide.so.1", "libopenslide.so.0"];

/// The OpenSlide library is not to be had.
#[derive(Debug, Clone, Error)]
pub enum OpenSlideMissing {
    /// The library named by the user does not load.
    #[error(
        "{VARIABLE} is {}, which does not load: {reason}; expected the path of libopenslide.so.0 or .so.1, or unset it to search the usual places", path.display()
    )]
    Named {
        /// The path given.
        path: PathBuf,
        /// What the loader said.
        reason: String,
    },
    /// It is nowhere.
    #[error(
        "its library was not found (looked for {}, and in the Python package openslide_bin). \
         As root: apt install libopenslide0 (Debian, Ubuntu) or dnf install openslide (Fedora, EPEL). \
         Without root: python3 -m venv ~/openslide && ~/openslide/bin/pip install openslide-bin, then \
         export {VARIABLE}=$(ls ~/openslide/lib/python3*/site-packages/openslide_bin/libopenslide.so.1)",
        SONAMES.join(" and ")
    )]
    Nowhere,
    /// A library of that name lacks functions every OpenSlide has.
    #[error("{library} is not an OpenSlide 3.4 or 4: {reason}; name another with {VARIABLE}")]
    Unusable {
        /// The library found.
        library: String,
        /// What is missing.
        reason: String,
    },
}

/// Loads the library, from the first place that has it.
pub(super) fn load() -> Result<(Library, String), OpenSlideMissing> {
    if let Some(path) = env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        let path = PathBuf::from(path);
        return match try_load(path.as_os_str()) {
            Ok(library) => Ok((library, path.display().to_string())),
            Err(error) => Err(OpenSlideMissing::Named { path, reason: words(&error) }),
        };
    }
    for name in SONAMES {
        if let Ok(library) = try_load(name.as_ref()) {
            return Ok((library, name.to_owned()));
        }
    }
    // Asking Python takes a tenth of a second and needs a sane Python: last.
    [environment_folders, python_folders]
        .into_iter()
        .flat_map(|folders| folders())
        .flat_map(|folder| SONAMES.map(|name| folder.join(name)))
        .filter(|path| path.is_file())
        .find_map(|path| Some((try_load(path.as_os_str()).ok()?, path.display().to_string())))
        .ok_or(OpenSlideMissing::Nowhere)
}

fn try_load(name: &std::ffi::OsStr) -> Result<Library, libloading::Error> {
    // SAFETY: OpenSlide's and its dependencies' initialisers only set up their
    // own state; the name is one the user or the system's loader answers for.
    unsafe { Library::new(name) }
}

/// The loader's own words, which the error keeps as its source.
fn words(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// `openslide_bin` of the active virtual or Conda environment, and Conda's
/// own library folder.
fn environment_folders() -> Vec<PathBuf> {
    let prefixes = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(env::var_os);
    prefixes.map(PathBuf::from).flat_map(|prefix| folders_of_prefix(&prefix)).collect()
}

fn folders_of_prefix(prefix: &Path) -> Vec<PathBuf> {
    let lib = prefix.join("lib");
    let pythons = fs::read_dir(&lib).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut pythons: Vec<_> = pythons
        .filter(|path| {
            path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"python3"))
        })
        .map(|path| path.join("site-packages/openslide_bin"))
        .collect();
    pythons.sort();
    pythons.push(lib);
    pythons
}

/// `openslide_bin` wherever the first `python3` on the path looks for packages.
fn python_folders() -> Vec<PathBuf> {
    let output = Command::new("python3")
        .args(["-c", "import sys; print('\\n'.join(p for p in sys.path if p))"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    let lines = String::from_utf8_lossy(&text).into_owned();
    lines.lines().map(|line| Path::new(line).join("openslide_bin")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_an_environment_are_found() {
        let prefix = tempfile::tempdir().unwrap();
        let package = prefix.path().join("lib/python3.11/site-packages/openslide_bin");
        fs::create_dir_all(&package).unwrap();
        assert_eq!(folders_of_prefix(prefix.path()), [package, prefix.path().join("lib")]);
    }

    #[test]
    fn absence_says_how_to_get_it() {
        let words = OpenSlideMissing::Nowhere.to_string();
        for part in ["apt install", "pip install openslide-bin", VARIABLE, "libopenslide.so.1"] {
            assert!(words.contains(part), "{words}");
        }
    }
}
