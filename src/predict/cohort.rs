//! Fits the head of a dense network over the slides of a run.
//!
//! Windows of tissue tiles, drawn by place from all slides, are scored both ways, and a first
//! head is fitted to them. This head then screens further tiles. Windows that it scores high,
//! or is unsure of, are scored exactly too, since few windows of a slide are near the
//! threshold. The second head is fitted to all these windows and judged on slides that are left
//! out of the fit.

use rayon::ThreadPool;

use super::calibration::Residual;
use super::classes::{Classes, DETECTION};
use super::cohort_tiles::{OpenPatches, chosen, detections};
use super::context::Context;
use super::dense_plan::TileMargin;
use super::draw::Purpose;
use super::error::PredictError;
use super::fit_support::{FitSupport, ScorePair, joined};
use super::loaded_dense::LoadedDense;
use super::refit::{self, Fitted, HeadSample};
use super::sample::SampleSize;
use super::tile_sample::{TileSample, TileSampler};
use crate::config::{MIN_FIT_SLIDES, RunConfig};
use crate::interrupt::Interrupt;
use crate::model::{DenseNetwork, FitFile, FitJudgement, FitSlide, SelectedEngine, Session};
use crate::progress::Progress;
use crate::run_dir::RunDir;
use crate::scores::missed_bound;

/// Windows drawn by place, over all slides.
const DRAWN_WINDOWS: usize = 1000;

/// Most windows chosen because a first fit scores them high or is unsure.
const CHOSEN_WINDOWS: usize = 600;

/// Windows drawn in a tile.
const PER_TILE: usize = 8;

/// Windows that a first fit screens in a tile.
const SCREENED_PER_TILE: usize = 48;

/// Tiles that a first fit screens, per tile drawn by place.
const SCREENED_TILES: usize = 3;

/// Fewest and most tiles of a slide that are drawn by place.
const TILES: [usize; 2] = [3, 32];

/// The outcome of fitting over the slides.
pub(crate) enum CohortFit {
    /// A head was fitted.
    Fitted(Box<FitFile>),
    /// No head is needed, or none can be fitted, for this reason.
    None(String),
    /// A signal ended the work; nothing is stored.
    Interrupted(&'static str),
}

/// The run to fit for, its engine and the workers.
pub(crate) struct CohortRun<'r> {
    pub(crate) run: &'r RunDir,
    pub(crate) config: &'r RunConfig,
    pub(crate) engine: SelectedEngine,
    pub(crate) pool: &'r ThreadPool,
    pub(crate) interrupt: Interrupt,
}

/// Fits the head over `slides`, which have patches.
///
/// # Errors
/// [`PredictError`] if a slide's windows cannot be read or scored.
pub(crate) fn fit_cohort(
    cohort: CohortRun<'_>,
    slides: &[String],
    progress: &Progress,
) -> Result<CohortFit, PredictError> {
    let CohortRun { run, config, engine, pool, interrupt } = cohort;
    let mut context = Context::load(run, config, engine, pool)?;
    context.interrupt = interrupt;
    let context = &context;
    let Some(first) = slides.first().filter(|_| slides.len() >= MIN_FIT_SLIDES) else {
        return Ok(CohortFit::None(format!(
            "{} slides have tissue, expected at least {MIN_FIT_SLIDES}: each slide is fitted to its own windows",
            slides.len()
        )));
    };
    let tiling = OpenPatches::open(context, first)?.group(context, first)?.tiling;
    let dense = LoadedDense::load(context, tiling)?;
    if dense.network.inexact.is_empty() {
        let why = "no layer of the network pads: dense scores are exact";
        return Ok(CohortFit::None(why.to_owned()));
    }
    let Some(sampling) = dense.network.sampling() else {
        let why = "the last map of the network cannot be reached: each slide gets a slope and an offset of its own";
        return Ok(CohortFit::None(why.to_owned()));
    };
    let mut rounds = Rounds {
        context,
        slides,
        windows: context.load_sessions()?,
        sampler: TileSampler::load(context, &dense, sampling, TileMargin::Reach)?,
        tiles: Vec::new(),
    };
    let drawn = rounds.draw(progress)?;
    if let Some(signal) = context.interrupt.requested() {
        return Ok(CohortFit::Interrupted(signal));
    }
    let Some(first) = rounds.fit(&dense.network, drawn) else {
        return Ok(CohortFit::None("the slides have too few windows to fit to".to_owned()));
    };
    let refitted = dense.network.refitted(&first.head);
    // The screen only chooses windows to score exactly, so that it need not see beyond them.
    let screen = TileSampler::load(context, &dense, refitted, TileMargin::None)?;
    rounds.choose(screen, progress)?;
    if let Some(signal) = context.interrupt.requested() {
        return Ok(CohortFit::Interrupted(signal));
    }
    let all = rounds.tiles.len();
    let Some(fitted) = rounds.fit(&dense.network, all) else {
        return Ok(CohortFit::None("the slides have too few windows to fit to".to_owned()));
    };
    Ok(CohortFit::Fitted(Box::new(rounds.judged(fitted, drawn))))
}

/// A tile and the index of its slide.
struct SlideTile {
    slide: usize,
    sample: TileSample,
}

/// The tiles so far, and the sessions that score more tiles.
struct Rounds<'c, 'r> {
    context: &'c Context<'r>,
    slides: &'c [String],
    windows: Vec<Box<dyn Session>>,
    sampler: TileSampler<'c>,
    tiles: Vec<SlideTile>,
}

impl Rounds<'_, '_> {
    /// Number of tiles of each slide that are drawn by place.
    fn tiles_per_slide(&self) -> usize {
        let [least, most] = TILES;
        DRAWN_WINDOWS.div_ceil(PER_TILE * self.slides.len()).clamp(least, most)
    }

