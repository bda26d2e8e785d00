//! The scores of a group so far, kept across interruptions.
//!
//! Workers enter scores batch by batch, in any order. At intervals, and when the task has to
//! end, the scores are saved in the part file `t<k>.part.h5`; the next task on the group goes
//! on from there. A part file is used only if it belongs to the same run, model and group; any
//! other is set aside with a message.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ndarray::{Array2, Axis};

use super::batch::NumberedPoint;
use super::cascade_tally::CascadeTally;
use super::part_file::{carry_over, check_belongs, read_part, remove_part, set_aside};
use super::scored::Scored;
use crate::config::Method;
use crate::geometry::lattice::LatticePoint;
use crate::hdf5_file::FormatError;
use crate::process;
use crate::progress::Progress;
use crate::scores::{self, PartScores, ScoredBy, Scores, ScoresMeta, UnnormalizedPatch};

/// The files of a group, and how often to save.
pub(super) struct GroupFiles {
    /// `t<k>.h5`
    pub(super) whole: PathBuf,
    /// `t<k>.part.h5`
    pub(super) part: PathBuf,
    /// Time between saves; with `None` the scores are saved only when the task has to end.
    pub(super) every: Option<Duration>,
}

/// The scores of a group while workers enter them.
pub(super) struct Ledger<'p> {
    places: GroupFiles,
    progress: &'p Progress,
    /// Attributes of the score file, with the figures of earlier tries.
    meta: ScoresMeta,
    rows: Vec<i32>,
    cols: Vec<i32>,
    /// Windows that earlier tries have scored.
    resumed: usize,
    book: Mutex<LedgerState>,
    saved: Mutex<Instant>,
    start: Start,
}

/// When a try started.
pub(super) struct Start {
    at: Instant,
    unix_s: f64,
    cpu_s: f64,
}

impl Start {
    pub(super) fn now() -> Self {
        Self { at: Instant::now(), unix_s: process::unix_s(), cpu_s: process::cpu_s() }
    }

    pub(super) fn at(&self) -> Instant {
        self.at
    }
}

/// Counts of patches whose colours could not be normalised.
pub(super) struct ColourFailures {
    /// Patches that are not scored for that reason.
    pub(super) refused: u64,
    /// All such patches, scored or not.
    pub(super) unnormalized: usize,
}

struct LedgerState {
    /// `[window, class]`
    scores: Array2<f32>,
    done: Vec<bool>,
    /// Windows that were given up with their patches.
    lost: usize,
    /// Patches that were given up.
    refused: u64,
    /// Why patches could not be normalised, by index of the patch.
    unnormalized: BTreeMap<usize, UnnormalizedPatch>,
    read: Duration,
    infer: Duration,
    shared: u64,
    computed_px: u64,
    /// How a cascade scores each window. Earlier tries' windows are among them, so that all
    /// counts are those of the whole group.
    how: Vec<Option<ScoredBy>>,
    /// What a cascade counts.
    cascade: Option<CascadeTally>,
}

impl<'p> Ledger<'p> {
    /// Starts from the part file of an earlier try, or empty.
    ///
    /// `meta`: the attributes, with times, memory and counts 0; `points`: the points of each
    /// patch.
    ///
    /// # Errors
    /// [`FormatError`] if the part file may be there and cannot be read now.
    pub(super) fn open(
        places: GroupFiles,
        mut meta: ScoresMeta,
        points: &[Vec<LatticePoint>],
        start: Start,
        progress: &'p Progress,
    ) -> Result<Self, FormatError> {
        let (rows, cols): (Vec<i32>, Vec<i32>) =
            points.iter().flatten().map(|point| (point.row, point.col)).unzip();
        meta.windows = rows.len() as u64;
        let mut book = LedgerState {
            scores: Array2::zeros((rows.len(), meta.classes.len())),
            done: vec![false; rows.len()],
            lost: 0,
            refused: 0,
            unnormalized: BTreeMap::new(),
            read: Duration::ZERO,
            infer: Duration::ZERO,
            shared: 0,
            computed_px: 0,
            how: vec![None; rows.len()],
            cascade: None,
        };
        if let Some(part) = read_part(&places.part)? {
            match part.and_then(|part| resume(part, &meta, &rows, &cols, &mut book)) {
                Ok(earlier) => carry_over(&mut meta, earlier),
                Err(problem) => set_aside(&places.part, &problem, progress),
            }
        }
        let resumed = book.done.iter().filter(|&&done| done).count();
        Ok(Self {
            places,
            progress,
            meta,
            rows,
            cols,
            resumed,
            book: Mutex::new(book),
            saved: Mutex::new(Instant::now()),
            start,
        })
    }

