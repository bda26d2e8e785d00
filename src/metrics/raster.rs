//! Rasterisation: from outlines to masks of any resolution.

use super::mask::{ColumnSpan, Mask};

/// A shape drawn on a slide.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outline {
    /// Rings of points (x, y) in level-0 px, closed or not.
    pub rings: Vec<Vec<[f64; 2]>>,
    /// Which points the rings enclose.
    pub fill: FillRule,
    /// Whether the outline removes its area from other outlines instead of adding it, like group
    /// `_2` of CAMELYON16.
    pub excludes: bool,
}

/// Which points lie inside an outline whose rings cross themselves or each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FillRule {
    /// Those that an odd number of turns encloses, so a ring within a ring is a hole.
    #[default]
    EvenOdd,
    /// Those around which the rings turn, so an area that is drawn twice stays inside.
    Winding,
}

/// The points at which a raster samples the slide. Element (row, col) is the point
/// `origin + (col, row) * pitch`, level-0 px.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SampleGrid {
    /// Number of rows.
    pub rows: u32,
    /// Number of columns.
    pub cols: u32,
    /// Position (x, y) of element (0, 0), level-0 px.
    pub origin: [f64; 2],
    /// Distance between neighbouring elements along x and y, level-0 px.
    pub pitch: [f64; 2],
}

impl SampleGrid {
    /// The pixels of a slide of `width` x `height` level-0 px shrunk by `downsample`, sampled at
    /// their centres. The last row and column may lie partly outside the slide.
    pub fn pixels(width: f64, height: f64, downsample: f64) -> Self {
        Self {
            rows: count((height / downsample).ceil()),
            cols: count((width / downsample).ceil()),
            origin: [downsample / 2.0; 2],
            pitch: [downsample; 2],
        }
    }

    /// The lattice of a heatmap, whose points are `pitch` level-0 px apart.
    pub fn lattice(rows: u32, cols: u32, pitch: f64) -> Self {
        Self { rows, cols, origin: [0.0; 2], pitch: [pitch; 2] }
    }

    /// The row and column of the element whose cell holds the point (x, y), level-0 px; `None`
    /// outside the grid. Cells are centred on their element.
    pub fn element(&self, x: f64, y: f64) -> Option<(u32, u32)> {
        let place = |at: f64, axis: usize, limit: u32| {
            let index = ((at - self.origin[axis]) / self.pitch[axis] + 0.5).floor();
            (index >= 0.0 && index < f64::from(limit)).then(|| count(index))
        };
        place(y, 1, self.rows).zip(place(x, 0, self.cols))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "whole, and clamped to u32"
)]
fn count(whole: f64) -> u32 {
    whole.clamp(0.0, f64::from(u32::MAX)) as u32
}

/// Rows that are rasterised at once. The number bounds memory for outlines of any size.
const BAND_ROWS: u32 = 256;

/// The points of `grid` that lie inside at least one outline that adds and inside none that
/// excludes. The order of the outlines does not matter.
///
/// The function scans row by row. Its time is proportional to the number of rows that edges
/// cross, not to pixels times polygons.
pub fn rasterise(outlines: &[Outline], grid: &SampleGrid) -> Mask {
    let mut mask = Mask::empty(grid.rows, grid.cols);
    let edges: Vec<Edge> = outlines
        .iter()
        .zip(0_u32..)
        .flat_map(|(outline, number)| edges_of(outline, number))
        .collect();
    let mut crossings = Vec::new();
    let mut first = 0;
    while first < grid.rows {
        let end = first.saturating_add(BAND_ROWS).min(grid.rows);
        crossings.clear();
        for edge in &edges {
            edge.cross(grid, first, end, &mut crossings);
        }
        crossings.sort_unstable();
        for of_row in crossings.chunk_by(|a, b| a.row == b.row) {
            fill_row(&mut mask, outlines, of_row);
        }
        first = end;
    }
    mask
}

/// An edge of a ring, with the end of smaller y first.
struct Edge {
    outline: u32,
    from: [f64; 2],
    to: [f64; 2],
    /// 1 if the ring runs towards larger y, -1 if not.
    direction: i8,
}

/// The place where an edge crosses a row. `col` is the first element that is not left of the
/// crossing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Crossing {
    row: u32,
    outline: u32,
    col: u32,
    direction: i8,
}

fn edges_of(outline: &Outline, number: u32) -> impl Iterator<Item = Edge> + '_ {
    outline.rings.iter().flat_map(move |ring| {
        let next = ring.iter().cycle().skip(1);
        ring.iter().zip(next).filter(|(a, b)| a[1] != b[1]).map(move |(&a, &b)| {
            let (from, to, direction) = if a[1] < b[1] { (a, b, 1) } else { (b, a, -1) };
            Edge { outline: number, from, to, direction }
        })
    })
}

impl Edge {
    /// Adds the crossings with rows `first..end`. The end of smaller y belongs to an edge and the
    /// other does not, so that a ring crosses every row an even number of times.
    fn cross(&self, grid: &SampleGrid, first: u32, end: u32, crossings: &mut Vec<Crossing>) {
        let row_at_or_after = |y: f64| count(((y - grid.origin[1]) / grid.pitch[1]).ceil());
        let rows = row_at_or_after(self.from[1]).max(first)..row_at_or_after(self.to[1]).min(end);
        let slope = (self.to[0] - self.from[0]) / (self.to[1] - self.from[1]);
        for row in rows {
            let y = grid.origin[1] + f64::from(row) * grid.pitch[1];
            let x = self.from[0] + (y - self.from[1]) * slope;
            let col = count(((x - grid.origin[0]) / grid.pitch[0]).ceil()).min(grid.cols);
            crossings.push(Crossing { row, outline: self.outline, col, direction: self.direction });
        }
    }
}

