//! The entries of a BigTIFF directory: the tags that describe one level.

use super::layout::{DeflateCode, DirectoryLinks, TILE_PX, Tags, TiffLevel, TilePixels};

const ASCII: u16 = 2;
const SHORT: u16 = 3;
const LONG: u16 = 4;
const RATIONAL: u16 = 5;
const DOUBLE: u16 = 12;
const LONG8: u16 = 16;
/// Field type of the offset of a directory.
pub(super) const IFD8: u16 = 18;

/// A tag, its field type and its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DirectoryEntry {
    tag: u16,
    kind: u16,
    count: u64,
    value: Vec<u8>,
}

impl DirectoryEntry {
    pub(super) fn new(tag: u16, kind: u16, count: u64, value: Vec<u8>) -> Self {
        Self { tag, kind, count, value }
    }

    pub(super) fn tag(&self) -> u16 {
        self.tag
    }

    pub(super) fn value(&self) -> &[u8] {
        &self.value
    }

    /// The 20 bytes of the entry in the directory. `inline` is the value, or the offset of
    /// a value of more than 8 bytes.
    pub(super) fn field(&self, inline: [u8; 8]) -> [u8; 20] {
        let mut field = [0u8; 20];
        field[..2].copy_from_slice(&self.tag.to_le_bytes());
        field[2..4].copy_from_slice(&self.kind.to_le_bytes());
        field[4..12].copy_from_slice(&self.count.to_le_bytes());
        field[12..].copy_from_slice(&inline);
        field
    }

    fn short(tag: u16, values: &[u16]) -> Self {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self::new(tag, SHORT, values.len() as u64, bytes)
    }

    fn long(tag: u16, value: u32) -> Self {
        Self::new(tag, LONG, 1, value.to_le_bytes().to_vec())
    }

    fn text(tag: u16, text: &str) -> Self {
        let bytes = [text.as_bytes(), b"\0"].concat();
        Self::new(tag, ASCII, bytes.len() as u64, bytes)
    }

    fn double(tag: u16, value: f64) -> Self {
        Self::new(tag, DOUBLE, 1, value.to_le_bytes().to_vec())
    }
}

/// The entries of level `number`, in ascending order of their tags as TIFF requires.
pub(super) fn entries(levels: &[TiffLevel], number: usize, tags: &Tags<'_>) -> Vec<DirectoryEntry> {
    let level = &levels[number];
    let offsets = level.tiles.iter().flat_map(|t| t.offset.to_le_bytes()).collect::<Vec<u8>>();
    let counts = level.tiles.iter().flat_map(|t| t.bytes.to_le_bytes()).collect::<Vec<u8>>();
    let tiles = level.tiles.len() as u64;
    let samples: u16 = if tags.pixels == TilePixels::JpegRgb { 3 } else { 1 };
    let mut entries = vec![
        DirectoryEntry::long(254, u32::from(number > 0)), // reduced resolution
        DirectoryEntry::long(256, level.width),
        DirectoryEntry::long(257, level.height),
        DirectoryEntry::short(277, &[samples]),
        DirectoryEntry::short(284, &[1]), // interleaved
        DirectoryEntry::text(305, crate::version::WRITER),
        DirectoryEntry::long(322, TILE_PX),
        DirectoryEntry::long(323, TILE_PX),
        DirectoryEntry::new(324, LONG8, tiles, offsets),
        DirectoryEntry::new(325, LONG, tiles, counts),
    ];
    entries.extend(pixel_entries(tags.pixels));
    if !tags.description.is_empty() && (tags.links == DirectoryLinks::Successive || number == 0) {
        entries.push(DirectoryEntry::text(270, tags.description));
    }
    if let Some([x, y]) = tags.um_per_px {
        let scale = |level0_px: u32, level_px: u32| f64::from(level0_px) / f64::from(level_px);
        let x = x * scale(levels[0].width, level.width);
        let y = y * scale(levels[0].height, level.height);
        entries.push(DirectoryEntry::new(282, RATIONAL, 1, per_cm(x)));
        entries.push(DirectoryEntry::new(283, RATIONAL, 1, per_cm(y)));
        entries.push(DirectoryEntry::short(296, &[3])); // centimetre
    }
    if let Some([smallest, largest]) = tags.range {
        entries.push(DirectoryEntry::double(340, smallest)); // SMinSampleValue
        entries.push(DirectoryEntry::double(341, largest)); // SMaxSampleValue
    }
    entries.sort_by_key(DirectoryEntry::tag);
    entries
}

fn pixel_entries(pixels: TilePixels) -> Vec<DirectoryEntry> {
    match pixels {
        TilePixels::JpegRgb => vec![
            DirectoryEntry::short(258, &[8, 8, 8]),
            DirectoryEntry::short(259, &[7]),    // JPEG
            DirectoryEntry::short(262, &[6]),    // YCbCr
            DirectoryEntry::short(530, &[2, 2]), // 4:2:0
        ],
        TilePixels::DeflatedF32(code) => {
            let code = match code {
                DeflateCode::Adobe => 8,
                DeflateCode::Legacy => 32946,
            };
            vec![
                DirectoryEntry::short(258, &[32]),
                DirectoryEntry::short(259, &[code]),
                DirectoryEntry::short(262, &[1]), // black is zero
                DirectoryEntry::short(339, &[3]), // floating point
            ]
        }
    }
}

/// Pixels per centimetre as a TIFF rational, with as many decimal places as fit.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the denominator is chosen so that the numerator is below 2^32"
)]
fn per_cm(um_per_px: f64) -> Vec<u8> {
    let per_cm = 10_000.0 / um_per_px;
    let fits = |denominator: &u32| per_cm * f64::from(*denominator) < f64::from(u32::MAX);
    let denominator = [1_000_000, 10_000, 100, 1].into_iter().find(fits).unwrap_or(1);
    let numerator = (per_cm * f64::from(denominator)).round() as u32;
    [numerator.to_le_bytes(), denominator.to_le_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolutions_keep_their_digits() {
        for um in [0.05, 0.25, 0.243, 3.888, 54.4, 1e4] {
            let bytes = per_cm(um);
            let part = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
            let read = 10_000.0 / (f64::from(part(0)) / f64::from(part(4)));
            assert!((read / um - 1.0).abs() < 1e-6, "{um}: {read}");
        }
    }

    #[test]
    fn tags_are_in_ascending_order_and_levels_have_their_own_resolution() {
        let levels = [TiffLevel::new(1025, 3), TiffLevel::new(513, 2)];
        let tags = Tags {
            pixels: TilePixels::DeflatedF32(DeflateCode::Legacy),
            links: DirectoryLinks::Successive,
            um_per_px: Some([0.5, 2.0]),
            description: "a",
            range: Some([0.0, 1.0]),
        };
        for number in 0..2 {
            let entries = entries(&levels, number, &tags);
            assert!(entries.is_sorted_by_key(DirectoryEntry::tag));
        }
        let value_of = |number: usize, tag| {
            let found = entries(&levels, number, &tags);
            found.into_iter().find(|entry| entry.tag() == tag).unwrap().value
        };
        assert_eq!(value_of(0, 283), per_cm(2.0));
        assert_eq!(value_of(1, 283), per_cm(3.0));
    }
}
