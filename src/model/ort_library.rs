//! Where onnxruntime's shared library is, and whether it will do.

use std::ffi::{CStr, c_char};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The outcome of looking for the library.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Somebody named it.
    Named {
        /// The library.
        library: PathBuf,
        /// The flag or variable that named it.
        said_by: String,
    },
    /// Found where Python or the system keeps it, best first, each with its place.
    Candidates(Vec<(PathBuf, String)>),
}

/// Looks for the library: the flag, `SLIDEGRID_ORT`, `ORT_DYLIB_PATH`, the
/// active virtual or conda environment, the system's folders, and last the
/// `python3` on PATH, which has to be run for an answer.
pub(crate) fn find(flag: Option<&Path>, env: &dyn Fn(&str) -> Option<String>) -> Found {
    if let Some(library) = flag {
        return Found::Named {
            library: absolute(library),
            said_by: "given by --ort-library".to_owned(),
        };
    }
    for name in ["SLIDEGRID_ORT", "ORT_DYLIB_PATH"] {
        if let Some(library) = env(name).filter(|value| !value.is_empty()) {
            let library = absolute(Path::new(&library));
            return Found::Named { library, said_by: format!("given by {name}") };
        }
    }
    let mut candidates = Vec::new();
    for name in ["VIRTUAL_ENV", "CONDA_PREFIX"] {
        let Some(prefix) = env(name).filter(|value| !value.is_empty()) else { continue };
        let lib = Path::new(&prefix).join("lib");
        let place = format!("found in {name}");
        candidates.extend(in_python(&lib).into_iter().map(|library| (library, place.clone())));
        candidates.extend(newest_in(&lib).map(|library| (library, place.clone())));
    }
    let folders = env("LD_LIBRARY_PATH").unwrap_or_default();
    let system = [
        "/usr/local/lib",
        "/usr/local/lib64",
        "/usr/lib64",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib",
    ];
    for folder in std::env::split_paths(&folders).chain(system.iter().map(PathBuf::from)) {
        let found = if folder.as_os_str().is_empty() { None } else { newest_in(&folder) };
        candidates.extend(
            found.map(|library| (library, "found among the system's libraries".to_owned())),
        );
    }
    if candidates.is_empty() {
        let place = "found in the package of python3 on PATH";
        candidates.extend(
            ask_python()
                .and_then(|folder| newest_in(&folder))
                .map(|found| (found, place.to_owned())),
        );
    }
    Found::Candidates(candidates)
}

/// dlopen searches the system for names without a slash; a named file is meant.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Libraries of the onnxruntime packages under `lib/python3.*/site-packages`.
fn in_python(lib: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = entries(lib)
        .filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python3"))
        })
        .filter_map(|python| newest_in(&python.join("site-packages/onnxruntime/capi")))
        .collect();
    found.sort();
    found
}

