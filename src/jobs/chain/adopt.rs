//! Finds the job of a command that was killed after it submitted and before it recorded the job.

use super::error::ChainError;
use crate::jobs::scheduler::{Commands, FoundJob, Scheduler};
use crate::jobs::submitted::{Journal, Submission};

/// Records the job if the queue has it. Without this, its work would be submitted a second time.
///
/// # Errors
/// [`ChainError`] if the queue cannot be read, or the journal cannot be written.
pub(crate) fn adopt_pending(
    scheduler: &dyn Scheduler,
    commands: &dyn Commands,
    journal: &mut Journal,
) -> Result<Option<Submission>, ChainError> {
    let pending = journal.pending()?.filter(|pending| pending.scheduler == scheduler.kind());
    let Some(pending) = pending else { return Ok(None) };
    match scheduler.find_submitted(commands, &pending.script)? {
        // The journal has the job if its writer was killed just after recording it.
        FoundJob::Queued(id) if journal.list.iter().all(|known| known.id != id) => {
            let submission = Submission { id, ..pending };
            journal.add(submission.clone())?;
            Ok(Some(submission))
        }
        FoundJob::Queued(_) | FoundJob::Nothing | FoundJob::Unknown => {
            journal.forget_pending();
            Ok(None)
        }
    }
}
