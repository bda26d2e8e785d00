//! Commands given a second time, or with other wishes.

use super::scene::Scene;

#[test]
fn a_run_of_named_slides_leaves_the_others_waiting() {
    let scene = Scene::usual();
    scene.slidegrid("split --run run --config c.toml a.png b.png").exits(0);
    scene.slidegrid("run --run run b.png").exits(0);
    assert!(scene.path("run/heatmaps/b.h5").exists());
    assert!(!scene.path("run/scores/a").exists() && !scene.path("run/heatmaps/a.h5").exists());
    scene.slidegrid("run --run run").exits(0);
    assert!(scene.path("run/heatmaps/a.h5").exists());
}

#[test]
fn other_wishes_for_a_finished_heatmap_are_met() {
    let scene = Scene::scored();
    scene.slidegrid("stitch --run run --all").exits(0);
    let heatmap = || slidegrid::export::heatmap_h5::read_heatmap(&scene.path("run/heatmaps/a.h5"));
    let (meta, before) = heatmap().unwrap();
    let classes = |class| {
        slidegrid::export::heatmap_h5::read_heatmap_class(&scene.path("run/heatmaps/a.h5"), class)
    };
    assert!(classes(0).is_err(), "all classes were not asked for");
    let set = "--set stitch.all_classes=true --set stitch.npy=true";
    let again = scene.slidegrid(&format!("stitch --run run --all {set}")).exits(0);
    assert!(again.stdout.contains("a.npy"), "{again:?}");
    let (_, after) = heatmap().unwrap();
    let positive = classes(meta.positive as usize).unwrap();
    for ((a, b), c) in before.iter().zip(&after).zip(&positive) {
        assert!(a.to_bits() == b.to_bits() && b.to_bits() == c.to_bits());
    }
    assert!(scene.path("run/heatmaps/a.npy").exists());
    scene.slidegrid(&format!("stitch --run run --all {set}")).exits(0).says(&["a", "was done"]);
}

#[test]
fn stitch_refuses_an_edited_card() {
    let scene = Scene::new();
    for file in ["centre32.toml", "centre32.onnx"] {
        let from = super::scene::model_card("centre32").with_file_name(file);
        std::fs::copy(from, scene.path(file)).unwrap();
    }
    scene.write("c.toml", format!("[model]\ncard = \"centre32.toml\"\n{}", super::scene::SMALL));
    scene.noise("a.png", 130, 100);
    scene.slidegrid("split --run run --config c.toml a.png").exits(0);
    scene.slidegrid("master plan --run run").exits(0);
    scene.slidegrid("predict --run run --all").exits(0);
    let card = scene.text("centre32.toml");
    let edited = card.replace("range = \"byte\"", "range = \"unit\"");
    assert_ne!(card, edited, "{card}");
    scene.write("centre32.toml", edited);
    scene.slidegrid("stitch --run run --all").exits(4).says(&["centre32.toml", "old card"]);
    assert!(!scene.path("run/heatmaps/a.h5").exists());
}

#[test]
fn nothing_is_not_a_number_of_threads_or_windows() {
    let scene = Scene::planned();
    for flag in ["--batch", "--threads"] {
        scene.slidegrid(&format!("predict --run run --all {flag} 0")).exits(2).mentions(&[flag]);
    }
}
