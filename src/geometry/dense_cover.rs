//! Small images that together hold the points of one dense run.
//!
//! Tissue has ragged edges, so the points of a patch may lie in one or two corners alone.
//! An engine that takes images of any size need not compute the glass between them.

use super::dense_tiles::{DenseTile, DenseTiles, GridPlace, GridSize};

/// First and last output along an axis, both included.
#[derive(Debug, Clone, Copy)]
struct OutputSpan {
    first: u32,
    last: u32,
}

impl OutputSpan {
    fn outputs(self) -> u32 {
        self.last - self.first + 1
    }
}

/// The span of the points of one row or of one column; `None` where it has no point.
type Line = Option<OutputSpan>;

/// The points of a dense run while they are divided into boxes.
struct Cover<'c> {
    tiles: &'c DenseTiles,
    places: &'c [GridPlace],
    /// For each box, the indices of its points in `places`.
    boxes: Vec<Vec<usize>>,
}

impl DenseTiles {
    /// Divides a run into one or more runs over smaller images.
    ///
    /// The box around the points is cut in two wherever the images of the two parts have
    /// fewer pixels together than that of the whole. Every point keeps the pixels that its
    /// output depends on.
    #[must_use]
    pub(crate) fn cover(&self, tile: &DenseTile) -> Vec<DenseTile> {
        let mut cover = Cover { tiles: self, places: &tile.places, boxes: Vec::new() };
        cover.cut((0..tile.places.len()).collect());
        cover.boxes.iter().map(|points| self.run_around(tile, points)).collect()
    }

    /// A run over the box around some points of `tile`; `points` are their indices.
    fn run_around(&self, tile: &DenseTile, points: &[usize]) -> DenseTile {
        let margin = self.margin();
        let [rows, cols] = [0, 1].map(|axis| {
            let along = points.iter().map(|&point| along(axis, tile.places[point]));
            let first = along.clone().min().unwrap_or(margin);
            OutputSpan { first: first - margin, last: along.max().unwrap_or(margin) + margin }
        });
        let place = |&point: &usize| {
            let GridPlace { row, col } = tile.places[point];
            GridPlace { row: row - rows.first, col: col - cols.first }
        };
        let px = |outputs: u32| i64::from(outputs) * i64::from(self.stride_px());
        DenseTile {
            x_px: tile.x_px + px(cols.first),
            y_px: tile.y_px + px(rows.first),
            grid: GridSize { rows: rows.outputs(), cols: cols.outputs() },
            places: points.iter().map(place).collect(),
            points: points.iter().map(|&point| tile.points[point]).collect(),
        }
    }

    /// Pixels of the image for points that span these rows and columns.
    fn image_px(&self, rows: OutputSpan, cols: OutputSpan) -> u64 {
        let side =
            |span: OutputSpan| u64::from(self.side_for_px(span.outputs() + 2 * self.margin()));
        side(rows) * side(cols)
    }
}

/// The row for axis 0, the column for axis 1.
fn along(axis: usize, place: GridPlace) -> u32 {
    if axis == 0 { place.row } else { place.col }
}

/// The span that holds two others.
fn join(a: Line, b: Line) -> Line {
    match (a, b) {
        (Some(a), Some(b)) => {
            Some(OutputSpan { first: a.first.min(b.first), last: a.last.max(b.last) })
        }
        (one, other) => one.or(other),
    }
}

/// A cut of a box in two. Cuts are ordered by their pixels first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct BoxCut {
    /// Pixels of the two images together.
    px: u64,
    /// The axis that the cut goes across.
    axis: usize,
    /// The last line of the first image.
    last: u32,
}

impl Cover<'_> {
    /// Cuts a box in two, and its parts likewise, as long as that saves pixels.
    fn cut(&mut self, points: Vec<usize>) {
        let best = (0..2).filter_map(|axis| self.best_cut(axis, &points)).min();
        let Some(BoxCut { axis, last, .. }) = best else {
            self.boxes.push(points);
            return;
        };
        let (near, far): (Vec<usize>, Vec<usize>) =
            points.into_iter().partition(|&point| along(axis, self.places[point]) <= last);
        self.cut(near);
        self.cut(far);
    }

    /// The cut across `axis` with the fewest pixels. `None` if no cut saves pixels.
    fn best_cut(&self, axis: usize, points: &[usize]) -> Option<BoxCut> {
        let places = || points.iter().map(|&point| self.places[point]);
        let first = places().map(|place| along(axis, place)).min()?;
        let last = places().map(|place| along(axis, place)).max()?;
        let mut lines: Vec<Line> = vec![None; (last - first + 1) as usize];
        for place in places() {
            let line = &mut lines[(along(axis, place) - first) as usize];
            let across = along(1 - axis, place);
            *line = join(*line, Some(OutputSpan { first: across, last: across }));
        }
        // rest[i]: the span of all lines from `i` on.
        let mut rest = lines.clone();
        for at in (1..rest.len()).rev() {
            rest[at - 1] = join(rest[at - 1], rest[at]);
        }
        let whole_px = self.tiles.image_px(OutputSpan { first, last }, rest[0]?);
        let (mut before, mut end, mut best) = (None, first, None);
        for (number, line) in (first..).zip(&lines).take(lines.len() - 1) {
            before = join(before, *line);
            if line.is_some() {
                end = number;
            }
            let (Some(near), Some(far)) = (before, rest[(number - first) as usize + 1]) else {
                continue;
            };
            let begin = (number + 1..).zip(&lines[(number - first) as usize + 1..]);
            let begin =
                begin.into_iter().find(|(_, line)| line.is_some()).map(|(number, _)| number)?;
            let px = self.tiles.image_px(OutputSpan { first, last: end }, near)
                + self.tiles.image_px(OutputSpan { first: begin, last }, far);
            if px < whole_px && best.is_none_or(|best: BoxCut| px < best.px) {
                best = Some(BoxCut { px, axis, last: number });
            }
        }
        best
    }
}
