//! The page in a real browser, by tests/report/browser.py.
//!
//! It needs Chromium and its driver, and a Python with selenium, h5py and pillow.

use std::process::Command;

use crate::common::{Case, needs, repository};
use crate::report::cohort::{ODD, SIZE, SPOT, report, run};

#[test]
fn a_browser_shows_the_page_from_a_file() {
    let (python, [chromium, driver]) = (needs::python(), needs::browser());
    let case = Case::new();
    run(&case);
    report(&case, &[]);
    let arguments = serde_json::json!({
        "run": case.path("run"), "index": case.path("run/report/index.html"),
        "chromium": chromium, "driver": driver, "size": SIZE, "spot": SPOT, "odd": ODD,
        "reference": repository("tests/data/report/view.png"),
        "write": std::env::var("SLIDEGRID_WRITE_SNAPSHOTS").is_ok_and(|v| v == "1"),
    });
    let script = repository("tests/report/browser.py");
    let output = Command::new(python).arg(script).arg(arguments.to_string()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}
