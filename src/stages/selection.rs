//! The groups that `predict` scores, by task or by slide.

use crate::jobs::lookup::{Lookup, LookupError};
use crate::number::{ArrayShare, GroupNumber, Number, NumberList, TaskNumber};
use crate::run_dir::RunDir;
use crate::stages::predict::{SlideGroup, all_groups};

/// Which groups of a run.
pub(crate) enum GroupSelection<'a> {
    /// All groups.
    All,
    /// Those of tasks.
    Tasks {
        /// Tasks of lookup.csv.
        tasks: &'a NumberList<TaskNumber>,
        /// The share of these.
        share: Option<ArrayShare>,
    },
    /// Those of a slide.
    Slide {
        /// Name of the slide.
        slide: &'a str,
        /// Numbers of the groups; `None` for all of the slide.
        groups: Option<&'a NumberList<GroupNumber>>,
        /// The share of these.
        share: Option<ArrayShare>,
    },
}

impl GroupSelection<'_> {
    /// The groups, in the order in which they are scored.
    ///
    /// # Errors
    /// [`LookupError`] if the run has no such task, slide or group.
    pub(crate) fn groups(
        &self,
        run: &RunDir,
        lookup: &Lookup,
    ) -> Result<Vec<SlideGroup>, LookupError> {
        let path = run.lookup_csv();
        let (slide, groups, share) = match *self {
            Self::All => return Ok(all_groups(lookup)),
            Self::Tasks { tasks, share } => {
                let find = |&task: &TaskNumber| {
                    let found = lookup.find(task);
                    let found =
                        found.map(|(slide, group)| SlideGroup { slide: slide.to_owned(), group });
                    let path = path.clone();
                    found.ok_or(LookupError::Task { path, task, rows: lookup.rows().to_vec() })
                };
                return shared(tasks, share).iter().map(find).collect();
            }
            Self::Slide { slide, groups, share } => (slide, groups, share),
        };
        let row = lookup.of_slide(slide).ok_or_else(|| LookupError::Slide {
            path: path.clone(),
            problem: format!("no slide {slide} with groups; `slidegrid status` lists the slides"),
        })?;
        let all = row.group_numbers().collect();
        let groups = groups.unwrap_or(&all);
        if let Some(group) = groups.as_slice().iter().find(|group| group.get() > row.groups) {
            return Err(LookupError::Slide {
                path,
                problem: format!(
                    "--group {group} is out of range: {slide} has {} groups, numbered from 1",
                    row.groups
                ),
            });
        }
        let of_slide = |&group: &GroupNumber| SlideGroup { slide: slide.to_owned(), group };
        Ok(shared(groups, share).iter().map(of_slide).collect())
    }
}

/// The numbers of the share; all of them without a share.
fn shared<N: Number>(numbers: &NumberList<N>, share: Option<ArrayShare>) -> &[N] {
    share.map_or(numbers.as_slice(), |share| numbers.share(share))
}
