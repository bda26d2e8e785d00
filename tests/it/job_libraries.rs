//! Jobs compute with the libraries of the shell that submits them, also where the scheduler starts
//! them without that shell's variables, and a heatmap says which engines scored its groups.

use std::process::{Command, Output};
use std::str::FromStr;

use slidegrid::internal::model::EngineChoice;

use crate::common::fake_scheduler::{fake_slurm, with_fakes};
use crate::common::{Case, needs, noise, seal};

const CONFIG: &str = "[tissue]\nmethod = \"all\"\n[tiling]\ntile = 24\nblock = 1\npatches_per_group = 9\n[predict]\nstride = 8\nthreads = 1\n";

/// A slide `a` of two groups, split and planned, with a SLURM that accepts jobs.
fn planned() -> Case {
    let case = Case::new();
    case.slide("a.png", &noise(72, 144, 3));
    case.config("c.toml", "padded", CONFIG);
    let split = "split -q --run run --config c.toml --set model.mpp=level0 a.png";
    case.slidegrid(split).done();
    case.slidegrid("master plan -q --run run").done();
    fake_slurm(&case);
    case
}

/// Runs a script as a scheduler does that passes on no variables.
fn bare(case: &Case, script: &str) -> Output {
    let mut bash = Command::new("bash");
    bash.arg(case.path(script)).env_clear().current_dir(case.path("run"));
    bash.env("PATH", "/usr/bin:/bin").env("SLURM_ARRAY_TASK_ID", "1").output().unwrap()
}

/// The engine that a score file names.
fn engine_of(case: &Case, file: &str) -> String {
    let file = hdf5::File::open(case.path(file)).unwrap();
    let engine: hdf5::types::FixedUnicode<100> =
        file.attr("engine").unwrap().read_scalar().unwrap();
    engine.to_string()
}

#[test]
fn a_job_without_the_shells_variables_takes_the_shells_engine() {
    let engine = needs::engine(EngineChoice::Ort);
    let case = planned();
    with_fakes(&case, "master submit --scheduler slurm").done();
    let ended = bare(&case, "run/jobs/predict_a.sh");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let used = engine_of(&case, "run/scores/a/t1.h5");
    let version = used.strip_prefix("ort ").unwrap_or_else(|| panic!("{used}"));
    assert!(
        engine.reason.contains(&format!("onnxruntime {version}:")),
        "{used}: {}",
        engine.reason
    );
}

#[test]
fn a_job_that_does_not_find_the_shells_library_fails_with_that_reason() {
    let case = planned();
    let submit = || with_fakes(&case, "master submit --scheduler slurm");
    submit().env("SLIDEGRID_ORT", "lib/none.so").env("SLIDEGRID_OPENSLIDE", "/it's/here").done();
    let script = case.read("run/jobs/predict_a.sh");
    let library = case.path("lib/none.so").canonicalize().unwrap_or(case.path("lib/none.so"));
    let line = format!("export SLIDEGRID_ORT={}\n", library.display());
    assert!(script.contains(&line), "{line}: {script}");
    assert!(script.contains("export SLIDEGRID_OPENSLIDE='/it'\\''s/here'\n"), "{script}");
    assert!(case.read("run/jobs/stitch_a.sh").contains(&line));
    let ended = bare(&case, "run/jobs/predict_a.sh");
    let log = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(3), "{log}");
    assert!(log.contains("none.so") && log.contains("SLIDEGRID_ORT"), "{log}");
    assert!(!case.path("run/scores/a/t1.h5").exists(), "no other engine was taken");
    case.write("run/logs/predict/a.7_1.log", &log);
    let report = with_fakes(&case, "status --json").exits(5).json();
    assert_eq!(report["slides"][0]["ended"][0]["reason"], "no-engine", "{report:#}");
}

