//! Scores windows of tissue tiles by the dense network and one by one.

use super::colour::Normalizer;
use super::context::Context;
use super::dense_plan::TileMargin;
use super::error::PredictError;
use super::fit_support::ScorePair;
use super::loaded_dense::{DenseWorker, LoadedDense, SampleSessions};
use super::sample::Sample;
use super::tile_scorer::TileScorer;
use crate::model::{DenseNetwork, DenseSession, HeadInputs, Outputs, Session};
use crate::pipeline::map;

/// Windows of a tissue tile, scored both ways, with the inputs to fit a head to.
pub(super) struct TileSample {
    pub(super) pair: ScorePair,
    /// The inputs of the head, per window; empty if no head can be fitted.
    pub(super) inputs: Vec<HeadInputs>,
}

/// A dense network that all workers run over tiles.
pub(super) struct TileSampler<'c> {
    context: &'c Context<'c>,
    network: DenseNetwork,
    loaded: SampleSessions,
}

impl<'c> TileSampler<'c> {
    /// Loads `network`: a dense network with any head, or one that gives the inputs of a head.
    ///
    /// # Errors
    /// [`PredictError`] when a session does not load.
    pub(super) fn load(
        context: &'c Context<'c>,
        dense: &LoadedDense,
        network: DenseNetwork,
        margin: TileMargin,
    ) -> Result<Self, PredictError> {
        let (engine, workers) = (&context.engine, context.workers());
        let loaded = dense.load_samples(context, engine, &network, workers, margin)?;
        Ok(Self { context, network, loaded })
    }

    /// Scores samples both ways.
    ///
    /// # Errors
    /// [`PredictError`] when a sample cannot be read or scored.
    pub(super) fn score(
        &mut self,
        normalizer: Option<&Normalizer>,
        samples: &[Sample<'_>],
        windows: &mut [Box<dyn Session>],
    ) -> Result<Vec<TileSample>, PredictError> {
        let classes = self.context.classes().count;
        let workers = scorers(self.context, &self.network, &mut self.loaded, normalizer);
        let workers = workers.zip(windows).map(|(mut scorer, windows)| {
            move |sample: &Sample<'_>| scorer.pair(sample, windows.as_mut(), classes)
        });
        let found: Vec<ScorePair> = map(samples.iter(), workers)?;
        Ok(found.into_iter().map(|pair| tile_sample(pair, &self.network)).collect())
    }

    /// Scores of samples by the dense network, `[window, class]` for each sample.
    ///
    /// # Errors
    /// [`PredictError`] when a sample cannot be read or scored.
    pub(super) fn dense(
        &mut self,
        normalizer: Option<&Normalizer>,
        samples: &[Sample<'_>],
    ) -> Result<Vec<Vec<f32>>, PredictError> {
        let workers = scorers(self.context, &self.network, &mut self.loaded, normalizer);
        let workers = workers.map(|mut scorer| move |sample: &Sample<'_>| scorer.dense(sample));
        map(samples.iter(), workers)
    }
}

/// The scorers of tiles, one per worker.
fn scorers<'s>(
    context: &'s Context<'_>,
    network: &DenseNetwork,
    loaded: &'s mut SampleSessions,
    normalizer: Option<&'s Normalizer>,
) -> impl Iterator<Item = TileScorer<'s>> {
    let (preparation, tiles) = (&context.preparation, loaded.tiles);
    let width = match network.outputs() {
        Outputs::Scores => context.classes().count,
        Outputs::HeadInputs => network.channels(),
    };
    loaded.sessions.iter_mut().map(move |session| {
        let session: &mut dyn DenseSession = session.as_mut();
        let dense = DenseWorker { session, preparation, tiles, width };
        TileScorer { dense, preparation, normalizer }
    })
}

/// The sample of a tile from the output of `network`.
fn tile_sample(found: ScorePair, network: &DenseNetwork) -> TileSample {
    let link = network.score_link().filter(|_| network.outputs() == Outputs::HeadInputs);
    let Some(link) = link else { return TileSample { pair: found, inputs: Vec::new() } };
    let rows = found.dense.chunks_exact(network.channels());
    let inputs: Vec<HeadInputs> = rows.map(|row| network.head_inputs(row)).collect();
    let dense = inputs.iter().flat_map(|inputs| link.scores_of(&inputs.logits)).collect();
    TileSample { pair: ScorePair { dense, exact: found.exact }, inputs }
}
