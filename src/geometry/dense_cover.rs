//! The smallest images that hold a run's points.
//!
//! Tissue has ragged edges: a patch may hold points in a corner alone, or in two. An
//! engine that takes images of any size need not look at the glass between them.

use super::dense_tiles::{DenseTile, DenseTiles};

/// Outputs along an axis, the last one included.
type Span = (u32, u32);

/// What points of one row, or of one column, span across it.
type Line = Option<Span>;

/// Rows and columns of points, cut into boxes.
struct Cover<'c> {
    tiles: &'c DenseTiles,
    places: &'c [(u32, u32)],
    boxes: Vec<Vec<usize>>,
}

impl DenseTiles {
    /// The points of a run in one or more runs over images that hold little else:
    /// boxes around points, cut in two wherever the images of the two are together
    /// smaller. Every point keeps the pixels that its output depends on.
    #[must_use]
    pub fn cover(&self, tile: &DenseTile) -> Vec<DenseTile> {
        let mut cover = Cover { tiles: self, places: &tile.places, boxes: Vec::new() };
        cover.cut((0..tile.places.len()).collect());
        cover.boxes.iter().map(|points| self.boxed(tile, points)).collect()
    }

    /// A run over the box around some of a run's points.
    fn boxed(&self, tile: &DenseTile, points: &[usize]) -> DenseTile {
        let margin = self.margin();
        let [rows, cols] = [0, 1].map(|axis| {
            let along = points.iter().map(|&point| along(axis, tile.places[point]));
            let first = along.clone().min().unwrap_or(margin);
            (first - margin, along.max().unwrap_or(margin) + margin)
        });
        let place = |&point: &usize| {
            let (row, col) = tile.places[point];
            (row - rows.0, col - cols.0)
        };
        let px = |outputs: u32| i64::from(outputs) * i64::from(self.stride_px());
        DenseTile {
            x_px: tile.x_px + px(cols.0),
            y_px: tile.y_px + px(rows.0),
            grid: (rows.1 - rows.0 + 1, cols.1 - cols.0 + 1),
            places: points.iter().map(place).collect(),
            points: points.iter().map(|&point| tile.points[point]).collect(),
        }
    }

    /// Pixels of the image for points that span this.
    fn image_px(&self, (rows, cols): (Span, Span)) -> u64 {
        let side =
            |(first, last): Span| u64::from(self.side_for_px(last - first + 1 + 2 * self.margin()));
        side(rows) * side(cols)
    }
}

fn along(axis: usize, (row, col): (u32, u32)) -> u32 {
    if axis == 0 { row } else { col }
}

fn join(a: Line, b: Line) -> Line {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (one, other) => one.or(other),
    }
}

impl Cover<'_> {
    /// Cuts a box where that pays, and its halves.
    fn cut(&mut self, points: Vec<usize>) {
        let best = (0..2).filter_map(|axis| self.best_cut(axis, &points)).min();
        let Some((_, axis, last)) = best else {
            self.boxes.push(points);
            return;
        };
        let (near, far): (Vec<usize>, Vec<usize>) =
            points.into_iter().partition(|&point| along(axis, self.places[point]) <= last);
        self.cut(near);
        self.cut(far);
    }

    /// Pixels of both images, the axis, and the last line of the first image, where
    /// two images are smaller than one.
    fn best_cut(&self, axis: usize, points: &[usize]) -> Option<(u64, usize, u32)> {
        let places = || points.iter().map(|&point| self.places[point]);
        let first = places().map(|place| along(axis, place)).min()?;
        let last = places().map(|place| along(axis, place)).max()?;
        let mut lines: Vec<Line> = vec![None; (last - first + 1) as usize];
        for place in places() {
            let line = &mut lines[(along(axis, place) - first) as usize];
            let across = along(1 - axis, place);
            *line = join(*line, Some((across, across)));
        }
        // What all lines from here on span.
        let mut rest = lines.clone();
        for at in (1..rest.len()).rev() {
            rest[at - 1] = join(rest[at - 1], rest[at]);
        }
        let whole_px = self.tiles.image_px(((first, last), rest[0]?));
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
            let px = self.tiles.image_px(((first, end), near))
                + self.tiles.image_px(((begin, last), far));
            if px < whole_px && best.is_none_or(|(least, _, _)| px < least) {
                best = Some((px, axis, number));
            }
        }
        best
    }
}
