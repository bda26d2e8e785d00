//! The same inputs give the same bytes of scores on one machine, whatever the number of
//! threads, the groups and the order of tasks. Blocks, batches and sharing change them by
//! rounding.
//!
//! A sample of networks and methods, drawn from the seed; all of them, on three slides each, by
//!
//! ```text
//! SLIDEGRID_WRITE_FAULTS=all cargo test --test it reproducible
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::common::needs;
use crate::common::seed::{Random, seed};
use crate::common::{Case, copy_folder, model_card};
use crate::dense::blobs;
use slidegrid::GroupNumber;
use slidegrid::internal::model::EngineChoice;
use slidegrid::internal::predict::score_groups;
use slidegrid::scores::{ScoresMeta, read_scores};

/// Largest difference of a score by block, batch or sharing; 1.2e-7 was seen, which is the
/// distance of two neighbouring numbers near 1.
const ROUNDING: f32 = 2.4e-7;

/// Numbers of workers; engines and plans behave differently from 5, 9 and 33 on.
const THREADS: [usize; 5] = [2, 3, 5, 9, 33];

/// A network and a method.
#[derive(Debug, Clone, Copy)]
struct Setting {
    network: &'static str,
    method: &'static str,
    /// Keys of `[predict]`.
    keys: &'static str,
}

const fn setting(network: &'static str, method: &'static str, keys: &'static str) -> Setting {
    Setting { network, method, keys }
}

const SETTINGS: [Setting; 8] = [
    setting("valid", "window", ""),
    setting("padded", "window", ""),
    setting("odd", "window", ""),
    setting("three", "window", ""),
    setting("valid", "dense", ""),
    setting("padded", "dense", "dense_force = true\n"),
    setting("padded", "cascade", "refine_below = 0.998\n"),
    setting("mean32", "window", ""),
];

/// How a run is cut into groups and blocks, and further keys of `[predict]`.
#[derive(Debug, Clone, Copy)]
struct Cut {
    block: u32,
    patches_per_group: u32,
    keys: &'static str,
}

const USUAL: Cut = Cut { block: 2, patches_per_group: 3, keys: "" };

/// The bits of each point's scores.
type Bits = BTreeMap<(i32, i32), Vec<u32>>;

struct Slide {
    case: Case,
    setting: Setting,
    engine: EngineChoice,
}

impl Slide {
    fn new(setting: Setting, engine: EngineChoice, seed: u64) -> Self {
        let case = Case::new();
        case.slide("slide.png", &blobs(131, 170, seed));
        Self { case, setting, engine }
    }

    /// Splits and plans the slide; returns the run.
    fn planned(&self, cut: Cut) -> PathBuf {
        let Cut { block, patches_per_group, keys } = cut;
        let Setting { network, method, keys: own } = self.setting;
        drop(std::fs::remove_dir_all(self.case.path("planned")));
        self.case.write(
            "c.toml",
            format!(
                "[model]\ncard = {:?}\nmpp = \"level0\"\n[tissue]\nmethod = \"all\"\n\
                 [tiling]\ntile = 24\nblock = {block}\npatches_per_group = {patches_per_group}\n\
                 [predict]\nstride = 5\nmethod = {method:?}\n{own}{keys}",
                model_card(network)
            ),
        );
        self.case.slidegrid("split -q --run planned --config c.toml slide.png").done();
        self.case.path("planned")
    }

    /// Scores a copy of a planned run.
    fn scored(&self, planned: &Path, threads: usize, backwards: bool) -> (Bits, Vec<ScoresMeta>) {
        let run = self.case.path("run");
        drop(std::fs::remove_dir_all(&run));
        copy_folder(planned, &run);
        let patches = slidegrid::patches::PatchesFile::open(&run.join("patches/slide.h5")).unwrap();
        let mut groups: Vec<(String, GroupNumber)> =
            patches.group_numbers().map(|group| ("slide".to_owned(), group)).collect();
        if backwards {
            groups.reverse();
        }
        score_groups(&run, needs::engine(self.engine), threads, &groups).unwrap();
        let mut bits = Bits::new();
        let mut metas = Vec::new();
        for (_, group) in &groups {
            let scores = read_scores(&run.join(format!("scores/slide/t{group}.h5"))).unwrap();
            for ((&row, &col), score) in
                scores.row.iter().zip(&scores.col).zip(scores.score.outer_iter())
            {
                let twice = bits.insert((row, col), score.iter().map(|s| s.to_bits()).collect());
                assert_eq!(twice, None, "row {row}, col {col} is scored twice");
            }
            metas.push(scores.meta);
        }
        (bits, metas)
    }

    fn threads_groups_and_order_change_nothing(&self) {
        let planned = self.planned(USUAL);
        let (expected, metas) = self.scored(&planned, 1, false);
        assert!(expected.len() > 500 && metas.len() > 2, "{} points", expected.len());
        for meta in &metas {
            says_what_repeats_it(meta, self.setting.method);
        }
        let what = (self.setting, self.engine, seed());
        for threads in drawn(THREADS.to_vec(), 2, 1) {
            let (found, _) = self.scored(&planned, threads, threads % 2 == 1);
            assert!(found == expected, "{threads} threads: other bytes, {what:?}");
        }
        assert!(self.scored(&planned, 1, true).0 == expected, "backwards: other bytes, {what:?}");
        for patches_per_group in drawn(vec![1, 5, 99], 1, 2) {
            let planned = self.planned(Cut { patches_per_group, ..USUAL });
            let (found, _) = self.scored(&planned, 2, false);
            assert!(found == expected, "{patches_per_group} patches: other bytes, {what:?}");
        }
    }

