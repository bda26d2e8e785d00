//! `slidegrid master estimate`

use std::time::Instant;

use clap::Args;

use super::options::{EngineOptions, RunOptions, ThreadOptions, catch_signals, select_engine};
use super::{Exit, Failure, print};
use crate::config::RunConfig;
use crate::geometry::Lattice;
use crate::jobs::estimate::{
    Estimate, SlideWork, Spread, Terms, Timed, estimate, points_in_tissue, sample,
};
use crate::jobs::lookup::Lookup;
use crate::number::GroupNumber;
use crate::patches::PatchesFile;
use crate::predict::{GroupOutcome, Predictor};
use crate::progress::Progress;
use crate::run_dir::RunDir;
use crate::scores;

/// Time a few groups here, and say what the rest will take.
///
/// The groups are sampled evenly over the slides; their scores are real and
/// are kept. The spread is that of the sampled groups' speeds.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slidegrid master estimate --run run
  slidegrid master estimate --run run --cores 4000 --price 0.04 --threads 7")]
pub(crate) struct EstimateArgs {
    #[command(flatten)]
    options: RunOptions,

    /// Groups to time.
    #[arg(long, value_name = "G", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    groups: u16,

    /// Cores to plan for; default: those of a task.
    #[arg(long, value_name = "N")]
    cores: Option<usize>,

    /// Price of a core-hour, in whatever money.
    #[arg(long, value_name = "P")]
    price: Option<f64>,

    /// As JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    threads: ThreadOptions,

    #[command(flatten)]
    engine: EngineOptions,
}

#[derive(serde::Serialize)]
struct Report {
    timed: Vec<Timed>,
    slides: Vec<SlideWork>,
    #[serde(flatten)]
    estimate: Estimate,
    cores: usize,
    cores_per_task: usize,
    start_s: f64,
    disk: Disk,
}

/// Bytes of a finished run.
#[derive(Default, serde::Serialize)]
struct Disk {
    patches_bytes: u64,
    scores_bytes: u64,
    heatmaps_bytes: u64,
}

/// Times groups and prints the estimate.
///
/// # Errors
/// [`Failure`] when the run has no groups, or one cannot be scored.
pub(crate) fn run(args: &EstimateArgs) -> Result<Exit, Failure> {
    let signals = catch_signals()?;
    let (run, progress) = (args.options.dir(), args.options.progress());
    let mut config = args.options.settle()?;
    args.engine.over(&mut config);
    let lookup = Lookup::read(&run)?;
    let groups = groups_to_time(&run, &lookup, usize::from(args.groups));
    if groups.is_empty() {
        let problem = format!("{}: no groups; nothing to estimate", run.lookup_csv().display());
        return Err(Failure::new(Exit::Input, problem));
    }
    let pool = args.threads.pool(config.config.predict.threads, &progress);
    let threads = pool.current_num_threads();
    let engine = select_engine(&config, &progress)?;
    let loading = Instant::now();
    let mut predictor =
        Predictor::load(&run, &config, engine, &pool)?.with_interrupt(signals.interrupt().clone());
    let start_s = loading.elapsed().as_secs_f64();
    let mut timed = Vec::new();
    for (slide, group) in groups {
        match predictor.predict(&slide, group, &progress)? {
            GroupOutcome::Interrupted { .. } => return Ok(Exit::Partial),
            GroupOutcome::Present { .. } | GroupOutcome::Scored { .. } => {}
        }
        timed.extend(timed_group(&run, &slide, group)?);
    }
    let (slides, disk) = work_left(&run, &config, &lookup)?;
    let cores = args.cores.unwrap_or(threads).max(threads);
    let terms = Terms { cores, cores_per_task: threads, start_s, price: args.price };
    let found = estimate(&timed, &slides, &terms).ok_or_else(|| {
        Failure::new(Exit::Input, "no timed group has a window to score; give more with --groups")
    })?;
    let report =
        Report { timed, slides, estimate: found, cores, cores_per_task: threads, start_s, disk };
    if args.json {
        print(&serde_json::to_string_pretty(&report).expect("a report is plain data"))?;
    } else {
        print(&told(&report, &progress))?;
    }
    Ok(Exit::Done)
}

