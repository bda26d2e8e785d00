//! Every reader keeps the contract; damage and mistakes are reported.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::needs;
use crate::slide::support::noise;
use crate::slide::{contract, tiff};
use ndarray::Array3;
use slidegrid::slide::memory::MemorySlide;
use slidegrid::slide::{self, MppSource, Region, RegionError, Slide, slide_mpp};

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn assert_shows(slide: &dyn Slide, level: usize, picture: &Array3<u8>) {
    let (rows, cols, _) = picture.dim();
    let shown = contract::read(
        slide,
        level,
        0,
        0,
        u32::try_from(cols).unwrap(),
        u32::try_from(rows).unwrap(),
    );
    assert!(shown.iter().eq(picture.iter()), "level {level} differs");
}

#[test]
fn memory_keeps_the_contract() {
    let picture = noise(301, 403, 3);
    let slide = MemorySlide::new(picture.clone()).with_level(4).with_level(16);
    assert_shows(&slide, 0, &picture);
    contract::check(&slide);
}

#[test]
fn plain_pictures_keep_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let picture = noise(170, 233, 3);
    let bytes: Vec<u8> = picture.iter().copied().collect();
    for name in ["a.png", "b.tif"] {
        let path = folder.path().join(name);
        image::save_buffer(&path, &bytes, 233, 170, image::ColorType::Rgb8).unwrap();
        let slide = slide::open(&path).unwrap();
        assert_shows(&*slide, 0, &picture);
        contract::check(&*slide);
    }
    let path = folder.path().join("c.jpg");
    image::save_buffer(&path, &bytes, 233, 170, image::ColorType::Rgb8).unwrap();
    let slide = slide::open(&path).unwrap();
    assert_eq!(slide.reader(), "image (jpeg)");
    contract::check(&*slide);
}

#[test]
fn transparency_is_white_in_every_reader() {
    let folder = tempfile::tempdir().unwrap();
    let mut picture = noise(64, 64, 4);
    picture[[3, 5, 3]] = 0;
    picture[[4, 6, 3]] = 255;
    let bytes: Vec<u8> = picture.iter().copied().collect();
    let png = folder.path().join("a.png");
    image::save_buffer(&png, &bytes, 64, 64, image::ColorType::Rgba8).unwrap();
    let mut slides: Vec<Box<dyn Slide>> =
        vec![slide::open(&png).unwrap(), Box::new(MemorySlide::new(picture.clone()))];
    let level = tiff::Level::new(picture.clone(), 32);
    let tif = write(folder.path(), "a.tif", &tiff::tiff(&[level], None));
    slides.extend(
        slidegrid::internal::slide::openslide_version().map(|_| slide::open(&tif).unwrap()),
    );
    for slide in slides {
        let at = |x, y| contract::read(&*slide, 0, x, y, 1, 1);
        assert_eq!(at(5, 3), [255; 3], "{}", slide.reader());
        let opaque = [0, 1, 2].map(|channel| picture[[4, 6, channel]]);
        assert_eq!(at(6, 4), opaque, "{}", slide.reader());
        for (x, y) in [(0u8, 0u8), (17, 40), (63, 63)] {
            let pixel =
                [0, 1, 2, 3].map(|c| i32::from(picture[[usize::from(y), usize::from(x), c]]));
            for channel in 0..3 {
                let expected = (pixel[channel] * pixel[3] + 255 * (255 - pixel[3])) / 255;
                let found = i32::from(at(x.into(), y.into())[channel]);
                assert!((found - expected).abs() <= 1, "{}: {found} {expected}", slide.reader());
            }
        }
    }
    // Its own reader was the last.
    needs::openslide();
}

/// A pyramid with ragged levels of ratio 4.003 and 16.08, as scanners make.
fn ragged_pyramid(folder: &Path) -> (PathBuf, Vec<Array3<u8>>) {
    let pictures = vec![noise(1205, 1603, 3), noise(301, 400, 3), noise(75, 100, 3)];
    let levels: Vec<_> =
        pictures.iter().map(|picture| tiff::Level::new(picture.clone(), 128)).collect();
    (write(folder, "pyramid.tif", &tiff::tiff(&levels, Some(20_000))), pictures)
}

#[test]
fn openslide_keeps_the_contract_also_on_ragged_levels() {
    needs::openslide();
    let folder = tempfile::tempdir().unwrap();
    let (path, pictures) = ragged_pyramid(folder.path());
    let slide = slide::open(&path).unwrap();
    assert!(slide.reader().starts_with("OpenSlide"), "{}", slide.reader());
    assert_eq!(slide.levels().iter().map(|l| l.downsample).collect::<Vec<_>>(), [1.0, 4.0, 16.0]);
    assert_shows(&*slide, 0, &pictures[0]);
    contract::check(&*slide);
    let mpp = slide_mpp(&path, slide.resolution(), None).unwrap();
    assert_eq!((mpp.x, mpp.source), (0.5, MppSource::TiffResolution));
}

#[test]
fn whole_number_levels_are_exact() {
    needs::openslide();
    let folder = tempfile::tempdir().unwrap();
    let pictures = [noise(800, 1200, 3), noise(200, 300, 3)];
    let levels = pictures.clone().map(|picture| tiff::Level::new(picture, 128));
    let path = write(folder.path(), "exact.tif", &tiff::tiff(&levels, None));
    let slide = slide::open(&path).unwrap();
    assert_shows(&*slide, 0, &pictures[0]);
    assert_shows(&*slide, 1, &pictures[1]);
}

