//! Networks that are valid and cannot be run as others are: they are run window by window, or
//! warned of.

use crate::common::case::SMALL;
use crate::common::{Case, needs, noise, reference};

/// A case with a slide of glass and noise.
fn case() -> Case {
    let case = Case::new();
    let mut rgb = noise(64, 128, 5);
    rgb.slice_mut(ndarray::s![.., 64.., ..]).fill(255);
    case.slide("a.png", &rgb);
    case
}

/// A network whose scores depend on its batch, or which fails on a batch, gives each window the
/// score that it has alone, whatever the batch that was asked for.
#[test]
fn networks_that_depend_on_their_batch_run_window_by_window() {
    needs::python();
    let ort = reference::ort_library();
    for (network, word) in [("dynamic", "depend on the others"), ("baked_batch", "fails")] {
        let case = case();
        let config = case.config("c.toml", network, SMALL);
        let heatmaps: Vec<_> = [1, 8]
            .into_iter()
            .map(|batch| {
                let run = format!("run{batch}");
                let line = format!("run --run {run} --config c.toml --engine ort --mpp 0.5 a.png");
                let outcome = case
                    .slidegrid(&line)
                    .set(&[
                        &format!("predict.batch={batch}"),
                        &format!("predict.ort_library={ort}"),
                    ])
                    .exits(0);
                let warned = outcome.stderr.matches("one at a time").count();
                assert_eq!(warned, usize::from(batch > 1), "{}", outcome.stderr);
                assert!(batch == 1 || outcome.stderr.contains(word), "{}", outcome.stderr);
                case.heatmap(&run, "a")
            })
            .collect();
        assert!(heatmaps[0].iter().any(|score| score.is_finite()));
        for (a, b) in heatmaps[0].iter().zip(&heatmaps[1]) {
            assert!((a.is_nan() && b.is_nan()) || a == b, "{network}: {a} and {b}, {config:?}");
        }
    }
}

#[test]
fn an_activation_that_the_network_has_applied_is_warned_of() {
    let case = case();
    let card = std::fs::read_to_string(crate::common::model_card("softmax_inside")).unwrap();
    let onnx = crate::common::model_card("softmax_inside").with_extension("onnx");
    let card = card
        .replace("activation = \"none\"", "activation = \"softmax\"")
        .replace("file = \"softmax_inside.onnx\"", &format!("file = {onnx:?}"));
    let path = case.write("twice.toml", card);
    let config = case.config("c.toml", "softmax_inside", SMALL);
    let text = std::fs::read_to_string(&config).unwrap();
    let known = crate::common::model_card("softmax_inside");
    let text = text.replace(&known.display().to_string(), &path.display().to_string());
    case.write("c.toml", text);
    let outcome = case.slidegrid("run --run run --config c.toml --mpp 0.5 a.png").exits(0);
    outcome.says(&["Softmax", "activation = \"none\""]);
    let fine = case.config("fine.toml", "softmax_inside", SMALL);
    case.slidegrid(&format!("run --run fine --config {} --mpp 0.5 a.png", fine.display()))
        .exits(0)
        .omits("activation");
}
