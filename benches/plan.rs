//! Planning the paper's cohort: 399 slides, 27,280 groups.

#![expect(missing_docs, reason = "criterion_group! makes a public function")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use slidegrid::internal::jobs::Request;
use slidegrid::internal::jobs::{Lookup, LookupRow};
use slidegrid::internal::jobs::{SlideGroups, plan_arrays};

fn plan(c: &mut Criterion) {
    let names: Vec<String> = (0..399).map(|index| format!("slide_{index:03}")).collect();
    let groups = |index: usize| if index < 148 { 69u32 } else { 68 };
    let slide_groups = |row: &LookupRow| SlideGroups {
        slide: row.name.clone(),
        groups: row.group_numbers().collect(),
        request: Request::NONE,
    };
    for (what, array_tasks, packing) in [("one array per slide", 1000, 1), ("MaxArraySize 8", 7, 1)]
    {
        c.bench_function(&format!("399 slides, 27,280 groups, {what}"), |b| {
            b.iter(|| {
                let slides =
                    names.iter().enumerate().map(|(i, name)| (name.as_str(), groups(i), 0));
                let lookup = Lookup::plan(slides).expect("27,280 are few");
                let work: Vec<SlideGroups> = lookup.rows().iter().map(slide_groups).collect();
                plan_arrays(black_box(&work), array_tasks, packing)
            });
        });
    }
}

criterion_group!(benches, plan);
criterion_main!(benches);