    /// Windows that earlier tries have scored.
    pub(super) fn resumed(&self) -> usize {
        self.resumed
    }

    /// Windows of the group.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Windows still to be scored when this try began.
    pub(super) fn remaining(&self) -> usize {
        self.rows.len() - self.resumed
    }

    /// The points still to be scored, among the `points` given to [`Ledger::open`].
    pub(super) fn todo(&self, points: &[Vec<LatticePoint>]) -> Vec<Vec<NumberedPoint>> {
        let book = self.book();
        let mut done = book.done.iter().enumerate();
        points
            .iter()
            .map(|points| {
                let left = points.iter().zip(done.by_ref()).filter(|(_, (_, done))| !**done);
                left.map(|(&point, (number, _))| NumberedPoint { number, point }).collect()
            })
            .collect()
    }

    /// Enters scores, and saves if a save is due.
    pub(super) fn enter(&self, scored: &Scored) {
        let Scored { numbers, scores, infer, computed_px, shared } = scored;
        let classes = self.meta.classes.len();
        let mut book = self.book();
        for (&window, values) in numbers.iter().zip(scores.chunks_exact(classes)) {
            let flat = book.scores.as_slice_mut().expect("a new array is contiguous");
            flat[window * classes..][..classes].copy_from_slice(values);
            book.done[window] = true;
        }
        book.infer += *infer;
        book.computed_px += computed_px;
        book.shared += if *shared { numbers.len() as u64 } else { 0 };
        drop(book);
        self.save_when_due();
    }

    /// Records why a patch could not be normalised.
    pub(super) fn note_unnormalized(&self, index: usize, patch: UnnormalizedPatch) {
        self.book().unnormalized.insert(index, patch);
    }

    /// Records that a patch is not scored, and gives up its `windows`.
    pub(super) fn give_up(&self, windows: usize) {
        let mut book = self.book();
        book.lost += windows;
        book.refused += 1;
    }

    /// Counts the patches whose colours could not be normalised.
    pub(super) fn colour_failures(&self) -> ColourFailures {
        let book = self.book();
        ColourFailures { refused: book.refused, unnormalized: book.unnormalized.len() }
    }

    /// Windows that are finished: scored or given up.
    pub(super) fn settled(&self) -> usize {
        self.scored() + self.book().lost
    }

    /// Starts counting how a cascade scores points.
    pub(super) fn note_cascade(&self, tally: CascadeTally) {
        self.book().cascade = Some(tally);
    }

    /// Records how a cascade scores windows. The record comes before the scores are entered, so
    /// that a save in between counts these windows.
    pub(super) fn note_how(&self, how: ScoredBy, numbers: &[usize]) {
        let mut book = self.book();
        for &number in numbers {
            book.how[number] = Some(how);
        }
    }

    /// Adds time spent reading.
    pub(super) fn note_read(&self, read: Duration) {
        self.book().read += read;
    }

    /// Saves if a save is due and no other worker is saving.
    fn save_when_due(&self) {
        let Some(every) = self.places.every else { return };
        let Ok(mut saved) = self.saved.try_lock() else { return };
        if saved.elapsed() < every {
            return;
        }
        // A task that cannot save may still be able to finish.
        if let Err(error) = self.save() {
            self.progress.warn(&format!("warning: cannot save the scores so far: {error}"));
        }
        *saved = Instant::now();
    }