#[test]
fn regions_wider_than_a_piece_are_whole() {
    needs::openslide();
    let folder = tempfile::tempdir().unwrap();
    let picture = noise(600, 9000, 3);
    let level = tiff::Level::new(picture.clone(), 512);
    let path = write(folder.path(), "wide.tif", &tiff::tiff(&[level], None));
    assert_shows(&*slide::open(&path).unwrap(), 0, &picture);
}

/// 4 x 4 JPEG tiles of 64 px, tile 6 (row 1, column 2) destroyed.
fn damaged(folder: &Path) -> PathBuf {
    let mut level = tiff::Level::new(noise(256, 256, 3), 64);
    level.jpeg = true;
    level.damaged = vec![6];
    write(folder, "damaged.tif", &tiff::tiff(&[level], None))
}

fn touches_damage(x: i64, y: i64, side: i64) -> bool {
    x < 192 && x + side > 128 && y < 128 && y + side > 64
}

#[test]
fn a_damaged_tile_costs_only_the_regions_that_touch_it() {
    needs::openslide();
    let folder = tempfile::tempdir().unwrap();
    let slide = slide::open(&damaged(folder.path())).unwrap();
    let scan = || {
        let mut failures = 0;
        for y in (0..256).step_by(48) {
            for x in (0..256).step_by(48) {
                let mut out = vec![0; 3 * 40 * 40];
                let result = slide.read_region(0, Region::new(x, y, 40, 40), &mut out);
                assert_eq!(result.is_err(), touches_damage(x, y, 40), "({x}, {y})");
                failures += usize::from(result.is_err());
            }
        }
        failures
    };
    let failures = scan();
    assert!(failures > 0);
    std::thread::scope(|scope| {
        let scans: Vec<_> = (0..4).map(|_| scope.spawn(scan)).collect();
        for other in scans {
            assert_eq!(other.join().unwrap(), failures);
        }
    });
    let error = slide.read_region(0, Region::new(140, 70, 10, 20), &mut [0; 600]).unwrap_err();
    let words = error.to_string();
    for part in ["damaged.tif", "level 0", "10 x 20 px", "(140, 70)"] {
        assert!(words.contains(part), "{part} missing in: {words}");
    }
    assert!(matches!(error, RegionError::Unreadable { reason, .. } if !reason.is_empty()));
}

fn refusal(path: &Path) -> String {
    match slide::open(path) {
        Ok(slide) => panic!("{} was opened by {}", path.display(), slide.reader()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn files_that_are_no_slides_are_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let missing = refusal(&folder.path().join("none.svs"));
    assert!(missing.contains("none.svs") && missing.contains("no such slide"), "{missing}");
    assert!(refusal(folder.path()).contains("folder"));
    let png = write(folder.path(), "cut.png", b"\x89PNG\r\n\x1a\n\0\0");
    assert!(refusal(&png).contains("cut.png"));
    needs::openslide();
    let text = refusal(&write(folder.path(), "text.svs", b"not a slide\n"));
    assert!(text.contains("text.svs") && text.contains("a text file"), "{text}");
    let empty = refusal(&write(folder.path(), "empty.svs", b""));
    assert!(empty.contains("an empty file"), "{empty}");
    let (path, _) = ragged_pyramid(folder.path());
    let bytes = fs::read(path).unwrap();
    let cut = refusal(&write(folder.path(), "cut.tif", &bytes[..bytes.len() / 2]));
    assert!(cut.contains("cut.tif") && cut.contains("truncated"), "{cut}");
}

#[test]
fn resolution_tags_of_plain_pictures_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let level = tiff::Level::new(noise(64, 64, 3), 32);
    let path = write(folder.path(), "a.tif", &tiff::tiff(&[level], Some(40_000)));
    let slide = slide::open(&path).unwrap();
    assert_eq!(slide_mpp(&path, slide.resolution(), None).unwrap().axes(), [0.25, 0.25]);
    let untagged =
        write(folder.path(), "b.tif", &tiff::tiff(&[tiff::Level::new(noise(64, 64, 3), 32)], None));
    let slide = slide::open(&untagged).unwrap();
    assert!(slide_mpp(&untagged, slide.resolution(), None).is_err());
}

#[test]
fn real_slides_keep_the_contract() {
    needs::openslide();
    for (name, levels, source) in [
        ("slides/CMU-1-Small-Region.svs", 1, Some(MppSource::Mpp)),
        ("slides/test3-DAPI-2-387.ndpi", 7, Some(MppSource::Mpp)),
        ("slides/slaid-patch.tif", 3, None),
    ] {
        let path = needs::shared_data(name);
        let slide = slide::open(&path).unwrap();
        assert_eq!(slide.levels().len(), levels, "{name}");
        let mpp = slide_mpp(&path, slide.resolution(), None);
        assert_eq!(mpp.ok().map(|mpp| mpp.source), source, "{name}");
        contract::check(&*slide);
    }
    let broken = needs::shared_data("slides/broken/histolab-broken.svs");
    assert!(refusal(&broken).contains("a text file"));
}
