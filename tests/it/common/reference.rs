//! The Python that the numbers are compared with.

use std::process::Command;

/// `SLIDEGRID_TEST_PYTHON`; `None` without it, unless it is required.
pub(crate) fn python() -> Option<String> {
    let python = std::env::var("SLIDEGRID_TEST_PYTHON").ok();
    let required = std::env::var("SLIDEGRID_REQUIRE_PYTHON").is_ok_and(|v| v == "1");
    assert!(python.is_some() || !required, "SLIDEGRID_TEST_PYTHON is not set");
    if python.is_none() {
        println!("skipped: SLIDEGRID_TEST_PYTHON is not set");
    }
    python
}

/// The libonnxruntime of that Python.
pub(crate) fn ort_library(python: &str) -> String {
    let find = "import glob, importlib.util as u, os\n\
        folder = u.find_spec('onnxruntime').submodule_search_locations[0]\n\
        print(glob.glob(os.path.join(folder, 'capi', 'libonnxruntime.so*'))[0])";
    printed(Command::new(python).args(["-c", find])).trim().to_owned()
}

/// What a program that must succeed prints.
pub(crate) fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
