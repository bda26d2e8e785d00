//! Window after window: one thread reads and prepares patches, the workers cut
//! windows and run the network, all at the same time. Windows that lie close together
//! share their first layers where that is asked for.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};

use super::batch::{Batch, Batcher, Numbered};
use super::colour::Normalizer;
use super::dense::Sink;
use super::ledger::Ledger;
use super::prepare::{Buffers, Preparation};
use super::shared::{Shared, Sharing};
use super::{PredictError, Predictor};
use crate::hdf5_file::FormatError;
use crate::model::{EngineError, LoadedTrunkHead, Session};
use crate::number::GroupNumber;
use crate::patches::GroupReader;
use crate::progress::Task;

/// What stopped a run.
pub(super) enum Stopped {
    Read(FormatError),
    Engine(EngineError),
}

impl Stopped {
    pub(super) fn name(self, slide: &str, group: GroupNumber) -> PredictError {
        match self {
            Self::Read(error) => error.into(),
            Self::Engine(source) => {
                PredictError::Engine { what: format!("{slide} group {group}"), source }
            }
        }
    }
}

/// The patches of a group in the run's colours.
#[derive(Clone, Copy)]
pub(super) struct Source<'s> {
    pub(super) reader: &'s GroupReader,
    pub(super) normalizer: Option<&'s Normalizer>,
}

impl Source<'_> {
    /// Reads patch `index`, of which `windows` are to be scored, into `rgb`
    /// `[row, col, rgb]`; `false` when its colours have it left out, which the
    /// ledger knows then.
    pub(super) fn read(
        &self,
        index: usize,
        windows: usize,
        rgb: &mut [u8],
        (ledger, task): (&Ledger<'_>, &Task<'_>),
    ) -> Result<bool, FormatError> {
        self.reader.read_patch(index, rgb)?;
        let Some(Err(failure)) = self.normalizer.map(|normalizer| normalizer.apply(rgb)) else {
            return Ok(true);
        };
        let scored = failure.scored;
        ledger.note_unnormalized(index, failure);
        if !scored {
            ledger.give_up(windows);
            task.advance(windows);
        }
        Ok(scored)
    }
}

/// What a worker takes on.
enum Work {
    Windows(Batch),
    Region(Shared),
}

/// Windows to score, patch by patch.
#[derive(Clone, Copy)]
pub(super) struct Windows<'w> {
    pub(super) source: Source<'w>,
    /// Of each patch.
    pub(super) points: &'w [Vec<Numbered>],
    pub(super) ledger: &'w Ledger<'w>,
    pub(super) task: &'w Task<'w>,
}

/// Enters the scores of `windows` in the ledger, or of as many as there is time for
/// before an interruption.
pub(super) fn run_windows(
    predictor: &mut Predictor<'_>,
    windows: Windows<'_>,
) -> Result<(), Stopped> {
    let Windows { ledger, task, .. } = windows;
    let sink = |numbers: &[usize], scores: &[f32], infer: Duration| {
        ledger.enter(numbers.iter().copied(), scores, infer);
        task.advance(numbers.len());
    };
    let lost = |patch: usize| windows.points[patch].len();
    run_windows_into(predictor, windows, &lost, &sink)
}

