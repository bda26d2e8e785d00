//! `slidegrid study`, piece by piece, on files that slidegrid did not make.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::Case;
use crate::common::cli::Slidegrid;
use ndarray::Array2;
use slidegrid::heatmap_h5;
use slidegrid::internal::export::npy;
use slidegrid::internal::run_dir::{RunDir, SlideRecord, SlideStatus, write_slides};

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// `slidegrid study WORDS`, to be started.
fn study(case: &Case, words: &[&str]) -> Slidegrid {
    case.slidegrid("study").args(words)
}

/// The message of a study that exits with `code` and prints no results.
#[track_caller]
fn complaint(case: &Case, words: &[&str], code: i32) -> String {
    let outcome = study(case, words).exits(code);
    assert!(outcome.stdout.is_empty(), "{outcome:?}");
    outcome.stderr
}

/// A heatmap of 100 x 120 points, 16 px apart, two spots.
fn spots() -> Array2<f32> {
    Array2::from_shape_fn((100, 120), |(row, col)| {
        let near = |r: usize, c: usize, reach: usize| {
            row.abs_diff(r).pow(2) + col.abs_diff(c).pow(2) <= reach * reach
        };
        match (near(30, 40, 9), near(80, 100, 4)) {
            (true, _) => 0.95,
            (_, true) => 0.92,
            _ => 0.0625,
        }
    })
}

fn array(case: &Case, name: &str) -> PathBuf {
    let path = case.path(name);
    npy::write_f32(&path, spots().view()).unwrap();
    path
}

/// The larger spot as ASAP would have drawn it, level-0 px.
fn outline(case: &Case, folder: &str, slide: &str) {
    let corners = [(490, 330), (790, 330), (790, 630), (490, 630)];
    let points: String = (corners.iter().enumerate())
        .map(|(order, (x, y))| format!("<Coordinate Order=\"{order}\" X=\"{x}\" Y=\"{y}\"/>"))
        .collect();
    let xml = format!(
        "<ASAP_Annotations><Annotations><Annotation Name=\"a\" Type=\"Polygon\" PartOfGroup=\"_0\"><Coordinates>{points}</Coordinates></Annotation></Annotations></ASAP_Annotations>"
    );
    fs::create_dir_all(case.path(folder)).unwrap();
    fs::write(case.path(folder).join(format!("{slide}.xml")), xml).unwrap();
}

#[test]
fn an_area_under_the_curve_is_printed_and_compared() {
    let case = Case::new();
    let csv = text(&case.write(
        "a.csv",
        "case,truth,one,two\n1,0,0.1,0.4\n2,0,0.4,0.3\n3,1,0.35,0.2\n4,1,0.8,0.9\n",
    ));
    let report = study(
        &case,
        &["auc", &csv, "--truth", "truth", "--score", "one", "--score", "two", "--json"],
    )
    .json();
    assert_eq!(report["scores"][0]["auc"], 0.75);
    assert_eq!(report["scores"][1]["auc"], 0.5);
    assert_eq!(report["differences"][0]["difference"], 0.25);
    study(&case, &["auc", &csv, "--truth", "truth", "--score", "one"]).done();
    let message = complaint(&case, &["auc", &csv, "--truth", "truth", "--score", "three"], 4);
    assert!(message.contains("\"three\"") && message.contains("one, two"), "{message}");
    let message = complaint(&case, &["auc", &csv, "--truth", "one", "--score", "two"], 4);
    assert!(message.contains("expected 1 or 0"), "{message}");
}

