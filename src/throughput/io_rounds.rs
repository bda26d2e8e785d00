//! The measurement of several settings for stored patches, and the recommended one.

use std::path::Path;

use serde::Serialize;

use super::MedianRange;
use super::io::{IoError, IoSetting, Round, Workload};
use crate::chart::{Chart, IntervalBar, Series};
use crate::interrupt::Interrupt;
use crate::patches::Compression;
use crate::progress::Progress;

/// A setting and the summary of its rounds. MB are 10^6 bytes of pixels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct IoRow {
    /// Patches in a group.
    pub size: usize,
    /// `none` or `gzip-<level>`.
    pub compression: String,
    /// MB written per second by one thread, including the sync.
    pub write_mb_s: MedianRange,
    /// MB read per second, a group at once.
    pub whole_mb_s: MedianRange,
    /// MB read per second, patch by patch, as `predict` reads.
    pub each_mb_s: MedianRange,
    /// Bytes of the file per byte of pixels, median.
    pub stored_share: f64,
    /// Largest share of the file in the page cache when reading began.
    pub cached_share: f64,
}

/// The name of a compression in the report.
#[must_use]
pub(crate) fn name_of(compression: Compression) -> String {
    match compression {
        Compression::None => "none".to_owned(),
        Compression::Gzip(level) => format!("gzip-{level}"),
    }
}

/// Measures every setting `repeats` times and returns a row for each. The settings take
/// turns, in order and then in reverse order.
///
/// The files are written to `folder`, one at a time.
///
/// # Errors
/// [`IoError`] of the first file that cannot be written or read.
pub(crate) fn in_turns(
    workload: &Workload,
    settings: &[IoSetting],
    repeats: usize,
    folder: &Path,
    interrupt: &Interrupt,
    progress: &Progress,
) -> Result<Vec<IoRow>, IoError> {
    let task = progress.start("bench io", "files", settings.len() * repeats);
    let mut rounds: Vec<Vec<Round>> = vec![Vec::new(); settings.len()];
    for repeat in 0..repeats {
        let mut order: Vec<usize> = (0..settings.len()).collect();
        if repeat % 2 == 1 {
            order.reverse();
        }
        for at in order {
            let whole_first = repeat % 2 == 0;
            rounds[at].push(workload.round(folder, settings[at], whole_first, interrupt)?);
            task.advance(1);
        }
    }
    let rows = settings.iter().zip(&rounds);
    Ok(rows.filter_map(|(setting, rounds)| row(*setting, rounds)).collect())
}

fn row(setting: IoSetting, rounds: &[Round]) -> Option<IoRow> {
    let spread = |value: fn(&Round) -> f64| {
        MedianRange::from_values(&rounds.iter().map(value).collect::<Vec<_>>())
    };
    Some(IoRow {
        size: setting.size,
        compression: name_of(setting.compression),
        write_mb_s: spread(|round| round.write_mb_s)?,
        whole_mb_s: spread(|round| round.whole_mb_s)?,
        each_mb_s: spread(|round| round.each_mb_s)?,
        stored_share: spread(|round| round.stored_share)?.median,
        cached_share: spread(|round| round.cached_share)?.most,
    })
}

/// The share of the highest speed from which a setting counts as equally fast.
const AS_FAST: f64 = 0.9;

/// The setting to use: of those that are read patch by patch as fast as the fastest,
/// within the precision of such measurements, the one with the smallest file. Ties go to
/// the smallest groups.
#[must_use]
pub(crate) fn recommended(rows: &[IoRow]) -> Option<&IoRow> {
    let fastest = rows.iter().map(|row| row.each_mb_s.median).fold(0.0, f64::max);
    let fast = rows.iter().filter(|row| row.each_mb_s.median >= AS_FAST * fastest);
    // Shares are compared in hundredths, since the same patches in more groups take a few
    // bytes more.
    fast.min_by(|a, b| {
        let stored = |row: &IoRow| (row.stored_share * 100.0).round();
        stored(a).total_cmp(&stored(b)).then(a.size.cmp(&b.size))
    })
}

