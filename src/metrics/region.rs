//! Shape measures of a region, by the definitions of scikit-image's `regionprops`.

use super::mask::PixelRun;

/// The shape of a region, in pixels of its raster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegionShape {
    /// Number of pixels.
    pub area: usize,
    /// Bounding box: first row, first column, one past the last row, one past the last column.
    pub bbox: [u32; 4],
    /// Mean row and mean column.
    pub centroid: [f64; 2],
    /// Eccentricity of the ellipse of equal second moments, 0 to 1.
    pub eccentricity: f64,
    /// Longer axis of that ellipse: 4 times the root of the larger eigenvalue of the second
    /// central moments, without the 1/12 for the area of a pixel itself.
    pub major_axis_px: f64,
    /// Number of pixels whose centre lies in or on the convex hull of the region. The hull is
    /// that of diamonds around the pixels' centres, like in scikit-image's `convex_hull_image`.
    pub convex_area: usize,
}

impl RegionShape {
    /// Measures the pixels of `runs`.
    ///
    /// # Panics
    /// If there are none.
    pub fn measure(runs: &[PixelRun]) -> Self {
        let bbox = bbox(runs);
        let moments = Moments::measure(runs, bbox);
        let [larger, smaller] = moments.eigenvalues();
        let eccentricity =
            if larger == 0.0 { 0.0 } else { (1.0 - smaller / larger).max(0.0).sqrt() };
        Self {
            area: runs.iter().map(PixelRun::len).sum(),
            bbox,
            centroid: moments.centroid(bbox),
            eccentricity,
            major_axis_px: 4.0 * larger.sqrt(),
            convex_area: convex_area(runs, bbox),
        }
    }

    /// Rows and columns of the bounding box.
    pub fn bbox_sides(&self) -> (usize, usize) {
        let [top, left, bottom, right] = self.bbox;
        ((bottom - top) as usize, (right - left) as usize)
    }

    /// Number of pixels of the bounding box.
    pub fn bbox_area(&self) -> usize {
        let (rows, cols) = self.bbox_sides();
        rows * cols
    }

    /// Share of the bounding box that the region fills.
    pub fn extent(&self) -> f64 {
        self.area as f64 / self.bbox_area() as f64
    }

    /// Share of the convex hull that the region fills.
    pub fn solidity(&self) -> f64 {
        self.area as f64 / self.convex_area as f64
    }
}

/// Mean row and mean column of a region; see [`RegionShape::centroid`].
pub fn centroid(runs: &[PixelRun]) -> [f64; 2] {
    let bbox = bbox(runs);
    Moments::measure(runs, bbox).centroid(bbox)
}

/// Longer axis of a region; see [`RegionShape::major_axis_px`].
pub fn major_axis_px(runs: &[PixelRun]) -> f64 {
    4.0 * Moments::measure(runs, bbox(runs)).eigenvalues()[0].sqrt()
}

fn bbox(runs: &[PixelRun]) -> [u32; 4] {
    type Bound = fn(&PixelRun) -> u32;
    let least = |bound: Bound| runs.iter().map(bound).min().expect("a region has a pixel");
    let most = |bound: Bound| runs.iter().map(bound).max().expect("a region has a pixel");
    [least(|run| run.row), least(|run| run.start), most(|run| run.row) + 1, most(|run| run.end)]
}

/// Exact sums over the pixels of a region, relative to its bounding box.
struct Moments {
    pixels: i128,
    row: i128,
    col: i128,
    row_row: i128,
    row_col: i128,
    col_col: i128,
}

impl Moments {
    fn measure(runs: &[PixelRun], bbox: [u32; 4]) -> Self {
        let mut sums = Self { pixels: 0, row: 0, col: 0, row_row: 0, row_col: 0, col_col: 0 };
        // 0 + 1 + .. + (n - 1), and the same sum of squares.
        let upto = |n: i128| n * (n - 1) / 2;
        let squares_upto = |n: i128| (n - 1) * n * (2 * n - 1) / 6;
        for run in runs {
            let row = i128::from(run.row - bbox[0]);
            let (start, end) = (i128::from(run.start - bbox[1]), i128::from(run.end - bbox[1]));
            let (n, cols) = (end - start, upto(end) - upto(start));
            sums.pixels += n;
            sums.row += row * n;
            sums.col += cols;
            sums.row_row += row * row * n;
            sums.row_col += row * cols;
            sums.col_col += squares_upto(end) - squares_upto(start);
        }
        sums
    }

    fn centroid(&self, bbox: [u32; 4]) -> [f64; 2] {
        let n = self.pixels as f64;
        [self.row as f64 / n + f64::from(bbox[0]), self.col as f64 / n + f64::from(bbox[1])]
    }

