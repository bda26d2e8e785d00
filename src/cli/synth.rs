//! `slidegrid synth`: synthetic slides with truth, and demo models.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args as ClapArgs;

use super::options::ThreadOptions;
use crate::progress::{Progress, tell};
use crate::synth::{Cohort, SynthError, make};

const EXAMPLES: &str = "\
Examples:
  Two small slides (1 x 1 mm) with truth, a few seconds:
    slidegrid synth --out demo --slides 2 --seed 1

  A cohort for a slide-level study, large enough for macrometastases:
    slidegrid synth --out cohort --slides 20 --seed 7 --size 24000 --tumor-fraction 0.4

Writes:
  demo/slides/demo_tumor_001.tif    pyramidal JPEG BigTIFF, opens in OpenSlide, QuPath, ASAP
  demo/truth/demo_tumor_001.xml     lesion outlines, ASAP XML as in CAMELYON16
  demo/truth/reference.csv          type and lesion counts of every slide
  demo/tissue/demo_tumor_001.png    tissue mask, one grey pixel per 16 x 16 px of level 0:
                                    255 tissue, 128 fat (mostly white), 0 glass and pen;
                                    used by [tissue] method = \"mask\", mask = \"demo/tissue\"
  demo/model/demo-valid.onnx, .toml no padding: dense inference is exact
  demo/model/demo-padded.onnx, .toml  zero padding, as most networks have
  demo/quickstart.toml              configuration: slidegrid run --config demo/quickstart.toml
  demo/synth.toml                   the settings; other settings need another folder

The same seed gives the same bytes, whatever the number of threads. Slides that
exist are kept, so an interrupted command can be repeated.";

/// Make synthetic slides of lymph nodes with metastases, their truth, and demo models.
#[derive(Debug, ClapArgs)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Folder to write to; made if missing.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,

    /// Number of slides.
    #[arg(long, default_value_t = 2)]
    pub(crate) slides: u32,

    /// Seed of all random numbers.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// Width and height of a slide, px, 1000 to 100000.
    #[arg(long, value_name = "PX", default_value_t = 4000)]
    pub(crate) size: u32,

    /// Width of a slide, px [default: as --size].
    #[arg(long, value_name = "PX")]
    pub(crate) width: Option<u32>,

    /// Height of a slide, px [default: as --size].
    #[arg(long, value_name = "PX")]
    pub(crate) height: Option<u32>,

    /// Resolution, um per px. The demo networks are made for 0.25.
    #[arg(long, default_value_t = 0.25)]
    pub(crate) mpp: f64,

    /// Share of slides with metastases, 0 to 1.
    #[arg(long, alias = "tumour-fraction", value_name = "SHARE", default_value_t = 0.5)]
    pub(crate) tumor_fraction: f64,

    #[command(flatten)]
    pub(crate) threads: ThreadOptions,

    /// Make existing slides again.
    #[arg(long)]
    pub(crate) force: bool,
}

/// Makes the slides and prints one line per slide to stderr.
///
/// # Errors
/// [`SynthError`], as for [`make`].
pub(super) fn run(args: &Args) -> Result<(), SynthError> {
    let cohort = Cohort {
        slides: args.slides,
        seed: args.seed,
        width_px: args.width.unwrap_or(args.size),
        height_px: args.height.unwrap_or(args.size),
        um_per_px: args.mpp,
        tumor_fraction: args.tumor_fraction,
        threads: args.threads.count(None, &Progress::on_stderr(false)),
        force: args.force,
    };
    let mut since = Instant::now();
    make(&cohort, &args.out, |made| {
        let lesions = match made.lesions.len() {
            0 => String::new(),
            1 => ", 1 lesion".into(),
            n => format!(", {n} lesions"),
        };
        let spent = if made.kept {
            "kept".into()
        } else {
            format!("{:.1} s", since.elapsed().as_secs_f64())
        };
        tell(&format!("{}: {spent}{lesions}", made.slide.display()));
        since = Instant::now();
    })?;
    Ok(())
}
