//! The page in a real browser, by tests/report/browser.py.
//!
//! It needs Chromium and its driver, and a Python with selenium, h5py and pillow
//! (`SLIDEGRID_TEST_PYTHON`). Without them the test says that it was skipped,
//! unless `SLIDEGRID_REQUIRE_BROWSER=1`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::Case;
use crate::report::cohort::{ODD, SIZE, SPOT, report, run};

/// A program on the path.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

#[test]
fn a_browser_shows_the_page_from_a_file() {
    let required = std::env::var("SLIDEGRID_REQUIRE_BROWSER").is_ok_and(|v| v == "1");
    let python = std::env::var("SLIDEGRID_TEST_PYTHON").ok();
    let (chromium, driver) = (program("chromium"), program("chromedriver"));
    let (Some(python), Some(chromium), Some(driver)) = (&python, &chromium, &driver) else {
        let missing = format!("python {python:?}, chromium {chromium:?}, chromedriver {driver:?}");
        assert!(!required, "SLIDEGRID_REQUIRE_BROWSER=1, but {missing}");
        println!("skipped: no browser to test with: {missing}");
        return;
    };
    let case = Case::new();
    run(&case);
    report(&case, &[]);
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let told = serde_json::json!({
        "run": case.path("run"), "index": case.path("run/report/index.html"),
        "chromium": chromium, "driver": driver, "size": SIZE, "spot": SPOT, "odd": ODD,
        "reference": here.join("tests/data/report/view.png"),
        "write": std::env::var("SLIDEGRID_WRITE_SNAPSHOTS").is_ok_and(|v| v == "1"),
    });
    let script = here.join("tests/report/browser.py");
    let output = Command::new(python).arg(script).arg(told.to_string()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    print!("{}", text(&output.stdout));
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}
