//! `slidegrid normalize`

use std::path::PathBuf;

use clap::{Args, Subcommand, value_parser};

use super::{Exit, Failure, print};
use crate::colour_template::{
    self, FitOptions, PreviewOptions, apply_template, fit_template, write_preview,
};
use crate::normalize::ColourMethod;
use crate::progress::Progress;
use crate::run_dir::NamedSlide;
use crate::slide_inputs::expand;
use crate::stages::Completion;

/// Fit, preview and apply stain normalisation outside a run.
///
/// A run normalises stains by itself if its configuration sets normalize.method; see
/// docs/colour.md.
#[derive(Debug, Args)]
pub(crate) struct NormalizeArgs {
    #[command(subcommand)]
    command: NormalizeCommand,
}

#[derive(Debug, Subcommand)]
enum NormalizeCommand {
    /// Measure the colours of slides, for use as the template of a run.
    #[command(after_help = "\
Example:
  slidegrid normalize fit --method macenko --out stains.toml slides/
  then in the configuration:
    [normalize]
    method = \"macenko\"
    template = \"stains.toml\"")]
    Fit(FitArgs),
    /// Give pictures the colours of a template; the stains of each picture are estimated by itself.
    #[command(after_help = "\
Example:
  slidegrid normalize apply --template template.png --method vahadane --out normalised a.png b.png")]
    Apply(ApplyArgs),
    /// Draw sample tiles of a slide before and after normalisation, with the stains.
    #[command(after_help = "\
Example:
  slidegrid normalize preview --template template.png --method macenko --out preview.png slide.svs")]
    Preview(PreviewArgs),
}

#[derive(Debug, Clone, Copy, Args)]
struct Common {
    /// Method of normalisation: reinhard, macenko or vahadane.
    #[arg(long, value_name = "METHOD")]
    method: ColourMethod,

    /// First apply the colour profile that a file contains.
    #[arg(long)]
    icc: bool,
}

#[derive(Debug, Args)]
struct FitArgs {
    #[command(flatten)]
    common: Common,

    /// TOML file to write.
    #[arg(long, value_name = "TOML")]
    out: PathBuf,

    /// Largest number of tissue tiles that are measured per slide.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u16).range(1..))]
    tiles: u16,

    /// Slides or pictures: files, folders, or .txt lists with one path per line.
    #[arg(value_name = "SLIDE|IMAGE", required = true)]
    slides: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct ApplyArgs {
    #[command(flatten)]
    common: Common,

    /// Template: a picture with the colours to match, or a file that `fit` wrote.
    #[arg(long, value_name = "IMAGE|TOML")]
    template: PathBuf,

    /// Folder to write the pictures to, as PNG files; made if missing.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Pictures: files, folders, or .txt lists with one path per line.
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct PreviewArgs {
    #[command(flatten)]
    common: Common,

    /// Template: a picture with the colours to match, or a file that `fit` wrote.
    #[arg(long, value_name = "IMAGE|TOML")]
    template: PathBuf,

    /// PNG file to write.
    #[arg(long, value_name = "PNG", default_value = "preview.png")]
    out: PathBuf,

    /// Estimate the stains of each tile by itself, as scope = "patch" does.
    #[arg(long)]
    per_tile: bool,

    /// Number of tiles to draw.
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = value_parser!(u16).range(1..=99))]
    tiles: u16,

    /// The slide.
    #[arg(value_name = "SLIDE")]
    slide: PathBuf,
}

pub(super) fn run(args: &NormalizeArgs) -> Result<Exit, Failure> {
    match &args.command {
        NormalizeCommand::Fit(args) => fit(args),
        NormalizeCommand::Apply(args) => apply(args),
        NormalizeCommand::Preview(args) => preview(args),
    }
}

fn fit(args: &FitArgs) -> Result<Exit, Failure> {
    let progress = Progress::on_stderr(false);
    let slides = expand(&args.slides, &[], &progress)?;
    let slides: Vec<PathBuf> = slides.into_iter().map(|slide| slide.path).collect();
    let Common { method, icc } = args.common;
    let options = FitOptions { method, icc, tiles: args.tiles.into() };
    let Some(fit) = fit_template(&slides, &options, &args.out, &progress)? else {
        return Ok(Exit::Input);
    };
    progress.note(&format!("fit {}: {}", args.out.display(), fit.estimate));
    print(&args.out.display().to_string())?;
    let done = fit.sources.len();
    Ok(Completion::from_counts(done, slides.len() - done).into())
}

fn apply(args: &ApplyArgs) -> Result<Exit, Failure> {
    let progress = Progress::on_stderr(false);
    let Common { method, icc } = args.common;
    let target = colour_template::read(&args.template, method, icc)?;
    let images = expand(&args.images, &[], &progress)?;
    let (mut done, mut failed) = (0, 0);
    for NamedSlide { path: image, .. } in &images {
        match apply_template(image, &target, icc, &args.out, &progress) {
            Ok(written) => {
                done += 1;
                print(&written.display().to_string())?;
            }
            Err(error) => {
                failed += 1;
                progress.warn(&format!("error: {error}"));
            }
        }
    }
    Ok(Completion::from_counts(done, failed).into())
}

fn preview(args: &PreviewArgs) -> Result<Exit, Failure> {
    let progress = Progress::on_stderr(false);
    let Common { method, icc } = args.common;
    let target = colour_template::read(&args.template, method, icc)?;
    let options = PreviewOptions { method, icc, per_tile: args.per_tile, tiles: args.tiles.into() };
    let tiles = write_preview(&args.slide, &target, &options, &args.out, &progress)?;
    print(&args.out.display().to_string())?;
    Ok(Completion::from_counts(tiles.shown - tiles.refused, tiles.refused).into())
}
