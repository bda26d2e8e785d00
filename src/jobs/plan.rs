//! Distributes groups over the tasks of array jobs.

use super::work::Request;
use crate::number::{GroupNumber, NumberList};

/// Groups of one slide that request the same memory and time.
#[derive(Debug, Clone, PartialEq)]
pub struct SlideGroups {
    /// Name of the slide.
    pub slide: String,
    /// Numbers of the groups, ascending.
    pub groups: Vec<GroupNumber>,
    /// Memory and time to request.
    pub request: Request,
}

/// An array job of `predict`.
#[derive(Debug, Clone, PartialEq)]
pub struct ArraySpec {
    /// Name of the slide.
    pub slide: String,
    /// Groups that the array scores.
    pub groups: NumberList<GroupNumber>,
    /// Number of tasks, each of which scores its share of the groups.
    pub tasks: u32,
    /// Memory and time to request.
    pub request: Request,
}

/// Plans one array per slide, or as few as possible if an array may have at most `array_tasks`
/// tasks. A task scores up to `groups_per_task` groups.
///
/// Array indices always start at 1, so that a limit on the index (SLURM) and one on the number of
/// tasks (Grid Engine) are the same.
pub fn plan_arrays(work: &[SlideGroups], array_tasks: u32, groups_per_task: u32) -> Vec<ArraySpec> {
    let (array_tasks, groups_per_task) = (array_tasks.max(1), groups_per_task.max(1));
    // A chunk longer than any list holds all groups.
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
    use crate::jobs::lookup::{Lookup, LookupRow};
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
    fn the_cohort_of_the_paper_is_one_array_per_slide() {
        let names: Vec<String> = (0..399).map(|i| format!("slide{i}")).collect();
        let groups = |i: usize| if i < 148 { 69u32 } else { 68 };
        let slides = names.iter().enumerate().map(|(i, name)| (name.as_str(), groups(i), 0));
        let lookup = Lookup::plan(slides).unwrap();
        assert_eq!(lookup.tasks(), 27_280);
        let slide_groups = |row: &LookupRow| SlideGroups {
            slide: row.name.clone(),
            groups: row.group_numbers().collect(),
            request: Request::NONE,
        };
        let work: Vec<SlideGroups> = lookup.rows().iter().map(slide_groups).collect();
        assert_eq!(plan_arrays(&work, 1000, 1).len(), 399);
        assert_eq!(plan_arrays(&work, 7, 1).len(), 399 * 10);
        let tasks: u32 = plan_arrays(&work, 1000, 4).iter().map(|array| array.tasks).sum();
        assert_eq!(tasks, 148 * 18 + 251 * 17);
    }
}
