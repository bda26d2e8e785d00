//! A pipeline of one reader, several workers and one writer, which processes a stream of items
//! in bounded memory.
//!
//! ```text
//! read ──items──> workers ──results──> write
//! ```
//!
//! One thread reads, every worker has a thread of its own, and the calling thread writes.
//! Between them lie two queues of bounded length. A stage that runs ahead waits, so that
//! memory holds the queues and what each stage works on, however much there is to do.
//!
//! How a pipeline ends:
//!
//! - All is done: the reader returns, the workers empty the queue, the writer sees the
//!   end of the results.
//! - A worker fails or panics, or an interrupt is requested: no worker takes another
//!   item. The writer still gets what was computed, and the reader's outlet is [`Closed`].
//! - The reader fails: the items that the reader has sent are still processed and written.
//! - The writer returns early: the outlets of workers and reader are [`Closed`].
//!
//! The pipeline then fails with a worker's error, else the reader's, else the writer's. A
//! panic in any stage is resumed on the calling thread. The writer cannot tell complete
//! results from those of a pipeline that fails: what makes results final, such as giving
//! a file its name, belongs after the pipeline.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ScopedJoinHandle};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded, select};

use crate::interrupt::Interrupt;

/// The next stage has stopped; the sender should end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

/// The sending end of a stage, from which its results pass to the next stage.
pub(crate) struct Outlet<'o, T> {
    send: &'o (dyn Fn(T) -> Result<(), Closed> + Sync),
}

impl<T> Outlet<'_, T> {
    /// Sends `made` to the next stage; waits while the queue is full.
    ///
    /// # Errors
    /// [`Closed`] if the next stage has stopped.
    pub(crate) fn send(&self, made: T) -> Result<(), Closed> {
        (self.send)(made)
    }
}

/// The length of the queues, and the interrupt that may end the work early.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pipeline<'i> {
    /// Most items that wait for a worker, and most results that wait for the writer.
    pub(crate) queue: usize,
    /// Requests an early end; checked before a worker takes an item.
    pub(crate) interrupt: &'i Interrupt,
}

impl Pipeline<'_> {
    /// Runs `read`, `workers` and `write` at the same time, and returns what `read` and
    /// `write` return. Results reach the writer in any order.
    ///
    /// A worker may send any number of results per item. A worker whose outlet is [`Closed`]
    /// gets no further item; a reader whose outlet is closed must return.
    ///
    /// # Errors
    /// The error of a worker, else of the reader, else of the writer.
    pub(crate) fn run<T, U, A, B, E>(
        &self,
        read: impl FnOnce(&Outlet<'_, T>) -> Result<A, E> + Send,
        workers: impl IntoIterator<Item = impl FnMut(T, &Outlet<'_, U>) -> Result<(), E> + Send>,
        write: impl FnOnce(&mut dyn Iterator<Item = U>) -> Result<B, E>,
    ) -> Result<(A, B), E>
    where
        T: Send,
        U: Send,
        A: Send,
        E: Send,
    {
        let (item_sender, items) = bounded(self.queue);
        let (result_sender, results) = bounded(self.queue);
        let stop = Stop::new();
        let (read, worked, written) = thread::scope(|scope| {
            let working: Vec<_> = workers
                .into_iter()
                .map(|mut work| {
                    let (items, results) = (items.clone(), result_sender.clone());
                    let stop = &stop;
                    scope.spawn(move || {
                        let mut unless_done = StopUnlessDone { stop, done: false };
                        let closed = AtomicBool::new(false);
                        let send = |made| {
                            results.send(made).map_err(|_| {
                                closed.store(true, Ordering::Relaxed);
                                Closed
                            })
                        };
                        let outlet = Outlet { send: &send };
                        while let Some(item) = stop.next_item(&items, self.interrupt) {
                            work(item, &outlet)?;
                            if closed.load(Ordering::Relaxed) {
                                return Ok(());
                            }
                        }
                        unless_done.done = true;
                        Ok(())
                    })
                })
                .collect();
            drop((items, result_sender));
            let reading = scope.spawn(move || read(&Outlet { send: &outlet(item_sender) }));
            let written = written(results, write);
            let worked: Vec<Result<(), E>> = working.into_iter().map(joined).collect();
            (joined(reading), worked, written)
        });
        worked.into_iter().collect::<Result<Vec<()>, E>>()?;
        Ok((read?, written?))
    }

    /// [`Pipeline::run`] with one result per item; the writer receives the results in the order
    /// of the items. At most `queue` items are in progress, including those whose results wait
    /// for an earlier item.
    ///
    /// # Errors
    /// As for [`Pipeline::run`].
    pub(crate) fn run_in_order<T, U, B, E>(
        &self,
        items: impl Iterator<Item = T> + Send,
        workers: impl IntoIterator<Item = impl FnMut(T) -> Result<U, E> + Send>,
        write: impl FnOnce(&mut dyn Iterator<Item = U>) -> Result<B, E>,
    ) -> Result<B, E>
    where
        T: Send,
        U: Send,
        E: Send,
    {
        let (token_sender, tokens) = bounded(self.queue);
        for _ in 0..self.queue {
            token_sender.send(()).expect("there is room for as many");
        }
        let read = move |outlet: &Outlet<'_, (usize, T)>| {
            for numbered in items.enumerate() {
                if tokens.recv().is_err() || outlet.send(numbered).is_err() {
                    break;
                }
            }
            Ok(())
        };
        let workers = workers.into_iter().map(|mut work| {
            move |(number, item), outlet: &Outlet<'_, (usize, U)>| {
                // If the outlet is closed, this worker gets no further item.
                let _ = outlet.send((number, work(item)?));
                Ok(())
            }
        });
        let write = |results: &mut dyn Iterator<Item = (usize, U)>| {
            write(&mut InOrder { results, tokens: token_sender, early: BTreeMap::new(), next: 0 })
        };
        self.run(read, workers, write).map(|((), written)| written)
    }

    /// Runs `read` and `write` at the same time, without workers; items wait in one queue.
    ///
    /// # Errors
    /// The error of the reader, else of the writer.
    pub(crate) fn feed<T, A, B, E>(
        &self,
        read: impl FnOnce(&Outlet<'_, T>) -> Result<A, E> + Send,
        write: impl FnOnce(&mut dyn Iterator<Item = T>) -> Result<B, E>,
    ) -> Result<(A, B), E>
    where
        T: Send,
        A: Send,
        E: Send,
    {
        let (sender, items) = bounded(self.queue);
        let (read, written) = thread::scope(|scope| {
            let reading = scope.spawn(move || read(&Outlet { send: &outlet(sender) }));
            let written = written(items, write);
            (joined(reading), written)
        });
        Ok((read?, written?))
    }
}

