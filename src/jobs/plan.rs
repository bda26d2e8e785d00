//! From groups to arrays: pure, so that 27,280 groups take no time.

use super::lookup::Lookup;
use super::work::Request;
use crate::number::{GroupNumber, NumberList};

/// Groups of one slide that are to be scored with the same resources.
#[derive(Debug, Clone, PartialEq)]
pub struct SlideGroups {
    /// Slide name.
    pub slide: String,
    /// Groups, ascending.
    pub groups: Vec<GroupNumber>,
    /// What to ask for.
    pub request: Request,
}

/// An array job of `predict`.
#[derive(Debug, Clone, PartialEq)]
pub struct ArraySpec {
    /// Slide name.
    pub slide: String,
    /// Groups of the array.
    pub groups: NumberList<GroupNumber>,
    /// Tasks, each of which has its share of the groups.
    pub tasks: u32,
    /// What to ask for.
    pub request: Request,
}

/// Every group of the table.
pub fn all_groups(lookup: &Lookup) -> Vec<SlideGroups> {
    let rows = lookup.rows().iter();
    rows.map(|row| SlideGroups {
        slide: row.name.clone(),
        groups: row.group_numbers().collect(),
        request: Request::NONE,
    })
    .collect()
}

/// One array a slide, or as few as `array_tasks` tasks each allow; one task
/// for `groups_per_task` groups.
///
/// Array indices start at 1 whatever the groups are, so that a limit on the
/// index (SLURM) and one on the number of tasks (Grid Engine) are the same.
pub fn plan_arrays(work: &[SlideGroups], array_tasks: u32, groups_per_task: u32) -> Vec<ArraySpec> {
    let (array_tasks, groups_per_task) = (array_tasks.max(1), groups_per_task.max(1));
    // More than a list can hold is the same as all of it.
    let chunk = (array_tasks as usize).saturating_mul(groups_per_task as usize);
    let arrays = work.iter().flat_map(|work| {
        work.groups.chunks(chunk).map(|groups| {
            let groups: NumberList<GroupNumber> = groups.iter().copied().collect();
            let tasks = groups.count().div_ceil(groups_per_task);
            ArraySpec { slide: work.slide.clone(), groups, tasks, request: work.request }
        })
    });
    arrays.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::ArrayShare;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_group_is_one_task_of_few_arrays(
            slides in prop::collection::vec(prop::collection::btree_set(1u32..80, 0..40), 0..8),
            limit in 1u32..12, packing in 1u32..5,
        ) {
            let work: Vec<SlideGroups> = slides.iter().enumerate().map(|(i, groups)| SlideGroups {
                slide: format!("s{i}"), groups: groups.iter().map(|&k| GroupNumber::try_from(k).unwrap()).collect(), request: Request::NONE,
            }).collect();
            let arrays = plan_arrays(&work, limit, packing);
            let mut found = vec![Vec::new(); work.len()];
            for array in &arrays {
                prop_assert!((1..=limit).contains(&array.tasks));
                for share in ArrayShare::all(array.tasks) {
                    let groups = array.groups.share(share);
                    prop_assert!((1..=packing as usize).contains(&groups.len()));
                    found[array.slide[1..].parse::<usize>().unwrap()].extend_from_slice(groups);
                }
            }
            let wanted: Vec<Vec<GroupNumber>> = work.iter().map(|work| work.groups.clone()).collect();
            prop_assert_eq!(found, wanted);
            let fewest: usize = slides.iter()
                .map(|s| s.len().div_ceil(packing as usize).div_ceil(limit as usize)).sum();
            prop_assert_eq!(arrays.len(), fewest);
        }
    }

    #[test]
    fn the_papers_cohort_is_one_array_a_slide() {
        let names: Vec<String> = (0..399).map(|i| format!("slide{i}")).collect();
        let groups = |i: usize| if i < 148 { 69u32 } else { 68 };
        let slides = names.iter().enumerate().map(|(i, name)| (name.as_str(), groups(i), 0));
        let lookup = Lookup::plan(slides).unwrap();
        assert_eq!(lookup.tasks(), 27_280);
        let work = all_groups(&lookup);
        assert_eq!(plan_arrays(&work, 1000, 1).len(), 399);
        assert_eq!(plan_arrays(&work, 7, 1).len(), 399 * 10);
        let tasks: u32 = plan_arrays(&work, 1000, 4).iter().map(|array| array.tasks).sum();
        assert_eq!(tasks, 148 * 18 + 251 * 17);
    }
}
