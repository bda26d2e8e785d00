//! Windows that share their first layers score as each does alone: in onnxruntime, on
//! the networks of `tests/reference/dense_networks.py`.

use std::path::PathBuf;

use crate::common::{Case, assert_same, noise, reference};
use ndarray::{Array2, s};
use slidegrid::internal::model::{CutMap, Model, TrunkHead};
use slidegrid::scores::read_scores;

/// The networks, made by the reference Python.
struct Networks {
    case: Case,
    folder: PathBuf,
    ort_library: String,
}

impl Networks {
    fn made() -> Self {
        let case = Case::new();
        let folder = case.path("networks");
        reference::printed("dense_networks.py", ["make".as_ref(), folder.as_os_str()]);
        Self { case, folder, ort_library: reference::ort_library() }
    }

    fn card(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.toml"))
    }

    fn cut(&self, name: &str, stride_px: u32) -> Option<TrunkHead> {
        TrunkHead::cut(&Model::load(&self.card(name)).unwrap(), stride_px)
    }

    /// The heatmap, and how many windows shared their first layers.
    fn scored(&self, name: &str, stride: u32, share: bool) -> (Array2<f32>, u64) {
        self.scored_with(
            name,
            &[&format!("predict.stride={stride}"), &format!("predict.share={share}")],
        )
    }

    /// Scores a slide whose tissue is in crumbs, with these settings.
    fn scored_with(&self, name: &str, set: &[&str]) -> (Array2<f32>, u64) {
        let slide = self.case.slide("slide.png", &noise(210, 250, 11));
        let mask = Array2::from_shape_fn((9, 11), |(r, c)| u8::from((r * 7 + c * 3) % 5 > 1));
        let mask = self.case.mask("slide_mask.png", &mask);
        let text = format!(
            "[model]\ncard = {:?}\nmpp = \"level0\"\n[tissue]\nmethod = \"mask\"\nmask = {mask:?}\n\
             [tiling]\ntile = 24\nblock = 4\n[predict]\nstride = 4\nengine = \"ort\"\nthreads = 2\n\
             ort_library = {:?}\n[stitch]\npng = false\n",
            self.card(name),
            self.ort_library,
        );
        let run = format!("{name}-{}", set.join("-"));
        let config = self.case.write("config.toml", text);
        self.case.run(&run, &config, &slide, set);
        let groups = std::fs::read_dir(self.case.path(&run).join("scores/slide")).unwrap();
        let files = groups.map(|file| file.unwrap().path());
        let scores = files.filter(|path| path.extension().is_some_and(|suffix| suffix == "h5"));
        let shared = scores.map(|path| read_scores(&path).unwrap().meta.shared_windows).sum();
        (self.case.heatmap(&run, "slide"), shared)
    }
}

#[test]
fn shared_windows_score_as_alone() {
    let networks = Networks::made();
    // With and without padding; branches, rounding up, depthwise, other axis orders.
    let all = [
        "padded",
        "ceiled",
        "resnet",
        "excited",
        "plain",
        "odd",
        "residual",
        "grouped",
        "normalised",
        "connected",
        "channels_last",
    ];
    let mut sharing = 0;
    for (name, stride) in all.into_iter().flat_map(|name| [4, 12, 16].map(|s| (name, s))) {
        let (alone, none) = networks.scored(name, stride, false);
        let (shared, windows) = networks.scored(name, stride, true);
        assert_eq!(none, 0);
        assert_same(&shared, &alone, 1e-5);
        if stride == 4 {
            sharing += u32::from(windows > 0);
        }
    }
    assert!(sharing >= 9, "{sharing} of {} networks", all.len());
}

#[test]
fn tiling_batch_and_threads_do_not_change_what_is_shared() {
    let networks = Networks::made();
    for name in ["padded", "channels_last"] {
        let (reference, windows) = networks.scored_with(name, &[]);
        assert!(windows > 0, "{name} shares nothing");
        for set in [
            &["tiling.block=1"][..],
            &["tiling.block=5"],
            &["tiling.block=2", "tiling.patches_per_group=1"],
            &["predict.batch=7"],
            &["predict.threads=1", "predict.batch=3"],
        ] {
            assert_same(&networks.scored_with(name, set).0, &reference, 1e-5);
        }
        let coarse = networks.scored_with(name, &["predict.stride=16"]).0;
        assert_same(&coarse, &reference.slice(s![..;4, ..;4]).to_owned(), 1e-5);
    }
}

#[test]
fn the_rims_are_what_padding_reaches() {
    let networks = Networks::made();
    // Behind 7 x 7 by 2, padded by 3: element 0 sees pixels -3 to 3, element 1 -1 to 5,
    // so both need 6 pixels; the last of 32 sees 59 to 65 of 64.
    let map = networks.cut("padded", 16).unwrap().trunk.map;
    let (channels, side, jump_px) = (6, 32, 2);
    let (before, after, before_px, after_px) = (2, 1, 6, 6);
    let expected = CutMap { channels, side, jump_px, before, after, before_px, after_px };
    assert_eq!(map, expected);
    let CutMap { before, after, before_px, after_px, .. } =
        networks.cut("plain", 16).unwrap().trunk.map;
    assert_eq!((before, after, before_px, after_px), (0, 0, 0, 0));
}

#[test]
fn what_is_not_shared_stays_whole() {
    let networks = Networks::made();
    // Padding that depends on the image's size; channels taken out of the image; a
    // stride that no layer's divides.
    assert!(networks.cut("same", 16).is_none());
    assert!(networks.cut("channels_apart", 16).is_none());
    assert!(networks.cut("plain", 7).is_none());
}

#[test]
fn a_worker_needs_memory_for_weights_and_maps() {
    let networks = Networks::made();
    let parts = networks.cut("padded", 16).unwrap();
    let weights = (parts.trunk_onnx.len() + parts.head_onnx.len()) as u64;
    // The largest is the image: 6 channels at half the resolution come after it.
    let maps = 3 * 4 * 3 * 200 * 200;
    assert_eq!(parts.bytes(200), 2 * weights + maps);
}
