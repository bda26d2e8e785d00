//! Truth and labels that a manifest names slide by slide.

use serde_json::Value;

use crate::common::{Case, noise};

/// Two slides of one file name with tumor, two without; the truth of the first is an outline and
/// that of the second a mask picture.
fn cohort() -> Case {
    let case = Case::new();
    case.config("c.toml", "centre32", crate::common::case::SMALL);
    for (seed, name) in ["one/s.png", "two/s.png", "n1.png", "n2.png", "n3.png"].iter().enumerate()
    {
        case.write(name, "");
        case.slide(name, &noise(96, 128, seed as u64 + 1));
    }
    let ring = "[[[20,20],[80,20],[80,70],[20,70],[20,20]]]";
    let outline = format!(
        r#"{{"type":"FeatureCollection","features":[{{"type":"Feature","properties":{{"classification":{{"name":"Tumor"}}}},"geometry":{{"type":"Polygon","coordinates":{ring}}}}}]}}"#
    );
    case.write("drawn/case 17, final.geojson", &outline);
    case.mask(
        "drawn/x.png",
        &ndarray::Array2::from_shape_fn((96, 128), |(y, x)| {
            u8::from((20..70).contains(&y) && (20..80).contains(&x))
        }),
    );
    case
}

const TABLE: &str = "slide;id;mpp;truth;label\none/s.png;s1;8;drawn/case 17, final.geojson;Tumor\ntwo/s.png;s2;8;drawn/x.png;\nn1.png;;8;;normal\nn2.png;;8;;0\nn3.png;;8;;negative\n";
const STUDY: [&str; 4] =
    ["study.slide_score=\"max\"", "study.bootstrap=0", "study.itc_um=0", "study.strides=[8]"];

fn study(case: &Case, line: &str) -> Value {
    case.slidegrid(&format!("study --quiet --json --run run {line}")).set(&STUDY).json()
}

#[test]
fn truth_and_labels_of_a_manifest_are_those_of_a_folder() {
    let case = cohort();
    case.write("t.csv", TABLE);
    case.slidegrid("run --quiet --run run --config c.toml --manifest t.csv").done();
    let own = study(&case, "--out own");
    // The same truth by names in a folder.
    std::fs::create_dir(case.path("folder")).unwrap();
    let copy = |from: &str, to: &str| std::fs::copy(case.path(from), case.path(to)).unwrap();
    copy("drawn/case 17, final.geojson", "folder/s1.geojson");
    copy("drawn/x.png", "folder/s2.png");
    case.write(
        "folder/reference.csv",
        "image,type\nn1,Normal\nn2,Normal\nn3,Normal\ns1,Tumor\ns2,Tumor\n",
    );
    let run = case.read("run/run.toml");
    let without: String = run
        .split_inclusive("\n[")
        .filter(|s| !s.starts_with("slides.truth_of]") && !s.starts_with("slides.label_of]"))
        .collect();
    assert_ne!(run, without);
    case.write("run/run.toml", &without);
    let by_folder = study(&case, "--out by-folder --truth folder");
    assert_eq!(own, by_folder);
    assert_eq!(case.read("own/lesions.csv"), case.read("by-folder/lesions.csv"));
    assert!(case.read("own/lesions.csv").lines().count() >= 3, "two lesions");
    case.write("run/run.toml", &run);
    // Both at once, of the same content, contradict each other by name.
    let words = ["s1", "case 17, final.geojson", "folder/s1.geojson", "take one of them away"];
    case.slidegrid("study --run run --truth folder").set(&STUDY).exits(4).mentions(&words);
    case.slidegrid("report --quiet --run run").done();
    assert!(case.read("run/report/slides/s1/layers.js").contains("\"truth\":{"));
    assert!(case.read("run/report/slides/s2/layers.js").contains("\"truth\":{"));
    // A forgotten slide leaves no truth behind.
    case.slidegrid("forget --quiet --run run s1").done();
    assert!(!case.read("run/run.toml").contains("case 17"));
    let line = "study --run run --out rest";
    case.slidegrid(line).set(&STUDY).exits(4).mentions(&["1 positive and 3 negative"]);
}

#[test]
fn what_contradicts_the_study_is_refused_by_name() {
    let case = cohort();
    let run = "run --quiet --run run --config c.toml --manifest t.csv";
    case.write("t.csv", TABLE.replace("drawn/x.png", "drawn/y.png"));
    let words = ["drawn/y.png", "the truth of s2", "Nothing was registered"];
    case.slidegrid(run).exits(4).mentions(&words);
    assert!(!case.path("run/slides.csv").exists());
    case.write("t.csv", TABLE.replace("n2.png;;8;;0", "n2.png;;8;;LUAD"));
    case.slidegrid(run).done();
    let words = ["n2", "\"LUAD\"", "expected tumor or normal", "--slides"];
    case.slidegrid("study --run run").set(&STUDY).exits(4).mentions(&words);
    // A list is enough, and must not say otherwise.
    case.write("list.csv", "image,type\ns1,Tumor\ns2,Tumor\nn2,Normal\nn3,Normal\n");
    let left = [
        "note: 1 slide (n1) has a label or truth in the run and no row in list.csv",
        "left out of the study",
    ];
    case.slidegrid("study --run run --slides list.csv --out x").set(&STUDY).done().mentions(&left);
    case.write("list.csv", "image,type\ns1,Normal\ns2,Tumor\nn2,Normal\nn3,Normal\n");
    let words = ["s1 is normal in this list and tumor by slides.label_of", "list.csv"];
    case.slidegrid("study --run run --slides list.csv").set(&STUDY).exits(4).mentions(&words);
    // Lesions on a slide that is labelled normal; a slide without label and truth.
    case.write("t.csv", TABLE.replace("n2.png;;8;;0", "n2.png;;8;drawn/x.png;normal"));
    case.slidegrid(run).done();
    let words = ["x.png", "the truth of n2, which is labelled normal, holds lesions"];
    case.slidegrid("study --run run").set(&STUDY).exits(4).mentions(&words);
    case.slidegrid("forget --quiet --run run n2").done();
    case.write("t.csv", "slide,mpp\nn2.png,8\n");
    case.slidegrid(run).done();
    let left = ["note: 1 slide (n2) has neither label nor truth, and is left out of the study"];
    case.slidegrid("study --run run --out y").set(&STUDY).done().mentions(&left);
}
