//! The HDF5 formats: round trips, damaged and foreign files, full disks,
//! other readers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ndarray::{Array2, array};
use slidegrid::GroupNumber;
use slidegrid::geometry::{BlockPlan, Tiling, WorkingPlane};
use slidegrid::heatmap_h5::{HeatmapMeta, HeatmapWriter, read_heatmap, read_heatmap_class};
use slidegrid::internal::scores::{PartScores, read_part, write_part};
use slidegrid::patches::{Compression, PatchesFile, PatchesMeta, PatchesWriter};
use slidegrid::scores::{
    ColourFailure, Scores, ScoresMeta, UnnormalizedKind, UnnormalizedPatch, read_scores,
    write_scores,
};
use slidegrid::{Lineage, SlideIdentity};

use crate::common::{reference, repository, seal};

fn scores_meta() -> ScoresMeta {
    ScoresMeta {
        slide: "slide".into(),
        group: GroupNumber::try_from(3u32).unwrap(),
        stride_px: 16,
        window_px: 224,
        classes: vec!["normal".into(), "tumour µ".into()],
        method: "window".into(),
        engine: "test 1".into(),
        precision: "f32".into(),
        windows: 2,
        wall_s: 1.5,
        threads: 2,
        ..ScoresMeta::default()
    }
}

fn heatmap_meta() -> HeatmapMeta {
    HeatmapMeta {
        slide: "slide".into(),
        stride_px: 16,
        window_px: 224,
        downsample: 1.0,
        mpp_x: Some(0.25),
        width_px: 33,
        height_px: 20,
        level0_width_px: 33,
        level0_height_px: 20,
        classes: vec!["a".into(), "b".into()],
        positive: 1,
        method: "window".into(),
        ..HeatmapMeta::default()
    }
}

fn write_patches(path: &Path, how: Compression) -> Result<(), String> {
    write_patches_of(path, how, &Lineage::default())
}

fn write_patches_of(path: &Path, how: Compression, lineage: &Lineage) -> Result<(), String> {
    let plane = WorkingPlane {
        level0_width_px: 40,
        level0_height_px: 30,
        downsample: 1.0,
        width_px: 40,
        height_px: 30,
        mpp_x: Some(0.5),
        mpp_y: Some(0.5),
    };
    let plan = BlockPlan::new(Tiling::new(8, 2, 8).unwrap(), Array2::ones((4, 5)));
    let mut meta = PatchesMeta::planned("slide", &plane, &plan, 4);
    meta.tissue_method = "all".into();
    meta.lineage = lineage.clone();
    let text = |e: slidegrid::FormatError| e.to_string();
    let mut writer = PatchesWriter::create(path, &meta, &plan, 4, how).map_err(text)?;
    for index in 0..plan.patches().len() {
        if index == 1 {
            writer.fail_patch(index, "no such tile").map_err(text)?;
        } else {
            writer
                .write_patch(index, &[u8::try_from(index).unwrap(); 24 * 24 * 3])
                .map_err(text)?;
        }
    }
    writer.finish().map_err(text)
}

/// One small file of each kind.
fn write_all(folder: &Path) -> [PathBuf; 4] {
    let paths =
        ["patches.h5", "patches-gzip.h5", "scores.h5", "heatmap.h5"].map(|n| folder.join(n));
    write_patches(&paths[0], Compression::None).unwrap();
    write_patches(&paths[1], Compression::Gzip(1)).unwrap();
    write_scores(
        &paths[2],
        &scores_meta(),
        &[1, 2],
        &[3, 4],
        array![[0.25, 0.75], [1.0, 0.0]].view(),
    )
    .unwrap();
    let score = array![[f32::NAN, 0.5, 1.0], [0.0, f32::NAN, 0.25]];
    let mut writer = HeatmapWriter::create(&paths[3], &heatmap_meta(), score.view()).unwrap();
    writer.write_class(1, score.view()).unwrap();
    writer.write_class(0, score.mapv(|v| 1.0 - v).view()).unwrap();
    writer.finish().unwrap();
    paths
}

