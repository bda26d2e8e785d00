//! Tests that hashes of run files and model cards do not change. Existing results are recognised
//! by these hashes, so a version that computes other ones would not find them.

use std::path::{Path, PathBuf};

use super::file::apply;
use super::*;
use crate::model::{Activation, Channels, Layout, ModelCard, Range, card_sha256};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/run_files")
}

/// The run file `name`.toml after `settings`, each `section.key=value`.
fn run_file(name: &str, settings: &str) -> RunConfig {
    let text = std::fs::read_to_string(folder().join(name).with_extension("toml")).unwrap();
    let mut table: toml::Table = text.parse().unwrap();
    for setting in settings.split(" ; ").filter(|setting| !setting.is_empty()) {
        apply(&mut table, setting).unwrap();
    }
    let text = toml::to_string(&table).unwrap();
    toml::from_str(&text).unwrap_or_else(|error| panic!("{name}, {settings}: {error}"))
}

#[test]
fn hashes_of_run_files_do_not_change() {
    let table = std::fs::read_to_string(folder().join("hashes.tsv")).unwrap();
    let (mut rows, mut changed) = (0, Vec::new());
    for line in table.lines() {
        let [file, settings, patches, scores] = *line.split('\t').collect::<Vec<_>>() else {
            panic!("{line}: expected file, settings, patches_sha256, scores_sha256");
        };
        let run = run_file(file, settings);
        let found = [run.patches_sha256(), run.scores_sha256()];
        if found != [patches, scores] {
            let [patches, scores] = found;
            changed.push(format!("{file}\t{settings}\t{patches}\t{scores}"));
        }
        rows += 1;
    }
    assert!(rows >= 400, "{rows} rows");
    assert!(changed.is_empty(), "changed hashes:\n{}", changed.join("\n"));
}

#[test]
fn hashes_depend_only_on_keys_that_change_results() {
    let base = run_file("current", "predict.method=cascade");
    for (setting, patches, scores) in [
        ("tiling.block=1", true, true),
        ("tissue.closing=3", true, true),
        ("normalize.icc=true", true, true),
        ("resolved.margin=7", true, true),
        ("normalize.method=macenko ; normalize.template=/t.png", true, true),
        ("predict.stride=32", false, true),
        ("predict.method=dense", false, true),
        ("predict.refine_above=0.2", false, true),
        ("resolved.model_sha256=00", false, true),
        ("resolved.card_sha256=00", false, true),
        ("tiling.coords=clam", false, false),
        ("predict.engine=tract", false, false),
        ("predict.threads=9", false, false),
        ("predict.dense_map_mb=90", false, false),
        ("predict.share=false", false, false),
        ("stitch.npy=true", false, false),
        ("study.folds=3", false, false),
        ("cluster.queue=long", false, false),
        ("slides.mpp=0.5", false, false),
        ("model.card=/other.toml", false, false),
        ("resolved.writer=other", false, false),
    ] {
        let other = run_file("current", &format!("predict.method=cascade ; {setting}"));
        assert_eq!(base.patches_sha256() != other.patches_sha256(), patches, "patches: {setting}");
        assert_eq!(base.scores_sha256() != other.scores_sha256(), scores, "scores: {setting}");
    }
}

#[test]
fn hashes_of_model_cards_do_not_change() {
    let card = ModelCard {
        file: "model.onnx".into(),
        sha256: None,
        window_px: 224,
        mpp: TargetMpp::Um(0.25),
        layout: Layout::Nchw,
        range: Range::Unit,
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
        channels: Channels::Rgb,
        classes: vec!["normal".into(), "tumor".into()],
        positive: "tumor".into(),
        activation: Activation::Softmax,
        input: None,
        output: None,
    };
    let others = ModelCard {
        layout: Layout::Nhwc,
        range: Range::Signed,
        channels: Channels::Bgr,
        activation: Activation::Sigmoid,
        mean: [0.0, -1.0, 1e-9],
        std: [1.0, 127.5, 3e20],
        classes: vec!["a \"b\"".into(), "Gewebe ü\n".into(), "c".into()],
        positive: "c".into(),
        ..card.clone()
    };
    let byte = ModelCard {
        window_px: 96,
        range: Range::Byte,
        activation: Activation::None,
        classes: vec!["tumor".into()],
        ..card.clone()
    };
    // The hash does not depend on the names of files and tensors.
    let moved = ModelCard {
        file: "other.onnx".into(),
        sha256: Some("00".into()),
        mpp: TargetMpp::Level0,
        input: Some("x".into()),
        output: Some("y".into()),
        ..card.clone()
    };
    let found = [card, others, byte, moved].map(|card| card_sha256(&card));
    let [plain, others, byte, moved] = found;
    assert_eq!(plain, "df65aec01018726da87ca3bb07a9f8e27100150ddf9ebc82909e4ae2ddfba5f9");
    assert_eq!(others, "c1b768197ef3d5b7876e9cc23da140ca1f277836bba49fbd28cde03f20992a40");
    assert_eq!(byte, "a6906473dc7ef7251daccda6a0b96ca2a8930223aa54e53abe936a6480aa1692");
    assert_eq!(moved, plain);
}
