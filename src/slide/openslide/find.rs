//! Finds and loads the OpenSlide library.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libloading::Library;
use thiserror::Error;

/// Environment variable with the path of the library to use.
const VARIABLE: &str = "SLIDEGRID_OPENSLIDE";

/// File names of the library, newest interface first.
#[cfg(target_os = "macos")]
const SONAMES: [&str; 2] = ["libopenslide.1.dylib", "libopenslide.0.dylib"];
#[cfg(not(target_os = "macos"))]
const SONAMES: [&str; 2] = ["libopenslide.so.1", "libopenslide.so.0"];

/// The reason why the OpenSlide library cannot be used.
#[derive(Debug, Clone, Error)]
pub enum OpenSlideMissing {
    /// The library named by the user does not load.
    #[error(
        "{VARIABLE} is {}, which does not load: {reason}; expected the path of libopenslide.so.0 or .so.1, or unset it to search the usual places", path.display()
    )]
    Named {
        /// The path given.
        path: PathBuf,
        /// The loader's error.
        reason: String,
    },
    /// No library was found.
    #[error(
        "its library was not found (looked for {}, and in the Python package openslide_bin). \
         As root: apt install libopenslide0 (Debian, Ubuntu) or dnf install openslide (Fedora, EPEL). \
         Without root: python3 -m venv ~/openslide && ~/openslide/bin/pip install openslide-bin, then \
         export {VARIABLE}=$(ls ~/openslide/lib/python3*/site-packages/openslide_bin/libopenslide.so.1)",
        SONAMES.join(" and ")
    )]
    Nowhere,
    /// The library found lacks a function that OpenSlide 3.4 and 4 have.
    #[error("{library} is not an OpenSlide 3.4 or 4: {reason}; name another with {VARIABLE}")]
    Unusable {
        /// The library found.
        library: String,
        /// The loader's error, which names the function.
        reason: String,
    },
}

/// Loads the library: the one that [`VARIABLE`] names, or the first that is found.
/// Returns the library and its name.
pub(super) fn load() -> Result<(Library, String), OpenSlideMissing> {
    if let Some(path) = env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        let path = PathBuf::from(path);
        return match try_load(path.as_os_str()) {
            Ok(library) => Ok((library, path.display().to_string())),
            Err(error) => Err(OpenSlideMissing::Named { path, reason: loader_message(&error) }),
        };
    }
    for name in SONAMES {
        if let Ok(library) = try_load(name.as_ref()) {
            return Ok((library, name.to_owned()));
        }
    }
    // Python is asked last, because that takes a tenth of a second and needs a working
    // Python.
    [environment_folders, python_folders]
        .into_iter()
        .flat_map(|folders| folders())
        .flat_map(|folder| SONAMES.map(|name| folder.join(name)))
        .filter(|path| path.is_file())
        .find_map(|path| Some((try_load(path.as_os_str()).ok()?, path.display().to_string())))
        .ok_or(OpenSlideMissing::Nowhere)
}

/// The library that [`load`] would take in this shell, with the variable that names it to another
/// process. `None` for a library that the system's loader finds by itself, since each machine
/// has its own, and if there is none.
pub(crate) fn library_of_shell() -> Option<(&'static str, PathBuf)> {
    let named = env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    let library = named.or_else(|| {
        let folders = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
        let folders = env::split_paths(&folders).filter(|folder| !folder.as_os_str().is_empty());
        // Some libraries cannot be closed, so none is.
        let loads = |name: &std::ffi::OsStr| try_load(name).map(std::mem::forget).is_ok();
        let in_folders = |folders: Vec<PathBuf>| {
            let mut paths = folders.into_iter().flat_map(|f| SONAMES.map(|name| f.join(name)));
            paths.find(|path| path.is_file() && loads(path.as_os_str()))
        };
        let is_of_system = || SONAMES.iter().any(|name| loads(name.as_ref()));
        let in_packages =
            || in_folders(environment_folders()).or_else(|| in_folders(python_folders()));
        in_folders(folders.collect()).or_else(|| if is_of_system() { None } else { in_packages() })
    })?;
    Some((VARIABLE, std::path::absolute(&library).unwrap_or(library)))
}

fn try_load(name: &std::ffi::OsStr) -> Result<Library, libloading::Error> {
    // SAFETY: the initialisers of OpenSlide and its dependencies only set up their own
    // state; the user or the system's loader vouches for the library of this name.
    unsafe { Library::new(name) }
}

/// The message of the system's loader, which `libloading` keeps as the error's source.
fn loader_message(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Folders to search in the active virtual and Conda environments: the Python package
/// `openslide_bin` and the library folder.
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

/// The folders of `openslide_bin` in each place where the first `python3` of the search
/// path looks for packages.
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
    fn packages_in_an_environment_are_found() {
        let prefix = tempfile::tempdir().unwrap();
        let package = prefix.path().join("lib/python3.11/site-packages/openslide_bin");
        fs::create_dir_all(&package).unwrap();
        assert_eq!(folders_of_prefix(prefix.path()), [package, prefix.path().join("lib")]);
    }

    #[test]
    fn a_missing_library_says_how_to_install_it() {
        let message = OpenSlideMissing::Nowhere.to_string();
        for part in ["apt install", "pip install openslide-bin", VARIABLE, "libopenslide.so.1"] {
            assert!(message.contains(part), "{message}");
        }
    }
}
