//! The working plane: resampling, thumbnails, overviews.

use std::process::Command;

use crate::common::needs;
use crate::slide::support::noise;
use ndarray::Array3;
use proptest::prelude::*;
use slidegrid::geometry::plane::{TargetMpp, WorkingPlane};
use slidegrid::internal::threads::pool;
use slidegrid::slide::memory::MemorySlide;
use slidegrid::slide::{self, PlaneReader, Region, Slide, overview, tile_thumbnail};

fn plane(slide: &dyn Slide, downsample: f64) -> WorkingPlane {
    let level0 = slide.levels()[0];
    let target = TargetMpp::Um(downsample);
    WorkingPlane::plan(level0.width_px, level0.height_px, Some([1.0; 2]), target).unwrap()
}

fn read(reader: &PlaneReader<'_>, x: i64, y: i64, w: u32, h: u32) -> Vec<u8> {
    let mut out = vec![77; 3 * w as usize * h as usize];
    reader.read(Region::new(x, y, w, h), &mut out).unwrap();
    out
}

#[test]
fn resampling_is_pillows() {
    let slide = MemorySlide::new(noise(240, 320, 3));
    let table = include_str!("../../reference/pillow_bilinear.csv");
    let mut compared = 0;
    for line in table.lines().skip(1) {
        let (downsample, rest) = line.split_once(',').unwrap();
        let values: Vec<i64> = rest.split(',').map(|value| value.parse().unwrap()).collect();
        let reader = PlaneReader::new(&slide, plane(&slide, downsample.parse().unwrap()));
        let pixel = read(&reader, values[1], values[0], 1, 1);
        for (found, expected) in pixel.iter().zip(&values[2..]) {
            assert!((i64::from(*found) - expected).abs() <= 1, "{line}: found {pixel:?}");
        }
        compared += 1;
    }
    assert_eq!(compared, 40);
}

#[test]
fn the_level_of_the_planes_resolution_is_read_as_it_is() {
    let slide = MemorySlide::new(noise(240, 320, 3)).with_level(2).with_level(4);
    let level_at = |downsample| PlaneReader::new(&slide, plane(&slide, downsample)).level();
    assert_eq!([1.0, 1.9, 1.99, 2.0, 3.9, 4.0, 99.0].map(level_at), [0, 0, 1, 1, 1, 2, 2]);
    let reader = PlaneReader::new(&slide, plane(&slide, 4.0));
    let mut expected = vec![0; 3 * 30 * 20];
    slide.read_region(2, Region::new(-3, 50, 30, 20), &mut expected).unwrap();
    assert_eq!(read(&reader, -3, 50, 30, 20), expected);
}

#[test]
fn outside_the_plane_is_white_and_its_edge_is_not() {
    let slide = MemorySlide::new(Array3::zeros((101, 101, 3)));
    for downsample in [0.7, 1.0, 1.3, 2.0, 3.7] {
        let plane = plane(&slide, downsample);
        let reader = PlaneReader::new(&slide, plane);
        let width = i64::from(plane.width_px);
        let line = read(&reader, -2, 5, plane.width_px + 4, 1);
        for (index, pixel) in line.chunks_exact(3).enumerate() {
            let x = index as i64 - 2;
            let expected = if (0..width).contains(&x) { 0 } else { 255 };
            assert_eq!(pixel, [expected; 3], "downsample {downsample}, x {x}");
        }
    }
}

