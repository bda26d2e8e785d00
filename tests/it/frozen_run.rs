//! A run that an earlier version made, in tests/data/frozen_run: this version reads it, reports
//! the same, continues it, and makes the same results from the same settings.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::common::cli::Slidegrid;
use crate::common::contents::{Entry, Values, hdf5, is_of_the_try};
use crate::common::{Case, repository};

/// Placeholder in the stored files for the folder that they are in.
const FOLDER: &str = "@FOLDER@";

/// Tolerance of numbers, since processors round differently.
const TOLERANCE: f64 = 1e-6;

/// Attributes that name versions.
const VERSIONS: [&str; 3] = ["/@writer", "/@engine", "/@version"];

/// Keys of `status --json` that have been added since the run was made.
const ADDED_KEYS: [&str; 2] = ["status.stopped", "status.totals.partial"];

/// Whether an attribute or dataset has been added since the run was made.
fn is_newer(name: &str) -> bool {
    const ADDED: [&str; 17] = [
        "activation",
        "bounds_x",
        "bounds_y",
        "id",
        "made_from",
        "scores_id",
        "store",
        "slide_bytes",
        "slide_hash",
        "slide_modified_unix_s",
        "processor",
        "libraries",
        "batch",
        "fit_id",
        "dense_image",
        "computed_px",
        "scored_px",
    ];
    name.ends_with("xxh3") || name.strip_prefix("/@").is_some_and(|name| ADDED.contains(&name))
}

/// Keys of texts for people, whose wording may change.
const PROSE: [&str; 4] = ["reason", "note", "stitch_failure", "told"];

/// The folder of the run, with its paths put right: `run`, `input`, `expected`, `bin`.
fn frozen() -> Case {
    let case = Case::new();
    let folder = case.folder().to_str().unwrap().to_owned();
    unpack(&repository("tests/data/frozen_run"), case.folder(), &folder);
    case
}

fn unpack(from: &Path, to: &Path, folder: &str) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            unpack(&source, &target, folder);
            continue;
        }
        // With its permissions: there are programs.
        std::fs::copy(&source, &target).unwrap();
        if source.to_str().unwrap().ends_with(".h5.gz") {
            let mut bytes = Vec::new();
            let mut packed = flate2::read::GzDecoder::new(std::fs::File::open(&source).unwrap());
            packed.read_to_end(&mut bytes).unwrap();
            std::fs::write(target.with_extension(""), bytes).unwrap();
            std::fs::remove_file(target).unwrap();
        } else if let Ok(text) = std::fs::read_to_string(&source)
            && text.contains(FOLDER)
        {
            std::fs::write(target, text.replace(FOLDER, folder)).unwrap();
        }
    }
}

/// `slidegrid LINE` where the scheduler's programs are those of the folder.
fn slidegrid(case: &Case, line: &str) -> Slidegrid {
    let path = format!("{}:{}", case.path("bin").display(), std::env::var("PATH").unwrap());
    case.slidegrid(line).env("PATH", path)
}

fn expected_json(case: &Case, name: &str) -> Value {
    serde_json::from_str(&case.read(&format!("expected/{name}.json"))).unwrap()
}

/// The same keys in the same places, with the same values but for the wording of
/// [`PROSE`].
#[track_caller]
fn assert_same_json(found: &Value, expected: &Value, place: &str) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            let keys = |of: &serde_json::Map<String, Value>| {
                let known =
                    |key: &&String| !ADDED_KEYS.contains(&format!("{place}.{key}").as_str());
                of.keys().filter(known).cloned().collect::<Vec<_>>()
            };
            assert_eq!(keys(found), keys(expected), "keys of {place}");
            for (key, value) in expected {
                // A code where it belongs to a task that has ended.
                let is_code = key == "reason" && place.contains("ended");
                if PROSE.contains(&key.as_str()) && !is_code {
                    let is_empty = |value: &Value| value.as_str().unwrap().is_empty();
                    assert_eq!(is_empty(&found[key]), is_empty(value), "{place}.{key}");
                } else {
                    assert_same_json(&found[key], value, &format!("{place}.{key}"));
                }
            }
        }
        (Value::Array(found), Value::Array(expected)) => {
            assert_eq!(found.len(), expected.len(), "{place}: {found:?}, expected {expected:?}");
            for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
                assert_same_json(found, expected, &format!("{place}[{index}]"));
            }
        }
        (Value::Number(found), Value::Number(expected)) => {
            let [found, expected] = [found, expected].map(|number| number.as_f64().unwrap());
            assert!(is_near(found, expected), "{place}: {found}, expected {expected}");
        }
        _ => assert_eq!(found, expected, "{place}"),
    }
}

