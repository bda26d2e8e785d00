//! The check that a shared library is a usable OpenVINO.

use std::ffi::{CStr, c_char};
use std::path::Path;

use super::library_search::{LibraryKind, inspect_library};

/// The names by which the library is found.
pub(crate) const KIND: LibraryKind = LibraryKind {
    flag: "--openvino-library",
    variables: &["SLIDEGRID_OPENVINO"],
    package: "openvino",
    folder: "libs",
    prefix: "libopenvino_c.",
};

/// The oldest supported release, (year, number). Earlier ones number the types of elements
/// differently from the `openvino` crate.
pub(crate) const OLDEST: (u32, u32) = (2025, 1);

/// Environment variable. Set to 1, it has bf16 emulated on processors without instructions
/// for bf16.
pub(crate) const EMULATE: &str = "SLIDEGRID_EMULATE_BF16";

/// `ov_version_t` of the C API.
#[repr(C)]
struct VersionStrings {
    build_number: *const c_char,
    description: *const c_char,
}

/// Version of the library at `path`; the error says why the library cannot be used.
///
/// The `openvino` crate keeps a library even after refusing it, and panics if a function
/// is missing, so only libraries that pass this check reach the crate.
pub(crate) fn probe(path: &Path) -> Result<String, String> {
    inspect_library(path, version_of)
}

fn version_of(library: &libloading::Library) -> Result<String, String> {
    type Get = unsafe extern "C" fn(*mut VersionStrings) -> i32;
    type Free = unsafe extern "C" fn(*mut VersionStrings);
    let missing = |name: &str| {
        let name = name.to_owned();
        move |_| format!("is not OpenVINO's C library (it has no {name})")
    };
    // SAFETY: these functions have had these signatures since release 2022.1.
    let (get, free) = unsafe {
        let get = library.get::<Get>(b"ov_get_openvino_version");
        let free = library.get::<Free>(b"ov_version_free");
        (
            get.map_err(missing("ov_get_openvino_version"))?,
            free.map_err(missing("ov_version_free"))?,
        )
    };
    let mut strings =
        VersionStrings { build_number: std::ptr::null(), description: std::ptr::null() };
    // SAFETY: the function writes two pointers into the struct.
    let status = unsafe { get(&raw mut strings) };
    if status != 0 || strings.build_number.is_null() {
        return Err("OpenVINO gives no version".to_owned());
    }
    // SAFETY: the string is not null, and NUL-terminated as the C API promises. It is
    // copied before `ov_version_free` frees it.
    let build = unsafe {
        let build = CStr::from_ptr(strings.build_number).to_string_lossy().into_owned();
        free(&raw mut strings);
        build
    };
    // 2026.4.1-22982-e213a147257-releases/2026/4
    let version = build.split('-').next().unwrap_or_default().to_owned();
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let release = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if release < OLDEST {
        let (year, number) = OLDEST;
        return Err(format!("is OpenVINO {version}, expected {year}.{number} or later"));
    }
    Ok(version)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;
    use crate::model::library_search::{FoundLibraries, find};

    /// Compiles a shared library that has the functions for the version and nothing else.
    fn stub(folder: &Path, build: &str) -> PathBuf {
        let source = folder.join("stub.c");
        let library = folder.join(format!("libopenvino_c.so.{}", build.replace('.', "")));
        let code = format!(
            "struct v {{ const char *build, *words; }}; int ov_get_openvino_version(struct v *v) {{ v->build = \"{build}\"; v->words = \"\"; return 0; }}\nvoid ov_version_free(struct v *v) {{ v->build = v->words = 0; }}"
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
    fn old_and_foreign_libraries_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert_eq!(probe(&path("none.so")), Err("no such file".to_owned()));
        std::fs::write(path("text.so"), "not a library").unwrap();
        assert!(probe(&path("text.so")).unwrap_err().contains("cannot be loaded"));
        let old = probe(&stub(folder.path(), "2025.0.0-17942-abc")).unwrap_err();
        assert_eq!(old, "is OpenVINO 2025.0.0, expected 2025.1 or later");
        assert_eq!(probe(&stub(folder.path(), "2025.1.0-1-x")).unwrap(), "2025.1.0");
    }

    #[test]
    fn the_newest_versioned_file_of_the_wheel_is_found() {
        let prefix = tempfile::tempdir().unwrap();
        let libs = prefix.path().join("lib/python3.12/site-packages/openvino/libs");
        std::fs::create_dir_all(&libs).unwrap();
        for name in ["libopenvino.so.2641", "libopenvino_c.so.2641", "libopenvino_c.so.2520"] {
            std::fs::write(libs.join(name), "").unwrap();
        }
        let env = |name: &str| (name == "VIRTUAL_ENV").then(|| prefix.path().display().to_string());
        let FoundLibraries::Candidates(found) = find(&KIND, None, &env) else {
            panic!("no library was named")
        };
        assert_eq!(found[0].0, libs.join("libopenvino_c.so.2641"));
    }
}
