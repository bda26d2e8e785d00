//! What the methods take on this machine, from a short timing of single windows and of a dense
//! run.

use std::time::{Duration, Instant};

use super::context::Context;
use super::dense_plan::TileMargin;
use super::error::PredictError;
use super::loaded_dense::LoadedDense;
use crate::geometry::dense_tiles::{GridPlace, GridSize};
use crate::model::{
    DenseCost, DenseError, DenseSession, EngineError, Session, dense_cost, densify,
};

/// Time in which runs of the network are timed; the first run may take longer.
const TIMED: Duration = Duration::from_millis(300);

/// Value of the pixels of timed images. Networks take as long for other ones.
const PIXEL: f32 = 0.25;

/// Time for each point on this machine, seconds, with all workers at work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Forecast {
    /// A single window that shares nothing with others.
    pub(crate) window_s: f64,
    /// A point of a dense run over a block of tissue, its margin included; `None` if there is no
    /// dense run.
    pub(crate) dense_s: Option<f64>,
    /// Whether the dense run was timed. Otherwise, its time is that of its multiplications, at
    /// the rate of single windows.
    pub(crate) timed_dense: bool,
}

/// Times the network: single windows, and dense runs where the method makes them.
///
/// # Errors
/// [`PredictError`] if the network cannot run.
pub(super) fn forecast(
    context: &Context<'_>,
    session: &mut dyn Session,
    dense: Option<&LoadedDense>,
) -> Result<Forecast, PredictError> {
    let failed = |source| context.model_failed(source);
    let one_window_s = time_windows(context, session).map_err(failed)?;
    let workers = context.workers() as f64;
    let window_s = one_window_s / workers;
    if let Some(dense) = dense {
        let dense_s = dense_point_s(context, dense)? / dense.workers() as f64;
        return Ok(Forecast { window_s, dense_s: Some(dense_s), timed_dense: true });
    }
    let dense_s = window_cost_ratio(context).map(|ratio| window_s * ratio);
    Ok(Forecast { window_s, dense_s, timed_dense: false })
}

/// What dense runs cost beside single windows, by multiplications.
///
/// # Errors
/// [`DenseError`] if the network has no dense form.
pub(super) fn cost_of(context: &Context<'_>) -> Result<DenseCost, DenseError> {
    let (config, model) = (context.config, &context.model);
    let network = densify(model, config.config.predict.stride)?;
    dense_cost(model, &network, config.tiling().block_px(), context.dense_map_bytes())
}

/// Cost of a dense point in single windows; `None` without a dense form, or if maps do not fit into
/// memory.
fn window_cost_ratio(context: &Context<'_>) -> Option<f64> {
    Some(cost_of(context).ok()?.gain().recip()).filter(|ratio| ratio.is_finite())
}

/// Seconds that one worker takes for a window.
fn time_windows(context: &Context<'_>, session: &mut dyn Session) -> Result<f64, EngineError> {
    let windows = session.batch();
    let mut scores = vec![0.0; windows * context.classes().count];
    let mut fill = |input: &mut [f32]| input.fill(PIXEL);
    let run_s = seconds_of(&mut || session.run_filled(windows, &mut fill, &mut scores))?;
    Ok(run_s / windows as f64)
}

/// Seconds that one worker takes for a point of a dense run over a block of tissue. An image of
/// one tile is timed, which takes less memory.
fn dense_point_s(context: &Context<'_>, dense: &LoadedDense) -> Result<f64, PredictError> {
    let network = &dense.network;
    let mut loaded = dense.load_samples(context, &context.engine, network, 1, TileMargin::Reach)?;
    let (timed, session) = (loaded.tiles, loaded.sessions[0].as_mut());
    let image_s = time_image(session, timed.grid(), context.classes().count)
        .map_err(|source| context.model_failed(source))?;
    let (timed, tiles) = (network.multiplications(timed.grid()), dense.tiles);
    let scored = f64::from(tiles.grid() - 2 * tiles.margin()).powi(2);
    Ok(image_s * network.multiplications(tiles.grid()) / timed.max(1.0) / scored)
}

/// Seconds of a run over an image with `outputs` outputs along a side.
fn time_image(
    session: &mut dyn DenseSession,
    outputs: u32,
    classes: usize,
) -> Result<f64, EngineError> {
    let grid = GridSize { rows: outputs, cols: outputs };
    let places = [GridPlace { row: outputs / 2, col: outputs / 2 }];
    let mut scores = vec![0.0; classes];
    let mut fill = |image: &mut [f32]| image.fill(PIXEL);
    seconds_of(&mut || session.run(grid, &mut fill, &places, &mut scores))
}

/// Seconds that `run` takes: the mean of the runs that end within [`TIMED`] after the first, or
/// the first alone if it took longer.
fn seconds_of(run: &mut dyn FnMut() -> Result<(), EngineError>) -> Result<f64, EngineError> {
    let started = Instant::now();
    run()?;
    let first = started.elapsed();
    if first >= TIMED {
        return Ok(first.as_secs_f64());
    }
    let (started, mut runs) = (Instant::now(), 0.0);
    loop {
        run()?;
        runs += 1.0;
        if started.elapsed() >= TIMED {
            return Ok(started.elapsed().as_secs_f64() / runs);
        }
    }
}