#[test]
fn detections_of_an_array_are_scored_against_outlines() {
    let case = Case::new();
    let heatmap = text(&array(&case, "slide.npy"));
    let found = text(&case.path("found"));
    let nms = ["detect", &heatmap, "--method", "nms", "--out", &found, "--json"];
    let message = complaint(&case, &nms, 4);
    assert!(message.contains("--stride"), "{message}");
    let message = complaint(&case, &[&nms[..], &["--stride", "16"]].concat(), 4);
    assert!(message.contains("--mpp"), "{message}");
    let report = study(&case, &[&nms[..], &["--stride", "16", "--mpp", "0.25"]].concat()).json();
    assert_eq!(report[0]["detections"].as_array().unwrap().len(), 2);
    let regions = ["detect", &heatmap, "--method", "regions", "--out", &found, "--stride", "16"];
    study(&case, &regions).done();
    let csv = fs::read_to_string(case.path("found/slide.csv")).unwrap();
    assert!(csv.contains(",640,480\n") && csv.contains(",1600,1280\n"), "{csv}");

    outline(&case, "truth", "slide");
    let truth = text(&case.path("truth"));
    let froc = ["froc", "--detections", &found, "--truth", &truth, "--mpp", "0.9", "--json"];
    let report = study(&case, &froc).json();
    assert_eq!(
        (report["lesions"].as_u64(), report["false_positives"].as_u64()),
        (Some(1), Some(1))
    );
    // Hit at the higher score, the false positive only after it.
    assert_eq!(report["score"], 1.0);
    assert_eq!(report["dropped_a_real_score"], true);
    // At 0.25 um the lesion is 75 um wide: isolated tumor cells.
    let small = ["froc", "--detections", &found, "--truth", &truth, "--mpp", "0.25"];
    assert!(complaint(&case, &small, 4).contains("no lesion to find"));
    study(&case, &[&small[..], &["--itc-um", "0", "--json"]].concat()).json();

    // Listed slides count, files of others do not pass.
    fs::write(case.path("truth/reference.csv"), "image,type\nslide,Tumor\nempty,Normal\n").unwrap();
    for name in ["empty", "far", "near"] {
        outline(&case, "truth", name);
    }
    let report = study(&case, &froc).json();
    assert_eq!(report["slides"], 2);
    assert_eq!(report["slides_without_file"][0], "empty");
    let notes = study(&case, &froc).done();
    notes
        .says(&["2 files of truth (far.xml, near.xml) are not used", "not in", "reference.csv"])
        .says(&["1 file of truth (empty.xml) is not used", "normal in"]);
    fs::write(case.path("found/other.csv"), "").unwrap();
    assert!(complaint(&case, &froc, 4).contains("not in the list"));
}

#[test]
fn features_are_a_table_that_the_forest_reads() {
    let case = Case::new();
    let paths: Vec<String> = (0..12).map(|i| text(&array(&case, &format!("s{i}.npy")))).collect();
    let out = text(&case.path("features.csv"));
    let list: String = (0..12)
        .map(|i| format!("s{i},{}\n", if i % 2 == 0 { "Tumor" } else { "Normal" }))
        .collect();
    let list = text(&case.write("list.csv", &list));
    let mut args = vec!["features"];
    args.extend(paths.iter().map(String::as_str));
    args.extend(["--slides", &list, "--out", &out]);
    study(&case, &args).done();
    let csv = fs::read_to_string(&out).unwrap();
    assert!(csv.starts_with(",name,tumor,ratio_cancer_tissue50,"), "{csv}");
    assert_eq!(csv.lines().count(), 13);
    let row: Vec<&str> = csv.lines().nth(1).unwrap().split(',').collect();
    assert_eq!((row[1], row[2], row[13]), ("s0", "1", "253"));
    // All slides are alike: the forest has nothing to learn, but each slide gets a score.
    let report = study(&case, &["classify", &out, "--trees", "10", "--json"]).json();
    assert_eq!(report["slides"].as_array().unwrap().len(), 12);
    let report =
        study(&case, &["classify", &out, "--train", &out, "--trees", "10", "--json"]).json();
    let score = |slide: usize| report["slides"][slide]["score"].as_f64().unwrap();
    assert!((0.2..0.8).contains(&score(0)) && score(0) == score(1), "{report}");
}

#[test]
fn dice_is_swept_and_printed_per_class() {
    let case = Case::new();
    let heatmap = text(&array(&case, "slide.npy"));
    outline(&case, "truth", "slide");
    let truth = text(&case.path("truth/slide.xml"));
    let rows = study(
        &case,
        &[
            "dice",
            &heatmap,
            "--stride",
            "16",
            "--truth",
            &truth,
            "--thresholds",
            "0.5,0.93",
            "--json",
        ],
    )
    .json();
    let dice = |row: usize| rows[row]["dice"].as_f64().unwrap();
    // Without the smaller spot, which is no lesion, it is better.
    assert!(dice(1) > dice(0) && dice(0) > 0.7, "{rows}");

    let labels = |name: &str, from: u8| {
        let path = case.path(name);
        image::GrayImage::from_fn(10, 10, |x, _| image::Luma([if x < 5 { from } else { 0 }]))
            .save(&path)
            .unwrap();
        text(&path)
    };
    let (one, two) = (labels("one.png", 1), labels("two.png", 2));
    let rows = study(&case, &["dice", &one, "--labels", "--truth", &two, "--json"]).json();
    let classes: Vec<_> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["class"].as_u64().unwrap(), r["dice"].as_f64().unwrap()))
        .collect();
    assert_eq!(classes, [(0, 1.0), (1, 0.0), (2, 0.0)]);
}