    /// Eigenvalues of the second central moments divided by the area, the larger first.
    fn eigenvalues(&self) -> [f64; 2] {
        let n = self.pixels;
        let central = |sum: i128, a: i128, b: i128| (sum * n - a * b) as f64 / (n * n) as f64;
        let rows = central(self.row_row, self.row, self.row);
        let cols = central(self.col_col, self.col, self.col);
        let mixed = central(self.row_col, self.row, self.col);
        let (middle, half) = ((rows + cols) / 2.0, ((rows - cols) / 2.0).hypot(mixed));
        [(middle + half).max(0.0), (middle - half).max(0.0)]
    }
}

/// A corner of the hull (y, x), in half pixels.
type Corner = [i64; 2];

fn convex_area(runs: &[PixelRun], bbox: [u32; 4]) -> usize {
    let hull = hull(runs);
    let mut area = 0;
    for row in bbox[0]..bbox[2] {
        let y = 2 * i64::from(row);
        let (mut least, mut most) = (i64::MAX, i64::MIN);
        for (i, &[y0, x0]) in hull.iter().enumerate() {
            let [y1, x1] = hull[(i + 1) % hull.len()];
            if y0 == y1 || y < y0.min(y1) || y > y0.max(y1) {
                continue;
            }
            // x = x0 + (y - y0) (x1 - x0) / (y1 - y0), divided by 2 to give columns.
            let (top, below) = (x0 * (y1 - y0) + (y - y0) * (x1 - x0), 2 * (y1 - y0));
            let (top, below) = if below < 0 { (-top, -below) } else { (top, below) };
            least = least.min(-(-top).div_euclid(below));
            most = most.max(top.div_euclid(below));
        }
        // Where no pixel lies between the sides, `most` is below `least`.
        area += usize::try_from(most - least + 1).unwrap_or(0);
    }
    area
}

/// The convex hull of the diamonds around the pixels' centres, by Andrew's
/// monotone chain.
fn hull(runs: &[PixelRun]) -> Vec<Corner> {
    let mut corners: Vec<Corner> = Vec::with_capacity(8 * runs.len());
    for run in runs {
        let y = 2 * i64::from(run.row);
        for col in [run.start, run.end - 1] {
            let x = 2 * i64::from(col);
            corners.extend([[y - 1, x], [y + 1, x], [y, x - 1], [y, x + 1]]);
        }
    }
    corners.sort_unstable();
    corners.dedup();
    let mut chain = half_hull(corners.iter().copied());
    let back = half_hull(corners.iter().rev().copied());
    chain.pop();
    chain.extend(&back[..back.len() - 1]);
    chain
}

fn half_hull(corners: impl Iterator<Item = Corner>) -> Vec<Corner> {
    let mut chain: Vec<Corner> = Vec::new();
    for [y, x] in corners {
        while let [.., [y0, x0], [y1, x1]] = chain[..] {
            if (y1 - y0) * (x - x0) - (x1 - x0) * (y - y0) > 0 {
                break;
            }
            chain.pop();
        }
        chain.push([y, x]);
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::super::label::{Connectivity, Labels};
    use super::super::mask::tests::{mask_of, masks};
    use super::*;
    use ndarray::Array2;
    use proptest::prelude::*;

    #[test]
    fn shapes_of_a_rectangle_and_a_pixel_equal_scikit_images() {
        let runs: Vec<PixelRun> = (0..3).map(|row| PixelRun { row, start: 4, end: 14 }).collect();
        let shape = RegionShape::measure(&runs);
        assert!((shape.major_axis_px - 11.489_125).abs() < 1e-6);
        assert_eq!((shape.area, shape.convex_area, shape.bbox), (30, 30, [0, 4, 3, 14]));
        assert_eq!(shape.centroid, [1.0, 8.5]);
        let pixel = RegionShape::measure(&[PixelRun { row: 7, start: 7, end: 8 }]);
        assert_eq!((pixel.major_axis_px, pixel.eccentricity, pixel.solidity()), (0.0, 0.0, 1.0));
    }

    proptest! {
        #[test]
        fn measures_are_in_range_and_independent_of_the_regions_place(array in masks(14)) {
            let moved = Array2::from_shape_fn((array.nrows() + 5, array.ncols() + 900), |(r, c)| {
                if r < 5 || c < 900 { 0 } else { array[[r - 5, c - 900]] }
            });
            let regions = |array: &Array2<u8>| {
                Labels::find(&mask_of(array), Connectivity::Eight).regions()
            };
            let (regions, moved_regions) = (regions(&array), regions(&moved));
            prop_assert_eq!(regions.len(), moved_regions.len());
            for (here, there) in regions.iter().zip(&moved_regions) {
                let (a, b) = (RegionShape::measure(here), RegionShape::measure(there));
                prop_assert_eq!(a.area, b.area);
                prop_assert_eq!(a.convex_area, b.convex_area);
                prop_assert_eq!(a.major_axis_px, b.major_axis_px);
                prop_assert!(a.area <= a.convex_area && a.convex_area <= a.bbox_area());
                prop_assert!((0.0..=1.0).contains(&a.eccentricity));
                prop_assert_eq!(a.major_axis_px, major_axis_px(here));
            }
        }
    }
}
