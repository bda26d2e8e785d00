//! All engines against the reference scores of `tests/reference/make_models.py`.

use std::path::PathBuf;
use std::sync::OnceLock;

use slidegrid::internal::model::{
    Engine, EngineChoice, EngineError, EngineRequest, Model, ModelError, SelectedEngine, select,
};
use slidegrid::model::Layout;

use crate::common::{needs, repository};

const WINDOWS: usize = 5;

fn models() -> PathBuf {
    repository("tests/data/models")
}

fn model(name: &str) -> Model {
    Model::load(&models().join(format!("{name}.toml"))).unwrap()
}

const ENGINES: [EngineChoice; 3] = [EngineChoice::Tract, EngineChoice::Ort, EngineChoice::OpenVino];

/// The engines that are installed, loaded once. A test of them ends with [`need_them_all`].
fn engines() -> Vec<&'static dyn Engine> {
    static INSTALLED: OnceLock<Vec<SelectedEngine>> = OnceLock::new();
    let all = INSTALLED.get_or_init(|| {
        let installed = |engine| select(&EngineRequest { engine, ..EngineRequest::default() }).ok();
        ENGINES.into_iter().filter_map(installed).collect()
    });
    all.iter().map(|selected| &*selected.engine).collect()
}

/// Ends the test as ignored where an engine is not installed; the others have passed by
/// then.
fn need_them_all() {
    drop(ENGINES.map(needs::engine));
}

/// The formula of `windows` in make_models.py, in the model's layout.
fn input(model: &Model) -> Vec<f32> {
    let side = model.card.window_px as usize;
    let pixel = |i: usize, y: usize, x: usize, c: usize| {
        let byte = (i * 53 + y * 7 + x * 11 + c * 61 + (x * y) % 17 * 5) % (51 * (i + 1));
        f32::from(u8::try_from(byte).unwrap()) / 255.0
    };
    let mut values = Vec::with_capacity(WINDOWS * 3 * side * side);
    for i in 0..WINDOWS {
        match model.card.layout {
            Layout::Nchw => (0..3).for_each(|c| {
                (0..side).for_each(|y| (0..side).for_each(|x| values.push(pixel(i, y, x, c))));
            }),
            Layout::Nhwc => (0..side).for_each(|y| {
                (0..side).for_each(|x| (0..3).for_each(|c| values.push(pixel(i, y, x, c))));
            }),
        }
    }
    values
}

/// Scores of all windows, in batches of what the session takes.
fn scored(engine: &dyn Engine, model: &Model, batch: usize, input: &[f32]) -> Vec<f32> {
    let mut session = engine.load(model, batch).unwrap();
    let (window, classes) = (model.window_len(), model.card.classes.len());
    let mut scores = vec![f32::NAN; WINDOWS * classes];
    let step = session.batch();
    for (part, out) in input.chunks(step * window).zip(scores.chunks_mut(step * classes)) {
        session.run(part, part.len() / window, out).unwrap();
    }
    scores
}

fn expected() -> serde_json::Map<String, serde_json::Value> {
    let text = std::fs::read_to_string(models().join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn assert_close(found: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (f64::from(*found) - expected).abs() <= tolerance,
            "{what}: {found}, expected {expected}"
        );
    }
}

#[test]
fn all_engines_give_the_reference_scores_at_every_batch() {
    let table = expected();
    assert_eq!(table.len(), 16);
    for (name, rows) in &table {
        let model = model(name);
        let rows: Vec<Vec<f64>> = serde_json::from_value(rows.clone()).unwrap();
        let input = input(&model);
        // 16-bit arithmetic rounds at 5e-4 of a logit near 1.
        let tolerance = if name == "half" { 3e-3 } else { 1e-5 };
        for engine in engines() {
            for batch in [1, 2, 5, 8] {
                let scores = scored(engine, &model, batch, &input);
                assert_close(
                    &scores,
                    &rows.concat(),
                    tolerance,
                    &format!("{name}, {}, batch {batch}", engine.name()),
                );
            }
        }
    }
    need_them_all();
}