    fn blocks_batches_and_sharing_change_the_rounding(&self) {
        let (expected, _) = self.scored(&self.planned(USUAL), 2, false);
        let mut cuts = vec![Cut { block: 1, ..USUAL }, Cut { block: 3, ..USUAL }];
        let keys = ["batch = 1\n", "batch = 2\n", "batch = 3\n", "batch = 16\n", "share = false\n"];
        cuts.extend(keys.map(|keys| Cut { keys, ..USUAL }));
        for cut in drawn(cuts, 2, 3) {
            let (found, _) = self.scored(&self.planned(cut), 2, false);
            let difference = largest_difference(&expected, &found);
            let what = (cut, self.setting, self.engine, seed());
            assert!(difference <= ROUNDING, "{difference:.2e}, {what:?}");
        }
    }
}

fn largest_difference(a: &Bits, b: &Bits) -> f32 {
    assert!(a.keys().eq(b.keys()));
    let pairs = a.values().flatten().zip(b.values().flatten());
    let apart = pairs.map(|(a, b)| (f32::from_bits(*a) - f32::from_bits(*b)).abs());
    apart.fold(0.0, f32::max)
}

/// The attributes by which scores are repeated.
fn says_what_repeats_it(meta: &ScoresMeta, method: &str) {
    assert!(meta.writer.starts_with("slidegrid ") && meta.engine.contains(' '), "{meta:?}");
    assert!(meta.processor.contains(": ") && meta.libraries.starts_with("HDF5 "), "{meta:?}");
    assert!(!meta.model_sha256.is_empty() && !meta.lineage.made_from.is_empty(), "{meta:?}");
    assert_eq!(meta.batch.is_some(), method != "dense", "{meta:?}");
    if let Some(dense) = &meta.dense {
        assert!(dense.fit_id.len() >= 16 && dense.image_px.is_some(), "{dense:?}");
    }
}

/// Whether all is tried, and not a sample.
fn all() -> bool {
    std::env::var("SLIDEGRID_WRITE_FAULTS").as_deref() == Ok("all")
}

/// All of `items`, or a sample.
fn drawn<T>(items: Vec<T>, count: usize, salt: u64) -> Vec<T> {
    if all() { items } else { Random::new(seed() + salt).sample(items, count) }
}

/// The settings to try, and the seeds of their slides.
fn tries(salt: u64) -> Vec<(Setting, u64)> {
    let slides = if all() { 3 } else { 1 };
    let settings = drawn(SETTINGS.to_vec(), 1, salt).into_iter();
    settings.flat_map(|setting| (0..slides).map(move |more| (setting, seed() + more))).collect()
}

fn bytes_by(engine: EngineChoice) {
    for (setting, seed) in tries(engine as u64) {
        Slide::new(setting, engine, seed).threads_groups_and_order_change_nothing();
    }
}

fn rounding_by(engine: EngineChoice) {
    // Where the screen's scores round differently, a cascade may refine other points.
    let tries = tries(10 + engine as u64).into_iter();
    for (setting, seed) in tries.filter(|(setting, _)| setting.method != "cascade") {
        Slide::new(setting, engine, seed).blocks_batches_and_sharing_change_the_rounding();
    }
}

/// As docs/reproducing.md says it: the configuration is `run.toml` without what follows from it.
#[test]
fn a_run_is_repeated_from_its_run_toml() {
    let slide = Slide::new(SETTINGS[6], EngineChoice::Tract, seed());
    let planned = slide.planned(USUAL);
    let (expected, _) = slide.scored(&planned, 2, false);
    let text = slide.case.read("planned/run.toml");
    let resolved = text.split("\n\n").filter(|section| !section.contains("[resolved"));
    slide.case.write("again.toml", resolved.collect::<Vec<_>>().join("\n\n"));
    slide.case.slidegrid("split -q --run again --config again.toml slide.png").done();
    let (found, _) = slide.scored(&slide.case.path("again"), 1, false);
    assert!(found == expected, "other bytes, seed {}", seed());
}

#[test]
fn bytes_by_tract() {
    bytes_by(EngineChoice::Tract);
}

#[test]
fn bytes_by_onnxruntime() {
    bytes_by(EngineChoice::Ort);
}

#[test]
fn bytes_by_openvino() {
    bytes_by(EngineChoice::OpenVino);
}

#[test]
fn rounding_by_tract() {
    rounding_by(EngineChoice::Tract);
}

#[test]
fn rounding_by_onnxruntime() {
    rounding_by(EngineChoice::Ort);
}

#[test]
fn rounding_by_openvino() {
    rounding_by(EngineChoice::OpenVino);
}