/// The library in a folder; of several versions the newest.
fn newest_in(folder: &Path) -> Option<PathBuf> {
    entries(folder)
        .filter_map(|path| {
            let name = path.file_name()?.to_string_lossy().into_owned();
            // libonnxruntime_providers_shared.so is not it.
            let version = name.strip_prefix("libonnxruntime.")?;
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

/// The folder of the library in the package of `python3`; not imported, which
/// would take a second.
fn ask_python() -> Option<PathBuf> {
    let script = "import importlib.util as u; s = u.find_spec('onnxruntime'); print(s.submodule_search_locations[0] if s else '')";
    let answer = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let folder = String::from_utf8(answer.stdout).ok()?;
    let folder = folder.trim();
    (!folder.is_empty()).then(|| Path::new(folder).join("capi"))
}

/// Version of the library at `path`, or why it will not do.
///
/// The `ort` crate checks the version too but asserts and panics on libraries
/// that are broken in other ways; this never does.
pub(crate) fn probe(path: &Path) -> Result<String, String> {
    if !path.is_file() {
        return Err("no such file".to_owned());
    }
    // SAFETY: loading runs the library's initialisers. That is what whoever
    // installed or named an onnxruntime library asks for; nothing safer exists.
    let library = unsafe { libloading::Library::new(path) }
        .map_err(|error| format!("cannot be loaded: {error}"))?;
    let version = version_of(&library);
    // Closing and reopening would run the initialisers twice.
    std::mem::forget(library);
    version
}

fn version_of(library: &libloading::Library) -> Result<String, String> {
    type GetBase = unsafe extern "C" fn() -> *const ort::sys::OrtApiBase;
    // SAFETY: OrtGetApiBase has had this signature in every onnxruntime release.
    let get_base = unsafe { library.get::<GetBase>(b"OrtGetApiBase") }
        .map_err(|_| "is not an onnxruntime library (it has no OrtGetApiBase)".to_owned())?;
    // SAFETY: it takes nothing and returns a pointer to a static, or null.
    let base = unsafe { get_base().as_ref() }.ok_or("onnxruntime gives no API")?;
    // SAFETY: returns a static C string, or null.
    let version: *const c_char = unsafe { (base.GetVersionString)() };
    if version.is_null() {
        return Err("onnxruntime gives no version".to_owned());
    }
    // SAFETY: not null, NUL-terminated and static, as the C API promises.
    let version = unsafe { CStr::from_ptr(version) }.to_string_lossy().into_owned();
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if major != 1 || minor < ort::MINOR_VERSION {
        return Err(format!(
            "is onnxruntime {version}, expected 1.{} or later",
            ort::MINOR_VERSION
        ));
    }
    // SAFETY: returns a pointer to a static table, or null for an API it lacks.
    if unsafe { (base.GetApi)(ort::MINOR_VERSION) }.is_null() {
        return Err(format!("onnxruntime {version} lacks API {}", ort::MINOR_VERSION));
    }
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_win_in_order() {
        let env = |name: &str| match name {
            "SLIDEGRID_ORT" => Some("/a/libonnxruntime.so".to_owned()),
            "ORT_DYLIB_PATH" => Some("/b/libonnxruntime.so".to_owned()),
            _ => None,
        };
        let named = |path: &str, by: &str| Found::Named {
            library: path.into(),
            said_by: format!("given by {by}"),
        };
        assert_eq!(find(Some(Path::new("/c/o.so")), &env), named("/c/o.so", "--ort-library"));
        assert_eq!(find(None, &env), named("/a/libonnxruntime.so", "SLIDEGRID_ORT"));
        let only_second = |name: &str| env(name).filter(|_| name == "ORT_DYLIB_PATH");
        assert_eq!(find(None, &only_second), named("/b/libonnxruntime.so", "ORT_DYLIB_PATH"));
    }

    #[test]
    fn environments_are_searched_for_the_newest() {
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
        let Found::Candidates(found) = find(None, &env) else { panic!("nobody named one") };
        assert_eq!(
            found[0],
            (capi.join("libonnxruntime.so.1.31.1"), "found in VIRTUAL_ENV".to_owned())
        );
    }

    #[test]
    fn unfit_libraries_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(probe(&folder.path().join("libonnxruntime.so")), Err("no such file".to_owned()));
        let text = folder.path().join("libonnxruntime.so.1");
        std::fs::write(&text, "not a library").unwrap();
        assert!(probe(&text).unwrap_err().contains("cannot be loaded"));
    }

    /// A shared library with onnxruntime's entry point and nothing behind it.
    fn stub(folder: &Path, version: &str, base: &str) -> PathBuf {
        let source = folder.join(format!("{version}.c"));
        let library = folder.join(format!("libonnxruntime.so.{version}"));
        let code = format!(
            "static const void *api(unsigned v) {{ return 0; }} static const char *version(void) {{ return \"{version}\"; }}\nstatic struct {{ const void *(*a)(unsigned); const char *(*v)(void); }} base = {{ api, version }};\nconst void *OrtGetApiBase(void) {{ return {base}; }}"
        );
        std::fs::write(&source, code).unwrap();
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-w", "-o"])
            .args([&library, &source])
            .status();
        assert!(compiled.unwrap().success());
        library
    }

    #[test]
    fn an_old_or_hollow_onnxruntime_is_refused_without_a_panic() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |version, base| probe(&stub(folder.path(), version, base)).unwrap_err();
        assert_eq!(refused("1.17.3", "&base"), "is onnxruntime 1.17.3, expected 1.20 or later");
        assert!(refused("2.25.0", "&base").contains("expected 1.20"));
        assert_eq!(refused("1.31.1", "&base"), "onnxruntime 1.31.1 lacks API 20");
        assert_eq!(refused("1.31.2", "0"), "onnxruntime gives no API");
    }
}
