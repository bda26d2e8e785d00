//! `slidegrid verify`: a run is well, or every file that is not is named.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use crate::common::{Case, copy_folder, model_card, noise, repository, seal};

/// A finished run of slides `a` and `b` with exports, and with the network beside it.
fn finished() -> Case {
    let case = Case::usual();
    let card = model_card("centre32");
    let folder = Path::new(&card).parent().unwrap();
    for file in ["centre32.toml", "centre32.onnx"] {
        std::fs::copy(folder.join(file), case.path(file)).unwrap();
    }
    let own =
        case.read("centre32.toml").replace("activation = \"none\"", "activation = \"sigmoid\"");
    case.write("centre32.toml", own);
    let text = case.read("c.toml").replace(&format!("{card:?}"), "\"centre32.toml\"");
    case.write("c.toml", text);
    case.slide("b.png", &noise(100, 130, 2));
    let keys = ["stitch.npy=true", "stitch.export=[\"geojson\", \"deepzoom\", \"ome-zarr\"]"];
    case.slidegrid("run --quiet --run run --config c.toml a.png b.png")
        .set(&keys)
        .set(&["tiling.coords=[\"clam\"]"])
        .done();
    case.slidegrid("verify --run run").done().prints(&[", 0 problems"]);
    std::fs::rename(case.path("run"), case.path("kept")).unwrap();
    case
}

/// Brings the run back to what it was.
fn restore(case: &Case) {
    drop(std::fs::remove_dir_all(case.path("run")));
    copy_folder(&case.path("kept"), &case.path("run"));
}

