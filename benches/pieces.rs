//! The pieces of the pipeline, each in three sizes. docs/benchmarks.md says how
//! to read them; benches/compare/run measures whole programs.

#![expect(clippy::cast_possible_truncation, reason = "sizes are small numbers")]
#![expect(missing_docs, reason = "criterion's macro makes a function without")]

use std::hint::black_box;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{Array2, Array3};
use slidegrid::GroupNumber;
use slidegrid::geometry::plane::TargetMpp;
use slidegrid::geometry::{BlockPlan, Lattice, Tiling, WorkingPlane};
use slidegrid::heatmap::{Heatmap, HeatmapPicture, PlaneThumbnail, render_heatmap};
use slidegrid::internal::normalize::{ColourMethod, ColourTransform};
use slidegrid::internal::predict::{Preparation, PreparedPatch};
use slidegrid::model::ModelCard;
use slidegrid::patches::{
    Compression, PatchCompressor, PatchesFile, PatchesMeta, PatchesWriter, compress_patch,
};
use slidegrid::slide::{self, PlaneReader, Region};

const BLOCKS: [u32; 3] = [1, 4, 8];

/// Pixels that vary and compress like nothing in particular.
fn pixels(side_px: usize) -> Vec<u8> {
    (0..side_px * side_px * 3).map(|at| ((at * at / 7 + at / side_px) % 251) as u8).collect()
}

fn patch_px(block: u32) -> usize {
    (block * 224 + 224) as usize
}

fn preparation(layout: &str) -> Preparation {
    let card = format!(
        "file = \"none.onnx\"\nwindow = 224\nmpp = 0.25\nlayout = \"{layout}\"\nrange = \"unit\"\n\
         mean = [0.5, 0.5, 0.5]\nstd = [0.25, 0.25, 0.25]\nchannels = \"rgb\"\n\
         classes = [\"a\", \"b\"]\npositive = \"b\"\nactivation = \"softmax\"\n"
    );
    Preparation::new(&ModelCard::from_toml(&card).expect("a good card"))
}