/// Reads everything of a file of any kind.
fn read_any(path: &Path) -> Result<(), String> {
    let text = |e: slidegrid::FormatError| e.to_string();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    if name.starts_with("scores") {
        read_scores(path).map(|_| ()).map_err(text)
    } else if name.starts_with("heatmap") {
        read_heatmap(path).map(|_| ()).map_err(text)
    } else {
        let file = PatchesFile::open(path).map_err(text)?;
        file.verify().map_err(text)?;
        for k in file.group_numbers() {
            let group = file.group(k).map_err(text)?;
            let mut pixels = vec![0; group.patch_bytes()];
            for index in 0..group.len() {
                group.read_patch(index, &mut pixels).map_err(text)?;
            }
        }
        Ok(())
    }
}

#[test]
fn scores_come_back_and_nan_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t3.h5");
    let score = array![[0.25_f32, 0.75], [1.0, 0.0]];
    write_scores(&path, &scores_meta(), &[1, 2], &[3, 4], score.view()).unwrap();
    let found = read_scores(&path).unwrap();
    assert_eq!((found.row, found.col, found.score), (vec![1, 2], vec![3, 4], score.clone()));
    assert_eq!(found.meta.lineage.id.len(), 16);
    let (writer, lineage) = (String::new(), Lineage::default());
    assert_eq!(ScoresMeta { writer, lineage, ..found.meta }, scores_meta());

    let empty = ScoresMeta { windows: 0, ..scores_meta() };
    write_scores(&path, &empty, &[], &[], Array2::zeros((0, 2)).view()).unwrap();
    assert_eq!(read_scores(&path).unwrap().score.dim(), (0, 2));

    let more = ScoresMeta { windows: 3, ..scores_meta() };
    write_scores(&path, &more, &[1, 2], &[3, 4], score.view()).unwrap();
    let error = read_scores(&path).unwrap_err().to_string();
    assert!(error.contains("windows is 3, expected 2"), "{error}");

    let nan = array![[f32::NAN, 0.0]];
    let error =
        write_scores(&path, &scores_meta(), &[5], &[6], nan.view()).unwrap_err().to_string();
    assert!(error.contains("t3.h5") && error.contains("row 5, col 6"), "{error}");
    let error =
        write_scores(&path, &scores_meta(), &[5], &[], score.view()).unwrap_err().to_string();
    assert!(error.contains("row has 1, col 0"), "{error}");
}

#[test]
fn heatmaps_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = &write_all(folder.path())[3];
    let (meta, score) = read_heatmap(path).unwrap();
    let (writer, lineage) = (String::new(), Lineage::default());
    assert_eq!(HeatmapMeta { writer, lineage, ..meta }, heatmap_meta());
    assert!(score[[0, 0]].is_nan() && score[[1, 1]].is_nan());
    assert_eq!((score[[0, 1]], score[[1, 2]]), (0.5, 0.25));
    assert_eq!(read_heatmap_class(path, 0).unwrap()[[1, 2]], 0.75);
    assert!(read_heatmap_class(path, 2).unwrap_err().to_string().contains("class 2"));
}

#[test]
fn a_truncated_file_is_an_error_at_every_length() {
    let folder = tempfile::tempdir().unwrap();
    for path in write_all(folder.path()) {
        read_any(&path).unwrap();
        let whole = fs::read(&path).unwrap();
        for length in (0..whole.len()).step_by(whole.len() / 60 + 1).chain([whole.len() - 1]) {
            fs::write(&path, &whole[..length]).unwrap();
            let error = read_any(&path).unwrap_err();
            assert!(error.contains(path.to_str().unwrap()), "{length}: {error}");
        }
    }
}

#[test]
fn newer_and_foreign_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for path in write_all(folder.path()) {
        seal::edit(&path, |file| {
            file.attr("version").unwrap().write_scalar(&3_i64).unwrap();
        });
        let error = read_any(&path).unwrap_err();
        assert!(error.contains("version 3") && error.contains("update slidegrid"), "{error}");
        let file =
            hdf5::File::with_options().with_fapl(|p| p.file_locking(false)).create(&path).unwrap();
        file.create_group("something").unwrap();
        file.close().unwrap();
        let error = read_any(&path).unwrap_err();
        assert!(error.contains("no format attribute"), "{error}");
        fs::write(&path, "plain text").unwrap();
        assert!(read_any(&path).unwrap_err().contains("not a whole HDF5 file"));
        fs::remove_file(&path).unwrap();
        assert!(read_any(&path).unwrap_err().contains("No such file"));
    }
    let swapped = folder.path().join("scores.h5");
    write_patches(&swapped, Compression::None).unwrap();
    assert!(read_any(&swapped).unwrap_err().contains("slidegrid-patches"));
}