/// The problems that are found: kind, file below the folder, words.
fn problems(case: &Case, line: &str) -> Vec<(String, String, String)> {
    let report = case.slidegrid(line).arg("--json").run();
    let report: Value = report.json();
    let problems = report["problems"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let below = |file: &Value| {
        let file = PathBuf::from(text(file));
        file.strip_prefix(case.folder()).unwrap_or(&file).to_str().unwrap().to_owned()
    };
    problems
        .iter()
        .map(|found| (text(&found["kind"]), below(&found["file"]), text(&found["problem"])))
        .collect()
}

fn flip(case: &Case, name: &str, at: impl FnOnce(usize) -> usize) {
    case.edit(name, |bytes| {
        let at = at(bytes.len());
        bytes[at] ^= 4;
    });
}

/// Asserts that exactly one problem is found, of this kind, with this file, and that the exit code
/// and the plain line tell of it.
#[track_caller]
fn assert_found(case: &Case, what: &str, kind: &str, file: &str, word: &str) {
    let found = problems(case, "verify --run run --keep");
    let expected = (kind, file);
    assert_eq!(
        found.iter().map(|(kind, file, _)| (kind.as_str(), file.as_str())).collect::<Vec<_>>(),
        [expected],
        "{what}: {found:#?}"
    );
    assert!(found[0].2.contains(word) && found[0].2.contains(file), "{what}: {found:#?}");
    let plain = case.slidegrid("verify --quiet --run run --keep").exits(5);
    let plain = plain.prints(&[file, word, ", 1 problem"]);
    assert!(plain.stderr.is_empty(), "{what}: {plain:#?}");
}

#[test]
fn each_flipped_or_cut_file_is_named() {
    let case = finished();
    let files = [
        "run/patches/a.h5",
        "run/scores/b/t2.h5",
        "run/heatmaps/a.h5",
        "run/heatmaps/a.png",
        "run/heatmaps/b.npy",
        "run/heatmaps/b.geojson.gz",
        "run/heatmaps/a.dzi",
        "run/masks/b.png",
        "run/coords/a.h5",
    ];
    for file in files {
        let places: [fn(usize) -> usize; 4] =
            [|_| 20, |length| length / 3, |length| length / 2, |length| length - 40];
        for at in places {
            restore(&case);
            flip(&case, file, at);
            assert_found(&case, "a flipped bit", "damaged", file, file);
        }
        for keep in [0, 7] {
            restore(&case);
            case.edit(file, |bytes| bytes.truncate(bytes.len() * keep / 8));
            assert_found(&case, "cut short", "damaged", file, file);
        }
    }
    // Files of exports that are folders.
    for (folder, file) in [
        ("run/heatmaps/a_files", "run/heatmaps/a_files/0/0_0.png"),
        ("run/heatmaps/b.ome.zarr", "run/heatmaps/b.ome.zarr/zarr.json"),
    ] {
        restore(&case);
        flip(&case, file, |length| length / 2);
        assert_found(&case, "a flipped bit", "damaged", folder, "not what was written");
        restore(&case);
        std::fs::remove_file(case.path(file)).unwrap();
        assert_found(&case, "a deleted part", "damaged", folder, "not what was written");
    }
}

#[test]
fn each_deleted_file_is_named() {
    let case = finished();
    for (file, named, word) in [
        ("patches/a.h5", "patches/a.h5", "--without patches"),
        ("scores/a/t3.h5", "scores/a", "the scores of group 3 are missing"),
        ("heatmaps/b.h5", "heatmaps/b.h5", "slidegrid run"),
        ("heatmaps/b.png", "heatmaps/b.png", "slidegrid stitch"),
        ("heatmaps/a.npy", "heatmaps/a.npy", "slidegrid stitch"),
        ("heatmaps/a.geojson.gz", "heatmaps/a.geojson.gz", "slidegrid stitch"),
        ("masks/a.png", "masks/a.png", "slidegrid split"),
        ("coords/b.h5", "coords/b.h5", "slidegrid export"),
        ("lookup.csv", "lookup.csv", "slidegrid master plan"),
        ("slides.csv", "slides.csv", "name the slides in `slidegrid split` again"),
    ] {
        restore(&case);
        std::fs::remove_file(case.path("run").join(file)).unwrap();
        assert_found(&case, "deleted", "missing", &format!("run/{named}"), word);
    }
    restore(&case);
    std::fs::remove_dir_all(case.path("run/scores")).unwrap();
    let found = problems(&case, "verify --run run");
    assert_eq!(found.len(), 2, "{found:#?}");
    restore(&case);
    std::fs::remove_file(case.path("run/patches/a.h5")).unwrap();
    case.slidegrid("verify --run run --without patches").done().prints(&["0 problems"]);
    std::fs::remove_file(case.path("run/run.toml")).unwrap();
    case.slidegrid("verify --run run").exits(3).mentions(&["run.toml"]);
}

#[test]
fn files_in_the_place_of_others_are_named() {
    let case = finished();
    for (from, to, word) in [
        ("patches/a.h5", "patches/b.h5", "belongs to the slide a, expected b"),
        ("scores/a/t2.h5", "scores/b/t2.h5", "belongs to the slide a, expected b"),
        ("scores/a/t2.h5", "scores/a/t1.h5", "group is 2, expected 1"),
        ("heatmaps/a.h5", "heatmaps/b.h5", "belongs to the slide a, expected b"),
    ] {
        restore(&case);
        std::fs::copy(case.path("run").join(from), case.path("run").join(to)).unwrap();
        let kind = "misplaced";
        assert_found(&case, "another file in its place", kind, &format!("run/{to}"), word);
    }
    for (from, to) in [("png", "png"), ("npy", "npy")] {
        restore(&case);
        let (from, to) = (format!("run/heatmaps/a.{from}"), format!("run/heatmaps/b.{to}"));
        std::fs::copy(case.path(&from), case.path(&to)).unwrap();
        assert_found(&case, "another file in its place", "damaged", &to, "not what was written");
    }
    // Of the same slide at another stride, and of other pixels.
    restore(&case);
    let other = "run --quiet --run other --config c.toml b.png";
    case.slidegrid(other).set(&["predict.stride=16"]).done();
    std::fs::copy(case.path("other/scores/b/t4.h5"), case.path("run/scores/b/t4.h5")).unwrap();
    assert_found(&case, "another stride", "misplaced", "run/scores/b/t4.h5", "stride is 16");
    restore(&case);
    std::fs::copy(case.path("other/heatmaps/b.h5"), case.path("run/heatmaps/b.h5")).unwrap();
    assert_found(&case, "another stride", "misplaced", "run/heatmaps/b.h5", "stride is 16");
    restore(&case);
    std::fs::create_dir(case.path("sub")).unwrap();
    case.slide("sub/b.png", &noise(100, 130, 9));
    case.slidegrid("run --quiet --run third --config c.toml sub/b.png").done();
    std::fs::copy(case.path("third/scores/b/t4.h5"), case.path("run/scores/b/t4.h5")).unwrap();
    assert_found(&case, "other pixels", "misplaced", "run/scores/b/t4.h5", "made_from is");
    restore(&case);
    std::fs::copy(case.path("third/patches/b.h5"), case.path("run/patches/b.h5")).unwrap();
    assert_found(&case, "other pixels", "misplaced", "run/patches/b.h5", "slide_hash is");
}

#[test]
fn other_slides_networks_and_settings_are_named() {
    let case = finished();
    let slide = std::fs::read(case.path("a.png")).unwrap();
    restore(&case);
    case.slide("a.png", &noise(100, 130, 8));
    assert_found(&case, "replaced", "changed", "a.png", "has changed since it was split");
    std::fs::remove_file(case.path("a.png")).unwrap();
    assert_found(&case, "deleted", "missing", "a.png", "--without slides");
    case.slidegrid("verify --run run --without slides").done();
    // A copy of another time is the same.
    case.write("a.png", slide);
    case.slidegrid("verify --run run").done();

    for file in ["centre32.onnx", "centre32.toml"] {
        let kept = std::fs::read(case.path(file)).unwrap();
        if file == "centre32.onnx" {
            let other = Path::new(&model_card("centre32")).with_file_name("padded.onnx");
            std::fs::copy(other, case.path(file)).unwrap();
        } else {
            let text = String::from_utf8(kept.clone()).unwrap();
            assert!(text.contains("std = [1.0"), "{text}");
            case.write(file, text.replace("std = [1.0", "std = [1.5"));
        }
        let found = problems(&case, "verify --run run");
        assert_eq!(found.len(), 1, "{file}: {found:#?}");
        assert_eq!(found[0].0, "changed", "{file}: {found:#?}");
        case.slidegrid("verify --run run").exits(5);
        case.write(file, kept);
    }
    let text = case.read("run/run.toml");
    case.write("run/run.toml", text.replace("stride = 8", "stride = 16"));
    let found = problems(&case, "verify --run run");
    let files: BTreeSet<&str> = found.iter().map(|(_, file, _)| file.as_str()).collect();
    assert_eq!(files.len(), 2 * 5 + 2, "every score file and heatmap: {found:#?}");
    assert!(found.iter().all(|(kind, ..)| kind == "misplaced"), "{found:#?}");
}

#[test]
fn damaged_tables_and_records_are_named() {
    let case = finished();
    for (file, text, word) in [
        (
            "lookup.csv",
            "start,end,name,groups,patches\n1,5,a,5,20\n5,9,b,5,20\n",
            "expected to start at 6",
        ),
        ("logs/files/a.json", "{", "not a record of files"),
        ("logs/stitch/a.json", "[]", "not a record of stitching"),
        ("jobs/submitted.jsonl", "what\n", "line 1 is not a submission"),
        ("jobs/grown.json", "7", "jobs/grown.json"),
        ("jobs/cluster.toml", "partition = 7", "partition"),
        ("scores/b/calibration.json", "{}", "is not a calibration"),
        ("scores/b/t1.part.h5", "no HDF5", "not a whole HDF5 file"),
    ] {
        restore(&case);
        case.write(&format!("run/{file}"), text);
        assert_found(&case, "another text", "damaged", &format!("run/{file}"), word);
    }
    // The plan and the split disagree with the patches.
    restore(&case);
    let table = case.read("run/lookup.csv").replace("6,10,b,5,20", "6,9,b,4,16");
    case.write("run/lookup.csv", table);
    let found = problems(&case, "verify --run run");
    assert!(
        found.iter().any(|(_, _, words)| words.contains("the number of groups is 5")),
        "{found:#?}"
    );
    restore(&case);
    case.write("run/lookup.csv", "start,end,name,groups,patches\n1,5,a,5,20\n");
    assert_found(&case, "a slide less", "missing", "run/lookup.csv", "has no row for b");
    restore(&case);
    let outcome = case.read("run/logs/split/a.json").replace("\"patches\": 20", "\"patches\": 21");
    case.write("run/logs/split/a.json", outcome);
    assert_found(
        &case,
        "other counts",
        "misplaced",
        "run/patches/a.h5",
        "patches is 20, expected 21",
    );
    restore(&case);
    case.write("run/logs/split/a.json", "{");
    let found = problems(&case, "verify --run run");
    assert!(
        found.iter().any(|(kind, file, _)| kind == "damaged" && file == "run/logs/split/a.json"),
        "{found:#?}"
    );
}

/// Scores and heatmaps whose checksums fit and whose values cannot be.
#[test]
fn values_that_no_network_gives_are_named() {
    let case = finished();
    for (value, word) in [
        (7.6e36_f32, "expected 0 to 1"),
        (-0.25, "is -0.25"),
        (f32::INFINITY, "is inf"),
        (f32::NAN, "is NaN"),
    ] {
        restore(&case);
        let file = "run/scores/a/t4.h5";
        seal::edit(&case.path(file), |file| {
            let score = file.dataset("score").unwrap();
            let mut values = score.read_raw::<f32>().unwrap();
            values[3] = value;
            let (rows, classes) = (score.shape()[0], score.shape()[1]);
            let array = ndarray::Array2::from_shape_vec((rows, classes), values.clone()).unwrap();
            score.write(&array).unwrap();
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            score.attr("xxh3").unwrap().write_scalar(&xxh3_64(&bytes)).unwrap();
        });
        assert_found(&case, "an impossible score", "damaged", file, word);
        std::fs::remove_file(case.path("run/heatmaps/a.h5")).unwrap();
        case.slidegrid("stitch --run run --slide a").exits(4).mentions(&[file, word]);
        assert!(case.path("run/scores/a/t4.h5.damaged").exists());
    }
    // A point less, and a point twice.
    for (points, word) in [(1, "points, expected"), (2, "twice")] {
        restore(&case);
        let file = "run/scores/a/t4.h5";
        let scores = slidegrid::scores::read_scores(&case.path(file)).unwrap();
        let (mut meta, mut row, mut col) = (scores.meta, scores.row, scores.col);
        let count = row.len();
        let mut score = scores.score;
        if points == 1 {
            row.pop();
            col.pop();
            meta.windows -= 1;
            score = score.slice(ndarray::s![..count - 1, ..]).to_owned();
        } else {
            (row[1], col[1]) = (row[0], col[0]);
        }
        slidegrid::scores::write_scores(&case.path(file), &meta, &row, &col, score.view()).unwrap();
        let found = problems(&case, "verify --run run --keep");
        assert!(
            found.iter().any(|(_, found, words)| found == file && words.contains(word)),
            "{found:#?}"
        );
    }
}

#[test]
fn damaged_files_are_set_aside_and_made_anew() {
    let case = finished();
    restore(&case);
    let files = ["run/patches/a.h5", "run/scores/b/t2.h5", "run/heatmaps/b.h5"];
    for file in files {
        flip(&case, file, |length| length / 2);
    }
    let found = case.slidegrid("verify --run run").exits(5);
    for file in files {
        assert!(!case.path(file).exists() && case.path(&format!("{file}.damaged")).exists());
        let line = found.stdout.lines().find(|line| line.starts_with(file)).unwrap();
        assert!(line.contains("it is now") && line.contains("makes the file anew"), "{line}");
    }
    // The next look says the same of them, and `run` puts them right.
    let again = problems(&case, "verify --run run");
    for file in files {
        let is_named =
            |(kind, found, _): &(String, String, String)| kind == "damaged" && found == file;
        assert!(again.iter().any(is_named), "{again:#?}");
    }
    case.slidegrid("run --quiet --run run").done();
    case.slidegrid("verify --run run").done().prints(&["0 problems"]);
    assert_eq!(case.heatmap("run", "b"), case.heatmap("kept", "b"));
    assert!(!case.path("run/scores/b/t2.h5.damaged").exists());
}

#[test]
fn unknown_files_are_named_and_no_problem() {
    let case = finished();
    restore(&case);
    for file in
        ["notes.txt", "patches/c.h5.old", "scores/a/t9.h5", "heatmaps/other.png", "scores/z/t1.h5"]
    {
        case.write(&format!("run/{file}"), "mine");
    }
    let report = case.slidegrid("verify --run run --json").json();
    let unknown: Vec<&str> =
        report["unknown"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
    assert_eq!(
        unknown,
        [
            "run/heatmaps/other.png",
            "run/notes.txt",
            "run/patches/c.h5.old",
            "run/scores/a/t9.h5",
            "run/scores/z"
        ]
    );
    case.slidegrid("verify --run run").done().prints(&["run/notes.txt: no command of slidegrid"]);
}

/// A run that is not finished is well as far as it has come, until a later file shows that
/// something is missing.
#[test]
fn stages_that_have_not_begun_are_not_missing() {
    let case = Case::usual();
    case.slidegrid("split --quiet --run run --config c.toml a.png b.png").done();
    case.slidegrid("verify --run run").done();
    case.slidegrid("master plan --quiet --run run").done();
    case.slidegrid("verify --run run").done();
    case.slidegrid("predict --quiet --run run --slide a --group 2").done();
    case.slidegrid("verify --run run").exits(5).prints(&["the scores of groups 1,3-5 are missing"]);
    case.slidegrid("predict --quiet --run run --all").done();
    case.slidegrid("verify --run run").done();
    case.slidegrid("stitch --quiet --run run --slide a").done();
    case.slidegrid("verify --run run").exits(5).prints(&["heatmaps/b.h5: is missing"]);
}

/// A run of version 1 is read, with a word that it has no checksums.
#[test]
fn files_of_version_1_are_read_with_a_word() {
    let case = Case::planned();
    let old = std::fs::read(repository("tests/data/formats/v1/patches.h5")).unwrap();
    case.write("run/patches/slide.h5", old);
    let found = case.slidegrid("verify --run run").run();
    assert!(found.stdout.contains("1 file is of version 1"), "{found:#?}");
}