fn fill_row(mask: &mut Mask, outlines: &[Outline], crossings: &[Crossing]) {
    let (mut adds, mut excludes) = (Vec::new(), Vec::new());
    for of_outline in crossings.chunk_by(|a, b| a.outline == b.outline) {
        let outline = &outlines[of_outline[0].outline as usize];
        let spans = if outline.excludes { &mut excludes } else { &mut adds };
        inside_spans(outline.fill, of_outline, spans);
    }
    excludes.sort_unstable();
    let mut left = Vec::new();
    for ColumnSpan { mut start, end } in adds {
        for excluded in &excludes {
            if excluded.start > start {
                left.push(ColumnSpan { start, end: end.min(excluded.start) });
            }
            start = start.max(excluded.end);
        }
        left.push(ColumnSpan { start, end });
    }
    mask.push_row(crossings[0].row, &mut left);
}

/// Adds the columns of a row that lie inside an outline, from its crossings, sorted by column.
fn inside_spans(fill: FillRule, crossings: &[Crossing], spans: &mut Vec<ColumnSpan>) {
    let (mut turns, mut start) = (0_i32, 0);
    for crossing in crossings {
        let was_inside = turns != 0;
        turns = match fill {
            FillRule::EvenOdd => 1 - turns,
            FillRule::Winding => turns + i32::from(crossing.direction),
        };
        match (was_inside, turns != 0) {
            (false, true) => start = crossing.col,
            (true, false) => spans.push(ColumnSpan { start, end: crossing.col }),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Whether a point is inside, by counting the edges to its right.
    fn inside(outline: &Outline, x: f64, y: f64) -> bool {
        let (mut odd, mut turns) = (false, 0);
        for ring in &outline.rings {
            for (i, a) in ring.iter().enumerate() {
                let b = ring[(i + 1) % ring.len()];
                if (a[1] > y) != (b[1] > y) && x < (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]) + a[0]
                {
                    odd = !odd;
                    turns += if b[1] > a[1] { 1 } else { -1 };
                }
            }
        }
        match outline.fill {
            FillRule::EvenOdd => odd,
            FillRule::Winding => turns != 0,
        }
    }

    fn outlines() -> impl Strategy<Value = Vec<Outline>> {
        let point = (-9.0..60.0_f64, -9.0..60.0_f64).prop_map(|(x, y)| [x, y]);
        let ring = proptest::collection::vec(point, 3..9);
        let fill = prop_oneof![Just(FillRule::EvenOdd), Just(FillRule::Winding)];
        let outline = (proptest::collection::vec(ring, 1..3), fill, any::<bool>())
            .prop_map(|(rings, fill, excludes)| Outline { rings, fill, excludes });
        proptest::collection::vec(outline, 0..4)
    }

    proptest! {
        #[test]
        fn a_mask_holds_the_points_inside(outlines in outlines(), pitch in 0.7..9.0_f64) {
            let grid = SampleGrid::pixels(50.0, 40.0, pitch);
            let mask = rasterise(&outlines, &grid).to_array();
            for ((row, col), &found) in mask.indexed_iter() {
                let (x, y) = ((col as f64 + 0.5) * pitch, (row as f64 + 0.5) * pitch);
                let is_in = |excludes: bool| {
                    outlines.iter().any(|o| o.excludes == excludes && inside(o, x, y))
                };
                prop_assert_eq!(found, is_in(false) && !is_in(true), "at {}, {}", x, y);
            }
        }
    }

    #[test]
    fn closed_and_open_rings_are_equal_and_exclusions_may_come_first() {
        let square = |a: f64, b: f64| vec![[a, a], [b, a], [b, b], [a, b]];
        let outline =
            |ring, excludes| Outline { rings: vec![ring], excludes, ..Outline::default() };
        let grid = SampleGrid::pixels(10.0, 10.0, 1.0);
        let open = rasterise(&[outline(square(1.0, 9.0), false)], &grid);
        let mut closed = square(1.0, 9.0);
        closed.push(closed[0]);
        assert_eq!(rasterise(&[outline(closed, false)], &grid), open);
        assert_eq!(open.area(), 64);
        let (hole, whole) = (outline(square(3.0, 5.0), true), outline(square(1.0, 9.0), false));
        let holed = rasterise(&[hole.clone(), whole.clone()], &grid);
        assert_eq!((holed.area(), &holed), (60, &rasterise(&[whole, hole], &grid)));
    }

    #[test]
    fn elements_are_found_where_they_are_sampled() {
        let grid = SampleGrid::pixels(100.0, 60.0, 32.0);
        assert_eq!((grid.rows, grid.cols), (2, 4));
        // The official evaluation computes int(x / 32).
        assert_eq!(grid.element(31.9, 32.0), Some((1, 0)));
        assert_eq!((grid.element(-0.1, 0.0), grid.element(128.0, 0.0)), (None, None));
        assert_eq!(SampleGrid::lattice(3, 3, 16.0).element(25.0, 7.9), Some((0, 2)));
    }
}
