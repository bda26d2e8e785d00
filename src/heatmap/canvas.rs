//! An RGB picture in memory, and drawing on it: boxes, hatching and text.

use font8x8::{BASIC_FONTS, LATIN_FONTS, UnicodeFonts};

/// Side of one glyph, in picture pixels: the 8 x 8 font at twice its size.
pub(crate) const GLYPH_PX: usize = 16;
/// Distance between lines of text.
pub(crate) const LINE_PX: usize = 22;
const FONT_SCALE: usize = GLYPH_PX / 8;

pub(crate) const WHITE: [u8; 3] = [255; 3];
pub(crate) const INK: [u8; 3] = [32, 32, 36];

/// An RGB picture in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RgbPicture {
    /// Number of columns.
    pub width_px: usize,
    /// Number of rows.
    pub height_px: usize,
    /// `[row, col, rgb]`, `3 * width_px * height_px` bytes.
    pub pixels: Vec<u8>,
}

impl RgbPicture {
    /// A picture of one colour.
    pub(crate) fn filled(width_px: usize, height_px: usize, colour: [u8; 3]) -> Self {
        Self { width_px, height_px, pixels: colour.repeat(width_px * height_px) }
    }

    /// Colour of a pixel; `None` outside the picture.
    pub fn get(&self, x: usize, y: usize) -> Option<[u8; 3]> {
        if x >= self.width_px || y >= self.height_px {
            return None;
        }
        let at = 3 * (y * self.width_px + x);
        Some([self.pixels[at], self.pixels[at + 1], self.pixels[at + 2]])
    }

    /// Sets the colour of a pixel; does nothing outside the picture.
    pub(crate) fn put(&mut self, x: usize, y: usize, colour: [u8; 3]) {
        if x < self.width_px && y < self.height_px {
            let at = 3 * (y * self.width_px + x);
            self.pixels[at..at + 3].copy_from_slice(&colour);
        }
    }

    pub(crate) fn fill(
        &mut self,
        x: usize,
        y: usize,
        width: usize,
        height: usize,
        colour: [u8; 3],
    ) {
        for row in y..(y + height).min(self.height_px) {
            for col in x..(x + width).min(self.width_px) {
                self.put(col, row, colour);
            }
        }
    }

    /// Draws a frame of one pixel around the outside of a box.
    pub(crate) fn frame(
        &mut self,
        x: usize,
        y: usize,
        width: usize,
        height: usize,
        colour: [u8; 3],
    ) {
        let (left, top) = (x.saturating_sub(1), y.saturating_sub(1));
        self.fill(left, top, width + 2, 1, colour);
        self.fill(left, y + height, width + 2, 1, colour);
        self.fill(left, top, 1, height + 2, colour);
        self.fill(x + width, top, 1, height + 2, colour);
    }

    /// Draws a line of text with its top left corner at `(x, y)`. Characters without a glyph
    /// become `?`.
    pub(crate) fn text(&mut self, x: usize, y: usize, text: &str, colour: [u8; 3]) {
        for (i, character) in text.chars().enumerate() {
            let glyph = BASIC_FONTS
                .get(character)
                .or_else(|| LATIN_FONTS.get(character))
                .or_else(|| BASIC_FONTS.get('?'))
                .unwrap_or_default();
            for (dy, bits) in glyph.iter().enumerate() {
                for dx in (0..8).filter(|dx| bits >> dx & 1 == 1) {
                    let left = x + i * GLYPH_PX + dx * FONT_SCALE;
                    self.fill(left, y + dy * FONT_SCALE, FONT_SCALE, FONT_SCALE, colour);
                }
            }
        }
    }
}

/// Colour of hatching at `(x, y)`: black and white stripes over the colour `under`, so that
/// hatching differs from every colour of the map and of the stain.
pub(crate) fn hatched(x: usize, y: usize, under: [u8; 3]) -> [u8; 3] {
    match (x + y) % 12 {
        0..=2 => [0; 3],
        3..=5 => WHITE,
        _ => under,
    }
}

/// The mean of two colours: `a` with weight 1 - `t`, `b` with weight `t`.
pub(crate) fn mix(a: [u8; 3], b: [u8; 3], t: f32) -> [u8; 3] {
    [0, 1, 2].map(|i| {
        let value = f32::from(a[i]) * (1.0 - t) + f32::from(b[i]) * t;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=255")]
        let byte = (value + 0.5).clamp(0.0, 255.0) as u8;
        byte
    })
}

/// Breaks lines so that none is wider than `width_px`, at spaces where possible.
pub(crate) fn wrapped(lines: &[String], width_px: usize) -> Vec<String> {
    let most = (width_px / GLYPH_PX).max(4);
    let mut result = Vec::new();
    for line in lines {
        let mut rest: Vec<char> = line.chars().collect();
        while rest.len() > most {
            let space = rest[..=most].iter().rposition(|&c| c == ' ').filter(|&at| at > 0);
            let tail = rest.split_off(space.unwrap_or(most));
            result.push(rest.into_iter().collect());
            rest = tail.into_iter().skip(usize::from(space.is_some())).collect();
        }
        result.push(rest.into_iter().collect());
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_break_at_spaces_or_within_long_words() {
        let lines = ["tumor_026 stride 16".to_owned(), "averylongslidename".to_owned()];
        let broken = wrapped(&lines, 10 * GLYPH_PX);
        assert_eq!(broken, ["tumor_026", "stride 16", "averylongs", "lidename"]);
        assert_eq!(wrapped(&[String::new()], 100), [""]);
    }

    #[test]
    fn text_is_drawn_inside_the_picture_only() {
        let mut picture = RgbPicture::filled(40, 20, WHITE);
        picture.text(2, 2, "I\u{b5}\u{4e2d}", INK);
        let ink = picture.pixels.chunks(3).filter(|p| **p == INK).count();
        assert!(ink > 40 && ink < 400, "{ink}");
        assert_eq!(picture.pixels.len(), 40 * 20 * 3);
    }
}
