//! Tiles decoded without OpenSlide give OpenSlide's pixels.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::common::needs;
use crate::slide::support::noise;
use crate::slide::{contract, tiff};
use rand::{Rng, SeedableRng};
use slidegrid::internal::slide::open_by_openslide;
use slidegrid::internal::synth;
use slidegrid::slide::{self, Region, Slide};

const FASTER: &str = ", tiles by libturbojpeg";

/// A synthetic slide, 4:2:0, with levels of whole and fractional downsample.
fn synthetic(folder: &Path) -> PathBuf {
    let cohort = synth::Cohort {
        slides: 1,
        seed: 5,
        width_px: 2600,
        height_px: 2202,
        um_per_px: 0.5,
        tumor_fraction: 1.0,
        threads: 2,
        force: false,
    };
    let made = synth::make(&cohort, folder, |_| ()).unwrap();
    made[0].slide.clone()
}

/// Two levels of 4:4:4 tiles of 64 px, `damaged` ones of level 0 zeroed.
fn handmade(folder: &Path, name: &str, damaged: Vec<usize>) -> PathBuf {
    let mut fine = tiff::Level::new(noise(230, 300, 3), 64);
    let mut coarse = tiff::Level::new(noise(115, 150, 3), 64);
    (fine.jpeg, coarse.jpeg, fine.damaged) = (true, true, damaged);
    let path = folder.join(name);
    fs::write(&path, tiff::tiff(&[fine, coarse], None)).unwrap();
    path
}

fn region(slide: &dyn Slide, level: usize, at: [i64; 2], size: [u32; 2]) -> Option<Vec<u8>> {
    let mut out = vec![77; 3 * size[0] as usize * size[1] as usize];
    slide
        .read_region(level, Region::new(at[0], at[1], size[0], size[1]), &mut out)
        .ok()
        .map(|()| out)
}

/// Compares random regions on every level, some of which reach beyond the slide. A region that
/// one reader refuses, the other must refuse too. Returns the number of regions compared.
fn assert_same(faster: &dyn Slide, openslide: &dyn Slide, seed: u64) -> usize {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let mut compared = 0;
    for (index, level) in faster.levels().iter().enumerate() {
        for _ in 0..25 {
            let x = random.random_range(-200..i64::from(level.width_px) + 100);
            let y = random.random_range(-200..i64::from(level.height_px) + 100);
            let size = [random.random_range(0..700), random.random_range(0..700)];
            let [found, expected] =
                [faster, openslide].map(|slide| region(slide, index, [x, y], size));
            assert!(found == expected, "level {index}: {size:?} px at ({x}, {y}) differ");
            compared += usize::from(found.is_some());
        }
    }
    compared
}

#[test]
fn pixels_are_those_of_openslide() {
    needs::openslide();
    needs::turbojpeg();
    let folder = tempfile::tempdir().unwrap();
    for path in [synthetic(folder.path()), handmade(folder.path(), "a.tif", Vec::new())] {
        let [faster, openslide] = [slide::open, open_by_openslide].map(|f| f(&path).unwrap());
        assert_eq!(faster.reader(), format!("{}{FASTER}", openslide.reader()));
        assert_eq!(faster.levels(), openslide.levels());
        assert_eq!(faster.resolution(), openslide.resolution());
        assert!(assert_same(&*faster, &*openslide, 1) > 0);
        contract::check(&*faster);
    }
}

#[test]
fn threads_share_tiles() {
    needs::openslide();
    needs::turbojpeg();
    let folder = tempfile::tempdir().unwrap();
    let path = synthetic(folder.path());
    let [faster, openslide] = [slide::open, open_by_openslide].map(|f| f(&path).unwrap());
    std::thread::scope(|scope| {
        for seed in 2..6 {
            let (faster, openslide) = (&*faster, &*openslide);
            scope.spawn(move || assert!(assert_same(faster, openslide, seed) > 0));
        }
    });
}

#[test]
fn a_corrupt_tile_costs_only_itself() {
    needs::openslide();
    needs::turbojpeg();
    let folder = tempfile::tempdir().unwrap();
    // Row 1, column 2 of 4 rows and 5 columns.
    let path = handmade(folder.path(), "damaged.tif", vec![7]);
    let [faster, openslide] = [slide::open, open_by_openslide].map(|f| f(&path).unwrap());
    assert!(faster.reader().ends_with(FASTER), "{}", faster.reader());
    for (column, row) in (0..5).flat_map(|column| (0..4).map(move |row| (column, row))) {
        let found = region(&*faster, 0, [column * 64, row * 64], [64, 64]);
        assert_eq!(found.is_none(), (column, row) == (2, 1), "({column}, {row})");
    }
    assert!(assert_same(&*faster, &*openslide, 7) > 0);
    let words = |slide: &dyn Slide| {
        slide.read_region(0, Region::new(130, 70, 10, 20), &mut [0; 600]).unwrap_err().to_string()
    };
    assert_eq!(words(&*faster), words(&*openslide));
}

/// Where the tiles of a classic little-endian TIFF begin: the value of the
/// first directory's TileOffsets.
fn tile_offsets(bytes: &[u8], count: usize) -> Vec<usize> {
    let at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let directory = at(4);
    let entry = (0..).map(|n| directory + 2 + 12 * n).find(|e| bytes[*e..*e + 2] == [68, 1]);
    let values = at(entry.unwrap() + 8);
    (0..count).map(|n| at(values + 4 * n)).collect()
}

#[test]
fn a_tile_that_goes_bad_after_opening_is_left_to_openslide() {
    needs::openslide();
    needs::turbojpeg();
    let folder = tempfile::tempdir().unwrap();
    let path = handmade(folder.path(), "a.tif", Vec::new());
    let bytes = fs::read(&path).unwrap();
    let offset = tile_offsets(&bytes, 20)[6];
    assert_eq!(bytes[offset..offset + 2], [0xFF, 0xD8], "tile 6 is not where it should be");
    // The stream ends in its middle: decoders only warn of that.
    let faster = slide::open(&path).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[0xFF, 0xD9].repeat(300), offset as u64 + 1000).unwrap();
    let openslide = open_by_openslide(&path).unwrap();
    let [found, expected] = [&faster, &openslide].map(|s| region(&**s, 0, [64, 64], [64, 64]));
    assert!(found == expected);
    assert!(region(&*faster, 0, [128, 64], [64, 64]).is_some());
}

#[test]
fn levels_that_are_not_jpeg_stay_with_openslide() {
    needs::openslide();
    needs::turbojpeg();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("raw.tif");
    fs::write(&path, tiff::tiff(&[tiff::Level::new(noise(200, 200, 3), 64)], None)).unwrap();
    assert!(!slide::open(&path).unwrap().reader().contains("turbojpeg"));
}

/// Their tiles are JPEG streams in RGB, parts of one long stream, and larger than their
/// level.
#[test]
fn real_slides_in_other_tiles_are_left_to_openslide() {
    needs::openslide();
    needs::turbojpeg();
    for name in ["CMU-1-Small-Region.svs", "test3-DAPI-2-387.ndpi", "slaid-patch.tif"] {
        let path = needs::shared_data(&format!("slides/{name}"));
        let [found, openslide] =
            [slide::open, open_by_openslide].map(|f| f(&path).unwrap().reader());
        assert_eq!(found, openslide, "{name}");
    }
}
