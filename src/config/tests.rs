use std::path::Path;

use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, "test.toml", Path::new("/base"), &[])
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let config = parse("").unwrap();
    assert_eq!(config, Config::default());
    assert_eq!((config.tiling.tile, config.tiling.block, config.predict.stride), (224, 4, 16));
}

#[test]
fn an_unknown_key_is_an_error_that_suggests_the_nearest_key() {
    let message = parse("[predict]\nstrde = 32\n").unwrap_err().to_string();
    assert!(message.contains("test.toml") && message.contains("`strde`"), "{message}");
    assert!(message.contains("did you mean `stride`?"), "{message}");
    let message = parse("[prdict]\nstride = 32\n").unwrap_err().to_string();
    assert!(message.contains("did you mean `predict`?"), "{message}");
}

#[test]
fn values_that_break_a_rule_are_errors_that_name_the_key() {
    for (text, key) in [
        ("[predict]\nstride = 0", "predict.stride"),
        ("[tiling]\ntile = 0", "tiling.tile"),
        ("[tiling]\ngzip_level = 12", "tiling.gzip_level"),
        ("[tiling]\npatches_per_group = 5\ngroup_memory_mb = 5", "not both"),
        ("[slides]\nmpp = -1.0", "slides.mpp"),
        ("[normalize]\nmethod = \"macenko\"", "normalize.template"),
        ("[normalize]\ntemplate = \"t.png\"", "normalize.template"),
        ("[study]\nstrides = [16, 0]", "study.strides"),
        ("[study]\nfolds = 1", "study.folds"),
        ("[study]\ndetection_threshold = 1.5", "study.detection_threshold"),
        ("[study]\nitc_um = -1.0", "study.itc_um"),
    ] {
        let message = parse(text).unwrap_err().to_string();
        assert!(message.contains(key), "{text}: {message}");
    }
}

#[test]
fn paths_are_relative_to_the_file() {
    let config = parse("[model]\ncard = \"models/model.toml\"").unwrap();
    assert_eq!(config.model.card.unwrap(), Path::new("/base/models/model.toml"));
}

#[test]
fn overrides_win_and_are_validated() {
    let set = |items: &[&str]| {
        let items: Vec<String> = items.iter().map(|&item| item.to_owned()).collect();
        Config::parse("[predict]\nstride = 16", "test.toml", Path::new("/base"), &items)
    };
    let config = set(&["predict.stride=64", "model.card=a b.toml", "tiling.block = 2"]).unwrap();
    assert_eq!(config.predict.stride, 64);
    assert_eq!(config.tiling.block, 2);
    assert_eq!(config.model.card.unwrap(), Path::new("/base/a b.toml"));
    let config = set(&["cluster.split.queue=io"]).unwrap();
    assert_eq!(config.cluster.split.queue.as_deref(), Some("io"));
    assert!(matches!(set(&["stride=64"]), Err(ConfigError::Override { .. })));
    assert!(set(&["predict.strid=64"]).unwrap_err().to_string().contains("did you mean `stride`?"));
}

#[test]
fn a_run_rejects_settings_that_change_its_results() {
    let run = tempfile::tempdir().unwrap();
    let resolve = |text: &str| crate::resolve::resolve(parse(text).unwrap(), "test.toml").unwrap();
    let first = resolve("[tiling]\nwindow = 224\n[slides.mpp_of]\na = 0.25");
    first.settle(run.path()).unwrap();
    assert_eq!(RunConfig::read(run.path()).unwrap(), first);
    first.settle(run.path()).unwrap();

    let machine =
        resolve("[tiling]\nwindow = 224\n[slides.mpp_of]\na = 0.25\n[predict]\nthreads = 3");
    machine.settle(run.path()).expect("threads do not change results");

    let text = "[tiling]\nwindow = 224\n[slides.mpp_of]\na = 0.25\n[cluster]\nqueue = \"long\"";
    let cluster = resolve(text);
    cluster.settle(run.path()).expect("settings of the cluster do not change results");
    assert_eq!(cluster.scores_sha256(), first.scores_sha256());

    let other = resolve("[tiling]\nwindow = 224\nblock = 2\n[predict]\nstride = 32");
    let message = other.settle(run.path()).unwrap_err().to_string();
    assert!(message.contains("tiling.block: the run has 4, given 2"), "{message}");
    assert!(message.contains("predict.stride: the run has 16, given 32"), "{message}");

    // Settings of single slides may be added later, and those of the run are kept.
    resolve("[tiling]\nwindow = 224\n[slides.mpp_of]\nb = 0.5").settle(run.path()).unwrap();
    let slides = RunConfig::read(run.path()).unwrap().config.slides;
    assert_eq!(slides.mpp_of, [("a".to_owned(), 0.25), ("b".to_owned(), 0.5)].into());
}

