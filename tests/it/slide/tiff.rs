//! Hand-made tiled TIFF files: RGB or RGBA, uncompressed or JPEG, several
//! levels, with tiles that can be damaged.

use ndarray::{Array3, s};

/// One level: u8 [row, col, 3 or 4], cut into square tiles.
pub(crate) struct Level {
    pub(crate) picture: Array3<u8>,
    pub(crate) tile_px: usize,
    pub(crate) jpeg: bool,
    /// Indices (row-major) of tiles whose bytes are zeroed.
    pub(crate) damaged: Vec<usize>,
}

impl Level {
    pub(crate) fn new(picture: Array3<u8>, tile_px: usize) -> Self {
        Self { picture, tile_px, jpeg: false, damaged: Vec::new() }
    }

    fn tiles(&self) -> Vec<Vec<u8>> {
        let (rows, cols, channels) = self.picture.dim();
        let side = self.tile_px;
        let mut tiles = Vec::new();
        for y in (0..rows).step_by(side) {
            for x in (0..cols).step_by(side) {
                let mut tile = Array3::zeros((side, side, channels));
                let (h, w) = (side.min(rows - y), side.min(cols - x));
                let part = self.picture.slice(s![y..y + h, x..x + w, ..]);
                tile.slice_mut(s![..h, ..w, ..]).assign(&part);
                let raw: Vec<u8> = tile.into_iter().collect();
                tiles.push(if self.jpeg { jpeg(&raw, side) } else { raw });
            }
        }
        for &index in &self.damaged {
            tiles[index].fill(0);
        }
        tiles
    }
}

fn jpeg(rgb: &[u8], side: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::R_4_4_4);
    let side = u16::try_from(side).unwrap();
    encoder.encode(rgb, side, side, jpeg_encoder::ColorType::Rgb).unwrap();
    bytes
}

/// A little-endian classic TIFF of the levels; resolution in px per cm.
pub(crate) fn tiff(levels: &[Level], px_per_cm: Option<u32>) -> Vec<u8> {
    let mut file = b"II\x2a\0\0\0\0\0".to_vec();
    let mut link_at = 4;
    for (index, level) in levels.iter().enumerate() {
        let mut offsets = Vec::new();
        let mut counts = Vec::new();
        for tile in level.tiles() {
            offsets.push(u32::try_from(file.len()).unwrap());
            counts.push(u32::try_from(tile.len()).unwrap());
            file.extend(tile);
        }
        let fields = fields(level, index, &offsets, &counts, px_per_cm);
        link_at = append_directory(&mut file, link_at, &fields);
    }
    file
}

type Field = (u16, u16, Vec<u32>);

fn fields(
    level: &Level,
    index: usize,
    offsets: &[u32],
    counts: &[u32],
    px_per_cm: Option<u32>,
) -> Vec<Field> {
    const SHORT: u16 = 3;
    const LONG: u16 = 4;
    const RATIONAL: u16 = 5;
    let (rows, cols, channels) = level.picture.dim();
    let number = |value: usize| vec![u32::try_from(value).unwrap()];
    let mut fields = vec![
        (254, LONG, vec![u32::from(index > 0)]),
        (256, LONG, number(cols)),
        (257, LONG, number(rows)),
        (258, SHORT, vec![8; channels]),
        (259, SHORT, vec![if level.jpeg { 7 } else { 1 }]),
        (262, SHORT, vec![if level.jpeg { 6 } else { 2 }]),
        (277, SHORT, number(channels)),
    ];
    if let Some(density) = px_per_cm {
        fields.push((282, RATIONAL, vec![density, 1]));
        fields.push((283, RATIONAL, vec![density, 1]));
    }
    fields.push((284, SHORT, vec![1]));
    if px_per_cm.is_some() {
        fields.push((296, SHORT, vec![3]));
    }
    fields.push((322, LONG, number(level.tile_px)));
    fields.push((323, LONG, number(level.tile_px)));
    fields.push((324, LONG, offsets.to_vec()));
    fields.push((325, LONG, counts.to_vec()));
    if channels == 4 {
        fields.push((338, SHORT, vec![2]));
    }
    if level.jpeg {
        fields.push((530, SHORT, vec![1, 1]));
    }
    fields
}

/// Appends a directory, links it at `link_at`, gives where the next link goes.
fn append_directory(file: &mut Vec<u8>, link_at: usize, fields: &[Field]) -> usize {
    let mut entries = Vec::new();
    for (tag, kind, values) in fields {
        let bytes: Vec<u8> = if *kind == 3 {
            values.iter().flat_map(|v| u16::try_from(*v).unwrap().to_le_bytes()).collect()
        } else {
            values.iter().flat_map(|v| v.to_le_bytes()).collect()
        };
        let count = values.len() / if *kind == 5 { 2 } else { 1 };
        entries.extend(tag.to_le_bytes());
        entries.extend(kind.to_le_bytes());
        entries.extend(u32::try_from(count).unwrap().to_le_bytes());
        if bytes.len() <= 4 {
            entries.extend(bytes.iter().chain(&[0; 4]).take(4));
        } else {
            file.resize(file.len().next_multiple_of(2), 0);
            entries.extend(u32::try_from(file.len()).unwrap().to_le_bytes());
            file.extend(bytes);
        }
    }
    file.resize(file.len().next_multiple_of(2), 0);
    let at = u32::try_from(file.len()).unwrap();
    file[link_at..link_at + 4].copy_from_slice(&at.to_le_bytes());
    file.extend(u16::try_from(fields.len()).unwrap().to_le_bytes());
    file.extend(entries);
    file.extend([0; 4]);
    file.len() - 4
}
