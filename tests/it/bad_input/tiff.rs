//! A tiled TIFF with its directories first, then a small level, then the full
//! one: cut short, it loses pixels before it loses its structure (TIFF 6.0,
//! uncompressed RGB).

/// Side of a tile.
pub(crate) const TILE: u32 = 64;
/// Bytes of a tile.
pub(crate) const TILE_BYTES: usize = (TILE * TILE * 3) as usize;

const SHORT: u16 = 3;
const LONG: u16 = 4;
const ENTRIES: u32 = 12;
/// A directory, the depth of its channels, one word to spare.
const DIRECTORY: u32 = 2 + ENTRIES * 12 + 4 + 8;

/// `cols` x `rows` tiles of noise, both even.
pub(crate) fn tiled(cols: u32, rows: u32) -> Vec<u8> {
    let levels = [(cols, rows, 0), (cols / 2, rows / 2, 1)];
    let tile_bytes = u32::try_from(TILE_BYTES).unwrap();
    let tiles = |level: usize| levels[level].0 * levels[level].1;
    let head = 8 + 2 * DIRECTORY;
    let tables = [head, head + 8 * tiles(0)];
    let small = tables[1] + 8 * tiles(1);
    let data = [small + tiles(1) * tile_bytes, small];

    let mut file = Vec::new();
    file.extend(b"II");
    short(&mut file, 42);
    long(&mut file, 8);
    for (level, (cols, rows, reduced)) in levels.into_iter().enumerate() {
        let start = u32::try_from(file.len()).unwrap();
        let count = tiles(level);
        short(&mut file, u16::try_from(ENTRIES).unwrap());
        for (tag, kind, count, value) in [
            (254, LONG, 1, reduced),
            (256, LONG, 1, cols * TILE),
            (257, LONG, 1, rows * TILE),
            (258, SHORT, 3, start + DIRECTORY - 8),
            (259, SHORT, 1, 1),
            (262, SHORT, 1, 2),
            (277, SHORT, 1, 3),
            (284, SHORT, 1, 1),
            (322, LONG, 1, TILE),
            (323, LONG, 1, TILE),
            (324, LONG, count, tables[level]),
            (325, LONG, count, tables[level] + 4 * count),
        ] {
            short(&mut file, tag);
            short(&mut file, kind);
            long(&mut file, count);
            long(&mut file, value);
        }
        long(&mut file, if level == 0 { start + DIRECTORY } else { 0 });
        for depth in [8, 8, 8, 0] {
            short(&mut file, depth);
        }
    }
    for (level, first) in data.into_iter().enumerate() {
        for tile in 0..tiles(level) {
            long(&mut file, first + tile * tile_bytes);
        }
        for _ in 0..tiles(level) {
            long(&mut file, tile_bytes);
        }
    }
    assert_eq!(file.len(), small as usize);
    let pixels = (tiles(0) + tiles(1)) * tile_bytes;
    file.extend((0..pixels).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0]));
    file
}

fn short(file: &mut Vec<u8>, value: u16) {
    file.extend(value.to_le_bytes());
}

fn long(file: &mut Vec<u8>, value: u32) {
    file.extend(value.to_le_bytes());
}