#[test]
fn a_large_reduction_is_cut_into_pieces_without_seams() {
    let slide = MemorySlide::new(noise(2500, 5000, 3));
    let reader = PlaneReader::new(&slide, plane(&slide, 2.5));
    let whole = read(&reader, 0, 0, 2000, 1000);
    for (x, y) in [(700u32, 600u32), (818, 818), (1630, 3)] {
        let part = read(&reader, i64::from(x), i64::from(y), 40, 30);
        for row in 0..30 {
            let start = 3 * ((y as usize + row) * 2000 + x as usize);
            assert_eq!(part[120 * row..120 * (row + 1)], whole[start..start + 120]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_pixel_never_depends_on_its_region(
        downsample in prop_oneof![0.4f64..1.0, 1.0f64..2.0, 2.0f64..12.0, Just(1.0), Just(3.0)],
        levels: bool,
        (x, y) in (-30i64..300, -30i64..200),
        (dx, dy, w, h) in (0u32..40, 0u32..40, 1u32..20, 1u32..20),
    ) {
        let mut slide = MemorySlide::new(noise(180, 260, 3));
        if levels {
            slide = slide.with_level(2).with_level(5);
        }
        let reader = PlaneReader::new(&slide, plane(&slide, downsample));
        let whole = read(&reader, x, y, 60, 60);
        let part = read(&reader, x + i64::from(dx), y + i64::from(dy), w, h);
        for row in 0..h {
            let start = 3 * ((dy + row) * 60 + dx) as usize;
            let line = &part[3 * (row * w) as usize..][..3 * w as usize];
            prop_assert_eq!(&whole[start..start + line.len()], line);
        }
    }

    #[test]
    fn thumbnails_do_not_depend_on_threads(
        downsample in 0.6f64..6.0, tile in 1u32..60, threads in 2usize..5,
    ) {
        let slide = MemorySlide::new(noise(180, 260, 3)).with_level(2).with_bad_area(100, 90, 3, 2);
        let reader = PlaneReader::new(&slide, plane(&slide, downsample));
        // One tile over everything is lost to the bad area: an error, also alike.
        let alone = tile_thumbnail(&reader, tile, &pool(1));
        prop_assert_eq!(&alone, &tile_thumbnail(&reader, tile, &pool(threads)));
        let tiles = [reader.plane().height_px, reader.plane().width_px].map(|px| px.div_ceil(tile));
        match alone {
            Ok(picture) => {
                prop_assert_eq!(picture.rgb.dim(), (tiles[0] as usize, tiles[1] as usize, 3));
                prop_assert!(!picture.failed.is_empty());
            }
            Err(_) => prop_assert_eq!(tiles, [1, 1]),
        }
    }
}

#[test]
fn a_tile_is_its_mean_colour() {
    let picture = noise(100, 130, 3);
    let slide = MemorySlide::new(picture.clone());
    let reader = PlaneReader::new(&slide, plane(&slide, 1.0));
    let thumbnail = tile_thumbnail(&reader, 40, &pool(2)).unwrap();
    assert_eq!(thumbnail.rgb.dim(), (3, 4, 3));
    assert!(thumbnail.failed.is_empty());
    for ((row, col, channel), found) in thumbnail.rgb.indexed_iter() {
        let (y, x) = (row * 40, col * 40);
        let part = picture.slice(ndarray::s![y..(y + 40).min(100), x..(x + 40).min(130), channel]);
        let mean = part.iter().map(|v| f64::from(*v)).sum::<f64>() / part.len() as f64;
        assert!((f64::from(*found) - mean).abs() <= 0.5 + 1e-9);
    }
}

#[test]
fn only_damaged_tiles_are_lost_from_a_thumbnail() {
    let slide = MemorySlide::new(Array3::zeros((100, 130, 3))).with_bad_area(45, 10, 2, 2);
    let reader = PlaneReader::new(&slide, plane(&slide, 1.0));
    let thumbnail = tile_thumbnail(&reader, 20, &pool(2)).unwrap();
    let failed: Vec<_> =
        thumbnail.failed.iter().map(|f| (f.rows.clone(), f.cols.clone())).collect();
    assert_eq!(failed, [(0..1, 2..3)]);
    for ((row, col, _), value) in thumbnail.rgb.indexed_iter() {
        assert_eq!(*value, if (row, col) == (0, 2) { 255 } else { 0 });
    }
    let lost = MemorySlide::new(Array3::zeros((50, 50, 3))).with_bad_area(0, 0, 50, 50);
    let reader = PlaneReader::new(&lost, plane(&lost, 1.0));
    assert!(tile_thumbnail(&reader, 20, &pool(2)).is_err());
    assert!(overview(&lost, 20).is_err());
}

#[test]
fn an_overview_shows_the_whole_slide() {
    let slide =
        MemorySlide::new(Array3::from_elem((600, 1000, 3), 9)).with_bad_area(990, 590, 1, 1);
    let small = overview(&slide, 200).unwrap();
    assert_eq!((small.rgb.dim(), small.downsample), ((120, 200, 3), 5.0));
    assert_eq!(small.failed.len(), 1);
    assert_eq!((small.rgb[[0, 0, 0]], small.rgb[[119, 199, 0]]), (9, 255));
    assert_eq!(overview(&slide, 5000).unwrap().rgb.dim(), (600, 1000, 3));
}

#[test]
fn real_slides_read_as_in_openslide_python() {
    let (path, python) = (needs::shared_data("slides/CMU-1-Small-Region.svs"), needs::python());
    needs::openslide();
    let slide = slide::open(&path).unwrap();
    let script = "import sys, numpy, openslide\n\
        s = openslide.OpenSlide(sys.argv[1])\n\
        for x, y in [(0, 0), (700, 900), (1999, 2777)]:\n\
        \x20   p = numpy.asarray(s.read_region((x, y), 0, (200, 150)))\n\
        \x20   sys.stdout.buffer.write(p.tobytes())\n";
    let output = Command::new(python).args(["-c", script]).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let regions = output.stdout.chunks_exact(4 * 200 * 150);
    assert_eq!(regions.len(), 3);
    for ((x, y), expected) in [(0, 0), (700, 900), (1999, 2777)].into_iter().zip(regions) {
        let mut found = vec![0; 3 * 200 * 150];
        slide.read_region(0, Region::new(x, y, 200, 150), &mut found).unwrap();
        let mut differing = 0;
        for (pixel, other) in found.chunks_exact(3).zip(expected.chunks_exact(4)) {
            let other = if other[3] == 0 { [255; 3] } else { [other[0], other[1], other[2]] };
            differing += usize::from(pixel.iter().zip(other).any(|(a, b)| a.abs_diff(b) > 2));
        }
        assert_eq!(differing, 0, "at ({x}, {y})");
    }
}
