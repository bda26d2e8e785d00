//! `slidegrid bench io`

use std::path::PathBuf;

use clap::Args;

use super::super::options::catch_signals;
use super::super::{Exit, Failure, print};
use crate::patches::Compression;
use crate::progress::Progress;
use crate::throughput::MedianRange;
use crate::throughput::io::Workload;
use crate::throughput::io_bench::{IoReport, IoRequest, measure_io};
use crate::throughput::io_rounds::{IoRow, name_of};

/// Recommend group size and compression for the file system of a folder.
///
/// Writes patch files of H&E-like pixels to the folder, as `split` does, and reads them
/// back, whole groups and single patches, after dropping them from the page cache. There is
/// only one file at a time, and it is removed, also after an error. The results are io.svg,
/// io.png and io.json.
#[derive(Debug, Args)]
#[command(
    max_term_width = 100,
    after_help = "\
Examples:
  slidegrid bench io --dir scratch
  slidegrid bench io --dir scratch --patch-px 1120 --sizes 16,64,256
  slidegrid bench io --dir scratch --compressions none,gzip,gzip-6 --json

Patches have 448 px per side in the paper, and 1120 px by default in slidegrid
(tiling.block = 4). Run this command where tasks will run: on a cluster, as a job, on
the file system that will hold the run."
)]
pub(super) struct IoArgs {
    /// Folder on the file system to measure.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,

    /// Numbers of patches per group to try. A file has as many patches as the largest number.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "16,64,256,1024", value_parser = clap::value_parser!(u32).range(1..=65536))]
    sizes: Vec<u32>,

    /// Side of a patch, px, a multiple of 4.
    #[arg(long, value_name = "P", default_value_t = 448, value_parser = patch_px)]
    patch_px: u32,

    /// Compressions to try: none, gzip, or gzip-1 to gzip-9.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "none,gzip", value_parser = compression)]
    compressions: Vec<Compression>,

    /// Number of rounds over all settings.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,

    /// Folder for the results.
    #[arg(long, value_name = "DIR", default_value = "bench-io")]
    out: PathBuf,

    /// Print the result as JSON.
    #[arg(long)]
    json: bool,

    /// Print no progress, only warnings and errors.
    #[arg(long, short)]
    quiet: bool,
}

/// Largest side of a patch, px. The synthetic tissue is drawn in squares of at most 8,192 px.
const LARGEST_PX: u32 = 7680;

fn patch_px(text: &str) -> Result<u32, String> {
    let fits = |px: &u32| (32..=LARGEST_PX).contains(px) && px.is_multiple_of(4);
    let expected = || format!("expected a multiple of 4 from 32 to {LARGEST_PX}");
    text.parse().ok().filter(fits).ok_or_else(expected)
}

fn compression(text: &str) -> Result<Compression, String> {
    let level = match text {
        "none" => return Ok(Compression::None),
        "gzip" => Some(1),
        _ => text.strip_prefix("gzip-").and_then(|level| level.parse().ok()),
    };
    let level = level.filter(|level| (1..=9).contains(level));
    level.map(Compression::Gzip).ok_or("expected none, gzip, or gzip-1 to gzip-9".to_owned())
}

pub(super) fn run(args: &IoArgs) -> Result<Exit, Failure> {
    let signals = catch_signals()?;
    let progress = Progress::on_stderr(args.quiet);
    let request = IoRequest {
        dir: &args.dir,
        sizes: &args.sizes,
        patch_px: args.patch_px,
        compressions: &args.compressions,
        repeats: args.repeats,
    };
    let report = measure_io(&request, signals.interrupt(), &progress)?;
    let chart = report.write(&args.out)?;
    if args.json {
        print(&report.to_json())?;
    } else {
        print(&table(&report))?;
        print(&format!("# plot: {}", chart.display()))?;
    }
    Ok(Exit::Done)
}

fn table(report: &IoReport) -> String {
    let patch_mb = Workload::pixel_bytes(1, report.patch_px) as f64 / 1e6;
    let mut lines = vec![
        format!(
            "{}: {} patches of {} px ({patch_mb:.2} MB each), one thread, MB of pixels per second, median of {} rounds (least to most)",
            report.dir, report.patches, report.patch_px, report.repeats
        ),
        format!(
            "{:>7}  {:11}  {:>6}  {:>22}  {:>22}  {:>22}  {:>11}  {:>12}",
            "patches",
            "compression",
            "size",
            "write",
            "read, group at once",
            "read, patch by patch",
            "s per group",
            "ms per patch"
        ),
    ];
    lines.extend(report.settings.iter().map(|row| {
        let rate = |spread: MedianRange| {
            format!("{:.0} ({:.0} to {:.0})", spread.median, spread.least, spread.most)
        };
        format!(
            "{:>7}  {:11}  {:>6.2}  {:>22}  {:>22}  {:>22}  {:>11.3}  {:>12.2}",
            row.size,
            row.compression,
            row.stored_share,
            rate(row.write_mb_s),
            rate(row.whole_mb_s),
            rate(row.each_mb_s),
            row.size as f64 * patch_mb / row.whole_mb_s.median,
            1000.0 * patch_mb / row.each_mb_s.median
        )
    }));
    lines.push(cache_line(&report.settings));
    if let Some(row) = &report.recommended {
        let (key, level) = match row.compression.strip_prefix("gzip-") {
            Some(level) => ("gzip", format!("\ngzip_level = {level}")),
            None => ("none", String::new()),
        };
        let group_mb = (row.size as f64 * patch_mb).ceil();
        lines.push(format!(
            "\n# {} patches of {} px per group, {}: read as fast as the fastest setting here, within 10 %\n[tiling]\ngroup_memory_mb = {group_mb:.0}\ncompression = \"{key}\"{level}",
            row.size,
            report.patch_px,
            compression_word(&row.compression)
        ));
    }
    lines.join("\n")
}

fn compression_word(compression: &str) -> &str {
    if compression == name_of(Compression::None) { "uncompressed" } else { "compressed" }
}

/// A line that says whether the files were read from disk, as far as this can be known.
fn cache_line(rows: &[IoRow]) -> String {
    let cached = rows.iter().map(|row| row.cached_share).fold(0.0, f64::max);
    let percent = 100.0 * cached;
    if cached > 0.05 {
        return format!(
            "warning: the page cache was warm: before each reading the kernel was asked to drop the file (posix_fadvise DONTNEED), but kept up to {percent:.0} % of it; the files were read from memory"
        );
    }
    format!(
        "before each reading the file was dropped from this machine's page cache (posix_fadvise DONTNEED; at most {percent:.0} % stayed); caches of a disk, a host or a file server cannot be seen"
    )
}
