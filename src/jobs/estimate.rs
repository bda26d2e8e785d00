//! Estimates what the rest of a run will cost, from a few groups that were timed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use ndarray::ArrayView2;
use serde::Serialize;

use crate::number::GroupNumber;

/// A group that was timed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Timed {
    /// Name of the slide.
    pub slide: String,
    /// Number of the group.
    pub group: GroupNumber,
    /// Number of windows that were scored.
    pub windows: u64,
    /// Wall time, seconds.
    pub wall_s: f64,
    /// Number of cores that were used.
    pub cores: u32,
}

impl Timed {
    /// Core-seconds per window.
    pub(crate) fn core_s_per_window(&self) -> f64 {
        self.wall_s * f64::from(self.cores) / self.windows.max(1) as f64
    }
}

/// The windows of a slide's groups that have no scores yet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct SlideWork {
    /// Name of the slide.
    pub slide: String,
    /// Number of groups without scores.
    pub groups: usize,
    /// Mean number of windows per group.
    pub windows_per_group: f64,
}

/// The cores to plan for, and their price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Terms {
    /// Number of cores in all.
    pub cores: usize,
    /// Number of cores per task.
    pub cores_per_task: usize,
    /// Time until a task scores its first window, seconds: mostly loading the model.
    pub start_s: f64,
    /// Price of a core-hour.
    pub price: Option<f64>,
}

/// One figure at the speeds of the fastest, the median and the slowest group that was timed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Spread {
    /// Smallest value.
    pub min: f64,
    /// Median.
    pub median: f64,
    /// Largest value.
    pub max: f64,
}

impl Spread {
    /// The spread of some values; `None` if there are none.
    pub(crate) fn from_values(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { min, median, max })
    }

    fn map(self, f: impl Fn(f64) -> f64) -> Self {
        Self { min: f(self.min), median: f(self.median), max: f(self.max) }
    }
}

/// The work that is left, and what it takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Estimate {
    /// Number of groups left.
    pub groups: usize,
    /// Number of windows left.
    pub windows: f64,
    /// Windows per second and core.
    pub windows_per_core_s: Spread,
    /// Core-hours, including the start of tasks.
    pub core_hours: Spread,
    /// Hours on the cores of the [`Terms`].
    pub wall_hours: Spread,
    /// Cost, at the price of the [`Terms`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub money: Option<Spread>,
}

/// Estimates the work that is left; `None` if no group was timed.
pub(crate) fn estimate(timed: &[Timed], work: &[SlideWork], terms: &Terms) -> Option<Estimate> {
    let core_s_per_window = Spread::from_values(timed.iter().map(Timed::core_s_per_window))?;
    let per_task = terms.cores_per_task.max(1);
    let groups = work.iter().map(|slide| slide.groups).sum();
    let windows: f64 = work.iter().map(|slide| slide.groups as f64 * slide.windows_per_group).sum();
    let task_s = |slide: &SlideWork, core_s: f64| {
        terms.start_s + slide.windows_per_group * core_s / per_task as f64
    };
    let core_hours = core_s_per_window.map(|core_s| {
        let seconds = |slide: &SlideWork| slide.groups as f64 * task_s(slide, core_s);
        work.iter().map(seconds).sum::<f64>() * per_task as f64 / 3600.0
    });
    let wall_hours = core_s_per_window.map(|core_s| {
        let tasks =
            work.iter().flat_map(|slide| std::iter::repeat_n(task_s(slide, core_s), slide.groups));
        makespan_s(tasks, (terms.cores / per_task).max(1)) / 3600.0
    });
    let rate = |core_s: f64| if core_s > 0.0 { 1.0 / core_s } else { 0.0 };
    Some(Estimate {
        groups,
        windows,
        windows_per_core_s: Spread {
            min: rate(core_s_per_window.max),
            median: rate(core_s_per_window.median),
            max: rate(core_s_per_window.min),
        },
        core_hours,
        wall_hours,
        money: terms.price.map(|price| core_hours.map(|hours| hours * price)),
    })
}

/// The time until the last task ends, seconds, if each task in turn goes to the first free worker.
fn makespan_s(tasks: impl IntoIterator<Item = f64>, workers: usize) -> f64 {
    /// Microseconds as an integer, because floating-point numbers have no total order.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    fn micros(seconds: f64) -> u64 {
        (seconds * 1e6).round() as u64
    }
    let mut free: BinaryHeap<Reverse<u64>> = BinaryHeap::new();
    let mut last = 0;
    for task_s in tasks {
        let start = if free.len() < workers { 0 } else { free.pop().map_or(0, |Reverse(at)| at) };
        let end = start + micros(task_s);
        last = last.max(end);
        free.push(Reverse(end));
    }
    last as f64 / 1e6
}