/// An option `--slide -dash` would be two options.
#[test]
fn jobs_of_a_slide_whose_name_begins_with_a_dash_make_its_heatmap() {
    let case = Case::new();
    case.slide("-dash.png", &noise(72, 72, 3));
    case.config("c.toml", "padded", CONFIG);
    let split = "split -q --run run --config c.toml --set model.mpp=level0 ./-dash.png";
    case.slidegrid(split).done();
    case.slidegrid("master plan -q --run run").done();
    fake_slurm(&case);
    with_fakes(&case, "master submit --scheduler slurm --set predict.engine=tract").done();
    let scripts = std::fs::read_dir(case.path("run/jobs")).unwrap().flatten();
    let names = scripts.map(|script| script.file_name().into_string().unwrap());
    let names: Vec<String> = names.filter(|name| name.ends_with(".sh")).collect();
    for stage in ["predict", "stitch"] {
        let script = names.iter().find(|name| name.starts_with(stage)).unwrap();
        let ended = bare(&case, &format!("run/jobs/{script}"));
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    assert!(case.path("run/scores/-dash/t1.h5").exists());
    assert!(case.path("run/heatmaps/-dash.h5").exists());
}

#[test]
fn what_the_configuration_sets_for_jobs_counts() {
    let case = planned();
    let line = "master submit --scheduler slurm --dry-run --set cluster.environment.SLIDEGRID_ORT=\"/there.so\"";
    let printed = with_fakes(&case, line).env("SLIDEGRID_ORT", "/here.so").done().stdout;
    assert!(printed.contains("export SLIDEGRID_ORT=/there.so\n"), "{printed}");
    assert!(!printed.contains("/here.so"), "{printed}");
    // The built-in engine needs no library.
    let line = "master submit --scheduler slurm --dry-run --set predict.engine=tract";
    let printed = with_fakes(&case, line).env("SLIDEGRID_ORT", "/here.so").done().stdout;
    assert!(!printed.contains("/here.so"), "{printed}");
}

#[test]
fn options_of_the_engine_that_jobs_would_not_get_are_refused() {
    let case = planned();
    for (option, instead) in [
        ("--engine tract", "predict.engine"),
        ("--ort-library x.so", "SLIDEGRID_ORT"),
        ("--openvino-library x.so", "SLIDEGRID_OPENVINO"),
        ("--batch 4", "predict.batch"),
    ] {
        for dry in ["", " --dry-run"] {
            let line = format!("run --scheduler slurm{dry} {option}");
            let name = option.split(' ').next().unwrap();
            with_fakes(&case, &line).exits(2).mentions(&[name, "does not reach jobs", instead]);
        }
    }
    assert!(!case.path("run/jobs/submitted.jsonl").exists());
}

#[test]
fn groups_of_several_engines_are_named() {
    let case = planned();
    let tract = |line: &str| case.slidegrid(line).args(["--engine", "tract"]);
    tract("predict -q --run run --all").done();
    let name = engine_of(&case, "run/scores/a/t1.h5");
    seal::edit(&case.path("run/scores/a/t2.h5"), |file| {
        file.delete_attr("engine").unwrap();
        let other = file.new_attr::<hdf5::types::FixedUnicode<20>>().create("engine").unwrap();
        let text = hdf5::types::FixedUnicode::<20>::from_str("another 1.0").unwrap();
        other.write_scalar(&text).unwrap();
    });
    let engines = format!("another 1.0; {name}");
    let words = ["warning: a: ", "several engines", &engines];
    case.slidegrid("stitch --run run --all").done().says(&words);
    assert_eq!(engine_of(&case, "run/heatmaps/a.h5"), engines);
    case.slidegrid("status --run run").done().prints(&["scored by several engines", &engines]);
    let report = case.slidegrid("status --run run --json").json();
    assert_eq!(report["slides"][0]["several_engines"], engines.as_str());
    // One engine is nothing to tell.
    std::fs::remove_file(case.path("run/scores/a/t2.h5")).unwrap();
    std::fs::remove_file(case.path("run/heatmaps/a.h5")).unwrap();
    tract("predict -q --run run --all").done();
    case.slidegrid("stitch --run run --all").done().omits("several engines");
    case.slidegrid("status --run run").done().omits("several engines");
}
