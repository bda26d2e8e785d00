//! Reads patches, cuts them into pieces and scores the pieces, all at the same time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::batch::NumberedPoint;
use super::context::Context;
use super::error::PredictError;
use super::group_work::GroupWork;
use super::prepare::{Buffers, PreparedPatch};
use super::scored::Scored;
use crate::hdf5_file::FormatError;
use crate::model::EngineError;
use crate::number::GroupNumber;
use crate::pipeline::{Outlet, Pipeline};

/// What stopped the scoring of a group.
pub(super) enum Stopped {
    Read(FormatError),
    Engine(EngineError),
}

impl Stopped {
    /// Adds the slide and the group to an engine's error.
    pub(super) fn name(self, slide: &str, group: GroupNumber) -> PredictError {
        match self {
            Self::Read(error) => error.into(),
            Self::Engine(source) => {
                PredictError::Engine { what: format!("{slide} group {group}"), source }
            }
        }
    }
}

/// Points of a group that are to be scored.
#[derive(Clone, Copy)]
pub(super) struct WantedPoints<'w> {
    pub(super) work: GroupWork<'w>,
    /// Points to score, per patch.
    pub(super) points: &'w [Vec<NumberedPoint>],
    /// Points to give up if the colours of their patch cannot be normalised, per patch.
    pub(super) given_up: &'w [Vec<NumberedPoint>],
}

/// Cuts patches into pieces of work.
pub(super) trait Cut {
    /// The work that a worker takes at a time.
    type Piece: Send;

    /// Cuts `points` of a patch into pieces. Points that do not fill a piece wait for those of
    /// the next patch.
    fn cut(&mut self, patch: &Arc<PreparedPatch>, points: &[NumberedPoint]) -> Vec<Self::Piece>;

    /// Returns the points that still wait after the last patch.
    fn rest(&mut self) -> Option<Self::Piece>;
}

/// Scores the points `wanted` and hands the scores to `sink` in the order in which workers
/// finish. An interrupt ends the work early.
///
/// Memory: at most `queue` waiting pieces with their patches, and one piece per worker.
pub(super) fn stream<C: Cut + Send>(
    context: &Context<'_>,
    wanted: WantedPoints<'_>,
    queue: usize,
    cut: C,
    workers: impl Iterator<
        Item = impl FnMut(C::Piece, &Outlet<'_, Scored>) -> Result<(), EngineError> + Send,
    >,
    sink: &mut dyn FnMut(&Scored),
) -> Result<(), Stopped> {
    let ledger = wanted.work.ledger;
    let workers = workers.map(|mut work| {
        move |piece, outlet: &Outlet<'_, Scored>| work(piece, outlet).map_err(Stopped::Engine)
    });
    let read = |outlet: &Outlet<'_, C::Piece>| {
        read_patches(context, wanted, cut, outlet).map_err(Stopped::Read)
    };
    let write = |scored: &mut dyn Iterator<Item = Scored>| {
        for scored in scored {
            sink(&scored);
        }
        Ok(())
    };
    let pipeline = Pipeline { queue, interrupt: &context.interrupt };
    let (read, ()) = pipeline.run(read, workers, write)?;
    ledger.note_read(read);
    Ok(())
}

/// Reads, prepares and cuts patch after patch; returns the time spent reading.
fn read_patches<C: Cut>(
    context: &Context<'_>,
    WantedPoints { work, points, given_up }: WantedPoints<'_>,
    mut cut: C,
    outlet: &Outlet<'_, C::Piece>,
) -> Result<Duration, FormatError> {
    let side_px = work.group.reader.patch_px();
    let mut rgb = vec![0; side_px * side_px * 3];
    let mut buffers = Buffers::default();
    let mut spent = Duration::ZERO;
    for (index, points) in points.iter().enumerate().filter(|(_, points)| !points.is_empty()) {
        let started = Instant::now();
        if !work.read_patch(index, given_up[index].len(), &mut rgb)? {
            continue;
        }
        let patch = buffers.prepared(|patch| context.preparation.prepare(&rgb, side_px, patch));
        spent += started.elapsed();
        for piece in cut.cut(&patch, points) {
            if outlet.send(piece).is_err() {
                // The workers have stopped; the pipeline returns their error.
                return Ok(spent);
            }
        }
    }
    if let Some(rest) = cut.rest() {
        // As above.
        let _ = outlet.send(rest);
    }
    Ok(spent)
}
