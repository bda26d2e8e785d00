//! A picture of sample tiles before and after colour normalisation, with the stains' colours.

use super::canvas::{INK, LINE_PX, RgbPicture, WHITE, wrapped};

const MARGIN_PX: usize = 12;
const GAP_PX: usize = 6;
const SWATCH_PX: usize = 28;
/// Number of pairs of tiles in a row.
const PAIRS: usize = 3;

/// A square tile before and after normalisation, each `[row, col, rgb]`.
#[derive(Debug, Clone)]
pub(crate) struct TilePair {
    /// The pixels as stored.
    pub before: Vec<u8>,
    /// The pixels with the template's colours, or the reason why there are none.
    pub after: Result<Vec<u8>, String>,
}

/// A line of the legend: the colours of stains, and a text.
#[derive(Debug, Clone)]
pub(crate) struct Swatches {
    /// Text of the line.
    pub label: String,
    /// The stains' colours, drawn left of the text.
    pub colours: Vec<[u8; 3]>,
}

/// Draws pairs of tiles with a side of `tile_px`, three pairs in a row, under a title and
/// swatches.
pub(crate) fn render_preview(
    title: &[String],
    swatches: &[Swatches],
    tiles: &[TilePair],
    tile_px: usize,
) -> RgbPicture {
    let pair_px = 2 * tile_px + GAP_PX;
    let columns = PAIRS.min(tiles.len().max(1));
    let width_px = (columns * pair_px + (columns - 1) * 3 * GAP_PX + 2 * MARGIN_PX).max(640);
    let title = wrapped(title, width_px - 2 * MARGIN_PX);
    let tiles_y =
        MARGIN_PX + title.len() * LINE_PX + swatches.len() * (SWATCH_PX + GAP_PX) + GAP_PX;
    let rows = tiles.len().div_ceil(columns);
    let height_px = tiles_y + rows * (tile_px + 2 * GAP_PX) + MARGIN_PX;
    let mut picture = RgbPicture::filled(width_px, height_px, WHITE);
    let mut y = MARGIN_PX;
    for line in &title {
        picture.text(MARGIN_PX, y, line, INK);
        y += LINE_PX;
    }
    for line in swatches {
        picture.swatches(line, y);
        y += SWATCH_PX + GAP_PX;
    }
    for (at, pair) in tiles.iter().enumerate() {
        let x = MARGIN_PX + at % columns * (pair_px + 3 * GAP_PX);
        let y = tiles_y + at / columns * (tile_px + 2 * GAP_PX);
        picture.paste(x, y, tile_px, &pair.before);
        let right = x + tile_px + GAP_PX;
        match &pair.after {
            Ok(after) => picture.paste(right, y, tile_px, after),
            Err(reason) => {
                picture.frame(right + 1, y + 1, tile_px - 2, tile_px - 2, INK);
                let lines = wrapped(std::slice::from_ref(reason), tile_px - 2 * GAP_PX);
                for (line, text) in lines.iter().enumerate() {
                    picture.text(right + GAP_PX, y + GAP_PX + line * LINE_PX, text, INK);
                }
            }
        }
    }
    picture
}

impl RgbPicture {
    fn swatches(&mut self, line: &Swatches, y: usize) {
        for (at, colour) in line.colours.iter().enumerate() {
            let x = MARGIN_PX + at * (SWATCH_PX + GAP_PX);
            self.fill(x, y, SWATCH_PX, SWATCH_PX, *colour);
            self.frame(x + 1, y + 1, SWATCH_PX - 2, SWATCH_PX - 2, INK);
        }
        let x = MARGIN_PX + line.colours.len() * (SWATCH_PX + GAP_PX) + GAP_PX;
        self.text(x, y + GAP_PX, &line.label, INK);
    }

    fn paste(&mut self, x: usize, y: usize, side_px: usize, rgb: &[u8]) {
        for (at, pixel) in rgb.as_chunks::<3>().0.iter().enumerate() {
            self.put(x + at % side_px, y + at / side_px, *pixel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_and_swatches_are_drawn_at_their_places() {
        let tiles = [
            TilePair { before: vec![10; 3 * 64 * 64], after: Ok(vec![20; 3 * 64 * 64]) },
            TilePair { before: vec![30; 3 * 64 * 64], after: Err("too little tissue".into()) },
        ];
        let line = Swatches { label: "slide".into(), colours: vec![[9, 1, 2], [3, 4, 5]] };
        let picture = render_preview(&["title".into()], &[line], &tiles, 64);
        let top = MARGIN_PX + LINE_PX + SWATCH_PX + 2 * GAP_PX;
        assert_eq!(picture.get(MARGIN_PX, top), Some([10; 3]));
        assert_eq!(picture.get(MARGIN_PX + 64 + GAP_PX + 63, top + 63), Some([20; 3]));
        assert_eq!(picture.get(MARGIN_PX + 128 + 4 * GAP_PX, top), Some([30; 3]));
        assert_eq!(picture.get(MARGIN_PX + 5, MARGIN_PX + LINE_PX + 5), Some([9, 1, 2]));
        let empty = render_preview(&[], &[], &[], 64);
        assert_eq!(empty.pixels.len(), 3 * empty.width_px * empty.height_px);
    }
}