#[test]
fn the_graph_s_own_batch_wins() {
    for engine in engines() {
        assert_eq!(engine.load(&model("batch4"), 8).unwrap().batch(), 4);
        assert_eq!(engine.load(&model("batch1"), 8).unwrap().batch(), 1);
        assert_eq!(engine.load(&model("padded"), 8).unwrap().batch(), 8);
    }
    need_them_all();
}

#[test]
fn the_centre_network_returns_the_centre_pixel_exactly() {
    for name in ["centre32", "centre224"] {
        let model = model(name);
        let side = model.card.window_px as usize;
        let mut input = vec![7.0; model.window_len()];
        for (channel, byte) in [(0, 255.0), (1, 1.0), (2, 254.0)] {
            input[channel * side * side + side / 2 * side + side / 2] = byte;
        }
        let v = (255.0 + 256.0 + 254.0 * 65536.0) / 16_777_216.0;
        for engine in engines() {
            let mut scores = [0.0; 2];
            engine.load(&model, 1).unwrap().run(&input, 1, &mut scores).unwrap();
            assert_eq!(scores, [1.0 - v, v], "{name}, {}", engine.name());
        }
    }
    need_them_all();
}

#[test]
fn workers_share_an_engine() {
    let model = model("padded");
    let input = input(&model);
    for engine in engines() {
        let alone = scored(engine, &model, 2, &input);
        std::thread::scope(|scope| {
            let workers: Vec<_> =
                (0..3).map(|_| scope.spawn(|| scored(engine, &model, 2, &input))).collect();
            for worker in workers {
                assert_eq!(worker.join().unwrap(), alone, "{}", engine.name());
            }
        });
    }
    need_them_all();
}

#[test]
fn a_missing_operator_names_node_engine_and_way_out() {
    let model = model("unknown_operator");
    for engine in engines() {
        let error = engine.load(&model, 1).err().unwrap();
        let message = error.to_string();
        assert!(matches!(error, EngineError::Operator { .. }), "{message}");
        for word in ["unknown_operator.onnx", "org.example:Sharpen", "sharpen1", engine.name()] {
            assert!(message.contains(word), "{message} lacks {word}");
        }
        assert_eq!(message.contains("--engine ort"), engine.name() != "ort");
    }
    need_them_all();
}

#[test]
fn infinite_outputs_and_wrong_sizes_are_errors() {
    for engine in engines() {
        let model = model("infinite");
        let mut session = engine.load(&model, 1).unwrap();
        let input = vec![0.5; model.window_len()];
        let error = session.run(&input, 1, &mut [0.0; 2]).unwrap_err();
        assert!(matches!(error, EngineError::NotFinite { window: 0, .. }), "{error}");
        assert!(error.to_string().contains("infinite.onnx"));
        for (length, n, scores) in
            [(3, 1, 2), (model.window_len(), 1, 1), (model.window_len() * 2, 2, 4)]
        {
            let error = session.run(&vec![0.0; length], n, &mut vec![0.0; scores]).unwrap_err();
            assert!(matches!(error, EngineError::Size { .. }), "{error}");
        }
        session.run(&[], 0, &mut []).unwrap();
    }
    need_them_all();
}

/// Loads a copy of `padded` with its card changed.
fn changed(from: &str, to: &str) -> Result<Model, ModelError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(models().join("padded.onnx"), folder.path().join("padded.onnx")).unwrap();
    let card = std::fs::read_to_string(models().join("padded.toml")).unwrap();
    assert!(card.contains(from), "{card}");
    let path = folder.path().join("model.toml");
    std::fs::write(&path, card.replace(from, to)).unwrap();
    Model::load(&path)
}

