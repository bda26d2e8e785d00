//! Patches files of the original HPC_DPAI code.

use std::path::Path;

use ndarray::{Array1, Array2, Array4, s};
use slidegrid::patches::PatchesFile;

use crate::common::reference;

/// The image a legacy file was cut from: never white.
fn legacy_pixel(x: i64, y: i64, channel: i64) -> u8 {
    u8::try_from((x * 7 + y * 13 + channel * 101 + x * y) % 251).unwrap()
}

/// Writes what `split_grp.py` of HPC_DPAI writes for a slide of `width` x
/// `height` px, its off-by-one and black outside included.
fn write_legacy(path: &Path, width: i64, height: i64, per_group: usize) {
    let start = |tile: i64, side: i64| {
        let first = if tile == 0 { 0 } else { tile * 224 - 112 };
        if first + 448 > side { side - 448 + 1 } else { first }
    };
    let tiles: Vec<(i64, i64)> =
        (0..height / 224).flat_map(|row| (0..width / 224).map(move |col| (col, row))).collect();
    let file =
        hdf5::File::with_options().with_fapl(|p| p.file_locking(false)).create(path).unwrap();
    for (index, tiles) in tiles.chunks(per_group).enumerate() {
        let group = file.create_group(&format!("t{}", index + 1)).unwrap();
        let mut coord = Array2::<i64>::zeros((tiles.len(), 5));
        let mut img = Array4::<u8>::zeros((tiles.len(), 448, 448, 3));
        for (n, &(col, row)) in tiles.iter().enumerate() {
            let (x0, y0) = (start(col, width), start(row, height));
            coord.slice_mut(s![n, ..]).assign(&Array1::from(vec![col, row, x0, y0, 448]));
            for ((y, x, c), value) in img.slice_mut(s![n, .., .., ..]).indexed_iter_mut() {
                let (x, y) = (x0 + x as i64, y0 + y as i64);
                if (0..width).contains(&x) && (0..height).contains(&y) {
                    *value = legacy_pixel(x, y, c as i64);
                }
            }
        }
        group.new_dataset_builder().with_data(&img).create("img").unwrap();
        group.new_dataset_builder().with_data(&coord).create("coord").unwrap();
    }
    file.close().unwrap();
}

/// Every canonical patch is the image, with white outside.
fn check_legacy(file: &PatchesFile, width: i64, height: i64) {
    file.verify().unwrap();
    for k in file.group_numbers() {
        let group = file.group(k).unwrap();
        let mut pixels = vec![0; group.patch_bytes()];
        for (index, patch) in group.coords.iter().enumerate() {
            assert_eq!(
                (patch.x_px, patch.y_px),
                (patch.tile_col * 224 - 112, patch.tile_row * 224 - 112)
            );
            group.read_patch(index, &mut pixels).unwrap();
            for (at, &value) in pixels.iter().enumerate() {
                let at = at as i64;
                let (x, y, c) = (patch.x_px + at / 3 % 448, patch.y_px + at / 3 / 448, at % 3);
                let inside = (0..width).contains(&x) && (0..height).contains(&y);
                let wanted = if inside { legacy_pixel(x, y, c) } else { 255 };
                assert_eq!(value, wanted, "{patch:?} x {x} y {y}");
            }
        }
    }
}

#[test]
fn legacy_patches_are_read_at_their_true_positions() {
    let folder = tempfile::tempdir().unwrap();
    // Moved at the right edge; just not moved (675 = 2 * 224 + 227); smaller
    // than a patch; one pixel short of telling its width.
    for (width, height) in [(800, 700), (675, 900), (400, 300), (783, 560)] {
        let path = folder.path().join(format!("s{width}.h5"));
        write_legacy(&path, width, height, 4);
        let size = (u32::try_from(width).unwrap(), u32::try_from(height).unwrap());
        check_legacy(&PatchesFile::open_sized(&path, size.0, size.1).unwrap(), width, height);
        assert!(PatchesFile::open_sized(&path, size.0 / 2, size.1).is_err());
        let file = PatchesFile::open(&path).unwrap();
        assert!(file.meta().legacy && !file.assumptions().is_empty());
        if file.assumptions().len() == 1 {
            assert_eq!((file.meta().width_px, file.meta().height_px), size);
            check_legacy(&file, width, height);
        }
    }
}

/// The same through the script that follows `split_grp.py` line by line, with
/// the index file beside it.
#[test]
fn a_file_made_in_python_is_read_at_its_true_positions_too() {
    let folder = tempfile::tempdir().unwrap();
    for (width, height) in [(700_i64, 680_i64), (1000, 560)] {
        let path = folder.path().join(format!("p{width}.h5"));
        let [w, h] = [width, height].map(|side| side.to_string());
        reference::printed("make_legacy.py", [path.as_os_str(), w.as_ref(), h.as_ref()]);
        let (w, h) = (u32::try_from(width).unwrap(), u32::try_from(height).unwrap());
        check_legacy(&PatchesFile::open_sized(&path, w, h).unwrap(), width, height);
        let found = PatchesFile::open(&path).unwrap();
        assert!(found.meta().width_px >= w / 224 * 224 && found.meta().height_px >= h / 224 * 224);
        std::fs::write(path.with_extension("npy"), "not numpy").unwrap();
        let error = PatchesFile::open(&path).unwrap_err().to_string();
        assert!(error.contains(".npy") && error.contains("nine"), "{error}");
    }
}
