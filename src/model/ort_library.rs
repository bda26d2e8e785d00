//! The check that a shared library is a usable onnxruntime.

use std::ffi::{CStr, c_char};
use std::path::Path;

use super::library_search::{LibraryKind, inspect_library};

/// The names by which the library is found.
pub(crate) const KIND: LibraryKind = LibraryKind {
    flag: "--ort-library",
    variables: &["SLIDEGRID_ORT", "ORT_DYLIB_PATH"],
    package: "onnxruntime",
    folder: "capi",
    // The dot excludes libonnxruntime_providers_shared.so.
    prefix: "libonnxruntime.",
};

/// Version of the library at `path`; the error says why the library cannot be used.
///
/// The `ort` crate checks the version too, but panics on libraries that are broken in
/// other ways; this function never panics.
pub(crate) fn probe(path: &Path) -> Result<String, String> {
    inspect_library(path, version_of)
}

fn version_of(library: &libloading::Library) -> Result<String, String> {
    type GetBase = unsafe extern "C" fn() -> *const ort::sys::OrtApiBase;
    // SAFETY: OrtGetApiBase has had this signature in every onnxruntime release.
    let get_base = unsafe { library.get::<GetBase>(b"OrtGetApiBase") }
        .map_err(|_| "is not an onnxruntime library (it has no OrtGetApiBase)".to_owned())?;
    // SAFETY: the function takes nothing and returns a pointer to a static, or null.
    let base = unsafe { get_base().as_ref() }.ok_or("onnxruntime gives no API")?;
    // SAFETY: the function returns a static C string, or null.
    let version: *const c_char = unsafe { (base.GetVersionString)() };
    if version.is_null() {
        return Err("onnxruntime gives no version".to_owned());
    }
    // SAFETY: the string is not null, NUL-terminated and static, as the C API promises.
    let version = unsafe { CStr::from_ptr(version) }.to_string_lossy().into_owned();
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if major != 1 || minor < ort::MINOR_VERSION {
        return Err(format!(
            "is onnxruntime {version}, expected 1.{} or later",
            ort::MINOR_VERSION
        ));
    }
    // SAFETY: the function returns a pointer to a static table, or null for an API that
    // the library lacks.
    if unsafe { (base.GetApi)(ort::MINOR_VERSION) }.is_null() {
        return Err(format!("onnxruntime {version} lacks API {}", ort::MINOR_VERSION));
    }
    Ok(version)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_missing_file_and_a_text_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(probe(&folder.path().join("libonnxruntime.so")), Err("no such file".to_owned()));
        let text = folder.path().join("libonnxruntime.so.1");
        std::fs::write(&text, "not a library").unwrap();
        assert!(probe(&text).unwrap_err().contains("cannot be loaded"));
    }

    /// Compiles a shared library that has onnxruntime's entry point and nothing else.
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
    fn an_old_or_incomplete_onnxruntime_is_refused_without_a_panic() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |version, base| probe(&stub(folder.path(), version, base)).unwrap_err();
        assert_eq!(refused("1.17.3", "&base"), "is onnxruntime 1.17.3, expected 1.20 or later");
        assert!(refused("2.25.0", "&base").contains("expected 1.20"));
        assert_eq!(refused("1.31.1", "&base"), "onnxruntime 1.31.1 lacks API 20");
        assert_eq!(refused("1.31.2", "0"), "onnxruntime gives no API");
    }
}
