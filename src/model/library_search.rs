//! The search for the shared library of an engine: the user names it, a Python package
//! contains it, or it lies in a folder of the system.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The names by which the library of an engine is found.
#[derive(Debug)]
pub(crate) struct LibraryKind {
    /// Command-line flag that names the library.
    pub(crate) flag: &'static str,
    /// Environment variables that name the library; the first that is set wins.
    pub(crate) variables: &'static [&'static str],
    /// Python package that contains the library.
    pub(crate) package: &'static str,
    /// Folder of the library within the package.
    pub(crate) folder: &'static str,
    /// Beginning of the file name, up to `so` or a version.
    pub(crate) prefix: &'static str,
}

/// Folders of the system that may hold libraries.
const SYSTEM_FOLDERS: [&str; 6] = [
    "/usr/local/lib",
    "/usr/local/lib64",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib",
];

/// The outcome of the search.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FoundLibraries {
    /// The user named the library.
    Named {
        /// The library.
        library: PathBuf,
        /// How the user named the library: `given by` and a flag or variable.
        named_by: String,
    },
    /// Libraries found in Python packages or folders of the system, best first, each with
    /// where it was found.
    Candidates(Vec<(PathBuf, String)>),
}

/// Opens the library at `path` and returns what `inspect` makes of it; the error says why
/// the library cannot be loaded or used.
pub(crate) fn inspect_library<T>(
    path: &Path,
    inspect: impl FnOnce(&libloading::Library) -> Result<T, String>,
) -> Result<T, String> {
    if !path.is_file() {
        return Err("no such file".to_owned());
    }
    // SAFETY: loading runs the library's initialisers. Whoever installed or named the
    // library of an engine asks for that, and there is no safer way to load it.
    let library = unsafe { libloading::Library::new(path) }
        .map_err(|error| format!("cannot be loaded: {error}"))?;
    let result = inspect(&library);
    // Closing and reopening would run the initialisers twice.
    std::mem::forget(library);
    result
}

/// Searches for the library. The flag comes first, then the variables, the active virtual
/// or conda environment and the folders of the system. The package of the `python3` on
/// PATH comes last, since that takes starting Python.
pub(crate) fn find(
    kind: &LibraryKind,
    flag: Option<&Path>,
    env: &dyn Fn(&str) -> Option<String>,
) -> FoundLibraries {
    if let Some(library) = flag {
        return FoundLibraries::Named {
            library: absolute(library),
            named_by: format!("given by {}", kind.flag),
        };
    }
    for name in kind.variables {
        if let Some(library) = env(name).filter(|value| !value.is_empty()) {
            let library = absolute(Path::new(&library));
            return FoundLibraries::Named { library, named_by: format!("given by {name}") };
        }
    }
    let mut candidates = Vec::new();
    for name in ["VIRTUAL_ENV", "CONDA_PREFIX"] {
        let Some(prefix) = env(name).filter(|value| !value.is_empty()) else { continue };
        let lib = Path::new(&prefix).join("lib");
        let place = format!("found in {name}");
        candidates
            .extend(in_python(kind, &lib).into_iter().map(|library| (library, place.clone())));
        candidates.extend(newest_in(kind, &lib).map(|library| (library, place.clone())));
    }
    let folders = env("LD_LIBRARY_PATH").unwrap_or_default();
    let system = SYSTEM_FOLDERS.iter().map(PathBuf::from);
    for folder in std::env::split_paths(&folders).chain(system) {
        let found = if folder.as_os_str().is_empty() { None } else { newest_in(kind, &folder) };
        candidates.extend(
            found.map(|library| (library, "found among the system's libraries".to_owned())),
        );
    }
    if candidates.is_empty() {
        let place = "found in the package of python3 on PATH";
        candidates.extend(
            ask_python(kind)
                .and_then(|folder| newest_in(kind, &folder))
                .map(|found| (found, place.to_owned())),
        );
    }
    FoundLibraries::Candidates(candidates)
}