fn is_near(found: f64, expected: f64) -> bool {
    let close = (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
    close || (found.is_nan() && expected.is_nan())
}

#[test]
fn status_and_cost_are_the_same() {
    let case = frozen();
    let status = slidegrid(&case, "status --run run --json").exits(5).json();
    assert_same_json(&status, &expected_json(&case, "status"), "status");
    let status =
        slidegrid(&case, "status --run run --json").env("RUNNING", "4718_3").exits(5).json();
    assert_same_json(&status, &expected_json(&case, "status-running"), "status");
    let cost = slidegrid(&case, "status --run run --json --cost").json();
    assert_same_json(&cost, &expected_json(&case, "cost"), "cost");
}

/// The lines of a dry run that the scheduler and the program read: resources, commands.
fn requested(dry_run: &str) -> Vec<String> {
    let lines = dry_run.lines().map(str::trim).filter(|line| {
        line.starts_with("#SBATCH") || line.contains(" --run ") && !line.starts_with('#')
    });
    let folder_of_program = Path::new(env!("CARGO_BIN_EXE_slidegrid")).parent().unwrap();
    lines.map(|line| line.replace(&format!("{}/", folder_of_program.display()), "")).collect()
}

#[test]
fn a_retry_requests_the_same_resources() {
    let case = frozen();
    let found = slidegrid(&case, "master retry --run run --dry-run").done().stdout;
    let expected = requested(&case.read("expected/retry.txt"));
    assert_eq!(expected.iter().filter(|line| line.contains(" --run ")).count(), 3, "{expected:?}");
    assert_eq!(requested(&found), expected);
    // Running tasks are not submitted again.
    let retry = slidegrid(&case, "master retry --run run --dry-run").env("RUNNING", "4718_3");
    assert!(!retry.done().stdout.contains("predict_second"));
}

/// The same attributes and datasets, but for versions.
#[track_caller]
fn assert_same_hdf5(found: &Path, expected: &Path) {
    let read = |path: &Path| -> BTreeMap<String, Entry> {
        let mut entries = hdf5(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        entries.retain(|name, _| !VERSIONS.contains(&name.as_str()) && !is_newer(name));
        entries
    };
    let (found_entries, expected) = (read(found), read(expected));
    let names = |of: &BTreeMap<String, Entry>| of.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found_entries), names(&expected), "{}", found.display());
    assert!(names(&expected).contains(&"/@format".to_owned()), "{expected:?}");
    for (name, expected) in &expected {
        let place = format!("{name} of {}", found.display());
        let found = &found_entries[name];
        assert_eq!((&found.kind, &found.shape), (&expected.kind, &expected.shape), "{place}");
        match (&found.values, &expected.values) {
            (Values::Floats(found), Values::Floats(expected)) => {
                for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
                    assert!(is_near(*found, *expected), "{place}: {found}, not {expected} at {at}");
                }
            }
            (found, expected) => assert!(found == expected, "{place} differs"),
        }
    }
}

/// The same columns and rows, but for times and the wording of [`PROSE`].
#[track_caller]
fn assert_same_csv(found: &Path, expected: &Path) {
    let read = |path: &Path| {
        let mut reader = csv::Reader::from_path(path).unwrap();
        let headers = reader.headers().unwrap().clone();
        (headers, reader.records().map(Result::unwrap).collect::<Vec<_>>())
    };
    let ((headers, rows), (expected_headers, expected)) = (read(found), read(expected));
    // Columns are only ever added, at the end.
    let known: Vec<_> = headers.iter().take(expected_headers.len()).collect();
    assert_eq!(known, expected_headers.iter().collect::<Vec<_>>(), "{}", found.display());
    assert_eq!(rows.len(), expected.len(), "{}", found.display());
    for (row, expected) in rows.iter().zip(&expected) {
        for ((column, value), expected) in headers.iter().zip(row).zip(expected) {
            let same = match (value.parse::<f64>(), expected.parse::<f64>()) {
                _ if is_of_the_try(column) => true,
                _ if PROSE.contains(&column) => value.is_empty() == expected.is_empty(),
                (Ok(value), Ok(expected)) => is_near(value, expected),
                _ => value == expected,
            };
            assert!(same, "{}: {column} is {value}, expected {expected}", found.display());
        }
    }
}

fn geojson(path: &Path) -> Value {
    let mut text = String::new();
    let mut packed = flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap());
    packed.read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[track_caller]