/// A run of which only the heatmaps were kept: four slides of spots, every
/// second one without.
fn kept_heatmaps(case: &Case) -> (String, String) {
    kept_heatmaps_but(case, |_, _| {})
}

/// The same, with scores changed: `change(slide, scores)`.
fn kept_heatmaps_but(case: &Case, change: impl Fn(&str, &mut Array2<f32>)) -> (String, String) {
    let run = case.path("run");
    let mut list = String::from("image,type\n");
    for number in 0..8 {
        let slide = format!("s{number}");
        let tumor = number % 2 == 0;
        let mut score = spots();
        if !tumor {
            score.mapv_inplace(|v| if v > 0.5 { 0.25 } else { v });
        }
        change(&slide, &mut score);
        let meta = heatmap_h5::HeatmapMeta {
            slide: slide.clone(),
            stride_px: 16,
            window_px: 224,
            downsample: 1.0,
            mpp_x: Some(0.9),
            mpp_y: Some(0.9),
            width_px: 1920,
            height_px: 1600,
            level0_width_px: 1920,
            level0_height_px: 1600,
            classes: vec!["normal".into(), "tumor".into()],
            positive: 1,
            method: "window".into(),
            windows: 12_000,
            ..heatmap_h5::HeatmapMeta::default()
        };
        let path = run.join(format!("heatmaps/{slide}.h5"));
        heatmap_h5::HeatmapWriter::create(&path, &meta, score.view()).unwrap().finish().unwrap();
        if tumor {
            outline(case, "truth", &slide);
        }
        list += &format!("{slide},{}\n", if tumor { "Tumor" } else { "Normal" });
    }
    fs::write(case.path("truth/reference.csv"), list).unwrap();
    fs::write(
        run.join("run.toml"),
        "[resolved]\nversion = 1\nwriter = \"test\"\nwindow = 224\nmpp = \"level0\"\nmodel_sha256 = \"\"\ncard_sha256 = \"\"\n",
    )
    .unwrap();
    (text(&run), text(&case.path("truth")))
}

#[test]
fn a_run_is_studied_from_its_heatmaps_alone() {
    let case = Case::new();
    let (run, truth) = kept_heatmaps(&case);
    let words = ["--run", &run, "--truth", &truth, "--strides", "16,64,1600", "--quiet"];
    let report = study(&case, &[&words[..], &["--json"]].concat()).json();
    assert_eq!((report["slides"].as_u64(), report["tumor_slides"].as_u64()), (Some(8), Some(4)));
    let of = |place: usize, key: &str| report["settings"][place][key].clone();
    assert_eq!(
        (of(0, "auc"), of(1, "auc"), of(0, "method")),
        (1.0.into(), 1.0.into(), "window".into())
    );
    // Each tumor slide has its lesion and a spot that is none.
    assert_eq!((of(0, "lesions_hit"), of(0, "false_positives")), (4.into(), 4.into()));
    assert_eq!((of(0, "windows"), of(1, "windows")), (96_000.into(), 6_000.into()));
    assert!(of(0, "core_hours").is_null() && of(0, "map_deviation") == 0.0);
    // One point a slide: nothing is found any more.
    assert_eq!((of(2, "froc_score"), of(2, "lesions_hit")), (0.0.into(), 0.into()));
    assert!(of(2, "froc_change").as_f64().unwrap() < -0.9);
    for file in [
        "study.md",
        "study.csv",
        "study.json",
        "scores.csv",
        "lesions.csv",
        "features-window-64.csv",
        "roc.svg",
        "roc.png",
        "froc.svg",
        "froc.png",
        "detections/window-16/s0.csv",
    ] {
        assert!(case.path("run/study").join(file).is_file(), "{file}");
    }
    // Without core times there is no trade-off to draw.
    assert!(!case.path("run/study/tradeoff.svg").exists());

    let compare = format!("again={run}");
    let report = study(&case, &[&words[..], &["--compare", &compare, "--json"]].concat()).json();
    assert_eq!(report["settings"][3]["source"], "again");
    assert_eq!(report["settings"][3]["map_deviation"], 0.0);
}

