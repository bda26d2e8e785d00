//! `patches/<slide>.h5`: what is written can be read, and invalid input is refused.

use std::path::Path;

use ndarray::Array2;
use proptest::prelude::*;
use slidegrid::geometry::{BlockPlan, Tiling, WorkingPlane};
use slidegrid::patches::{Compression, PatchesFile, PatchesMeta, PatchesWriter};

/// A plane of `tiles` (columns, rows) less a few pixels, and its plan.
fn planned(
    tiles: (u32, u32),
    tile: u32,
    block: u32,
    window: u32,
    seed: u64,
) -> (WorkingPlane, BlockPlan) {
    let (width_px, height_px) = (tiles.0 * tile, tiles.1 * tile - (tile - 1));
    let mask = Array2::from_shape_fn((tiles.1 as usize, tiles.0 as usize), |(r, c)| {
        u8::from(seed.rotate_left(u32::try_from(r * 7 + c * 3).unwrap()) & 1 == 1)
    });
    let plane = WorkingPlane {
        level0_width_px: width_px * 2,
        level0_height_px: height_px * 2,
        downsample: 2.0,
        width_px,
        height_px,
        mpp_x: Some(0.5),
        mpp_y: None,
    };
    (plane, BlockPlan::new(Tiling::new(tile, block, window).unwrap(), mask))
}

fn meta(plane: &WorkingPlane, plan: &BlockPlan, per_group: usize) -> PatchesMeta {
    let mut meta = PatchesMeta::planned("slide", plane, plan, per_group);
    meta.tissue_method = "otsu-hs".into();
    meta.config_sha256 = "abc".into();
    meta.thresholds.insert("h".into(), 120.5);
    meta.provenance.insert("tissue".into(), "µ".into());
    meta
}

fn pixels(index: usize, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| u8::try_from((i * 31 + index * 17 + i / 97) % 251).unwrap()).collect()
}

fn write(
    path: &Path,
    plane: &WorkingPlane,
    plan: &BlockPlan,
    per_group: usize,
    how: Compression,
) -> PatchesMeta {
    let meta = meta(plane, plan, per_group);
    let mut writer = PatchesWriter::create(path, &meta, plan, per_group, how).unwrap();
    let bytes = usize::try_from(plan.tiling().patch_bytes()).unwrap();
    for index in (0..plan.patches().len()).rev() {
        if index % 5 == 3 {
            writer.fail_patch(index, "no such tile").unwrap();
        } else {
            writer.write_patch(index, &pixels(index, bytes)).unwrap();
        }
    }
    writer.finish().unwrap();
    meta
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn what_is_written_is_read(
        cols in 1u32..7, rows in 1u32..7, tile in 1u32..9, block in 1u32..4,
        window in 1u32..10, per_group in 1usize..6, level in 0u8..4, seed in any::<u64>(),
        draw in 0usize..10_000,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slide.h5");
        let (plane, plan) = planned((cols, rows), tile, block, window, seed);
        let how = if level == 0 { Compression::None } else { Compression::Gzip(level) };
        let mut expected = write(&path, &plane, &plan, per_group, how);
        let file = PatchesFile::open(&path).unwrap();
        expected.writer = file.meta().writer.clone();
        // The id is a hash of what decides the content.
        prop_assert!(!file.meta().lineage.id.is_empty());
        expected.lineage.id.clone_from(&file.meta().lineage.id);
        prop_assert_eq!(file.meta(), &expected);
        prop_assert_eq!(&file.tissue().unwrap(), plan.mask());
        file.verify().unwrap();
        let mut index = 0;
        let mut failed = 0;
        for k in file.group_numbers() {
            let group = file.group(k).unwrap();
            prop_assert_eq!(group.len(), file.patches_in(k).unwrap());
            let mut found = vec![0; group.patch_bytes()];
            for (i, coord) in group.coords.iter().enumerate() {
                prop_assert_eq!(coord, &plan.patches()[index]);
                prop_assert_eq!(group.tissue.index_axis(ndarray::Axis(0), i), plan.tissue_of(coord));
                prop_assert_eq!(group.failed[i], index % 5 == 3);
                group.read_patch(i, &mut found).unwrap();
                let wanted = if group.failed[i] { vec![255; found.len()] } else { pixels(index, found.len()) };
                prop_assert_eq!(&found, &wanted);
                let side = group.patch_px();
                let (x, y) = (draw % side, draw / side % side);
                let part = 1 + draw / 7 % (side - x.max(y));
                let mut square = vec![0; part * part * 3];
                group.read_square(i, x, y, part, &mut square).unwrap();
                let rows = (y..y + part).flat_map(|row| &wanted[(row * side + x) * 3..][..part * 3]);
                prop_assert!(square.iter().eq(rows));
                failed += usize::from(group.failed[i]);
                index += 1;
            }
        }
        prop_assert_eq!(index, plan.patches().len());
        prop_assert_eq!(file.failures().unwrap().len(), failed);
    }
}
