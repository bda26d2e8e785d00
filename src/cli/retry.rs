//! What `master retry` asks for.

use std::collections::BTreeMap;

use super::{Failure, status};
use crate::config::{ClusterKeys, Stage};
use crate::jobs::arrays::Piece;
use crate::jobs::chain::Files;
use crate::jobs::grown::Grown;
use crate::jobs::queue::{last_submissions, last_tries};
use crate::jobs::retry::{Factors, again, told};
use crate::jobs::scheduler::{Scheduler, System};
use crate::jobs::submitted::read_submitted;
use crate::jobs::todo::Busy;
use crate::number::TaskNumber;
use crate::progress::Progress;
use crate::run_dir::RunDir;

/// Looks at why what is missing is missing, says so, and says what it asks for
/// from now on.
pub(super) fn grow(
    run: &RunDir,
    keys: &ClusterKeys,
    scheduler: &dyn Scheduler,
    files: &Files,
    factors: Factors,
    progress: &Progress,
) -> Result<Grown, Failure> {
    let mut grown = Grown::read(run)?;
    let submitted = read_submitted(run).map_err(|error| Failure::new(super::Exit::Input, error))?;
    if submitted.is_empty() {
        return Ok(grown);
    }
    // When it does not answer, what is submitted next says so.
    let busy = Busy::new(&submitted, &scheduler.queued(&System).unwrap_or_default());
    let (arrays, answers) = status::asked(run)?;
    for warning in &answers.warnings {
        progress.note(&format!("note: {warning}"));
    }
    let tries = last_tries(&arrays, &answers);
    let submissions = last_submissions(&arrays);
    let rows: BTreeMap<&str, TaskNumber> =
        files.unsplit.iter().map(|(row, name)| (name.as_str(), *row)).collect();
    let idle = |piece: &Piece| match piece {
        Piece::Split(name) => !busy.split.contains(&rows[name.as_str()]),
        Piece::Group(slide, group) => {
            !busy.groups.get(slide).is_some_and(|groups| groups.contains(group))
        }
        Piece::Stitch(slide) => !busy.stitch.contains(slide),
    };
    let mut list = Vec::new();
    for piece in files.missing().into_iter().filter(idle) {
        let configured = keys.resources(match piece {
            Piece::Split(_) => Stage::Split,
            Piece::Group(..) => Stage::Predict,
            Piece::Stitch(_) => Stage::Stitch,
        });
        let last = tries.get(&piece).or_else(|| submissions.get(&piece));
        let again = again(piece.clone(), last, &configured, grown.of(&piece), factors);
        grown.set(piece, again.growth);
        list.push(again);
    }
    for line in told(&list) {
        progress.note(&format!("again: {line}"));
    }
    Ok(grown)
}
