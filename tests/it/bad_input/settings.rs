//! Configurations, cards, networks and task numbers that cannot be used.

use crate::common::case::SMALL;
use crate::common::{Case, model_card, noise};

#[test]
fn an_unknown_key_suggests_the_nearest() {
    let case = Case::usual();
    case.config("c.toml", "centre32", &SMALL.replace("stride", "strid"));
    case.slidegrid("run --run run --config c.toml a.png").exits(3).mentions(&[
        "c.toml",
        "unknown field `strid`",
        "did you mean `stride`?",
    ]);
    assert!(!case.path("run").exists());
    case.config("c.toml", "centre32", SMALL);
    case.slidegrid("run --run run --config c.toml --set predict.strid=3 a.png")
        .exits(3)
        .mentions(&["strid", "did you mean `stride`?"]);
    case.slidegrid("run --run run --config c.toml --set stride a.png")
        .exits(3)
        .says(&["--set stride", "expected section.key=value"]);
}

#[test]
fn values_out_of_range() {
    let case = Case::usual();
    for (set, words) in [
        ("predict.stride=0", ["predict.stride", "at least 1"]),
        ("predict.stride=fast", ["fast", "expected"]),
        ("tiling.gzip_level=11", ["tiling.gzip_level", "1 to 9"]),
        ("slides.mpp=-1", ["slides.mpp", "above 0"]),
        ("tiling.block=100000", ["block", "use a smaller block"]),
        ("tiling.window=64", ["tiling.window", "32, as the model card says"]),
        ("stitch.max_side_px=100", ["stitch.max_side_px", "at least 320"]),
        ("tissue.closing=4", ["tissue.closing", "must be odd"]),
    ] {
        let args = format!("run --run run --config c.toml --set {set} a.png");
        case.slidegrid(&args).exits(3).mentions(&words);
        assert!(!case.path("run").exists(), "{set}");
    }
}

#[test]
fn no_configuration_and_no_run() {
    let case = Case::usual();
    case.slidegrid("run --run run --config none.toml a.png").exits(3).says(&["none.toml"]);
    case.slidegrid("run --run run a.png").exits(3).says(&["no run.toml", "--config FILE"]);
    case.slidegrid("predict --run run --all").exits(3).says(&["no run.toml", "--config FILE"]);
    case.slidegrid("status --run run").exits(4).says(&["slides.csv", "slidegrid split"]);
    case.slidegrid("split --run run --config c.toml").exits(2).says(&["no slides yet"]);
    case.slidegrid("predict --run run --all --task 3").exits(2);
    case.slidegrid("frobnicate").exits(2);
}

#[test]
fn a_run_directory_of_another_configuration() {
    let case = Case::planned();
    case.config("other.toml", "centre32", &SMALL.replace("block = 1", "block = 2"));
    for command in ["split", "predict --all", "stitch --all", "run"] {
        case.slidegrid(&format!("{command} --run run --config other.toml")).exits(3).mentions(&[
            "run: this run was made with another configuration",
            "tiling.block: the run has 1, given 2",
            "another run directory",
        ]);
    }
}

/// A copy of `centre32` and its card, for tests that change them.
fn own_model(case: &Case, change: impl Fn(String) -> String) {
    let card = model_card("centre32");
    case.write("net/centre32.onnx", std::fs::read(card.with_extension("onnx")).unwrap());
    case.write("net/model.toml", change(std::fs::read_to_string(card).unwrap()));
    case.write("c.toml", format!("[model]\ncard = \"net/model.toml\"\n{SMALL}"));
}

#[test]
fn a_card_that_contradicts_its_network() {
    let zeros = "0".repeat(64);
    let sha = "b2c6442363dfd7fc89a48094028fd990f5a02d7060205a56927548ed7faca6b8";
    for (from, to, words) in [
        ("window = 32", "window = 64", ["window = 64", "write window = 32"]),
        ("nchw", "nhwc", ["layout", "write layout = \"nchw\""]),
        ("[\"normal\", \"tumor\"]", "[\"normal\", \"tumor\", \"x\"]", ["classes", "2"]),
        (sha, zeros.as_str(), ["sha256", "0000"]),
        ("positive = \"tumor\"", "positive = \"t\"", ["positive", "one of"]),
        ("centre32.onnx", "none.onnx", ["none.onnx", "`file`"]),
        ("file =", "fiel =", ["fiel", "did you mean `file`?"]),
    ] {
        let case = Case::usual();
        own_model(&case, |card| {
            assert!(card.contains(from), "{card}");
            card.replace(from, to)
        });
        let outcome = case.slidegrid("run --run run --config c.toml a.png").exits(3);
        outcome.mentions(&["net/"]).mentions(&words);
        assert!(!case.path("run").exists(), "{to}");
    }
}