#[test]
fn a_missing_group_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = &write_all(folder.path())[0];
    seal::edit(path, |file| file.unlink("t2").unwrap());
    let file = PatchesFile::open(path).unwrap();
    let group = |k: u32| GroupNumber::try_from(k).unwrap();
    file.group(group(1)).unwrap();
    for error in [file.group(group(2)).unwrap_err(), file.verify().unwrap_err()] {
        let error = error.to_string();
        assert!(error.contains("group t2") && error.contains("patches.h5"), "{error}");
    }
    assert!(file.group(group(3)).is_err());
}

#[test]
fn an_unfinished_file_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("slide.h5");
    let plane = WorkingPlane {
        level0_width_px: 16,
        level0_height_px: 8,
        downsample: 1.0,
        width_px: 16,
        height_px: 8,
        mpp_x: None,
        mpp_y: None,
    };
    let plan = BlockPlan::new(Tiling::new(8, 1, 8).unwrap(), Array2::ones((1, 2)));
    let meta = PatchesMeta::planned("slide", &plane, &plan, 1);
    let create = || PatchesWriter::create(&path, &meta, &plan, 1, Compression::None).unwrap();
    drop(create());
    let mut writer = create();
    writer.write_patch(0, &[0; 768]).unwrap();
    for (index, bytes) in [(0, 768), (2, 768), (1, 767)] {
        let error = writer.write_patch(index, &vec![0; bytes]).unwrap_err().to_string();
        assert!(error.contains("slide.h5"), "{error}");
    }
    let error = writer.finish().unwrap_err().to_string();
    assert!(error.contains("1 of 2") && error.contains("t2 patch 0"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Runs in a child whose files may not grow beyond a limit.
#[test]
#[ignore = "run by a_full_disk_is_an_error_and_leaves_nothing"]
fn child_with_a_full_disk() {
    let folder = std::env::var("SLIDEGRID_TEST_FOLDER")
        .expect("set by a_full_disk_is_an_error_and_leaves_nothing");
    let limit: u64 = std::env::var("SLIDEGRID_TEST_LIMIT").unwrap().parse().unwrap();
    let limits = libc::rlimit { rlim_cur: limit, rlim_max: limit };
    // SAFETY: plain system calls on this process; the signal would kill it
    // before the write could report the error.
    let status = unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limits)
    };
    assert_eq!(status, 0);
    for (name, how) in [("a.h5", Compression::None), ("b.h5", Compression::Gzip(1))] {
        let error = write_patches(&Path::new(&folder).join(name), how).unwrap_err();
        assert!(error.contains(name) && error.contains("File too large"), "{error}");
    }
}

#[test]
fn a_full_disk_is_an_error_and_leaves_nothing() {
    let probe = tempfile::tempdir().unwrap();
    let lengths = write_all(probe.path()).map(|path| fs::metadata(path).unwrap().len());
    let smallest = lengths[0].min(lengths[1]);
    for part in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "formats::child_with_a_full_disk", "--ignored", "--nocapture"])
            .env_remove("SLIDEGRID_TEST_TIMES")
            .env("SLIDEGRID_TEST_FOLDER", folder.path())
            .env("SLIDEGRID_TEST_LIMIT", (smallest * part / 20).to_string())
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&child.stderr);
        assert!(child.status.success(), "part {part}: {errors}");
        assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"), "the child must run");
        assert!(!errors.contains("HDF5-DIAG"), "{errors}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "part {part}");
    }
}

fn python_reads(paths: &[PathBuf]) -> serde_json::Value {
    serde_json::from_str(&reference::printed("read_formats.py", paths)).unwrap()
}

/// Attributes that version 1 did not have from the start; a reader must do
/// without them.
const ADDED_SINCE_V1: [(&str, &str); 6] = [
    ("scores.h5", "computed_px"),
    ("scores.h5", "scored_px"),
    ("scores.h5", "resumed_windows"),
    ("scores.h5", "shared_windows"),
    ("patches.h5", "halo"),
    ("patches-gzip.h5", "halo"),
];

