//! What a file of annotations holds: outlines, and shapes that are left out.

use crate::metrics::raster::Outline;

/// The outlines of a file, and the shapes that enclose nothing.
#[derive(Debug, Default)]
pub(super) struct DrawnOutlines {
    pub(super) outlines: Vec<Outline>,
    /// A clause for each shape that is left out: which, and why.
    pub(super) left_out: Vec<String>,
    /// Whether the format leaves open where its coordinates begin.
    pub(super) is_start_open: bool,
}

/// Whether a ring encloses an area: it has three corners at different places.
pub(super) fn encloses(ring: &[[f64; 2]]) -> bool {
    let mut corners: Vec<[f64; 2]> = Vec::new();
    for point in ring {
        if !corners.contains(point) {
            corners.push(*point);
        }
        if corners.len() == 3 {
            return true;
        }
    }
    false
}
