//! OpenVINO compared with onnxruntime, and bf16 with f32. Both engines are Python packages.

use crate::common::cli::{Outcome, Slidegrid};
use crate::common::harness::ignore;
use crate::common::needs::{self, lacking_to_emulate_bf16};
use crate::common::{Case, assert_same, noise, repository};
use slidegrid::heatmap_h5;
use slidegrid::internal::model::{EngineChoice, Model, SelectedEngine};
use slidegrid::scores::{self, PrecisionMeta, Scores};

#[test]
fn demo_networks_score_as_in_onnxruntime() {
    let [openvino, ort] = [EngineChoice::OpenVino, EngineChoice::Ort].map(needs::engine);
    for name in ["demo-padded", "demo-valid"] {
        let folder = repository("configs/models");
        let model = Model::load(&folder.join(format!("{name}.toml"))).unwrap();
        let (windows, classes) = (5, model.card.classes.len());
        let side = model.card.window_px as usize;
        let pixels = noise(side * windows, side, 9);
        let levels = model.card.levels();
        let input: Vec<f32> = pixels
            .as_slice()
            .unwrap()
            .iter()
            .enumerate()
            .map(|(at, &byte)| levels[at % 3][usize::from(byte)])
            .collect();
        let scored = |engine: &SelectedEngine, batch: usize| -> Vec<f32> {
            let mut session = engine.engine.load(&model, batch).unwrap();
            let mut scores = vec![0.0; windows * classes];
            let parts = input.chunks(batch * model.window_len());
            for (part, scores) in parts.zip(scores.chunks_mut(batch * classes)) {
                session.run(part, part.len() / model.window_len(), scores).unwrap();
            }
            scores
        };
        let expected = scored(&ort, 1);
        // 2 leaves a last batch that is not full.
        for batch in [1, 2, 5] {
            for (found, expected) in scored(&openvino, batch).iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-4, "{name}, {batch}: {found}, {expected}");
            }
        }
    }
}

/// 12 tiles of 4 points: no more than are sampled of a group.
const SMALL: &str = "[tissue]\nmethod = \"all\"\n[tiling]\ntile = 64\nblock = 2\npatches_per_group = 99\n[predict]\nstride = 32\nthreads = 2\n";

struct Small {
    case: Case,
}

impl Small {
    fn new(model: &str) -> Self {
        let case = Case::new();
        case.slide("slide.png", &noise(192, 256, 5));
        case.config("c.toml", model, SMALL);
        Self { case }
    }

    /// `slidegrid run` with keys of `[predict]`, to be started; `emulate` is 1 where bf16
    /// may be emulated.
    fn command(&self, run: &str, keys: &[&str], emulate: &str) -> Slidegrid {
        let line = "run --quiet --set model.mpp=level0 --config c.toml slide.png --run";
        let command = self.case.slidegrid(line).arg(run).env("SLIDEGRID_EMULATE_BF16", emulate);
        keys.iter().fold(command, |command, key| command.set(&[&format!("predict.{key}")]))
    }

    #[track_caller]
    fn run(&self, run: &str, keys: &[&str]) {
        self.command(run, keys, "1").done();
    }

    fn scores(&self, run: &str) -> Scores {
        scores::read_scores(&self.case.path(run).join("scores/slide/t1.h5")).unwrap()
    }
}

const BF16: [&str; 2] = ["engine=openvino", "precision=bf16"];

#[test]
fn every_method_runs_in_openvino() {
    let _both = [EngineChoice::OpenVino, EngineChoice::Ort].map(needs::engine);
    let small = Small::new("padded");
    for method in ["window", "dense", "cascade"] {
        let method_key = format!("method={method}");
        for engine in ["ort", "openvino"] {
            let engine_key = format!("engine={engine}");
            let keys = [&method_key, &engine_key, "dense_force=true"];
            small.run(&format!("{method}-{engine}"), &keys);
        }
        let heatmap = |engine: &str| small.case.heatmap(&format!("{method}-{engine}"), "slide");
        assert_same(&heatmap("openvino"), &heatmap("ort"), 1e-4);
        let meta = small.scores(&format!("{method}-openvino")).meta;
        assert!(meta.engine.starts_with("openvino 20"), "{}", meta.engine);
        assert_eq!((meta.precision.as_str(), meta.deviation), ("f32", None));
    }
}