/// Bytes a second from a stored patch to one in the network's order.
fn prepare(c: &mut Criterion) {
    let mut group = c.benchmark_group("prepare patch");
    let preparation = preparation("nchw");
    for block in BLOCKS {
        let side_px = patch_px(block);
        let rgb = pixels(side_px);
        let mut patch = PreparedPatch::default();
        group.throughput(Throughput::Bytes(rgb.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(side_px), &rgb, |b, rgb| {
            b.iter(|| preparation.prepare(black_box(rgb), side_px, &mut patch));
        });
    }
    group.finish();
}

/// Windows a second cut from a prepared patch, at stride 16.
fn cut_windows(c: &mut Criterion) {
    let mut group = c.benchmark_group("cut windows");
    group.throughput(Throughput::Elements(14));
    for layout in ["nchw", "nhwc"] {
        let preparation = preparation(layout);
        let mut window = vec![0.0; preparation.window_len()];
        for block in BLOCKS {
            let side_px = patch_px(block);
            let mut patch = PreparedPatch::default();
            preparation.prepare(&pixels(side_px), side_px, &mut patch);
            group.bench_function(BenchmarkId::new(layout, side_px), |b| {
                b.iter(|| {
                    for step in 0..14 {
                        preparation.window(black_box(&patch), 16 * step, 100, &mut window);
                    }
                });
            });
        }
    }
    group.finish();
}

/// Scores a second entered into a map.
fn scatter(c: &mut Criterion) {
    let mut group = c.benchmark_group("scatter");
    for side in [500_usize, 1500, 4500] {
        let points = || (0..side).flat_map(move |row| (0..side).map(move |col| (row, col)));
        let row: Vec<i32> = points().map(|(row, _)| row as i32).collect();
        let col: Vec<i32> = points().map(|(_, col)| col as i32).collect();
        let score = vec![0.25; row.len()];
        group.throughput(Throughput::Elements(score.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(side), |b| {
            b.iter_batched_ref(
                || Heatmap::new(side, side, 16),
                |map| map.scatter(&row, &col, &score).expect("every point once"),
                criterion::BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

/// Map cells a second drawn into a picture of at most 2048 px.
fn render(c: &mut Criterion) {
    let mut group = c.benchmark_group("render");
    group.sample_size(10);
    for side in [500_usize, 1500, 4500] {
        let mut map = Heatmap::new(side, side, 16);
        map.score.indexed_iter_mut().for_each(|((row, col), score)| {
            *score = ((row + col) % 100) as f32 / 99.0;
        });
        let rgb = Array3::from_elem((2048, 2048, 3), 200);
        let side_px = 16 * side as u32;
        let slide = PlaneThumbnail { rgb: rgb.view(), width_px: side_px, height_px: side_px };
        group.throughput(Throughput::Elements((side * side) as u64));
        group.bench_function(BenchmarkId::from_parameter(side), |b| {
            b.iter(|| render_heatmap(&slide, &map, &HeatmapPicture::default()).expect("it fits"));
        });
    }
    group.finish();
}

/// A patch file of 16 tiles' width with every tile tissue.
fn write_file(path: &Path, block: u32, compression: Compression) -> u64 {
    let plane = WorkingPlane::plan(3584, 3584, None, TargetMpp::Level0).expect("a good plane");
    let tiling = Tiling::new(224, block, 224).expect("a good tiling");
    let plan = BlockPlan::new(tiling, Array2::ones((16, 16)));
    let per_group = plan.patches().len();
    let meta = PatchesMeta::planned("bench", &plane, &plan, per_group);
    let mut writer =
        PatchesWriter::create(path, &meta, &plan, per_group, compression).expect("space");
    let pixels = pixels(patch_px(block));
    let chunk = compress_patch(&pixels, 1);
    for index in 0..per_group {
        match compression {
            Compression::None => writer.write_patch(index, &pixels),
            Compression::Gzip(_) => writer.write_compressed(index, &chunk),
        }
        .expect("space");
    }
    writer.finish().expect("space");
    (per_group * pixels.len()) as u64
}

/// Bytes of pixels a second written to a file (synced) and read from the page
/// cache.
fn patch_files(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("bench.h5");
    for (name, compression) in [("none", Compression::None), ("gzip", Compression::Gzip(1))] {
        let mut group = c.benchmark_group(format!("patch file, {name}"));
        group.sample_size(10);
        for block in BLOCKS {
            let bytes = write_file(&path, block, compression);
            group.throughput(Throughput::Bytes(bytes));
            group.bench_function(BenchmarkId::new("write", block), |b| {
                b.iter(|| write_file(&path, block, compression));
            });
            let file = PatchesFile::open(&path).expect("just written");
            let reader = file.group(GroupNumber::FIRST).expect("it has one");
            let mut patch = vec![0; reader.patch_bytes()];
            group.bench_function(BenchmarkId::new("read", block), |b| {
                b.iter(|| {
                    for index in 0..reader.len() {
                        reader.read_patch(index, &mut patch).expect("just written");
                    }
                });
            });
        }
        group.finish();
    }
}

/// Bytes a second through gzip, one thread.
fn compress(c: &mut Criterion) {
    let mut group = c.benchmark_group("compress patch");
    for block in BLOCKS {
        let rgb = pixels(patch_px(block));
        let mut compressor = PatchCompressor::new(1);
        group.throughput(Throughput::Bytes(rgb.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(patch_px(block)), |b| {
            b.iter(|| compressor.compress(black_box(&rgb)));
        });
    }
    group.finish();
}

/// Windows a second found on the lattice of a block.
fn lattice(c: &mut Criterion) {
    let mut group = c.benchmark_group("lattice points");
    for block in BLOCKS {
        let tiling = Tiling::new(224, block, 224).expect("a good tiling");
        let plan = BlockPlan::new(tiling, Array2::ones((16, 16)));
        let lattice = Lattice::new(3584, 3584, 16);
        let patch = plan.patches()[0];
        let tissue = plan.tissue_of(&patch);
        let count = lattice.points_of(&tiling, &patch, tissue.view()).len();
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(BenchmarkId::from_parameter(block), |b| {
            b.iter(|| lattice.points_of(&tiling, black_box(&patch), tissue.view()));
        });
    }
    group.finish();
}

/// Bytes a second of a slide's regions, at its own resolution and resampled.
fn regions(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("slide.png");
    let side_px = 3000_u32;
    let picture = image::RgbImage::from_raw(side_px, side_px, pixels(side_px as usize));
    picture.expect("3 bytes a pixel").save(&path).expect("space");
    let slide = slide::open(&path).expect("just written");
    for (name, mpp) in [("region", 0.25), ("region, resampled", 0.3)] {
        let mut group = c.benchmark_group(name);
        let plane = WorkingPlane::plan(side_px, side_px, Some([0.25, 0.25]), TargetMpp::Um(mpp));
        let reader = PlaneReader::new(slide.as_ref(), plane.expect("a good plane"));
        for side_px in [256_u32, 512, 1024] {
            let mut out = vec![0; 3 * (side_px * side_px) as usize];
            group.throughput(Throughput::Bytes(out.len() as u64));
            group.bench_function(BenchmarkId::from_parameter(side_px), |b| {
                b.iter(|| {
                    reader.read(Region::new(301, 307, side_px, side_px), &mut out).expect("inside")
                });
            });
        }
        group.finish();
    }
}

/// Two stains in all proportions, and glass.
fn tissue(side_px: usize) -> Vec<u8> {
    let stains = [[0.65_f64, 0.70, 0.29], [0.10, 0.95, 0.28]];
    let roll = |at: usize| (at.wrapping_mul(2_654_435_761) >> 7) % 1000;
    let pixel = |at: usize| -> [u8; 3] {
        let (a, b) = (roll(at) as f64 / 700.0, roll(at ^ 0x5bd1_e995) as f64 / 900.0);
        let (h, e) = match at / side_px * 4 / side_px {
            0 => (0.0, 0.0),
            1 => (a, 0.05 * b),
            2 => (0.05 * a, b),
            _ => (a * (1.0 - b), b * (1.0 - a / 2.0)),
        };
        std::array::from_fn(|c| (243.0 * (-(h * stains[0][c] + e * stains[1][c])).exp()) as u8)
    };
    (0..side_px * side_px).flat_map(pixel).collect()
}

/// Pixels a second of each method: changing them, and measuring them.
fn normalize(c: &mut Criterion) {
    let mut group = c.benchmark_group("normalize");
    group.sample_size(20);
    let template = tissue(512);
    for method in ColourMethod::ALL {
        let target = method.estimate(&template).expect("a good template");
        for block in BLOCKS {
            let side_px = patch_px(block);
            let rgb = tissue(side_px);
            let source = method.estimate(&rgb).expect("good tissue");
            let transform = ColourTransform::new(&source, &target).expect("of one method");
            let mut out = rgb.clone();
            group.throughput(Throughput::Elements((side_px * side_px) as u64));
            group.bench_function(BenchmarkId::new(format!("{method} change"), side_px), |b| {
                b.iter(|| {
                    out.copy_from_slice(black_box(&rgb));
                    transform.apply(&mut out);
                });
            });
            group.bench_function(BenchmarkId::new(format!("{method} measure"), side_px), |b| {
                b.iter(|| method.estimate(black_box(&rgb)));
            });
        }
    }
    group.finish();
}

criterion_group!(
    pieces,
    normalize,
    prepare,
    cut_windows,
    lattice,
    compress,
    patch_files,
    regions,
    scatter,
    render
);
criterion_main!(pieces);