#[test]
fn a_card_that_contradicts_file_or_graph_is_an_error() {
    let says = |from: &str, to: &str| changed(from, to).unwrap_err().to_string();
    let digest = model("padded").sha256;
    let other = digest.replace(['0', '1'], "f");
    let message = says(&digest, &other);
    assert!(
        message.contains(&digest) && message.contains(&other) && message.contains("padded.onnx"),
        "{message}"
    );
    let message = says("\"nchw\"", "\"nhwc\"");
    assert!(
        message.contains("[N, 3, 64, 64]") && message.contains("write layout = \"nchw\""),
        "{message}"
    );
    assert!(says("window = 64", "window = 32").contains("write window = 64"));
    assert!(
        says("[\"normal\", \"tumor\"]", "[\"normal\", \"tumor\", \"x\"]")
            .contains("list 2 class names")
    );
    assert!(says("padded.onnx", "absent.onnx").contains("absent.onnx"));
    assert!(says("positive =", "positiv =").contains("did you mean `positive`"));
    let inputs = Model::load(&models().join("two_inputs.toml")).unwrap_err().to_string();
    assert!(inputs.contains("2 inputs (x, age)"), "{inputs}");
}

#[test]
fn models_load_from_card_or_network_or_wsinfer_configuration() {
    let by_network = Model::load(&models().join("padded.onnx")).unwrap();
    assert_eq!(by_network.card, model("padded").card);
    let swapped = Model::load_with(&models().join("padded.onnx"), Some("normal")).unwrap();
    assert_eq!(swapped.card.positive_index(), 0);

    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.json");
    std::fs::write(
        &config,
        r#"{"num_classes": 2, "patch_size_pixels": 64, "spacing_um_px": 0.5,
        "class_names": ["normal", "tumor"], "transform": [{"name": "ToTensor"}]}"#,
    )
    .unwrap();
    let message = Model::load(&config).unwrap_err().to_string();
    assert!(message.contains("torch.onnx.export") && message.contains("model.onnx"), "{message}");
    let network = folder.path().join("model.onnx");
    std::fs::copy(models().join("padded.onnx"), &network).unwrap();
    for path in [&config, &network] {
        let loaded = Model::load(path).unwrap();
        assert_eq!(
            (loaded.path.as_path(), loaded.card.positive.as_str()),
            (network.as_path(), "tumor")
        );
    }
    std::fs::remove_file(&config).unwrap();
    let message = Model::load(&network).unwrap_err().to_string();
    assert!(message.contains("model.toml") && message.contains("config.json"), "{message}");
}

/// A real ImageNet classifier, where the shared data are at hand.
#[test]
fn all_engines_agree_on_squeezenet() {
    let network = needs::shared_data("models/squeezenet-fp32-dynbatch.onnx");
    let kitten = needs::shared_data("models/kitten_224.png");
    let folder = tempfile::tempdir().unwrap();
    let card = folder.path().join("model.toml");
    let classes: Vec<String> = (0..1000).map(|class| format!("\"c{class}\"")).collect();
    std::fs::write(&card, format!(
        "file = {:?}\nwindow = 224\nmpp = \"level0\"\nlayout = \"nchw\"\nrange = \"byte\"\nmean = [123.68, 116.779, 103.939]\nstd = [1, 1, 1]\nchannels = \"rgb\"\nclasses = [{}]\npositive = \"c281\"\nactivation = \"none\"",
        std::fs::canonicalize(&network).unwrap(), classes.join(", "))).unwrap();
    let model = Model::load(&card).unwrap();
    let image = image::open(kitten).unwrap().to_rgb8();
    let levels = model.card.levels();
    let kitten: Vec<f32> = (0..3)
        .flat_map(|c| image.pixels().map(move |pixel| (c, pixel[c])))
        .map(|(c, byte)| levels[c][usize::from(byte)])
        .collect();
    for engine in engines() {
        let mut scores = vec![0.0; 1000];
        engine.load(&model, 1).unwrap().run(&kitten, 1, &mut scores).unwrap();
        // The figure published with the file: class 281, tabby cat, p = 0.896.
        assert!((scores[281] - 0.896).abs() < 1e-3, "{}: {}", engine.name(), scores[281]);
    }
    need_them_all();
}
