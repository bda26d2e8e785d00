//! Settings that must not change a heatmap, and pixels that a heatmap must show, through the
//! whole pipeline.

use crate::common::{Case, assert_same, noise};
use ndarray::{Array2, Array3, s};
use proptest::prelude::*;

/// The score of the `centre` networks: the pixel at the middle of the window.
fn pixel_score(slide: &Array3<u8>, x: usize, y: usize) -> f32 {
    let channel = |c| f32::from(slide[[y, x, c]]);
    (channel(0) + 256.0 * channel(1) + 65536.0 * channel(2)) / 16_777_216.0
}

/// The slide seen through the lattice, NaN outside tissue.
fn expected(slide: &Array3<u8>, mask: &Array2<u8>, tile: usize, stride: usize) -> Array2<f32> {
    let (height, width, _) = slide.dim();
    Array2::from_shape_fn((height.div_ceil(stride), width.div_ceil(stride)), |(r, c)| {
        let (x, y) = (c * stride, r * stride);
        if mask[[y / tile, x / tile]] == 0 { f32::NAN } else { pixel_score(slide, x, y) }
    })
}

/// A tile mask enlarged to one pixel per slide pixel, so that `split` reads back the same mask.
fn per_pixel(mask: &Array2<u8>, tile: usize, height: usize, width: usize) -> Array2<u8> {
    Array2::from_shape_fn((height, width), |(y, x)| mask[[y / tile, x / tile]])
}

fn tile_mask(rows: usize, cols: usize, seed: u64) -> Array2<u8> {
    let mut mask = noise(rows, cols, seed).slice(s![.., .., 0]).mapv(|v| u8::from(v < 128));
    mask[[0, 0]] = 1;
    mask
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A network that returns its central pixel gives back the slide, to the
    /// pixel, at every edge and corner, whatever the tiling, grouping, stride,
    /// batch, number of threads and engine (`auto`: onnxruntime where it is).
    #[test]
    fn a_central_pixel_network_gives_back_the_slide(
        (width, height) in (32usize..150, 32usize..150), tile in 8usize..50, block in 1usize..5,
        stride in 1usize..40, per_group in 1usize..6, gzip in any::<bool>(), seed in any::<u64>(),
        (batch, threads) in (1usize..12, 1usize..4), engine in prop_oneof![Just("tract"), Just("auto")],
    ) {
        let case = Case::new();
        let slide = noise(height, width, seed);
        let mask = tile_mask(height.div_ceil(tile), width.div_ceil(tile), seed >> 7);
        let path = case.slide("slide.png", &slide);
        let image = case.mask("mask.png", &per_pixel(&mask, tile, height, width));
        let compression = if gzip { "gzip" } else { "none" };
        let config = case.config("config.toml", "centre32", &format!(
            "[tissue]\nmethod = \"mask\"\nmask = {image:?}\n\
             [tiling]\ntile = {tile}\nblock = {block}\npatches_per_group = {per_group}\ncompression = {compression:?}\n\
             [predict]\nstride = {stride}\nengine = {engine:?}\nbatch = {batch}\nthreads = {threads}\n"
        ));
        case.run("run", &config, &path, &[]);
        assert_same(&case.heatmap("run", "slide"), &expected(&slide, &mask, tile, stride), 0.0);
    }
}

/// The settings of a heatmap whose scores depend on more than the central pixel.
const BASE: &str = "[tissue]\nmethod = \"all\"\n[tiling]\ntile = 24\nblock = 2\npatches_per_group = 3\n[predict]\nstride = 8\nengine = \"tract\"\nthreads = 1\nbatch = 1\n";

#[test]
fn tiling_batch_and_threads_do_not_change_the_heatmap() {
    let case = Case::new();
    let slide = case.slide("slide.png", &noise(140, 170, 5));
    for model in ["padded", "nhwc"] {
        let config = case.config("config.toml", model, BASE);
        let base = format!("{model}-base");
        case.run(&base, &config, &slide, &["model.mpp=level0"]);
        let reference = case.heatmap(&base, "slide");
        assert!(reference.iter().all(|score| (0.0..=1.0).contains(score)));
        for (index, change) in [
            &["tiling.block=1"][..],
            &["tiling.block=5"],
            &["tiling.patches_per_group=1"],
            &["tiling.compression=gzip"],
            &["predict.batch=7"],
            &["predict.threads=2", "predict.batch=3"],
        ]
        .into_iter()
        .enumerate()
        {
            let run = format!("{model}-{index}");
            let set = [&["model.mpp=level0"], change].concat();
            case.run(&run, &config, &slide, &set);
            assert_same(&case.heatmap(&run, "slide"), &reference, 1e-6);
        }
    }
}

#[test]
fn stride_64_is_stride_16_subsampled() {
    let case = Case::new();
    let slide = case.slide("slide.png", &noise(300, 333, 9));
    let config = case.config("config.toml", "padded", BASE);
    for stride in [16, 64] {
        let set = [&*format!("predict.stride={stride}"), "model.mpp=level0"];
        case.run(&format!("run{stride}"), &config, &slide, &set);
    }
    let fine = case.heatmap("run16", "slide");
    assert_same(&case.heatmap("run64", "slide"), &fine.slice(s![..;4, ..;4]).to_owned(), 0.0);
}

#[test]
fn groups_may_be_scored_in_any_order_and_twice() {
    let case = Case::new();
    let path = case.slide("slide.png", &noise(150, 150, 3));
    let config = case.config("config.toml", "valid", BASE);
    let set = "model.mpp=level0";
    case.run("whole", &config, &path, &[set]);
    case.slidegrid("split -q --run parts --config config.toml slide.png").set(&[set]).done();
    case.slidegrid("master plan -q --run parts").done();
    let groups = case.read("parts/lookup.csv");
    let tasks: usize = groups.lines().nth(1).unwrap().split(',').nth(1).unwrap().parse().unwrap();
    assert!(tasks >= 4, "{groups}");
    for task in (1..=tasks).rev().chain([2]) {
        case.slidegrid(&format!("predict -q --run parts --task {task}")).done();
    }
    case.slidegrid("stitch -q --run parts --all").done();
    assert_same(&case.heatmap("parts", "slide"), &case.heatmap("whole", "slide"), 0.0);
}