fn assert_same_heatmaps(found: &Path, expected: &Path) {
    for slide in ["first", "second"] {
        let paths = |end: &str| [found, expected].map(|path| path.join(format!("{slide}.{end}")));
        let [found, expected] = paths("h5");
        assert_same_hdf5(&found, &expected);
        let [found, expected] = paths("csv");
        assert_same_csv(&found, &expected);
        let [found, expected] = paths("geojson.gz").map(|path| geojson(&path));
        assert_same_json(&found, &expected, &format!("{slide}.geojson"));
    }
}

#[test]
fn its_scores_are_stitched_as_before() {
    let case = frozen();
    std::fs::rename(case.path("run/heatmaps"), case.path("before")).unwrap();
    slidegrid(&case, "stitch --run run --slide first").done();
    slidegrid(&case, "stitch --run run --slide second").exits(4);
    slidegrid(&case, "stitch --run run --slide second --allow-missing").exits(5);
    assert_same_heatmaps(&case.path("run/heatmaps"), &case.path("before"));
}

#[test]
fn its_patches_are_scored_as_before() {
    let case = frozen();
    std::fs::rename(case.path("run/scores"), case.path("before")).unwrap();
    slidegrid(&case, "predict --run run --slide first").done();
    slidegrid(&case, "predict --run run --slide second --group 1-2").done();
    assert_same_scores(&case.path("run/scores"), &case.path("before"));
}

#[track_caller]
fn assert_same_scores(found: &Path, expected: &Path) {
    for group in ["first/t1", "first/t2", "first/t3", "first/t4", "second/t1", "second/t2"] {
        let [found, expected] = [found, expected].map(|path| path.join(format!("{group}.h5")));
        assert_same_hdf5(&found, &expected);
    }
}

#[test]
fn it_is_finished_and_reported() {
    let case = frozen();
    let report = |state: &str, count: u64| {
        let report = slidegrid(&case, "report --run run --json").run();
        assert!([Some(0), Some(5)].contains(&report.code), "{report:?}");
        assert_eq!(report.json()["states"][state], count, "{report:?}");
    };
    report("done", 1);
    slidegrid(&case, "predict --run run --all").done();
    slidegrid(&case, "stitch --run run --slide second").done();
    report("done", 2);
    let page = case.read("run/report/index.html");
    assert!(["first", "second", "broken"].iter().all(|slide| page.contains(slide)));
}

#[test]
fn the_same_settings_give_the_same_results() {
    let case = frozen();
    let slides = "input/first.png input/second.png input/broken.png";
    let split = format!("split --threads 1 --run new --config input/config.toml {slides}");
    slidegrid(&case, &split).exits(5);
    slidegrid(&case, "master plan --run new").done();
    slidegrid(&case, "predict --run new --slide first").done();
    slidegrid(&case, "predict --run new --slide second --group 1-2").done();
    slidegrid(&case, "stitch --run new --slide first").done();
    slidegrid(&case, "stitch --run new --slide second --allow-missing").exits(5);
    let [new, old] = ["new", "run"].map(|run| case.path(run));

    assert_eq!(case.read("new/run.toml"), case.read("run/run.toml"));
    for table in ["slides.csv", "lookup.csv"] {
        assert_same_csv(&new.join(table), &old.join(table));
    }
    for slide in ["first", "second"] {
        let [found, expected] = [&new, &old].map(|run| run.join(format!("patches/{slide}.h5")));
        assert_same_hdf5(&found, &expected);
        let hash = &hdf5(&found).unwrap()["/@config_sha256"].values;
        assert!(matches!(hash, Values::Others(hash) if hash.len() > 64), "{hash:?}");
        let [found, expected] = [&new, &old].map(|run| run.join(format!("masks/{slide}.png")));
        assert!(image::open(found).unwrap() == image::open(expected).unwrap(), "{slide}");
    }
    assert_same_scores(&new.join("scores"), &old.join("scores"));
    assert_same_heatmaps(&new.join("heatmaps"), &old.join("heatmaps"));
}

/// One plain line says what a run of an earlier version lacks, and its files are read.
#[test]
fn what_an_earlier_version_did_not_record_is_said_once() {
    let case = frozen();
    let words = ["note: ", "split by an earlier version, whose files have no checksums"];
    let status = slidegrid(&case, "status --run run").exits(5).says(&words);
    assert_eq!(status.stderr.matches("earlier version").count(), 1, "{status:#?}");
    let found = slidegrid(&case, "verify --run run --keep").run();
    for words in
        ["of version 1 or of another program without checksums", "did not record the slide"]
    {
        assert_eq!(found.stdout.matches(words).count(), 1, "{words}: {found:#?}");
    }
    assert!(!found.stdout.contains("is not what was written"), "{found:#?}");
}