/// `x` and `y` of all points of a lattice in the square that [`outline`] draws.
fn points_inside(stride: u32) -> Vec<(u32, u32)> {
    let points = (0..1920 / stride).flat_map(|col| (0..1600 / stride).map(move |row| (col, row)));
    points
        .map(|(col, row)| (col * stride, row * stride))
        .filter(|(x, y)| (490..790).contains(x) && (330..630).contains(y))
        .collect()
}

#[test]
fn the_scored_share_of_each_lesion_is_listed() {
    let case = Case::new();
    let inside = points_inside(16);
    let (run, truth) = kept_heatmaps_but(&case, |slide, score| match slide {
        // Half of the lesion is there, and hit.
        "s0" => score.indexed_iter_mut().filter(|((_, col), _)| *col < 40).for_each(|(_, v)| {
            *v = f32::NAN;
        }),
        // A frame of high scores around a lesion that has none: its centre is inside.
        "s2" => score.indexed_iter_mut().for_each(|((row, col), value)| {
            let away = row.abs_diff(30).max(col.abs_diff(40));
            match away {
                0..=9 => *value = f32::NAN,
                10..=12 => *value = 0.97,
                _ => {}
            }
        }),
        _ => {}
    });
    // The last tumor slide has no tissue, and so no heatmap.
    let record = SlideRecord {
        name: "s6".into(),
        status: SlideStatus::NoTissue,
        width: Some(1920),
        height: Some(1600),
        level0_width: Some(1920),
        level0_height: Some(1600),
        downsample: Some(1.0),
        mpp: Some(0.9),
        ..SlideRecord::default()
    };
    write_slides(&RunDir::new(Path::new(&run)), &[record]).unwrap();
    fs::remove_file(case.path("run/heatmaps/s6.h5")).unwrap();

    let words = ["--run", &run, "--truth", &truth, "--strides", "16,64,1600", "--quiet", "--json"];
    let output = study(&case, &words).done();
    let study = output.json();
    let stderr = &output.stderr;

    // Counted here point by point: all, and those right of column 40.
    let (all, right) = (inside.len(), inside.iter().filter(|(x, _)| *x >= 40 * 16).count());
    assert_eq!((all, right), (361, 190));
    let outside = "not scored: outside the tissue that was found";
    let nowhere = "not scored: no tissue was found on the slide";
    let expected = [
        ("s0", right, Some(0.95), None),
        ("s2", 0, None, Some(outside)),
        ("s4", all, Some(0.95), None),
        ("s6", 0, None, Some(nowhere)),
    ];
    let lesions = study["settings"][0]["coverage"].as_array().unwrap();
    assert_eq!(lesions.len(), expected.len());
    for (lesion, (slide, scored, score, reason)) in lesions.iter().zip(expected) {
        assert_eq!(lesion["slide"], slide);
        assert_eq!((&lesion["points"], &lesion["scored"]), (&all.into(), &scored.into()));
        assert_eq!(lesion["share"], scored as f64 / all as f64);
        let best = lesion["score"].as_f64();
        assert_eq!(best.map(|best| (best * 100.0).round() / 100.0), score, "{slide}");
        assert_eq!(lesion["reason"].as_str(), reason);
        // The square's centre, to the pixel that lesions are looked for in.
        for (axis, centre) in [("x", 640.0), ("y", 480.0)] {
            assert!((lesion[axis].as_f64().unwrap() - centre).abs() < 8.0, "{lesion}");
        }
    }
    // s2's frame is in its lesion's margin: no hit, and no false positive either. The other
    // spots are false positives as ever: s0, s2 and s4 have one.
    let row = &study["settings"][0];
    assert_eq!((&row["lesions"], &row["lesions_hit"]), (&4.into(), &2.into()));
    assert_eq!(row["false_positives"], 3);

    // At stride 64 the counts are those of its lattice; at 1600 no point lies inside.
    let coarse = points_inside(64);
    let scored = coarse.iter().filter(|(x, _)| *x >= 40 * 16).count();
    let of_s0 = &study["settings"][1]["coverage"][0];
    assert_eq!((&of_s0["points"], &of_s0["scored"]), (&coarse.len().into(), &scored.into()));
    let of_s0 = &study["settings"][2]["coverage"][0];
    assert!(of_s0["share"].is_null() && of_s0["points"] == 0);
    assert_eq!(of_s0["reason"], "no point of the lattice lies inside");

    // One warning a lesion, not one a stride.
    let warned: Vec<&str> = stderr.lines().filter(|line| line.contains("points scored")).collect();
    assert_eq!(warned.len(), 3, "{stderr}");
    assert!(warned[0].contains("s0: lesion 1") && warned[0].contains("190 of 361"), "{stderr}");
    assert!(warned[1].contains("s2: lesion 1") && warned[1].contains(outside), "{stderr}");
    assert!(warned[2].contains("s6: lesion 1") && warned[2].contains(nowhere), "{stderr}");
    let md = fs::read_to_string(case.path("run/study/study.md")).unwrap();
    assert!(md.contains("3 of 4 lesions to find") && md.contains("2 of these on none"), "{md}");
    assert!(md.contains("| s0 | 1 |") && md.contains("| 361 | 190 | 52.6 % | hit |"), "{md}");
    assert!(md.contains(&format!("| 361 | 0 | 0.0 % | missed: {outside} |")), "{md}");
    let csv = fs::read_to_string(case.path("run/study/lesions.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 3 * 4);
    let of_s2 = csv.lines().find(|line| line.starts_with("window,window,16,s2,1,")).unwrap();
    assert!(of_s2.ends_with(&format!(",361,0,0,missed,,\"{outside}\"")), "{of_s2}");
}

#[test]
fn fully_scored_lesions_cause_no_warning() {
    let case = Case::new();
    let (run, truth) = kept_heatmaps(&case);
    let words = ["--run", &run, "--truth", &truth, "--strides", "16", "--quiet"];
    let output = study(&case, &words).done();
    let stderr = &output.stderr;
    assert!(!stderr.contains("points scored"), "{stderr}");
    let md = fs::read_to_string(case.path("run/study/study.md")).unwrap();
    assert!(md.contains("every lesion to find has scores on at least nine tenths"), "{md}");
}

#[test]
fn isolated_tumor_cells_are_listed_without_a_warning() {
    let case = Case::new();
    let (run, truth) = kept_heatmaps_but(&case, |slide, score| {
        if slide == "s2" {
            score.fill(f32::NAN);
        }
    });
    // 270 um across, grown: below 2,000 um all are isolated tumor cells.
    let settings = case.path("run/run.toml");
    let text = fs::read_to_string(&settings).unwrap() + "\n[study]\nitc_um = 2000.0\n";
    fs::write(&settings, text).unwrap();
    let words = ["--run", &run, "--truth", &truth, "--strides", "16", "--quiet", "--json"];
    let output = study(&case, &words).done();
    let stderr = &output.stderr;
    assert!(!stderr.contains("points scored"), "{stderr}");
    let study = output.json();
    let of_s2 = &study["settings"][0]["coverage"][1];
    assert_eq!((&of_s2["is_itc"], &of_s2["scored"]), (&true.into(), &0.into()));
    let csv = fs::read_to_string(case.path("run/study/lesions.csv")).unwrap();
    assert_eq!(csv.lines().filter(|line| line.contains(",itc,")).count(), 4, "{csv}");
    assert_eq!(csv.lines().count(), 5, "{csv}");
}

#[test]
fn studies_that_cannot_be_made_are_refused() {
    let case = Case::new();
    let (run, truth) = kept_heatmaps(&case);
    let message = complaint(&case, &["--run", &run, "--truth", &truth, "--strides", "16,24"], 4);
    assert!(message.contains("multiples") && message.contains("--rerun"), "{message}");
    assert!(complaint(&case, &["--run", &run], 2).contains("--truth"));
    let message = complaint(&case, &["--run", &run, "--truth", &truth, "--compare", "x"], 2);
    assert!(message.contains("NAME=DIR"), "{message}");
    let list = case.path("truth/reference.csv");
    let listed = fs::read_to_string(&list).unwrap() + "s99,Normal\n";
    fs::write(&list, listed).unwrap();
    let message = complaint(&case, &["--run", &run, "--truth", &truth], 4);
    assert!(message.contains("s99") && message.contains("--allow-missing"), "{message}");
    study(&case, &["--run", &run, "--truth", &truth, "--allow-missing"]).exits(5);
    fs::remove_file(case.path("truth/s0.xml")).unwrap();
    let message = complaint(&case, &["--run", &run, "--truth", &truth, "--allow-missing"], 4);
    assert!(message.contains("no truth about s0"), "{message}");
}