/// Processes all `items` in parallel, one item per worker at a time; the results are in the
/// order of the items.
///
/// # Errors
/// The first error of a worker; no worker takes another item then.
pub(crate) fn map<T, U, E>(
    items: impl ExactSizeIterator<Item = T> + Send,
    workers: impl IntoIterator<Item = impl FnMut(T) -> Result<U, E> + Send>,
) -> Result<Vec<U>, E>
where
    T: Send,
    U: Send,
    E: Send,
{
    let pipeline = Pipeline { queue: items.len(), interrupt: &Interrupt::new() };
    pipeline.run_in_order(items, workers, |results| Ok(results.collect()))
}

/// Runs two closures at the same time, `here` on the calling thread.
pub(crate) fn join<A, B: Send>(
    here: impl FnOnce() -> A,
    beside: impl FnOnce() -> B + Send,
) -> (A, B) {
    thread::scope(|scope| {
        let beside = scope.spawn(beside);
        let here = here();
        (here, joined(beside))
    })
}

fn outlet<T>(sender: Sender<T>) -> impl Fn(T) -> Result<(), Closed> + Sync
where
    T: Send,
{
    move |made| sender.send(made).map_err(|_| Closed)
}

/// Runs `write` over the results, then drops the receiver, so that senders see [`Closed`].
fn written<U, B>(results: Receiver<U>, write: impl FnOnce(&mut dyn Iterator<Item = U>) -> B) -> B {
    write(&mut results.into_iter())
}

/// Waits for a thread and returns its result; a panic of the thread is resumed here.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Delivers results in the order of their numbers.
struct InOrder<'r, U> {
    results: &'r mut dyn Iterator<Item = (usize, U)>,
    /// Gets one token per delivered result, which lets the reader start another item.
    tokens: Sender<()>,
    /// Results that came before their turn.
    early: BTreeMap<usize, U>,
    next: usize,
}

impl<U> Iterator for InOrder<'_, U> {
    type Item = U;

    fn next(&mut self) -> Option<U> {
        loop {
            if let Some(result) = self.early.remove(&self.next) {
                self.next += 1;
                // Sending fails if the reader has ended, which is no error.
                let _ = self.tokens.send(());
                return Some(result);
            }
            let (number, result) = self.results.next()?;
            self.early.insert(number, result);
        }
    }
}

/// Stops all workers, including those that wait for an item.
struct Stop {
    /// Keeps `stopped` connected; dropping it stops the workers.
    running: Mutex<Option<Sender<()>>>,
    stopped: Receiver<()>,
}

impl Stop {
    fn new() -> Self {
        let (running, stopped) = bounded(0);
        Self { running: Mutex::new(Some(running)), stopped }
    }

    fn is_stopped(&self) -> bool {
        self.stopped.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// The next item; `None` if the reader has ended or the workers were stopped.
    fn next_item<T>(&self, items: &Receiver<T>, interrupt: &Interrupt) -> Option<T> {
        let item = select! {
            recv(self.stopped) -> _ => None,
            recv(items) -> item => item.ok(),
        };
        item.filter(|_| !self.is_stopped() && interrupt.requested().is_none())
    }
}

/// Stops all workers when dropped before `done` is set: after an error, a panic or a closed
/// outlet.
struct StopUnlessDone<'s> {
    stop: &'s Stop,
    done: bool,
}

impl Drop for StopUnlessDone<'_> {
    fn drop(&mut self) {
        if !self.done {
            drop(self.stop.running.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }
}

#[cfg(test)]
#[path = "pipeline_tests.rs"]
mod tests;