    /// Scores windows drawn by place and returns the number of their tiles.
    fn draw(&mut self, progress: &Progress) -> Result<usize, PredictError> {
        let tiles = self.tiles_per_slide();
        let size = SampleSize { draw: Purpose::Fit, skip: 0, tiles, points: PER_TILE };
        let task = progress.start("calibrate: windows of each slide", "slides", self.slides.len());
        for (slide, name) in self.slides.iter().enumerate() {
            if self.context.interrupt.requested().is_some() {
                break;
            }
            let opened = OpenPatches::open(self.context, name)?;
            let group = opened.group(self.context, name)?;
            let samples = opened.samples(self.context, &group, size);
            let found =
                self.sampler.score(group.normalizer.as_ref(), &samples, &mut self.windows)?;
            self.tiles.extend(found.into_iter().map(|sample| SlideTile { slide, sample }));
            task.advance(1);
        }
        Ok(self.tiles.len())
    }

    /// Screens further tiles, and scores the windows that `screen` scores high or is unsure of.
    fn choose(
        &mut self,
        mut screen: TileSampler<'_>,
        progress: &Progress,
    ) -> Result<(), PredictError> {
        let drawn = self.tiles_per_slide();
        let (skip, tiles) = (drawn, SCREENED_TILES * drawn);
        let size = SampleSize { draw: Purpose::Fit, skip, tiles, points: SCREENED_PER_TILE };
        let most = CHOSEN_WINDOWS.div_ceil(self.slides.len());
        let classes = self.context.classes();
        let task = progress.start("calibrate: windows to be sure of", "slides", self.slides.len());
        for (slide, name) in self.slides.iter().enumerate() {
            if self.context.interrupt.requested().is_some() {
                break;
            }
            let opened = OpenPatches::open(self.context, name)?;
            let group = opened.group(self.context, name)?;
            let samples = opened.samples(self.context, &group, size);
            let scores = screen.dense(group.normalizer.as_ref(), &samples)?;
            let chosen = chosen(samples, &scores, classes, most);
            let found =
                self.sampler.score(group.normalizer.as_ref(), &chosen, &mut self.windows)?;
            self.tiles.extend(found.into_iter().map(|sample| SlideTile { slide, sample }));
            task.advance(1);
        }
        Ok(())
    }

    /// Fits a head to the first `count` tiles and judges it with slides left out in turn.
    fn fit(&self, network: &DenseNetwork, count: usize) -> Option<Fitted> {
        let (link, shape) = (network.score_link()?, network.head_shape()?);
        let mut sample = HeadSample::default();
        for SlideTile { slide, sample: tile } in &self.tiles[..count] {
            sample.inputs.extend(tile.inputs.iter().cloned());
            sample.units.extend(tile.inputs.iter().map(|_| *slide));
            sample.exact.extend(&tile.pair.exact);
        }
        self.context.pool.install(|| refit::fit(&sample, &link, shape))
    }

    /// The file of the fit, with its judgement on slides left out. The first `drawn` tiles were
    /// drawn by place.
    fn judged(&self, fitted: Fitted, drawn: usize) -> FitFile {
        let (classes, keys) = (self.context.classes(), self.context.keys());
        let mut held_out = fitted.held_out.chunks_exact(classes.count);
        let pairs: Vec<ScorePair> = self
            .tiles
            .iter()
            .map(|tile| {
                let exact = tile.sample.pair.exact.clone();
                let windows = exact.len() / classes.count;
                let dense = held_out.by_ref().take(windows).flatten().copied().collect();
                ScorePair { dense, exact }
            })
            .collect();
        let support = FitSupport::measure(&pairs.iter().collect::<Vec<_>>(), classes);
        let by_place = joined(pairs[..drawn].iter());
        let all = joined(pairs.iter());
        let Residual { rms, p99 } = Residual::between(&by_place.dense, &by_place.exact);
        let screened = detections(&all, classes);
        let refine_above = keys.refine_above;
        let lost = screened.iter().filter(|&&score| f64::from(score) < refine_above).count() as u64;
        let (positives, windows) = (screened.len() as u64, by_place.exact.len() / classes.count);
        let judged = FitJudgement {
            windows: windows as u64,
            chosen: (all.exact.len() / classes.count - windows) as u64,
            positives,
            near: support.near,
            rms,
            p99,
            refine_above,
            lost,
            lost_bound: missed_bound(lost, positives),
            low_detection: screened.get(screened.len() / 100).map(|&score| f64::from(score)),
        };
        let slides: Vec<FitSlide> =
            (0..self.slides.len()).map(|slide| self.share_of(slide, &pairs, classes)).collect();
        let with_near = slides.iter().filter(|slide| slide.positives > 0).count();
        let open = if support.open.is_empty() && with_near < 2 {
            format!(
                "windows at {DETECTION} or above are of {with_near} slides, expected at least 2"
            )
        } else {
            support.open
        };
        let model = &self.context.model;
        let precision = self.context.precision_name();
        let mut fit = FitFile::new(model, precision, keys.stride, judged, fitted.head);
        (fit.slides, fit.open) = (slides, open);
        fit
    }

    /// The windows that a slide contributed.
    fn share_of(&self, slide: usize, pairs: &[ScorePair], classes: Classes) -> FitSlide {
        let own = self.tiles.iter().zip(pairs).filter(|(tile, _)| tile.slide == slide);
        let all = joined(own.map(|(_, pair)| pair));
        FitSlide {
            name: self.slides[slide].clone(),
            windows: (all.exact.len() / classes.count) as u64,
            positives: detections(&all, classes).len() as u64,
        }
    }
}