#[test]
fn the_stored_deviation_is_what_a_recount_gives() {
    needs::engine(EngineChoice::OpenVino);
    needs::bf16();
    let small = Small::new("padded");
    small.run("f32", &["engine=openvino"]);
    small.run("bf16", &BF16);
    let (exact, less) = (small.scores("f32"), small.scores("bf16"));
    assert_eq!((&exact.row, &exact.col), (&less.row, &less.col));
    let differences = exact.score.column(1).into_iter().zip(less.score.column(1));
    let differences = differences.map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs());
    let recounted = PrecisionMeta::from_differences(differences.collect());
    let stored = less.meta.deviation.unwrap();
    assert_eq!((stored.windows, recounted.windows), (48, 48));
    assert!(stored.max > 0.0, "bf16 changes nothing?");
    assert!((stored.max - recounted.max).abs() < 1e-7, "{stored:?} {recounted:?}");
    assert!((stored.mean - recounted.mean).abs() < 1e-7, "{stored:?} {recounted:?}");
    assert_eq!((stored.tolerance, stored.forced), (0.05, false));
    assert_eq!(less.meta.precision, "bf16");
    assert_ne!(exact.meta.config_sha256, less.meta.config_sha256);

    // Carried to heatmap and status.
    let heatmap = small.case.path("bf16").join("heatmaps/slide.h5");
    let meta = heatmap_h5::read_heatmap_meta(&heatmap).unwrap();
    assert_eq!((meta.precision.as_str(), meta.deviation), ("bf16", Some(stored)));
    let status = small.case.slidegrid("status --json --run bf16").json();
    let deviation = &status["slides"][0]["lower_precision"];
    assert_eq!(deviation["precision"], "bf16", "{status}");
    assert_eq!(deviation["deviation_max"].as_f64(), Some(stored.max));
}

#[test]
fn dense_runs_and_cascades_are_compared_too() {
    needs::engine(EngineChoice::OpenVino);
    needs::bf16();
    let small = Small::new("valid");
    for (method, windows) in [("dense", 48), ("cascade", 96)] {
        let method_key = format!("method={method}");
        small.run(method, &[BF16[0], BF16[1], &method_key, "dense_force=true"]);
        let stored = small.scores(method).meta.deviation.unwrap();
        assert_eq!(stored.windows, windows);
        assert!(stored.max > 0.0 && stored.mean > 0.0 && stored.mean < stored.max, "{stored:?}");
    }
}

#[test]
fn too_large_a_deviation_is_refused_unless_forced() {
    needs::engine(EngineChoice::OpenVino);
    needs::bf16();
    let small = Small::new("padded");
    let keys = [BF16[0], BF16[1], "precision_tolerance=0"];
    let outcome = small.command("refused", &keys, "1").run();
    assert_ne!(outcome.code, Some(0), "{outcome:?}");
    outcome.mentions(&["predict.precision_tolerance", "--force"]);
    assert!(!small.case.path("refused").join("scores/slide/t1.h5").exists());
    small.run("forced", &[BF16[0], BF16[1], "precision_tolerance=0", "precision_force=true"]);
    assert!(small.scores("forced").meta.deviation.unwrap().forced);
}

#[test]
fn reduced_precision_is_used_and_emulated_only_on_request() {
    needs::engine(EngineChoice::OpenVino);
    let small = Small::new("padded");
    let auto = small.command("auto", &["precision=bf16"], "1").exits(3);
    auto.mentions(&["engine = \"openvino\""]);
    let native = small.command("native", &BF16, "0").run();
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    let listed = |flag: &str| cpuinfo.split_whitespace().any(|word| word == flag);
    let detected = std::is_x86_feature_detected!("avx512bf16");
    // Under an emulator /proc/cpuinfo may describe another processor, so both are checked.
    if detected || (std::is_x86_feature_detected!("avx512f") && listed("amx_bf16")) {
        native.has_code(0);
    } else if native.code != Some(0) {
        // Some without AVX-512 have bf16 in AVX2's registers: they may succeed too.
        let native = assert_names_the_way_out(native.has_code(3));
        let offered = native.stderr.contains("SLIDEGRID_EMULATE_BF16=1");
        assert_eq!(offered, lacking_to_emulate_bf16().is_empty(), "{native:?}");
    }
}

/// Checks that the error about missing bf16 names the processor, its missing instructions, and
/// what to do.
fn assert_names_the_way_out(outcome: Outcome) -> Outcome {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    let mut names = cpuinfo.lines().filter_map(|line| line.strip_prefix("model name"));
    let name = names.next().and_then(|rest| rest.split_once(": ")).map_or("x86_64", |name| name.1);
    outcome.mentions(&[
        name.trim(),
        "AVX512_BF16 or AMX_BF16",
        "precision = \"f32\"",
        "or use a machine",
    ])
}

/// Emulation on a processor without AVX-512 is refused as well.
#[test]
fn bf16_is_refused_by_name_where_it_cannot_be_emulated() {
    needs::engine(EngineChoice::OpenVino);
    let lacking = lacking_to_emulate_bf16();
    if lacking.is_empty() || std::is_x86_feature_detected!("avxneconvert") {
        ignore("this processor can emulate bf16, or has it");
    }
    let refused = Small::new("padded").command("refused", &BF16, "1").exits(3);
    let refused = assert_names_the_way_out(refused);
    refused.mentions(&[&lacking.join(", ")]).omits("SLIDEGRID_EMULATE_BF16");
}
