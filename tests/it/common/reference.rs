//! The Python scripts that the numbers are compared with, in tests/reference.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use super::{needs, repository};

/// A script of tests/reference, to be given arguments and run.
pub(crate) fn script(name: &str) -> Command {
    let mut command = Command::new(needs::python());
    command.arg(repository("tests/reference").join(name));
    command
}

/// The output of a script that must succeed.
pub(crate) fn printed(
    name: &str,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> String {
    output(script(name).args(arguments))
}

/// The libonnxruntime of the Python.
pub(crate) fn ort_library() -> String {
    let find = "import glob, importlib.util as u, os\n\
        folder = u.find_spec('onnxruntime').submodule_search_locations[0]\n\
        print(glob.glob(os.path.join(folder, 'capi', 'libonnxruntime.so*'))[0])";
    let path = output(Command::new(needs::python()).args(["-c", find]));
    let path = path.trim();
    assert!(Path::new(path).is_file(), "{path}");
    path.to_owned()
}

#[track_caller]
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