/// The library that an engine would be loaded from, if it belongs to the shell: the user named it,
/// or it lies in an environment or in another folder that is not the system's. `works` says
/// whether a library can be used.
pub(crate) fn find_of_shell(
    kind: &LibraryKind,
    flag: Option<&Path>,
    env: &dyn Fn(&str) -> Option<String>,
    works: &dyn Fn(&Path) -> bool,
) -> Option<PathBuf> {
    let candidates = match find(kind, flag, env) {
        FoundLibraries::Named { library, .. } => return Some(library),
        FoundLibraries::Candidates(candidates) => candidates,
    };
    let (library, _) = candidates.into_iter().find(|(library, _)| works(library))?;
    let is_of_system =
        SYSTEM_FOLDERS.iter().any(|folder| library.parent() == Some(Path::new(folder)));
    (!is_of_system).then_some(library)
}

/// Makes a path absolute, since `dlopen` searches the folders of the system for a name
/// without a slash.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Libraries of the packages under `lib/python3.*/site-packages`.
fn in_python(kind: &LibraryKind, lib: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = entries(lib)
        .filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python3"))
        })
        .filter_map(|python| {
            newest_in(kind, &python.join("site-packages").join(kind.package).join(kind.folder))
        })
        .collect();
    found.sort();
    found
}

/// The newest version of the library in a folder.
fn newest_in(kind: &LibraryKind, folder: &Path) -> Option<PathBuf> {
    entries(folder)
        .filter_map(|path| {
            let name = path.file_name()?.to_string_lossy().into_owned();
            let version = name.strip_prefix(kind.prefix)?;
            let numbers: Vec<u32> =
                version.split('.').filter_map(|part| part.parse().ok()).collect();
            Some((numbers, path))
        })
        .max()
        .map(|(_, path)| path)
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// The library's folder in the package that `python3` finds. Python locates the package
/// without importing it, since an import takes a second.
fn ask_python(kind: &LibraryKind) -> Option<PathBuf> {
    let script = format!(
        "import importlib.util as u; s = u.find_spec('{}'); print(s.submodule_search_locations[0] if s else '')",
        kind.package
    );
    let answer = Command::new("python3")
        .args(["-c", &script])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let folder = String::from_utf8(answer.stdout).ok()?;
    let folder = folder.trim();
    (!folder.is_empty()).then(|| Path::new(folder).join(kind.folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ort_library::KIND;

    #[test]
    fn the_flag_wins_over_the_variables_and_the_first_variable_over_the_second() {
        let env = |name: &str| match name {
            "SLIDEGRID_ORT" => Some("/a/libonnxruntime.so".to_owned()),
            "ORT_DYLIB_PATH" => Some("/b/libonnxruntime.so".to_owned()),
            _ => None,
        };
        let named = |path: &str, by: &str| FoundLibraries::Named {
            library: path.into(),
            named_by: format!("given by {by}"),
        };
        assert_eq!(
            find(&KIND, Some(Path::new("/c/o.so")), &env),
            named("/c/o.so", "--ort-library")
        );
        assert_eq!(find(&KIND, None, &env), named("/a/libonnxruntime.so", "SLIDEGRID_ORT"));
        let only_second = |name: &str| env(name).filter(|_| name == "ORT_DYLIB_PATH");
        assert_eq!(
            find(&KIND, None, &only_second),
            named("/b/libonnxruntime.so", "ORT_DYLIB_PATH")
        );
    }

    #[test]
    fn the_newest_library_of_an_environment_is_found() {
        let prefix = tempfile::tempdir().unwrap();
        let capi = prefix.path().join("lib/python3.11/site-packages/onnxruntime/capi");
        std::fs::create_dir_all(&capi).unwrap();
        for name in [
            "libonnxruntime.so.1.9.0",
            "libonnxruntime.so.1.31.1",
            "libonnxruntime_providers_shared.so",
            "x.py",
        ] {
            std::fs::write(capi.join(name), "").unwrap();
        }
        let env = |name: &str| (name == "VIRTUAL_ENV").then(|| prefix.path().display().to_string());
        let FoundLibraries::Candidates(found) = find(&KIND, None, &env) else {
            panic!("no library was named")
        };
        assert_eq!(
            found[0],
            (capi.join("libonnxruntime.so.1.31.1"), "found in VIRTUAL_ENV".to_owned())
        );
    }
}