/// Groups spread over the run, of those without scores while there are some.
fn groups_to_time(run: &RunDir, lookup: &Lookup, count: usize) -> Vec<(String, GroupNumber)> {
    let all = super::predict::all_groups(lookup);
    let unscored: Vec<_> =
        all.iter().filter(|(slide, group)| !run.scores(slide, *group).exists()).cloned().collect();
    sample(if unscored.is_empty() { &all } else { &unscored }, count)
}

/// What the score file says; `None` of a group without windows.
fn timed_group(run: &RunDir, slide: &str, group: GroupNumber) -> Result<Option<Timed>, Failure> {
    let meta = scores::read_scores_meta(&run.scores(slide, group))
        .map_err(|error| Failure::new(Exit::Input, error))?;
    let timed = Timed {
        slide: slide.to_owned(),
        group,
        windows: meta.windows,
        wall_s: meta.wall_s,
        cores: meta.threads,
    };
    Ok((timed.windows > 0).then_some(timed))
}

/// Windows of the groups without scores, and the bytes of the whole run.
fn work_left(
    run: &RunDir,
    config: &RunConfig,
    lookup: &Lookup,
) -> Result<(Vec<SlideWork>, Disk), Failure> {
    let mut work = Vec::new();
    let mut disk = Disk::default();
    for row in lookup.rows() {
        let path = run.patches(&row.name);
        let wrong = |error| Failure::new(Exit::Input, error);
        let file = PatchesFile::open(&path).map_err(wrong)?;
        let (meta, tissue) = (file.meta(), file.tissue().map_err(wrong)?);
        let stride_px = config.config.predict.stride;
        let size = (meta.width_px, meta.height_px);
        let windows = points_in_tissue(tissue.view(), meta.tile_px, size, stride_px);
        let scored = row.group_numbers().filter(|&group| run.scores(&row.name, group).exists());
        work.push(SlideWork {
            slide: row.name.clone(),
            groups: row.groups as usize - scored.count(),
            windows_per_group: windows as f64 / f64::from(row.groups),
        });
        let (rows, cols) = Lattice::new(size.0, size.1, stride_px).shape();
        disk.patches_bytes += std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
        // Row, column and one value a class; two classes when there is no card.
        disk.scores_bytes += windows * 16;
        disk.heatmaps_bytes += (rows * cols * 4) as u64;
    }
    Ok((work, disk))
}

fn told(report: &Report, progress: &Progress) -> String {
    for timed in &report.timed {
        progress.note(&format!(
            "timed {} t{}: {} windows in {:.1} s on {} cores",
            timed.slide, timed.group, timed.windows, timed.wall_s, timed.cores
        ));
    }
    let found = &report.estimate;
    let mut lines = vec![format!(
        "{} groups left, {:.0} windows, {} timed",
        found.groups,
        found.windows,
        report.timed.len()
    )];
    lines.push(format!("{:24}  {:>12}  {:>12}  {:>12}", "", "fastest", "median", "slowest"));
    let mut line = |what: &str, spread: &Spread| {
        let Spread { min, median, max } = spread;
        lines.push(format!("{what:24}  {min:>12.3}  {median:>12.3}  {max:>12.3}"));
    };
    let rate = found.windows_per_core_s;
    line("windows a core-second", &Spread { min: rate.max, median: rate.median, max: rate.min });
    line("core-hours", &found.core_hours);
    line(&format!("hours on {} cores", report.cores), &found.wall_hours);
    if let Some(money) = &found.money {
        line("money", money);
    }
    let disk = &report.disk;
    lines.push(format!(
        "disk: patches {:.3} GB, scores about {:.3} GB, heatmaps about {:.3} GB",
        disk.patches_bytes as f64 / 1e9,
        disk.scores_bytes as f64 / 1e9,
        disk.heatmaps_bytes as f64 / 1e9
    ));
    lines.push(format!(
        "each task of {} cores starts with {:.1} s to load the model",
        report.cores_per_task, report.start_s
    ));
    lines.join("\n")
}
