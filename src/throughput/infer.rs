//! The speed of a network in one setting of engine, batch and threads.

use std::time::{Duration, Instant};

use rayon::ThreadPool;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::model::{EngineError, Model, Precision, SelectedEngine, Session};
use crate::predict::{Preparation, PreparedPatch, load_sessions};
use crate::{process, threads};

/// How much larger the side of the patch of noise is than that of the window, px. Windows
/// lie at random positions within the patch.
const ROOM_PX: u32 = 96;

/// The least number of runs of each session that are timed.
const MIN_RUNS: u64 = 2;

/// The result of one measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Measurement {
    /// Name and version of the engine.
    pub engine: String,
    /// Windows per run; if the graph fixes a number, that one.
    pub batch: usize,
    /// Windows per second of wall time, of all threads together.
    pub windows_per_s: f64,
    /// Windows per second of processor time.
    pub windows_per_cpu_s: f64,
    /// Wall time until all sessions are loaded.
    pub load_s: f64,
    /// Largest resident memory of the process.
    pub peak_rss_bytes: u64,
}

/// Runs the network on random windows for `seconds`, on `threads` threads with a
/// session each. As in `predict`, windows are cut from bytes and prepared on the way.
///
/// # Errors
/// [`EngineError`] when the network does not load or run.
pub(crate) fn measure(
    engine: &SelectedEngine,
    model: &Model,
    batch: usize,
    threads: usize,
    seconds: f64,
) -> Result<Measurement, EngineError> {
    let pool = threads::pool(threads);
    let loading = Instant::now();
    let mut sessions = load_sessions(engine, model, batch, threads, &pool)?;
    let load_s = loading.elapsed().as_secs_f64();
    let windows = NoiseWindows::new(model);
    // The first run of a session allocates and plans.
    run_on_all(&pool, &mut sessions, &windows, Duration::ZERO, 1)?;
    let cpu_s = process::cpu_s();
    let length = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO);
    let done = run_on_all(&pool, &mut sessions, &windows, length, MIN_RUNS)?;
    let cpu_s = process::cpu_s() - cpu_s;
    let count: u64 = done.iter().map(|(windows, _)| windows).sum();
    let rates = done.iter().map(|(windows, wall)| *windows as f64 / wall.as_secs_f64());
    Ok(Measurement {
        engine: match engine.engine.precision() {
            Precision::F32 => format!("{} {}", engine.engine.name(), engine.engine.version()),
            less => format!("{}-{less} {}", engine.engine.name(), engine.engine.version()),
        },
        batch: sessions[0].batch(),
        windows_per_s: rates.sum(),
        windows_per_cpu_s: count as f64 / cpu_s,
        load_s,
        peak_rss_bytes: process::peak_rss_bytes(),
    })
}

/// Windows at random positions of a patch of noise, prepared as for `predict`.
struct NoiseWindows {
    preparation: Preparation,
    patch: PreparedPatch,
    classes: usize,
}

impl NoiseWindows {
    fn new(model: &Model) -> Self {
        let side_px = (model.card.window_px + ROOM_PX) as usize;
        let mut rng = NoiseRng(1);
        let rgb: Vec<u8> =
            (0..side_px * side_px * 3).map(|_| rng.bits().to_le_bytes()[5]).collect();
        let preparation = Preparation::new(&model.card);
        let mut patch = PreparedPatch::default();
        preparation.prepare(&rgb, side_px, &mut patch);
        Self { preparation, patch, classes: model.card.classes.len() }
    }

    /// Runs the session again and again for `length`, and at least `least` times. Returns
    /// the number of windows scored and the time.
    fn run(
        &self,
        session: &mut dyn Session,
        seed: u64,
        length: Duration,
        least: u64,
    ) -> Result<(u64, Duration), EngineError> {
        let (batch, window_len) = (session.batch(), self.preparation.window_len());
        let mut scores = vec![0.0; batch * self.classes];
        let mut rng = NoiseRng(seed);
        let (started, mut runs) = (Instant::now(), 0);
        while runs < least || started.elapsed() < length {
            let mut fill = |input: &mut [f32]| {
                for window in input.chunks_exact_mut(window_len) {
                    let (x_px, y_px) = (rng.below(ROOM_PX), rng.below(ROOM_PX));
                    self.preparation.window(&self.patch, x_px, y_px, window);
                }
            };
            session.run_filled(batch, &mut fill, &mut scores)?;
            runs += 1;
        }
        Ok((runs * batch as u64, started.elapsed()))
    }
}

/// Calls [`NoiseWindows::run`] for all sessions at the same time, each on its own thread.
fn run_on_all(
    pool: &ThreadPool,
    sessions: &mut [Box<dyn Session>],
    windows: &NoiseWindows,
    length: Duration,
    least: u64,
) -> Result<Vec<(u64, Duration)>, EngineError> {
    pool.install(|| {
        let sessions = sessions.par_iter_mut().with_max_len(1).enumerate();
        sessions
            .map(|(number, session)| {
                windows.run(session.as_mut(), number as u64 + 1, length, least)
            })
            .collect()
    })
}

/// A generator of random numbers good enough for noise: xorshift64 (Marsaglia 2003). The
/// seed must not be 0.
struct NoiseRng(u64);

impl NoiseRng {
    fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u32) -> u32 {
        u32::try_from((self.bits() >> 11) % u64::from(limit)).expect("it is below the limit")
    }
}