#[test]
fn h5py_reads_the_same_structure_as_the_frozen_files_have() {
    let frozen = repository("tests/data/formats/v1");
    let folder = tempfile::tempdir().unwrap();
    let today = write_all(folder.path());
    let old = today.clone().map(|path| frozen.join(path.file_name().unwrap()));
    let (mut today, old) = (python_reads(&today), python_reads(&old));
    for (file, added) in ADDED_SINCE_V1 {
        let attributes = today[file]["attributes"].as_object_mut().unwrap();
        assert!(attributes.remove(added).is_some(), "{file} has no attribute {added}");
    }
    // Version 2 is what version 1 was, with checksums, and with texts of fixed length.
    for contents in today.as_object_mut().unwrap().values_mut() {
        assert_eq!(contents["attributes"]["version"], 2);
        contents["attributes"]["version"] = 1.into();
        let attributes = contents["attributes"].as_object_mut().unwrap();
        assert!(attributes.remove("id").is_some());
        attributes.remove("store");
        let datasets = contents["datasets"].as_object_mut().unwrap();
        let is_data = |name: &String| !name.ends_with("_xxh3");
        assert!(datasets.keys().any(|name| !is_data(name)) || datasets.contains_key("row"));
        datasets.retain(|name, _| is_data(name));
        if let Some(failures) = datasets.get_mut("failures") {
            assert!(failures["dtype"].as_str().unwrap().starts_with("|S"), "{failures}");
            failures["dtype"] = "object".into();
        }
    }
    for (file, contents) in today.as_object().unwrap() {
        assert_eq!(contents["attributes"], old[file]["attributes"], "{file}");
        for (name, dataset) in contents["datasets"].as_object().unwrap() {
            assert!(*dataset == old[file]["datasets"][name], "{file}: {name} has changed");
        }
    }
    assert!(today == old, "a file or dataset has gone");
    let patches = &today["patches.h5"];
    assert_eq!(patches["attributes"]["format"], "slidegrid-patches");
    assert_eq!(patches["datasets"]["t1/img"]["shape"], serde_json::json!([4, 24, 24, 3]));
    assert_eq!(patches["datasets"]["failures"]["values"][0], "t1 patch 1: no such tile");
    assert_eq!(today["heatmap.h5"]["attributes"]["missing_groups"], serde_json::json!([]));
}

#[test]
fn frozen_files_of_version_1_are_read() {
    let frozen = repository("tests/data/formats/v1");
    for name in ["patches.h5", "patches-gzip.h5", "scores.h5", "heatmap.h5"] {
        read_any(&frozen.join(name)).unwrap();
    }
    assert_eq!(read_scores(&frozen.join("scores.h5")).unwrap().score[[0, 1]], 0.75);
    assert_eq!(read_heatmap(&frozen.join("heatmap.h5")).unwrap().1[[0, 1]], 0.5);
    let file = PatchesFile::open(&frozen.join("patches.h5")).unwrap();
    assert_eq!(file.failures().unwrap(), ["t1 patch 1: no such tile"]);
}

/// Where the files of version 2 come from, and the slide that they are of.
fn lineage(made_from: &str) -> Lineage {
    let mut lineage = Lineage { made_from: made_from.into(), ..Lineage::default() };
    lineage.slide =
        Some(SlideIdentity { bytes: 4321, modified_unix_s: 1_700_000_000, hash: 0xfeed_5eed });
    lineage
}

/// One small file of each form that version 2 has.
fn write_v2(folder: &Path) -> Vec<PathBuf> {
    let names = [
        "patches.h5",
        "patches-gzip.h5",
        "scores.h5",
        "scores-normalized.h5",
        "scores.part.h5",
        "heatmap.h5",
        "heatmap-classes.h5",
    ];
    let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    for (path, how) in paths.iter().zip([Compression::None, Compression::Gzip(1)]) {
        write_patches_of(path, how, &lineage("")).unwrap();
    }
    let id = PatchesFile::open(&paths[0]).unwrap().meta().lineage.id.clone();
    let (row, col) = ([1, 2], [3, 4]);
    let score = array![[0.25, 0.75], [1.0, 0.0]];
    let meta = ScoresMeta { activation: "softmax".into(), lineage: lineage(&id), ..scores_meta() };
    write_scores(&paths[2], &meta, &row, &col, score.view()).unwrap();
    let scored = UnnormalizedKind { cause: ColourFailure::OneColour, scored: true };
    let patch = UnnormalizedPatch { reason: "one colour; raw".into(), kind: Some(scored) };
    let normalized = ScoresMeta {
        normalize: "macenko of the slide".into(),
        unnormalized_patches: 1,
        unnormalized: BTreeMap::from([(17, patch)]),
        ..meta.clone()
    };
    write_scores(&paths[3], &normalized, &row, &col, score.view()).unwrap();
    let (row, col) = (row.to_vec(), col.to_vec());
    let part = PartScores { scores: Scores { meta, row, col, score }, total: 9, how: None };
    write_part(&paths[4], &part).unwrap();
    let meta = HeatmapMeta {
        activation: "softmax".into(),
        lineage: lineage(&id),
        scores_id: "0123456789abcdef".into(),
        ..heatmap_meta()
    };
    let map = array![[f32::NAN, 0.5, 1.0], [0.0, f32::NAN, 0.25]];
    HeatmapWriter::create(&paths[5], &meta, map.view()).unwrap().finish().unwrap();
    let mut writer = HeatmapWriter::create(&paths[6], &meta, map.view()).unwrap();
    writer.write_class(1, map.view()).unwrap();
    writer.write_class(0, map.mapv(|v| 1.0 - v).view()).unwrap();
    writer.finish().unwrap();
    paths
}