/// Hands the scores of `windows` to `sink`, or of as many as there is time for before
/// an interruption.
///
/// `lost`: windows of a patch that are given up where its colours have it left out.
pub(super) fn run_windows_into(
    predictor: &mut Predictor<'_>,
    windows: Windows<'_>,
    lost: &(dyn Fn(usize) -> usize + Sync),
    sink: &Sink<'_>,
) -> Result<(), Stopped> {
    let ledger = windows.ledger;
    let (preparation, interrupt) = (&predictor.preparation, &predictor.interrupt);
    let classes = predictor.model.card.classes.len();
    let batch = predictor.sessions.first().map_or(1, |session| session.batch());
    let (sharing, mut networks) = match &mut predictor.sharing {
        None => (None, Vec::new()),
        Some((sharing, networks)) => (Some(&*sharing), networks.iter_mut().map(Some).collect()),
    };
    networks.resize_with(predictor.sessions.len(), || None);
    let (sender, receiver) = bounded::<Work>(2 * predictor.sessions.len());
    let (read, worked) = std::thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let parting = Parting { preparation, sharing, batch, sender };
            read_patches(windows, lost, parting)
        });
        let workers: Vec<_> = predictor
            .sessions
            .iter_mut()
            .zip(networks)
            .map(|(session, network)| {
                let works = receiver.clone();
                let session = session.as_mut();
                scope.spawn(move || {
                    let go_on = || interrupt.requested().is_none();
                    let sharing = sharing.zip(network);
                    let mut worker = Worker { session, sharing, preparation, classes, sink };
                    // Dropping what waits ends the reader too.
                    for work in works.into_iter().take_while(|_| go_on()) {
                        match work {
                            Work::Windows(batch) => worker.windows(&batch)?,
                            Work::Region(shared) => worker.region(&shared, ledger, &go_on)?,
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        drop(receiver);
        let worked: Vec<_> = workers
            .into_iter()
            .map(|w| w.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect();
        let read = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (read, worked)
    });
    worked.into_iter().collect::<Result<Vec<()>, _>>().map_err(Stopped::Engine)?;
    ledger.note_read(read.map_err(Stopped::Read)?);
    Ok(())
}

/// How a patch's windows become work.
struct Parting<'p> {
    preparation: &'p Preparation,
    sharing: Option<&'p Sharing>,
    batch: usize,
    sender: Sender<Work>,
}

/// Reads and prepares patch after patch; returns the time spent reading.
fn read_patches(
    Windows { source, points, ledger, task }: Windows<'_>,
    lost: &dyn Fn(usize) -> usize,
    parting: Parting<'_>,
) -> Result<Duration, FormatError> {
    let side_px = source.reader.patch_px();
    let mut rgb = vec![0; side_px * side_px * 3];
    let (mut batcher, mut buffers) = (Batcher::new(parting.batch), Buffers::default());
    let mut spent = Duration::ZERO;
    for (index, points) in points.iter().enumerate().filter(|(_, points)| !points.is_empty()) {
        let started = Instant::now();
        if !source.read(index, lost(index), &mut rgb, (ledger, task))? {
            continue;
        }
        let patch = buffers.prepared(|to| parting.preparation.prepare(&rgb, side_px, to));
        spent += started.elapsed();
        let (regions, alone) = match parting.sharing {
            None => (Vec::new(), Cow::Borrowed(points.as_slice())),
            Some(sharing) => {
                let (regions, alone) = sharing.parted(points);
                (regions, Cow::Owned(alone))
            }
        };
        let regions = regions.into_iter().map(|(tile, numbers)| {
            Work::Region(Shared { patch: Arc::clone(&patch), tile, numbers })
        });
        let batches =
            alone.iter().filter_map(|&point| batcher.push(&patch, point)).map(Work::Windows);
        for work in regions.chain(batches) {
            if parting.sender.send(work).is_err() {
                // Every worker has stopped; they say why.
                return Ok(spent);
            }
        }
    }
    if let Some(rest) = batcher.rest() {
        drop(parting.sender.send(Work::Windows(rest)));
    }
    Ok(spent)
}

/// A worker's sessions and what it prepares windows with.
struct Worker<'w> {
    session: &'w mut dyn Session,
    sharing: Option<(&'w Sharing, &'w mut LoadedTrunkHead)>,
    preparation: &'w Preparation,
    classes: usize,
    sink: &'w Sink<'w>,
}

impl Worker<'_> {
    /// Cuts the windows of a batch, runs the network, hands the scores on.
    fn windows(&mut self, batch: &Batch) -> Result<(), EngineError> {
        let window_len = self.preparation.window_len();
        let count = batch.windows.len();
        let mut scores = vec![0.0; count * self.classes];
        let mut cut = Duration::ZERO;
        let mut fill = |input: &mut [f32]| {
            let started = Instant::now();
            let windows = batch.windows.iter().zip(input.chunks_exact_mut(window_len));
            for ((patch, numbered), window) in windows {
                let point = &numbered.point;
                self.preparation.window(patch, point.patch_x_px, point.patch_y_px, window);
            }
            cut = started.elapsed();
        };
        let started = Instant::now();
        self.session.run_filled(count, &mut fill, &mut scores)?;
        let numbers: Vec<usize> =
            batch.windows.iter().map(|(_, numbered)| numbered.number).collect();
        (self.sink)(&numbers, &scores, started.elapsed().saturating_sub(cut));
        Ok(())
    }

    /// Scores the windows of a region, or of a part of it.
    fn region(
        &mut self,
        shared: &Shared,
        ledger: &Ledger<'_>,
        go_on: &dyn Fn() -> bool,
    ) -> Result<(), EngineError> {
        let sink = self.sink;
        let (sharing, network) = self.sharing.as_mut().expect("regions are made for sharing");
        let mut enter = |points: &[usize], scores: &[f32], spent: Duration| {
            let numbers: Vec<usize> = points.iter().map(|&point| shared.numbers[point]).collect();
            sink(&numbers, scores, spent);
            ledger.note_shared(&numbers);
            go_on()
        };
        sharing.score(network, (self.preparation, shared), self.classes, &mut enter)
    }
}
