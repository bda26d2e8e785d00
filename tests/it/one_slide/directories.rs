//! TIFF directories that cannot be true.

use crate::bad_input::tiff::{TILE, TILE_BYTES, tiled};
use crate::common::{Case, needs};

/// The offset of the value of `tag` in the first directory of the files that [`tiled`] makes.
fn value_at(tag: u16) -> usize {
    let tags = [254, 256, 257, 258, 259, 262, 277, 284, 322, 323, 324, 325];
    8 + 2 + 12 * tags.iter().position(|known| *known == tag).unwrap() + 8
}

fn put(file: &mut [u8], at: usize, value: u32) {
    file[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn number(file: &[u8], at: usize) -> usize {
    u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize
}

#[test]
fn a_directory_that_cannot_be_true_fails_its_slide_with_what_was_found_and_expected() {
    needs::openslide();
    let whole = tiled(6, 4);
    let counts = number(&whole, value_at(325));
    let cases: [(usize, u32, &str); 5] = [
        (counts + 4 * 3, 3 << 30, "states 3221225472 bytes for tile 4"),
        (counts, u32::MAX, "states 4294967295 bytes for tile 1"),
        (value_at(256), 0x00FF_0000 + 6 * TILE, "24 positions of tiles, expected"),
        (value_at(257), 1 << 24, "24 positions of tiles, expected"),
        (value_at(322), 1 << 30, "states tiles of 1073741824 x 64 px"),
    ];
    for (at, value, words) in cases {
        let case = Case::usual();
        let mut bytes = whole.clone();
        put(&mut bytes, at, value);
        case.write("0.tif", bytes);
        let split = case.slidegrid("split -q --run run --config c.toml 0.tif b.png");
        let outcome = split.set(&["model.mpp=level0"]).exits(5);
        outcome.says(&["0.tif", words, "expected"]).omits("it starts again");
        assert!(case.path("run/patches/b.h5").exists());
    }
    let case = Case::usual();
    case.write("0.tif", whole);
    case.slidegrid("split -q --run run --config c.toml 0.tif").set(&["model.mpp=level0"]).done();
}

#[test]
fn a_slide_of_which_no_pixel_of_a_level_can_be_read_is_given_up() {
    needs::openslide();
    let case = Case::usual();
    let (cols, rows) = (24, 24);
    let mut bytes = tiled(cols, rows);
    // Level 0 comes last in the file. Its tiles are lost, those of the small level are not.
    bytes.truncate(bytes.len() - (cols * rows) as usize * TILE_BYTES);
    case.write("0.tif", bytes);
    let split = case.slidegrid("split -q --run run --config c.toml 0.tif b.png");
    let outcome = split.set(&["model.mpp=level0"]).exits(5);
    outcome.says(&["0.tif", "reads of level 0 have failed", "none has succeeded"]);
    assert!(!case.path("run/patches/0.h5").exists());
    assert!(case.path("run/patches/b.h5").exists());
}