#[test]
fn frozen_files_of_version_2_are_read() {
    let frozen = repository("tests/data/formats/v2");
    let path = |name: &str| frozen.join(name);
    let scores = read_scores(&path("scores.h5")).unwrap();
    let identity = lineage("").slide;
    for name in ["patches.h5", "patches-gzip.h5"] {
        read_any(&path(name)).unwrap();
        let meta = PatchesFile::open(&path(name)).unwrap().meta().clone();
        assert_eq!((meta.lineage.slide, meta.lineage.id.len()), (identity, 16));
    }
    let id = PatchesFile::open(&path("patches.h5")).unwrap().meta().lineage.id.clone();
    assert_eq!((scores.score[[0, 1]], scores.meta.activation.as_str()), (0.75, "softmax"));
    assert_eq!((&scores.meta.lineage.made_from, scores.meta.lineage.slide), (&id, identity));
    let normalized = read_scores(&path("scores-normalized.h5")).unwrap().meta;
    assert_eq!(normalized.unnormalized[&17].reason, "one colour; raw");
    assert!(normalized.unnormalized[&17].kind.unwrap().scored);
    let PartScores { scores: part, total, .. } = read_part(&path("scores.part.h5")).unwrap();
    assert_eq!((part.row, part.score, total), (scores.row, scores.score, 9));
    for name in ["heatmap.h5", "heatmap-classes.h5"] {
        let (meta, map) = read_heatmap(&path(name)).unwrap();
        assert_eq!(
            (map[[0, 1]], meta.lineage.made_from, meta.scores_id.len()),
            (0.5, id.clone(), 16)
        );
    }
    assert_eq!(read_heatmap_class(&path("heatmap-classes.h5"), 0).unwrap()[[1, 2]], 0.75);
}

/// Frozen files are read by h5py, and are what is written today.
#[test]
fn h5py_reads_the_frozen_files_of_version_2_as_todays() {
    let folder = tempfile::tempdir().unwrap();
    let today = write_v2(folder.path());
    let frozen: Vec<PathBuf> = today
        .iter()
        .map(|path| repository("tests/data/formats/v2").join(path.file_name().unwrap()))
        .collect();
    let (mut today, mut frozen) = (python_reads(&today), python_reads(&frozen));
    for contents in today.as_object_mut().unwrap().values_mut() {
        contents["attributes"].as_object_mut().unwrap().remove("writer");
    }
    for contents in frozen.as_object_mut().unwrap().values_mut() {
        contents["attributes"].as_object_mut().unwrap().remove("writer");
    }
    for (file, contents) in frozen.as_object().unwrap() {
        // Attributes and datasets may have been added since, and none has changed or gone.
        for part in ["attributes", "datasets"] {
            for (name, value) in contents[part].as_object().unwrap() {
                assert!(*value == today[file][part][name], "{file}: {name} has changed: {value}");
            }
        }
        assert_eq!(contents["attributes"]["version"], 2);
    }
    assert_eq!(frozen.as_object().unwrap().len(), 7);
    assert!(frozen["heatmap-classes.h5"]["datasets"]["classes_xxh3"].is_object());
}

/// Makes the frozen files; run it by hand, once per format version.
#[test]
#[ignore = "writes tests/data/formats/v2"]
fn add_frozen_files() {
    let frozen = repository("tests/data/formats/v2");
    assert!(!frozen.join("scores.h5").exists(), "frozen files are never rewritten");
    write_v2(&frozen);
}
