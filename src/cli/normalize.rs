//! `slidegrid normalize`

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, value_parser};

use super::{Exit, Failure, print};
use crate::colour_template::{self, StainsFile, TemplateError, pool, sample_tiles, whole_picture};
use crate::export::png;
use crate::heatmap::{RgbPicture, Swatches, TilePair, render_preview};
use crate::normalize::{ColourEstimate, ColourMethod, ColourTransform, normalize_patch};
use crate::progress::{Progress, tell};
use crate::run_dir::NamedSlide;
use crate::slide::IccOutcome;
use crate::slide_inputs::expand;
use crate::staged;
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

#[derive(Debug, Args)]
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

/// Side of the sampled tiles, level-0 px.
const TILE_PX: u32 = 256;

/// Number of tiles from which the preview estimates the stains of a slide.
const ESTIMATE_TILES: usize = 100;

pub(super) fn run(args: &NormalizeArgs) -> Result<Exit, Failure> {
    match &args.command {
        NormalizeCommand::Fit(args) => fit(args),
        NormalizeCommand::Apply(args) => apply(args),
        NormalizeCommand::Preview(args) => preview(args),
    }
}

/// The pixels of a whole picture, or of tissue tiles of a slide, as RGB bytes.
fn sample_pixels(path: &Path, common: &Common, tiles: usize) -> Result<Vec<u8>, TemplateError> {
    match whole_picture(path, common.icc) {
        Ok(picture) => {
            warn_of_profile(path, picture.icc.as_ref());
            Ok(picture.rgb)
        }
        Err(TemplateError::TooLarge { .. }) => {
            let (tiles, icc) = sample_tiles(path, common.icc, tiles, TILE_PX)?;
            warn_of_profile(path, icc.as_ref());
            Ok(tiles.into_iter().flat_map(|tile| tile.rgb).collect())
        }
        Err(error) => Err(error),
    }
}

/// Warns if the colour profile was requested and not applied.
fn warn_of_profile(path: &Path, icc: Option<&IccOutcome>) {
    if let Some(icc) = icc.filter(|icc| !matches!(icc, IccOutcome::Applied { .. })) {
        tell(&format!("warning: {}: colour profile {icc}", path.display()));
    }
}

fn fit(args: &FitArgs) -> Result<Exit, Failure> {
    let method = args.common.method;
    let slides = expand(&args.slides, &Progress::on_stderr(false))?;
    let (mut sources, mut names, mut failed) = (Vec::new(), Vec::new(), 0);
    for NamedSlide { path: slide, .. } in &slides {
        match sample_pixels(slide, &args.common, args.tiles.into()) {
            Ok(pixels) => {
                sources.push(pixels);
                names.push(slide.file_name().unwrap_or_default().to_string_lossy().into_owned());
            }
            Err(error) => {
                failed += 1;
                tell(&format!("error: {error}"));
            }
        }
    }
    let done = sources.len();
    let Some(first) = slides.first().filter(|_| done > 0) else { return Ok(Exit::Input) };
    let estimate = method.estimate(&pool(&sources)).map_err(|source| {
        TemplateError::ColourEstimate { path: first.path.clone(), method, source }
    })?;
    StainsFile::new(estimate, names).write(&args.out)?;
    tell(&format!("fit {}: {}", args.out.display(), summary_line(&estimate)));
    print(&args.out.display().to_string())?;
    Ok(Completion::from_counts(done, failed).into())
}

fn apply(args: &ApplyArgs) -> Result<Exit, Failure> {
    let target = colour_template::read(&args.template, args.common.method, args.common.icc)?;
    let images = expand(&args.images, &Progress::on_stderr(false))?;
    let (mut done, mut failed) = (0, 0);
    for NamedSlide { path: image, .. } in &images {
        match apply_one(args, &target, image) {
            Ok(written) => {
                done += 1;
                print(&written.display().to_string())?;
            }
            Err(failure) => {
                failed += 1;
                tell(&format!("error: {failure}"));
            }
        }
    }
    Ok(Completion::from_counts(done, failed).into())
}

