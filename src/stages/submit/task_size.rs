//! The number of groups that a task scores.

use crate::config::ClusterKeys;
use crate::jobs::listing::RunListing;
use crate::progress::Progress;
use crate::run_dir::RunDir;
use crate::scores::read_scores_meta;

/// How many groups make a task of the wanted length.
pub(super) fn groups_per_task(
    run: &RunDir,
    keys: &ClusterKeys,
    listing: &RunListing,
    progress: &Progress,
) -> u32 {
    if let Some(groups) = keys.groups_per_task {
        return groups;
    }
    let Some(target) = keys.target_minutes else { return 1 };
    let Some(minutes) = measured_minutes(run, listing).or(keys.group_minutes) else {
        progress.note("note: no group of this run has been timed yet and cluster.group_minutes is not given: 1 group per task");
        return 1;
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped first")]
    let groups = (target / minutes).floor().clamp(1.0, 1e6) as u32;
    progress.note(&format!("a group takes about {minutes:.2} minutes: {groups} per task"));
    groups
}

/// The median over some groups that are scored.
fn measured_minutes(run: &RunDir, listing: &RunListing) -> Option<f64> {
    const ENOUGH: usize = 25;
    let scored = listing
        .planned()
        .flat_map(|slide| slide.scored().map(|group| run.scores(&slide.record.name, group)));
    let minutes = scored.filter_map(|path| Some(read_scores_meta(&path).ok()?.wall_s / 60.0));
    let mut minutes: Vec<f64> = minutes.take(ENOUGH).collect();
    minutes.sort_by(f64::total_cmp);
    minutes.get(minutes.len() / 2).copied()
}
