//! Commands that are given a second time, with the same or other settings.

use crate::common::case::SMALL;
use crate::common::{Case, model_card, noise};

#[test]
fn a_run_of_named_slides_leaves_the_others_waiting() {
    let case = Case::usual();
    case.slidegrid("split --run run --config c.toml a.png b.png").exits(0);
    case.slidegrid("run --run run b.png").exits(0);
    assert!(case.path("run/heatmaps/b.h5").exists());
    assert!(!case.path("run/scores/a").exists() && !case.path("run/heatmaps/a.h5").exists());
    case.slidegrid("run --run run").exits(0);
    assert!(case.path("run/heatmaps/a.h5").exists());
}

#[test]
fn files_that_a_finished_heatmap_lacks_are_added() {
    let case = Case::scored();
    case.slidegrid("stitch --run run --all").exits(0);
    let heatmap = || slidegrid::heatmap_h5::read_heatmap(&case.path("run/heatmaps/a.h5"));
    let (meta, before) = heatmap().unwrap();
    let classes =
        |class| slidegrid::heatmap_h5::read_heatmap_class(&case.path("run/heatmaps/a.h5"), class);
    assert!(classes(0).is_err(), "all classes were not requested");
    let set = "--set stitch.all_classes=true --set stitch.npy=true";
    let again = case.slidegrid(&format!("stitch --run run --all {set}")).exits(0);
    assert!(again.stdout.contains("a.npy"), "{again:?}");
    let (_, after) = heatmap().unwrap();
    let positive = classes(meta.positive as usize).unwrap();
    for ((a, b), c) in before.iter().zip(&after).zip(&positive) {
        assert!(a.to_bits() == b.to_bits() && b.to_bits() == c.to_bits());
    }
    assert!(case.path("run/heatmaps/a.npy").exists());
    case.slidegrid(&format!("stitch --run run --all {set}")).exits(0).says(&["a", "already done"]);
}

#[test]
fn stitch_refuses_an_edited_card() {
    let case = Case::new();
    for file in ["centre32.toml", "centre32.onnx"] {
        let from = model_card("centre32").with_file_name(file);
        std::fs::copy(from, case.path(file)).unwrap();
    }
    case.write("c.toml", format!("[model]\ncard = \"centre32.toml\"\n{}", SMALL));
    case.slide("a.png", &noise(100, 130, 1));
    case.slidegrid("split --run run --config c.toml a.png").exits(0);
    case.slidegrid("master plan --run run").exits(0);
    case.slidegrid("predict --run run --all").exits(0);
    let card = case.read("centre32.toml");
    let edited = card.replace("range = \"byte\"", "range = \"unit\"");
    assert_ne!(card, edited, "{card}");
    case.write("centre32.toml", edited);
    case.slidegrid("stitch --run run --all").exits(4).says(&["centre32.toml", "old card"]);
    assert!(!case.path("run/heatmaps/a.h5").exists());
}

#[test]
fn zero_threads_or_windows_are_refused() {
    let case = Case::planned();
    for flag in ["--batch", "--threads"] {
        case.slidegrid(&format!("predict --run run --all {flag} 0")).exits(2).mentions(&[flag]);
    }
}