fn apply_one(args: &ApplyArgs, target: &ColourEstimate, image: &Path) -> Result<PathBuf, Failure> {
    let mut picture = whole_picture(image, args.common.icc)?;
    warn_of_profile(image, picture.icc.as_ref());
    normalize_patch(&mut picture.rgb, target).map_err(|source| TemplateError::ColourEstimate {
        path: image.to_owned(),
        method: args.common.method,
        source,
    })?;
    let name = image.file_stem().unwrap_or_default();
    let written = args.out.join(name).with_added_extension("png");
    if staged::is_there(&written)? {
        return Err(Failure::new(
            Exit::Input,
            format!(
                "{}: the file exists already; delete it or give another --out",
                written.display()
            ),
        ));
    }
    let picture = RgbPicture {
        width_px: picture.width_px as usize,
        height_px: picture.height_px as usize,
        pixels: picture.rgb,
    };
    png::write_png(&written, &picture).map_err(|error| Failure::new(Exit::Input, error))?;
    Ok(written)
}

fn preview(args: &PreviewArgs) -> Result<Exit, Failure> {
    let method = args.common.method;
    let target = colour_template::read(&args.template, method, args.common.icc)?;
    let (tiles, icc) = sample_tiles(&args.slide, args.common.icc, ESTIMATE_TILES, TILE_PX)?;
    warn_of_profile(&args.slide, icc.as_ref());
    let all: Vec<u8> = tiles.iter().flat_map(|tile| tile.rgb.iter().copied()).collect();
    let estimate = method.estimate(&all);
    let by_slide = |rgb: &mut Vec<u8>| -> Result<(), String> {
        let estimate = estimate.map_err(|error| error.to_string())?;
        let transform =
            ColourTransform::new(&estimate, &target).map_err(|error| error.to_string())?;
        transform.apply(rgb);
        Ok(())
    };
    let shown = usize::from(args.tiles).min(tiles.len());
    let pairs: Vec<TilePair> = (0..shown)
        .map(|at| tiles[at * tiles.len() / shown].rgb.clone())
        .map(|before| {
            let mut after = before.clone();
            let changed = if args.per_tile {
                normalize_patch(&mut after, &target).map_err(|error| error.to_string())
            } else {
                by_slide(&mut after)
            };
            TilePair { before, after: changed.map(|()| after) }
        })
        .collect();
    let scope = if args.per_tile { "each tile by itself" } else { "by the slide's estimate" };
    let name = args.slide.file_name().unwrap_or_default().to_string_lossy();
    let title = [format!("{name}: {method}, {scope}; before | after")];
    let found = estimate.map_or_else(
        |error| Swatches { label: format!("slide: {error}"), colours: Vec::new() },
        |estimate| swatches("slide", &estimate),
    );
    let picture =
        render_preview(&title, &[found, swatches("template", &target)], &pairs, TILE_PX as usize);
    png::write_png(&args.out, &picture).map_err(|error| Failure::new(Exit::Input, error))?;
    print(&args.out.display().to_string())?;
    let refused = pairs.iter().filter(|pair| pair.after.is_err()).count();
    Ok(Completion::from_counts(pairs.len() - refused, refused).into())
}

fn swatches(of: &str, estimate: &ColourEstimate) -> Swatches {
    let colours = estimate.stains().map_or(Vec::new(), |stains| stains.swatches().to_vec());
    Swatches { label: format!("{of}: {}", summary_line(estimate)), colours }
}

/// An estimate as one line of text.
fn summary_line(estimate: &ColourEstimate) -> String {
    let three = |v: [f64; 3]| format!("({:.3} {:.3} {:.3})", v[0], v[1], v[2]);
    match (estimate, estimate.stains()) {
        (ColourEstimate::Reinhard(lab), _) => {
            format!("L*a*b* mean {}, deviation {}", three(lab.mean), three(lab.std))
        }
        (_, Some(stains)) => format!(
            "H {} to {:.2}, E {} to {:.2}",
            three(stains.haematoxylin),
            stains.strength[0],
            three(stains.eosin),
            stains.strength[1]
        ),
        (_, None) => String::new(),
    }
}
