//! A group while it is scored: the source of its patches and the ledger of its scores.

use super::group::Group;
use super::ledger::Ledger;
use super::scored::Scored;
use crate::hdf5_file::FormatError;
use crate::progress::Task;

/// A group that is being scored.
#[derive(Clone, Copy)]
pub(super) struct GroupWork<'w> {
    pub(super) group: &'w Group<'w>,
    pub(super) ledger: &'w Ledger<'w>,
    pub(super) task: &'w Task<'w>,
}

impl GroupWork<'_> {
    /// Reads patch `index` into `rgb`, `[row, col, rgb]`, and normalises its colours. Returns
    /// `false` if the colours cannot be normalised and the run does not score such a patch; its
    /// `windows` are then given up in the ledger.
    ///
    /// # Errors
    /// [`FormatError`] when the patch cannot be read.
    pub(super) fn read_patch(
        &self,
        index: usize,
        windows: usize,
        rgb: &mut [u8],
    ) -> Result<bool, FormatError> {
        self.group.reader.read_patch(index, rgb)?;
        let normalizer = self.group.normalizer.as_ref();
        let Some(Err(failure)) = normalizer.map(|normalizer| normalizer.apply(rgb)) else {
            return Ok(true);
        };
        let scored = failure.kind.scored;
        self.ledger.note_unnormalized(index, failure.into());
        if !scored {
            self.ledger.give_up(windows);
            self.task.advance(windows);
        }
        Ok(scored)
    }

    /// Enters scores in the ledger.
    pub(super) fn enter(&self, scored: &Scored) {
        self.ledger.enter(scored);
        self.task.advance(scored.numbers.len());
    }
}
