//! A run of one slide, all tissue, whose scores are made up: something large
//! to stitch that needs no network.
//!
//! `fabricate RUN_DIR SIDE_PX STRIDE_PX`

use std::error::Error;
use std::path::Path;

use ndarray::{Array2, Array3};
use slidegrid::GroupNumber;
use slidegrid::geometry::plane::TargetMpp;
use slidegrid::geometry::{BlockPlan, Lattice, WorkingPlane, groups};
use slidegrid::internal::config::{Config, RunConfig};
use slidegrid::internal::resolve::resolve;
use slidegrid::internal::run_dir::RunDir;
use slidegrid::patches::{Compression, PatchesMeta, PatchesWriter, compress_patch};
use slidegrid::scores::{ScoresMeta, write_scores};

const SLIDE: &str = "fabricated";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [run, side_px, stride_px] = arguments.as_slice() else {
        return Err("expected RUN_DIR SIDE_PX STRIDE_PX".into());
    };
    let (root, side_px, stride_px) =
        (Path::new(run), side_px.parse::<u32>()?, stride_px.parse::<u32>()?);
    let text = format!("[tiling]\nwindow = 224\n[predict]\nstride = {stride_px}\n");
    let config = resolve(Config::parse(&text, "fabricate", root, &[])?, "fabricate")?;
    config.settle(root)?;
    let plane = WorkingPlane::plan(side_px, side_px, Some([0.25, 0.25]), TargetMpp::Level0)?;
    let tiling = config.tiling();
    let tiles = side_px.div_ceil(tiling.tile_px()) as usize;
    let plan = BlockPlan::new(tiling, Array2::ones((tiles, tiles)));
    let per_group = config.config.tiling.group_size().patches(tiling.patch_bytes());
    let run = RunDir::new(root);
    write_patches(&run, &config, &plane, &plan, per_group)?;
    let lattice = Lattice::new(side_px, side_px, stride_px);
    let ranges = groups::group_ranges(plan.patches().len(), per_group);
    for (group, range) in (1u32..).zip(ranges) {
        let group = GroupNumber::try_from(group)?;
        let points: Vec<_> = plan.patches()[range]
            .iter()
            .flat_map(|patch| lattice.points_of(&tiling, patch, plan.tissue_of(patch).view()))
            .collect();
        let row: Vec<i32> = points.iter().map(|point| point.row).collect();
        let col: Vec<i32> = points.iter().map(|point| point.col).collect();
        let wave = |at: i32| (f64::from(at) / 200.0).sin() * 0.5 + 0.5;
        let score = Array2::from_shape_fn((points.len(), 1), |(point, _)| {
            #[expect(clippy::cast_possible_truncation, reason = "0 to 1")]
            let value = (wave(row[point]) * wave(col[point])) as f32;
            value
        });
        let meta = ScoresMeta {
            slide: SLIDE.into(),
            group,
            stride_px,
            window_px: tiling.window_px(),
            classes: vec!["score".into()],
            method: "window".into(),
            engine: "fabricated".into(),
            precision: "f32".into(),
            config_sha256: config.scores_sha256(),
            windows: points.len() as u64,
            ..ScoresMeta::default()
        };
        write_scores(&run.scores(SLIDE, group), &meta, &row, &col, score.view())?;
    }
    Ok(())
}

/// White patches: nobody looks at them.
fn write_patches(
    run: &RunDir,
    config: &RunConfig,
    plane: &WorkingPlane,
    plan: &BlockPlan,
    per_group: usize,
) -> Result<(), Box<dyn Error>> {
    let meta = PatchesMeta {
        tissue_method: "all".into(),
        config_sha256: config.patches_sha256(),
        ..PatchesMeta::planned(SLIDE, plane, plan, per_group)
    };
    let compression = Compression::Gzip(1);
    let path = run.patches(SLIDE);
    let mut writer = PatchesWriter::create(&path, &meta, plan, per_group, compression)?;
    writer.set_thumbnail(Array3::from_elem((2048, 2048, 3), 220).view())?;
    let bytes = usize::try_from(plan.tiling().patch_bytes())?;
    let chunk = compress_patch(&vec![255; bytes], 1);
    for index in 0..plan.patches().len() {
        writer.write_compressed(index, &chunk)?;
    }
    Ok(writer.finish()?)
}