#[test]
fn no_card_and_no_network() {
    let case = Case::usual();
    case.write("c.toml", format!("[model]\ncard = \"none.toml\"\n{SMALL}"));
    case.slidegrid("run --run run --config c.toml a.png").exits(3).says(&[
        "none.toml",
        "cannot read the model card",
        "[model] card",
    ]);
    own_model(&case, |card| card);
    case.write("net/centre32.onnx", "not a network");
    case.slidegrid("run --run run --config c.toml a.png").exits(3).mentions(&["centre32.onnx"]);
}

#[test]
fn a_network_that_changes_or_goes_after_split() {
    let case = Case::usual();
    // Without a hash in the card the one that the run stores must show the change.
    own_model(&case, |card| {
        card.lines().filter(|l| !l.starts_with("sha256")).map(|l| format!("{l}\n")).collect()
    });
    case.slidegrid("split --run run --config c.toml a.png").exits(0);
    case.slidegrid("master plan --run run").exits(0);
    let other = std::fs::read(model_card("mean32").with_extension("onnx")).unwrap();
    case.write("net/centre32.onnx", other);
    let changed = ["centre32.onnx", "SHA-256", "the run was made with", "put the old file back"];
    case.slidegrid("predict --run run --all").exits(3).says(&changed);
    std::fs::remove_file(case.path("net/centre32.onnx")).unwrap();
    case.slidegrid("predict --run run --task 1").exits(3).says(&[
        "centre32.onnx",
        "cannot read the network",
        "model.toml",
    ]);
    assert!(!case.path("run/scores").exists());
}

#[test]
fn an_operator_the_engine_lacks() {
    let case = Case::new();
    case.slide("a.png", &noise(70, 100, 1));
    case.config("c.toml", "unknown_operator", &format!("mpp = \"level0\"\n{SMALL}"));
    case.slidegrid("run --run run --config c.toml a.png").exits(3).mentions(&[
        "unknown_operator.onnx",
        "org.example:Sharpen",
        "--engine ort",
    ]);
}

#[test]
fn an_engine_that_is_not_there() {
    let case = Case::planned();
    case.write("lib.so", "no library");
    case.slidegrid("predict --run run --all --engine ort --ort-library lib.so")
        .exits(3)
        .mentions(&["lib.so"]);
}

#[test]
fn task_numbers_out_of_range() {
    let case = Case::scored();
    for command in ["split", "stitch"] {
        let args = format!("{command} --run run --task 2");
        let words = ["slides.csv", "out of range", "1 slides, numbered from 1"];
        case.slidegrid(&args).exits(2).says(&words);
    }
    let words = ["lookup.csv", "out of range", "5 tasks, numbered from 1"];
    case.slidegrid("predict --run run --task 6").exits(2).says(&words);
    case.slidegrid("stitch --run run --task 0").exits(2).says(&["out of range", "from 1"]);
    for command in ["split", "predict"] {
        let args = format!("{command} --run run --task 0");
        case.slidegrid(&args).exits(2).says(&["'--task <LIST>'", "numbers from 1"]);
    }
    case.slidegrid("predict --run run --slide a --group 6")
        .exits(2)
        .says(&["--group 6", "a has 5 groups"]);
    case.slidegrid("predict --run run --slide c").exits(2).says(&["no slide c"]);
    case.slidegrid("stitch --run run --slide c").exits(2).says(&["slide c has no patches"]);
    case.slidegrid("predict --run run --task -1").exits(2);
}

#[test]
fn another_stride_once_there_are_scores() {
    let case = Case::planned();
    case.slidegrid("predict --run run --all --stride 16").exits(0);
    case.slidegrid("predict --run run --all --stride 4").exits(3).says(&[
        "--stride 4",
        "has scores already",
        "its stride is 16",
        "another run directory",
    ]);
    case.slidegrid("predict --run run --all --stride 0").exits(3).says(&["at least 1"]);
    case.slidegrid("predict --run run --all --stride 16").exits(0);
    case.slidegrid("stitch --run run --all").exits(0);
}