/// Counts the lattice points of a plane that lie in tissue tiles. `tissue` has shape
/// `[tile row, tile col]`, 1 for tissue.
pub(crate) fn points_in_tissue(
    tissue: ArrayView2<'_, u8>,
    tile_px: u32,
    width_px: u32,
    height_px: u32,
    stride_px: u32,
) -> u64 {
    let within = |tile: usize, extent_px: u32| {
        let tile = tile as u64;
        let end = ((tile + 1) * u64::from(tile_px)).min(u64::from(extent_px));
        let before = |px: u64| px.div_ceil(u64::from(stride_px));
        before(end).saturating_sub(before(tile * u64::from(tile_px)))
    };
    let points =
        |((row, col), _): ((usize, usize), &u8)| within(row, height_px) * within(col, width_px);
    tissue.indexed_iter().filter(|(_, tissue)| **tissue == 1).map(points).sum()
}

/// Selects `count` of `candidates`, spread evenly over them, without repetition.
pub(crate) fn sample<T: Clone>(candidates: &[T], count: usize) -> Vec<T> {
    let count = count.min(candidates.len());
    // The middle of each of `count` equal parts.
    (0..count).map(|i| candidates[(2 * i + 1) * candidates.len() / (2 * count)].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use proptest::prelude::*;

    fn timed(windows: u64, wall_s: f64) -> Timed {
        Timed { slide: "a".into(), group: GroupNumber::FIRST, windows, wall_s, cores: 2 }
    }

    #[test]
    fn figures_are_those_computed_by_hand() {
        // 0.02, 0.04 and 0.1 core-seconds per window.
        let sampled = [timed(100, 1.0), timed(100, 2.0), timed(100, 5.0)];
        let work = [SlideWork { slide: "a".into(), groups: 36, windows_per_group: 1000.0 }];
        let terms = Terms { cores: 8, cores_per_task: 2, start_s: 0.0, price: Some(0.05) };
        let found = estimate(&sampled, &work, &terms).unwrap();
        assert_eq!((found.groups, found.windows), (36, 36_000.0));
        let close = |found: Spread, min: f64, median: f64, max: f64| {
            for (found, expected) in [(found.min, min), (found.median, median), (found.max, max)] {
                assert!((found - expected).abs() < 1e-9, "{found} {expected}");
            }
        };
        close(found.windows_per_core_s, 10.0, 25.0, 50.0);
        close(found.core_hours, 0.2, 0.4, 1.0);
        // Four tasks at a time, in nine rounds of 10, 20 and 50 s.
        close(found.wall_hours, 0.025, 0.05, 0.125);
        close(found.money.unwrap(), 0.01, 0.02, 0.05);
        let slow = estimate(&sampled, &work, &Terms { start_s: 5.0, ..terms }).unwrap();
        close(slow.wall_hours, 0.0375, 0.0625, 0.1375);
        assert_eq!(estimate(&[], &work, &terms), None);
    }

    #[test]
    fn the_cohort_of_the_paper_is_planned_at_once() {
        let work: Vec<_> = (0..399)
            .map(|i| SlideWork { slide: format!("s{i}"), groups: 68, windows_per_group: 78_400.0 })
            .collect();
        let terms = Terms { cores: 4000, cores_per_task: 7, start_s: 2.0, price: None };
        let found = estimate(&[timed(7, 1.0)], &work, &terms).unwrap();
        assert_eq!(found.groups, 27_132);
        assert!(found.wall_hours.median * 4000.0 >= found.core_hours.median);
    }

    proptest! {
        #[test]
        fn points_are_counted_as_the_lattice_has_them(
            width in 1u32..90, height in 1u32..90, tile in 1u32..30, stride in 1u32..40, seed in any::<u64>(),
        ) {
            let shape = (height.div_ceil(tile) as usize, width.div_ceil(tile) as usize);
            let tissue = Array2::from_shape_fn(shape, |(r, c)| {
                u8::from(seed.rotate_left((r * 7 + c * 13) as u32) & 1 == 1)
            });
            let each = (0..height).step_by(stride as usize)
                .flat_map(|y| (0..width).step_by(stride as usize).map(move |x| (x, y)))
                .filter(|(x, y)| tissue[[(y / tile) as usize, (x / tile) as usize]] == 1)
                .count();
            prop_assert_eq!(points_in_tissue(tissue.view(), tile, width, height, stride), each as u64);
        }

        #[test]
        fn samples_are_different_and_in_order(count in 0usize..12, of in 0usize..30) {
            let all: Vec<usize> = (0..of).collect();
            let sampled = sample(&all, count);
            prop_assert_eq!(sampled.len(), count.min(of));
            prop_assert!(sampled.windows(2).all(|pair| pair[0] < pair[1]));
        }

        #[test]
        fn the_end_of_the_last_task_lies_within_its_bounds(tasks in prop::collection::vec(0.0f64..100.0, 1..60), workers in 1usize..9) {
            let span = makespan_s(tasks.iter().copied(), workers);
            let sum: f64 = tasks.iter().sum();
            let longest = tasks.iter().copied().fold(0.0, f64::max);
            prop_assert!(span + 1e-3 >= longest.max(sum / workers as f64));
            prop_assert!(span <= sum / workers as f64 + longest + 1e-3);
        }
    }
}