#[test]
fn hashes_change_with_the_settings_that_results_depend_on() {
    let resolve = |text: &str| crate::resolve::resolve(parse(text).unwrap(), "test.toml").unwrap();
    let base = resolve("[tiling]\nwindow = 224");
    let stride = resolve("[tiling]\nwindow = 224\n[predict]\nstride = 32");
    let engine = resolve("[tiling]\nwindow = 224\n[predict]\nengine = \"tract\"");
    let block = resolve("[tiling]\nwindow = 224\nblock = 1");
    assert_eq!(base.patches_sha256(), stride.patches_sha256());
    assert_ne!(base.scores_sha256(), stride.scores_sha256());
    assert_eq!(base.scores_sha256(), engine.scores_sha256());
    assert_ne!(base.patches_sha256(), block.patches_sha256());
}

#[test]
fn a_run_made_with_an_audit_share_keeps_it() {
    let resolve = |text: &str| crate::resolve::resolve(parse(text).unwrap(), "test.toml").unwrap();
    let (start, cascade) = ("[tiling]\nwindow = 224\n[predict]\n", "method = \"cascade\"\n");
    for method in ["", cascade] {
        let run = tempfile::tempdir().unwrap();
        // Older versions wrote no bound, and their default share.
        let before = resolve(&format!("{start}{method}audit_share = 0.002"));
        before.write(run.path()).unwrap();
        let path = run.path().join("run.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let text: String = text
            .lines()
            .filter(|line| !line.starts_with("audit_bound"))
            .map(|l| format!("{l}\n"))
            .collect();
        std::fs::write(&path, text).unwrap();
        let read = RunConfig::read(run.path()).unwrap();
        assert_eq!(read.scores_sha256(), before.scores_sha256());
        assert_eq!(read.config.predict.audit_share, Some(0.002));

        // The run is continued with its own configuration, which has no key of audits.
        let given = resolve(&format!("{start}{method}"));
        given.settle(run.path()).unwrap();
        let continued = given.continuing(RunConfig::read(run.path()).unwrap());
        assert_eq!(continued.scores_sha256(), before.scores_sha256());
        assert_eq!(continued.config.predict.audit_share, Some(0.002));

        // An explicit bound is another configuration, and so is a share in a new run.
        let bound = resolve(&format!("{start}{method}audit_bound = 0.01"));
        let message = bound.settle(run.path()).unwrap_err().to_string();
        assert!(message.contains("audit_share: the run has 0.002"), "{message}");
        let new = tempfile::tempdir().unwrap();
        resolve(&format!("{start}{method}")).settle(new.path()).unwrap();
        assert!(before.settle(new.path()).is_err());
    }
    // The hash of methods without an audit does not depend on the bound.
    assert_eq!(
        resolve(start).scores_sha256(),
        resolve(&format!("{start}audit_bound = 0.1")).scores_sha256()
    );
    assert!(parse(&format!("{start}audit_bound = 1.5")).is_err());
}

#[test]
fn single_slides_may_use_the_method_window() {
    let resolve = |text: &str| crate::resolve::resolve(parse(text).unwrap(), "test.toml").unwrap();
    let text = "[tiling]\nwindow = 224\n[predict]\nmethod = \"cascade\"\n";
    let run = tempfile::tempdir().unwrap();
    resolve(text).settle(run.path()).unwrap();
    let own = resolve(&format!("{text}[slides.method_of]\na = \"window\""));
    own.settle(run.path()).unwrap();
    let read = RunConfig::read(run.path()).unwrap();
    assert_eq!((read.method_of("a"), read.method_of("b")), (Method::Window, Method::Cascade));
    assert_eq!(read.scores_sha256(), resolve(text).scores_sha256());
    let error = parse(&format!("{text}[slides.method_of]\na = \"dense\"")).unwrap_err();
    assert!(error.to_string().contains("slides.method_of"), "{error}");
}

#[test]
fn default_colour_settings_change_no_hash() {
    let resolve = |text: &str| crate::resolve::resolve(parse(text).unwrap(), "test.toml").unwrap();
    let base = resolve("[tiling]\nwindow = 224");
    let none = resolve("[tiling]\nwindow = 224\n[normalize]\nmethod = \"none\"");
    let icc = resolve("[tiling]\nwindow = 224\n[normalize]\nicc = true");
    assert_eq!(base.scores_sha256(), none.scores_sha256());
    assert_eq!(base.patches_sha256(), none.patches_sha256());
    assert_ne!(base.patches_sha256(), icc.patches_sha256());
    assert!(!toml::to_string(&base).unwrap().contains("normalize"));
}

#[test]
fn scores_depend_on_the_content_of_the_template_and_not_on_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let stains = |name: &str, red: f64| {
        let text = format!(
            "format = \"slidegrid-stains\"\nversion = 1\nwriter = \"test\"\nsources = []\n\
             [estimate]\nmethod = \"macenko\"\nhaematoxylin = [{red}, 0.7, 0.3]\n\
             eosin = [0.1, 0.9, 0.2]\nstrength = [1.5, 1.0]\n"
        );
        std::fs::write(dir.path().join(name), text).unwrap();
    };
    let resolve = |name: &str, more: &str| {
        let text = format!(
            "[tiling]\nwindow = 224\n[normalize]\nmethod = \"macenko\"\ntemplate = \"{name}\"\n{more}"
        );
        let config = Config::parse(&text, "test.toml", dir.path(), &[]).unwrap();
        crate::resolve::resolve(config, "test.toml").unwrap()
    };
    stains("a.toml", 0.6);
    stains("b.toml", 0.6);
    stains("c.toml", 0.65);
    let [a, b, c] = ["a.toml", "b.toml", "c.toml"].map(|name| resolve(name, ""));
    let raw = resolve("a.toml", "on_failure = \"raw\"");
    assert_eq!(a.scores_sha256(), b.scores_sha256());
    assert_ne!(a.scores_sha256(), c.scores_sha256());
    assert_ne!(a.scores_sha256(), raw.scores_sha256());
    for other in [&b, &c, &raw] {
        assert_eq!(a.patches_sha256(), other.patches_sha256());
    }
    let run = tempfile::tempdir().unwrap();
    a.settle(run.path()).unwrap();
    assert_eq!(RunConfig::read(run.path()).unwrap(), a);
    b.settle(run.path()).unwrap();
    let message = c.settle(run.path()).unwrap_err().to_string();
    assert!(message.contains("resolved.target.haematoxylin"), "{message}");
}

#[test]
fn a_run_without_a_model_or_a_window_is_an_error() {
    let error = crate::resolve::resolve(Config::default(), "test.toml").unwrap_err();
    assert!(matches!(error, crate::resolve::ResolveError::Config(ConfigError::NoModel { .. })));
    assert!(matches!(RunConfig::read(Path::new("/nonexistent")), Err(ConfigError::NoRun { .. })));
}

#[test]
fn the_shipped_configurations_are_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        Config::read(&file, &[]).unwrap_or_else(|error| panic!("{error}"));
    }
}