    /// Saves the scores so far as `t<k>.part.h5`; returns the number of windows.
    pub(super) fn save(&self) -> Result<usize, FormatError> {
        let book = self.book();
        let done: Vec<usize> = (0..self.rows.len()).filter(|&window| book.done[window]).collect();
        let score = book.scores.select(Axis(0), &done);
        let how: Option<Vec<ScoredBy>> = done.iter().map(|&window| book.how[window]).collect();
        let mut meta = self.figures(&book);
        drop(book);
        // Another task may have scored the same group and finished.
        if done.is_empty() || self.places.whole.exists() {
            return Ok(done.len());
        }
        let row: Vec<i32> = done.iter().map(|&window| self.rows[window]).collect();
        let col: Vec<i32> = done.iter().map(|&window| self.cols[window]).collect();
        let total = meta.windows;
        meta.windows = done.len() as u64;
        let part = PartScores { scores: Scores { meta, row, col, score }, total, how };
        scores::write_part(&self.places.part, &part)?;
        Ok(done.len())
    }

    /// Windows scored, by this try and earlier ones.
    pub(super) fn scored(&self) -> usize {
        self.book().done.iter().filter(|&&done| done).count()
    }

    /// Writes the score file of the group, removes the part file and returns the attributes.
    pub(super) fn finish(&self) -> Result<ScoresMeta, FormatError> {
        let book = self.book();
        let mut meta = self.figures(&book);
        let done: Vec<usize> = (0..self.rows.len()).filter(|&window| book.done[window]).collect();
        debug_assert_eq!(done.len() + book.lost, self.rows.len());
        let whole = &self.places.whole;
        if book.lost == 0 {
            scores::write_scores(whole, &meta, &self.rows, &self.cols, book.scores.view())?;
        } else {
            meta.windows = done.len() as u64;
            let scores = book.scores.select(Axis(0), &done);
            let rows: Vec<i32> = done.iter().map(|&window| self.rows[window]).collect();
            let cols: Vec<i32> = done.iter().map(|&window| self.cols[window]).collect();
            scores::write_scores(whole, &meta, &rows, &cols, scores.view())?;
        }
        remove_part(&self.places.part);
        Ok(meta)
    }

    /// The attributes, with times, memory and counts until now.
    fn figures(&self, book: &LedgerState) -> ScoresMeta {
        let mut meta = self.meta.clone();
        let wall_s = self.start.at.elapsed().as_secs_f64();
        meta.wall_s += wall_s;
        meta.cpu_s += process::cpu_s() - self.start.cpu_s;
        meta.read_s += book.read.as_secs_f64();
        meta.infer_s += book.infer.as_secs_f64();
        meta.shared_windows += book.shared;
        meta.computed_px += book.computed_px;
        let counts = |tally: &CascadeTally| tally.counts(&book.how, &book.done, book.scores.view());
        meta.cascade = book.cascade.as_ref().map(counts);
        meta.peak_rss_bytes = meta.peak_rss_bytes.max(process::peak_rss_bytes());
        meta.failed_patches += book.refused;
        meta.unnormalized.clone_from(&book.unnormalized);
        meta.unnormalized_patches = book.unnormalized.len() as u64;
        meta.spans_unix_s.push([self.start.unix_s, self.start.unix_s + wall_s]);
        meta
    }

    fn book(&self) -> std::sync::MutexGuard<'_, LedgerState> {
        self.book.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Enters the scores of a part file; the error says why the file cannot be used.
fn resume(
    part: PartScores,
    meta: &ScoresMeta,
    rows: &[i32],
    cols: &[i32],
    book: &mut LedgerState,
) -> Result<ScoresMeta, String> {
    let PartScores { scores: part, total, how } = part;
    check_belongs(&part.meta, meta, total)?;
    if meta.method == Method::Cascade.name() && how.is_none() {
        return Err("the file does not say how each window was scored, as those of earlier versions do not; the counts of the cascade would be too low".into());
    }
    let windows: HashMap<(i32, i32), usize> =
        rows.iter().copied().zip(cols.iter().copied()).zip(0..).collect();
    let Scores { row, col, score, .. } = &part;
    let mut places = Vec::with_capacity(row.len());
    for (&row, &col) in row.iter().zip(col) {
        let place = windows.get(&(row, col));
        places.push(*place.ok_or(format!("point row {row}, col {col} is not of this group"))?);
    }
    book.unnormalized.clone_from(&part.meta.unnormalized);
    for (&place, score) in places.iter().zip(score.outer_iter()) {
        book.done[place] = true;
        book.scores.row_mut(place).assign(&score);
    }
    for (&place, how) in places.iter().zip(how.into_iter().flatten()) {
        book.how[place] = Some(how);
    }
    Ok(part.meta)
}
