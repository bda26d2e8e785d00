//! `slidegrid study --run RUN`

use std::path::{Path, PathBuf};

use clap::Args;

use super::{input, print_json};
use crate::cli::options::{EngineOptions, RunOptions, ThreadOptions, catch_signals};
use crate::cli::{Exit, Failure, print};
use crate::run_dir::{self, RunDir};
use crate::stages::rerun;
use crate::study::{
    HeatmapSource, StudyRequest, StudySlides, gather, study_strides, summarise,
    warn_of_suspect_heatmaps, write,
};
use crate::threads::Workers;
use crate::truth::TruthSources;

/// The run to measure, and how to measure it.
#[derive(Debug, Args)]
pub(super) struct OverRunArgs {
    /// Run directory; its heatmaps must be stitched.
    #[arg(long, value_name = "DIR", required = true)]
    run: Option<PathBuf>,

    /// Folder with the truth: SLIDE.xml (ASAP), .geojson (QuPath), .json (NCRF), .png or
    /// .tif (masks), and reference.csv, the list of slides [default: study.truth of the run].
    /// Files that a manifest of the run names are used too.
    #[arg(long, value_name = "DIR")]
    truth: Option<PathBuf>,

    /// Strides to compare, working px; multiples of the run's stride [default: the run's
    /// stride and 4, 8 and 14 times it].
    #[arg(long, value_name = "S,S,..", value_delimiter = ',')]
    strides: Vec<u32>,

    /// Another run to compare with, for example of the same slides by another method. NAME
    /// names its rows. Repeatable.
    #[arg(long, value_name = "NAME=DIR")]
    compare: Vec<String>,

    /// Methods to include: window, dense, cascade [default: all].
    #[arg(long, value_name = "M,M,..", value_delimiter = ',')]
    methods: Vec<String>,

    /// Score coarser strides again, below RUN/study/rerun, to measure their real cost,
    /// instead of taking every n-th point of the heatmaps.
    #[arg(long)]
    rerun: bool,

    /// List of slides and their types (columns image,type) [default: TRUTH/reference.csv,
    /// or else all slides with truth or with a label in a manifest of the run].
    #[arg(long, value_name = "CSV")]
    slides: Option<PathBuf>,

    /// Leave out listed slides that have no heatmap; otherwise they are an error.
    #[arg(long)]
    allow_missing: bool,

    /// Resolution of slides whose heatmaps do not state it, um per level-0 px.
    #[arg(long, value_name = "UM")]
    mpp: Option<f64>,

    /// Folder for the results [default: RUN/study].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Configuration file whose `[study]` section replaces that of the run.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Set a configuration key, for example --set study.itc_um=0.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,

    #[command(flatten)]
    threads: ThreadOptions,

    #[command(flatten)]
    engine: EngineOptions,

    /// Print the content of study.json.
    #[arg(long)]
    json: bool,

    /// Print no progress, only warnings and errors.
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn run(args: &OverRunArgs) -> Result<Exit, Failure> {
    let Some(run) = &args.run else {
        let problem = "give --run, or one of the commands that `slidegrid study --help` lists";
        return Err(Failure::new(Exit::Usage, problem));
    };
    let options = RunOptions {
        run: run.clone(),
        config: args.config.clone(),
        set: args.set.clone(),
        quiet: args.quiet,
    };
    let progress = options.progress();
    let mut config = options.settle()?;
    args.engine.over(&mut config);
    let keys = config.config.study.clone();
    let own = &config.config.slides;
    let truth = TruthSources {
        folder: args.truth.clone().or_else(|| keys.truth.clone()),
        of_slide: own.truth_of.clone(),
    };
    if truth.folder.is_none() && own.truth_of.is_empty() && own.label_of.is_empty() {
        let problem = "give --truth DIR, or truth = \"DIR\" in the run's [study], or the columns truth and label in a manifest of the run";
        return Err(Failure::new(Exit::Usage, problem));
    }
    let records = run_dir::registered(&options.dir())?;
    let names: Vec<String> = records.into_iter().map(|record| record.name).collect();
    let list = args.slides.as_deref();
    let slides = StudySlides { list, truth: &truth, keys: own, names: &names }.kinds()?;
    let strides = study_strides(&args.strides, &config.config);
    let mut sources = vec![HeatmapSource {
        name: config.config.predict.method.name().to_owned(),
        run: options.dir(),
        strides: strides.clone(),
    }];
    if args.rerun {
        let names: Vec<&str> = slides.iter().map(|slide| slide.name.as_str()).collect();
        let pool = args.threads.pool(config.config.predict.threads, &progress);
        let signals = catch_signals()?;
        let workers = Workers { pool: &pool, interrupt: signals.interrupt() };
        sources = rerun::sources(&sources[0], &config, &names, &workers, &progress)?;
    }
    for compared in &args.compare {
        sources.push(parse_comparison(compared, &strides)?);
    }
    let request = StudyRequest {
        sources,
        truth,
        slides,
        allow_missing: args.allow_missing,
        mpp: args.mpp,
        origin: config.config.slides.origin(),
        keys: keys.clone(),
    };
    let mut settings = gather(&request, &progress).map_err(input)?;
    warn_of_suspect_heatmaps(&request, &progress);
    if !args.methods.is_empty() {
        settings.retain(|setting| args.methods.contains(&setting.method));
    }
    if settings.is_empty() {
        let problem =
            format!("--methods {}: no heatmap was made by these methods", args.methods.join(","));
        return Err(Failure::new(Exit::Usage, problem));
    }
    let study = summarise(&settings, &keys, &|line| progress.warn(line)).map_err(input)?;
    let out = args.out.clone().unwrap_or_else(|| options.dir().study());
    let files = write(&out, &study, &settings).map_err(input)?;
    if args.json {
        print_json(&study)?;
    } else {
        for file in files {
            print(&file.display().to_string())?;
        }
    }
    Ok(if settings[0].slides.len() < request.slides.len() { Exit::Partial } else { Exit::Done })
}

/// Parses `NAME=DIR` of a run to compare with.
fn parse_comparison(text: &str, strides: &[u32]) -> Result<HeatmapSource, Failure> {
    let (name, folder) =
        text.split_once('=').filter(|(name, _)| is_name(name)).ok_or_else(|| {
            let problem =
                format!("--compare {text}: expected NAME=DIR, for example dense=run-dense");
            Failure::new(Exit::Usage, problem)
        })?;
    Ok(HeatmapSource::compared(name, RunDir::new(Path::new(folder)), strides)?)
}

/// Whether a name can be a part of file names.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c))
}