/// A chart of reading speed by group size, with a line for each compression and way of
/// reading.
#[must_use]
pub(crate) fn speed_chart(rows: &[IoRow], patch_px: u32) -> Chart {
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        if !names.contains(&row.compression.as_str()) {
            names.push(&row.compression);
        }
    }
    let line = |name: &str, way: &str, value: fn(&IoRow) -> MedianRange| {
        let rows = || rows.iter().filter(|row| row.compression == name);
        let bar = |row: &IoRow| {
            let range = value(row);
            IntervalBar { x: row.size as f64, low: range.least, high: range.most }
        };
        Series {
            name: format!("{name}, {way}"),
            points: rows().map(|row| (row.size as f64, value(row).median)).collect(),
            bars: rows().map(bar).collect(),
            marks: true,
        }
    };
    let series = names.into_iter().flat_map(|name| {
        [
            line(name, "a group at once", |row| row.whole_mb_s),
            line(name, "patch by patch", |row| row.each_mb_s),
        ]
    });
    let sizes =
        MedianRange::from_values(&rows.iter().map(|row| row.size as f64).collect::<Vec<_>>());
    let (least, most) = sizes.map_or((1.0, 1.0), |sizes| (sizes.least, sizes.most));
    let top = rows.iter().flat_map(|row| [row.whole_mb_s.most, row.each_mb_s.most]);
    Chart {
        title: format!("Reading patches of {patch_px} px"),
        x: "patches in a group".into(),
        y: "MB of pixels per second".into(),
        // The legend needs room to the right.
        x_range: (least / 1.3, most * 1.3 * (most / least).powf(0.4)),
        log_x: true,
        y_top: top.fold(1.0, f64::max),
        series: series.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(size: usize, compression: Compression, each_mb_s: f64, stored_share: f64) -> IoRow {
        let round = |write_mb_s, cached_share| Round {
            write_mb_s,
            whole_mb_s: 2.0 * each_mb_s,
            each_mb_s,
            stored_share,
            cached_share,
        };
        let rounds = [round(10.0, 0.0), round(30.0, 0.5), round(20.0, 0.1)];
        row(IoSetting { size, compression }, &rounds).unwrap()
    }

    #[test]
    fn the_smallest_file_among_the_fastest_settings_is_recommended() {
        let plain = Compression::None;
        let gzip = Compression::Gzip(1);
        let rows = [
            made(16, plain, 80.0, 1.003),
            made(64, plain, 95.0, 1.001),
            made(256, plain, 100.0, 1.0),
            made(64, gzip, 50.0, 0.8),
        ];
        assert_eq!((rows[0].write_mb_s.median, rows[0].cached_share), (20.0, 0.5));
        assert_eq!(recommended(&rows).unwrap().size, 64);
        // Storage is so slow that compressed patches are read sooner.
        let slow = [rows[1].clone(), made(256, gzip, 94.0, 0.8)];
        assert_eq!(recommended(&slow).unwrap().compression, "gzip-1");
        assert_eq!(recommended(&[]), None);
    }

    #[test]
    fn the_chart_has_a_line_for_each_compression_and_way_of_reading() {
        let rows = [
            made(16, Compression::None, 80.0, 1.0),
            made(64, Compression::None, 95.0, 1.0),
            made(16, Compression::Gzip(6), 50.0, 0.8),
        ];
        let chart = speed_chart(&rows, 448);
        let names: Vec<&str> = chart.series.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "none, a group at once",
                "none, patch by patch",
                "gzip-6, a group at once",
                "gzip-6, patch by patch"
            ]
        );
        assert_eq!(chart.series[1].points, [(16.0, 80.0), (64.0, 95.0)]);
        assert!(chart.x_range.0 < 16.0 && chart.x_range.1 > 64.0 && chart.y_top >= 190.0);
    }
}
