//! Files of the original HPC_DPAI code, used by the same commands.

use std::path::Path;

use ndarray::{Array1, Array2, Array4, s};
use slidegrid::heatmap_h5::read_heatmap;
use slidegrid::internal::export::npy;

use crate::common::{Case, noise};

const SETTINGS: &str =
    "[tissue]\nmethod = \"all\"\n[predict]\nstride = 16\nengine = \"tract\"\nthreads = 2\n";

/// Writes what `split_grp.py` writes for a picture: whole tiles only, patches
/// moved inwards at the edges (one pixel too far at the right and bottom).
fn write_patches(path: &Path, slide: &image::RgbImage) {
    let (width, height) = (i64::from(slide.width()), i64::from(slide.height()));
    let start = |tile: i64, side: i64| {
        let first = if tile == 0 { 0 } else { tile * 224 - 112 };
        if first + 448 > side { side - 448 + 1 } else { first }
    };
    let tiles: Vec<(i64, i64)> =
        (0..height / 224).flat_map(|row| (0..width / 224).map(move |col| (col, row))).collect();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file =
        hdf5::File::with_options().with_fapl(|p| p.file_locking(false)).create(path).unwrap();
    for (index, tiles) in tiles.chunks(4).enumerate() {
        let group = file.create_group(&format!("t{}", index + 1)).unwrap();
        let mut coord = Array2::<i64>::zeros((tiles.len(), 5));
        let mut img = Array4::<u8>::zeros((tiles.len(), 448, 448, 3));
        for (n, &(col, row)) in tiles.iter().enumerate() {
            let (x0, y0) = (start(col, width), start(row, height));
            coord.slice_mut(s![n, ..]).assign(&Array1::from(vec![col, row, x0, y0, 448]));
            for ((y, x, c), value) in img.slice_mut(s![n, .., .., ..]).indexed_iter_mut() {
                let at = (u32::try_from(x0 + x as i64), u32::try_from(y0 + y as i64));
                if let (Ok(x), Ok(y)) = at
                    && let Some(pixel) = slide.get_pixel_checked(x, y)
                {
                    *value = pixel[c];
                }
            }
        }
        group.new_dataset_builder().with_data(&img).create("img").unwrap();
        group.new_dataset_builder().with_data(&coord).create("coord").unwrap();
    }
}

#[test]
fn patches_become_the_heatmap_of_the_same_slide() {
    let case = Case::new();
    case.config("c.toml", "centre224", SETTINGS);
    case.slide("s.png", &noise(680, 700, 1));
    case.slidegrid("run --run normal --config c.toml s.png").exits(0);
    let slide = image::open(case.path("s.png")).unwrap().to_rgb8();
    write_patches(&case.path("run/patches/s.h5"), &slide);
    let patches = std::fs::read(case.path("run/patches/s.h5")).unwrap();

    let plan = case.slidegrid("master plan --run run --config c.toml").exits(0);
    assert_eq!(plan.stdout, "1-3 s (9 patches)\n");
    plan.says(&["s.h5", "written by HPC_DPAI"]);
    let status = case.slidegrid("status --run run").exits(0);
    assert!(status.stdout.contains("0 of 3 groups scored"), "{status:?}");
    case.slidegrid("predict --run run --task 2").exits(0);
    case.slidegrid("predict --run run --all").exits(0);
    case.slidegrid("stitch --run run --all").exits(0);
    let status = case.slidegrid("status --run run").exits(0);
    assert!(status.stdout.contains("1 of 1 slides done"), "{status:?}");

    let (_, found) = read_heatmap(&case.path("run/heatmaps/s.h5")).unwrap();
    let (_, expected) = read_heatmap(&case.path("normal/heatmaps/s.h5")).unwrap();
    assert_eq!(found.dim(), expected.dim());
    for ((row, col), &score) in found.indexed_iter() {
        // The original stores whole tiles only.
        if row * 16 < 3 * 224 && col * 16 < 3 * 224 {
            assert_eq!(score, expected[[row, col]], "row {row}, col {col}");
        } else {
            assert!(score.is_nan(), "row {row}, col {col}");
        }
    }

    // No other file is needed, and `split` never replaces the patches.
    case.slidegrid("run --run run").exits(0);
    case.slidegrid("run --run run --config c.toml s.png").exits(0);
    assert_eq!(std::fs::read(case.path("run/patches/s.h5")).unwrap(), patches);
}

#[test]
fn patches_for_another_window() {
    let case = Case::new();
    case.config("c.toml", "centre32", SETTINGS);
    case.slide("s.png", &noise(680, 700, 1));
    let slide = image::open(case.path("s.png")).unwrap().to_rgb8();
    write_patches(&case.path("run/patches/s.h5"), &slide);
    case.slidegrid("master plan --run run --config c.toml").exits(0);
    case.slidegrid("predict --run run --task 1").exits(3).says(&[
        "patches/s.h5",
        "window of 224 px",
        "the model's window is 32 px",
    ]);
}

#[test]
fn a_heatmap_lands_on_the_lattice_of_the_slide() {
    let case = Case::new();
    // A slide of 6 x 5 tiles; its tissue is the box of tiles (2, 1) to (3, 3).
    let cells = Array2::from_shape_fn((3 * 14, 2 * 14), |(row, col)| {
        if row < 14 { 0.0 } else { (row * 28 + col + 1) as f32 / 2000.0 }
    });
    npy::write_f32(&case.path("preds.npy"), cells.view()).unwrap();
    let index = Array1::from(vec![6_i64, 5, 3, 2, 4, 1, 4, 3, 2]);
    npy::write_i64(&case.path("s.npy"), index.view()).unwrap();
    let args = "import heatmap --cells preds.npy --dimensions s.npy --height 1344 --mpp 0.25 --png --out out/s.h5";
    let made = case.slidegrid(&format!("{args} --width 1120")).exits(0);
    assert_eq!(made.stdout, "out/s.h5\nout/s.png\n");
    let (meta, score) = read_heatmap(&case.path("out/s.h5")).unwrap();
    assert_eq!((meta.slide.as_str(), meta.stride_px, meta.mpp_x), ("s", 16, Some(0.25)));
    assert_eq!(score.dim(), (84, 70));
    for ((row, col), &found) in score.indexed_iter() {
        let inside = (28..56).contains(&row) && (28..56).contains(&col);
        if inside {
            assert_eq!(found, cells[[row - 14, col - 28]]);
        } else {
            assert!(found.is_nan(), "row {row}, col {col}");
        }
    }
    case.slidegrid(&format!("{args} --width 560")).exits(5).says(&["preds.npy", "outside"]);
    case.slidegrid(&format!("{args} --width 0")).exits(2);
    npy::write_i64(&case.path("s.npy"), index.slice(s![..7])).unwrap();
    let words = ["s.npy", "expected 9 integers"];
    case.slidegrid(&format!("{args} --width 1120")).exits(4).says(&words);
    case.write("preds.npy", "no numbers");
    case.slidegrid(&format!("{args} --width 1120")).exits(4);
}
