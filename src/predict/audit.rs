//! Draws the points of a slide that a cascade audits.
//!
//! As many points as the bound requires are drawn from all points of the slide, before anything
//! is scored. The draw depends on places and the slide's name alone, not on blocks, groups or
//! the screen, so the audits of the groups add up to one audit of the slide. Drawn points that
//! the cascade refines anyway cost nothing.

use std::collections::BinaryHeap;

use super::context::Context;
use super::draw::{Purpose, is_drawn, slide_draw_key, slide_key};
use super::error::PredictError;
use super::group::{Group, lattice_of, points_of, tiling_of};
use crate::geometry::lattice::LatticePoint;
use crate::scores::points_to_draw;

/// A rule that draws points of a slide.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Audit {
    /// Draws this share of all points, without a bound to hold.
    Share(f64),
    /// Draws the points with the lowest pseudorandom numbers.
    Lowest {
        /// Pseudorandom number of the slide.
        slide: u64,
        /// Highest number that is drawn; `None` if no point is.
        up_to: Option<u64>,
        /// The bound that the audit is to hold.
        bound: f64,
    },
}

impl Audit {
    /// Draws as many of `points` as `bound` requires. `points` is called twice.
    fn of_points<P: Iterator<Item = (i32, i32)>>(
        slide: &str,
        points: impl Fn() -> P,
        bound: f64,
    ) -> Self {
        let slide = slide_key(slide);
        let count = points_to_draw(points().count() as u64, bound);
        let count = usize::try_from(count).expect("no more points than were counted");
        // A heap of the lowest numbers, with the highest of them on top.
        let mut lowest = BinaryHeap::new();
        for (row, col) in points() {
            let key = slide_draw_key(slide, Purpose::Audit, row.into(), col.into());
            if lowest.len() < count {
                lowest.push(key);
            } else if lowest.peek().is_some_and(|&highest| key < highest) {
                lowest.pop();
                lowest.push(key);
            }
        }
        Self::Lowest { slide, up_to: lowest.peek().copied(), bound }
    }

    /// Whether a point is audited.
    pub(super) fn draws(&self, point: &LatticePoint) -> bool {
        let (row, col) = (point.row.into(), point.col.into());
        match *self {
            Self::Share(share) => is_drawn(Purpose::Audit, row, col, share),
            Self::Lowest { slide, up_to, .. } => {
                up_to.is_some_and(|up_to| slide_draw_key(slide, Purpose::Audit, row, col) <= up_to)
            }
        }
    }

    /// The largest share of a slide's points that may have been missed; `None` without a bound.
    pub(super) fn bound(&self) -> Option<f64> {
        match *self {
            Self::Share(_) => None,
            Self::Lowest { bound, .. } => Some(bound),
        }
    }
}

/// The audit of a group's slide.
///
/// # Errors
/// [`PredictError`] when the slide's groups cannot be read.
pub(super) fn audit_of(context: &Context<'_>, group: &Group<'_>) -> Result<Audit, PredictError> {
    let keys = context.keys();
    if let Some(share) = keys.audit_share {
        return Ok(Audit::Share(share));
    }
    let patches = group.patches;
    let lattice = lattice_of(context, patches);
    let mut readers = Vec::with_capacity(patches.groups() as usize);
    for number in patches.group_numbers() {
        let reader = patches.group(number)?;
        readers.push((tiling_of(patches, &reader)?, reader));
    }
    let points = || {
        let groups = readers.iter();
        groups
            .flat_map(|(tiling, reader)| points_of(&lattice, *tiling, reader))
            .flatten()
            .map(|point| (point.row, point.col))
    };
    Ok(Audit::of_points(group.slide, points, keys.audit_bound))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(row: i32, col: i32) -> LatticePoint {
        LatticePoint { row, col, patch_x_px: 0, patch_y_px: 0 }
    }

    proptest! {
        #[test]
        fn as_many_points_are_drawn_as_the_bound_requires_in_any_order(
            rows in 1i32..60, cols in 1i32..60, bound in 0.0f64..0.3, turn in 0usize..1000,
        ) {
            let places: Vec<(i32, i32)> =
                (0..rows).flat_map(|row| (0..cols).map(move |col| (row, col))).collect();
            let mut other = places.clone();
            other.rotate_left(turn % places.len());
            let audit = Audit::of_points("slide", || places.iter().copied(), bound);
            prop_assert_eq!(audit, Audit::of_points("slide", || other.iter().copied(), bound));
            let drawn = places.iter().filter(|&&(row, col)| audit.draws(&at(row, col))).count() as u64;
            prop_assert_eq!(drawn, points_to_draw(places.len() as u64, bound));
        }
    }

    #[test]
    fn another_slide_has_other_points() {
        let places = || (0..200).flat_map(|row| (0..200).map(move |col| (row, col)));
        let drawn = |slide: &str| -> Vec<(i32, i32)> {
            let audit = Audit::of_points(slide, places, 0.0033);
            places().filter(|&(row, col)| audit.draws(&at(row, col))).collect()
        };
        let (one, other) = (drawn("slide_1"), drawn("slide_2"));
        assert_eq!((one.len(), other.len()), (890, 890));
        let common = one.iter().filter(|place| other.contains(place)).count();
        // Two draws of 890 from 40,000 have about 20 in common by chance.
        assert!(common < 45, "{common}");
        let upper = one.iter().filter(|(row, _)| *row < 100).count();
        assert!((380..=514).contains(&upper), "{upper} of 890 in the upper half");
    }
}
