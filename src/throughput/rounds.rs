//! The measurement of several settings of a network, each in a process of its own, and the
//! recommended setting.

use std::fmt;
use std::process::{Command, Stdio};
use std::str::FromStr;

use serde::Serialize;

use super::MedianRange;
use super::infer::Measurement;
use crate::model::{EngineChoice, Precision};
use crate::progress::Progress;

/// An engine, and the precision that it computes in. In text the precision stands only if it is
/// below f32: `openvino`, `openvino-bf16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Runner {
    /// The engine.
    pub engine: EngineChoice,
    /// The precision that the engine computes in.
    pub precision: Precision,
}

impl fmt::Display for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.precision {
            Precision::F32 => write!(f, "{}", self.engine),
            less => write!(f, "{}-{less}", self.engine),
        }
    }
}

impl FromStr for Runner {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (engine, precision) = match text.split_once('-') {
            Some((engine, precision)) => (engine.parse()?, precision.parse()?),
            None => (text.parse()?, Precision::F32),
        };
        if engine == EngineChoice::Auto {
            return Err("expected engines by name, such as tract,ort".to_owned());
        }
        Ok(Self { engine, precision })
    }
}

/// One way of running a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct InferSetting {
    /// The engine and its precision.
    #[serde(flatten)]
    pub runner: Runner,
    /// Windows per run.
    pub batch: usize,
    /// Number of threads, each with a session.
    pub threads: usize,
}

/// A setting and the summary of its repeats.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct InferRow {
    /// The setting.
    #[serde(flatten)]
    pub setting: InferSetting,
    /// Name and version of the engine.
    pub version: String,
    /// Windows per second of wall time.
    pub windows_per_s: MedianRange,
    /// Windows per second of wall time and thread, median.
    pub windows_per_core_s: f64,
    /// Windows per second of processor time, median.
    pub windows_per_cpu_s: f64,
    /// Largest resident memory of a process in this setting.
    pub peak_rss_bytes: u64,
    /// Wall time to load all sessions, median.
    pub load_s: f64,
}

/// An engine or a setting that could not be measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct NotMeasured {
    /// The engine, or the setting.
    pub what: String,
    /// The reason.
    pub reason: String,
}

/// The rows of the settings that could be measured, and those that could not.
#[derive(Debug)]
pub(crate) struct InferResults {
    /// The rows, in the order of the settings.
    pub rows: Vec<InferRow>,
    /// What could not be measured.
    pub missing: Vec<NotMeasured>,
}

impl InferSetting {
    /// The setting in one line: `ort, batch 8, 2 threads`.
    #[must_use]
    pub(crate) fn label(&self) -> String {
        let threads = if self.threads == 1 { "thread" } else { "threads" };
        format!("{}, batch {}, {} {threads}", self.runner, self.batch, self.threads)
    }
}

/// Measures every setting `repeats` times. The settings take turns, in order and then in
/// reverse order, so that a machine that gets busier slows no setting more than others. A
/// setting that fails once is not measured again.
///
/// `command` makes the process that measures a setting and prints a [`Measurement`] as
/// JSON on stdout.
pub(crate) fn in_turns(
    settings: &[InferSetting],
    repeats: usize,
    command: &dyn Fn(&InferSetting) -> std::io::Result<Command>,
    progress: &Progress,
) -> InferResults {
    let task = progress.start("bench infer", "measurements", settings.len() * repeats);
    let mut found: Vec<Result<Vec<Measurement>, String>> = vec![Ok(Vec::new()); settings.len()];
    for repeat in 0..repeats {
        let mut order: Vec<usize> = (0..settings.len()).collect();
        if repeat % 2 == 1 {
            order.reverse();
        }
        for at in order {
            if let Ok(measured) = &mut found[at] {
                match measure_once(&settings[at], command) {
                    Ok(one) => measured.push(one),
                    Err(reason) => found[at] = Err(reason),
                }
            }
            task.advance(1);
        }
    }
    let mut results = InferResults { rows: Vec::new(), missing: Vec::new() };
    for (setting, found) in settings.iter().zip(found) {
        match found.map(|measured| row(*setting, &measured)) {
            Ok(Some(row)) => results.rows.push(row),
            Ok(None) => {}
            Err(reason) => {
                results.missing.push(NotMeasured { what: setting.label(), reason });
            }
        }
    }
    results
}

fn measure_once(
    setting: &InferSetting,
    command: &dyn Fn(&InferSetting) -> std::io::Result<Command>,
) -> Result<Measurement, String> {
    let started = command(setting).and_then(|mut command| {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).output()
    });
    let output = started.map_err(|error| format!("cannot start its process: {error}"))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let last = stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("");
        let last = last.strip_prefix("error: ").unwrap_or(last);
        return Err(match output.status.code() {
            Some(_) if !last.is_empty() => last.to_owned(),
            _ => format!("its process ended with {}: {last}", output.status),
        });
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("its process printed something else than a result: {error}"))
}

fn row(setting: InferSetting, measured: &[Measurement]) -> Option<InferRow> {
    let median = |value: fn(&Measurement) -> f64| {
        MedianRange::from_values(&measured.iter().map(value).collect::<Vec<_>>())
    };
    let windows_per_s = median(|one| one.windows_per_s)?;
    Some(InferRow {
        setting: InferSetting { batch: measured[0].batch, ..setting },
        version: measured[0].engine.clone(),
        windows_per_s,
        windows_per_core_s: windows_per_s.median / setting.threads as f64,
        windows_per_cpu_s: median(|one| one.windows_per_cpu_s)?.median,
        peak_rss_bytes: measured.iter().map(|one| one.peak_rss_bytes).max()?,
        load_s: median(|one| one.load_s)?.median,
    })
}

/// The share of the highest speed from which a setting counts as equally fast.
const AS_FAST: f64 = 0.97;

/// The setting to use: of those that are as fast as the fastest, within the precision of
/// such measurements, the one with the least memory. Ties go to the smallest batch.
/// Precisions below f32 count only if nothing else was measured.
#[must_use]
pub(crate) fn recommended(rows: &[InferRow]) -> Option<&InferRow> {
    let exact = rows.iter().any(|row| row.setting.runner.precision == Precision::F32);
    let fits = |row: &&InferRow| !exact || row.setting.runner.precision == Precision::F32;
    let rates = rows.iter().filter(fits).map(|row| row.windows_per_s.median);
    let fastest = rates.fold(0.0, f64::max);
    rows.iter()
        .filter(fits)
        .filter(|row| row.windows_per_s.median >= AS_FAST * fastest)
        .min_by_key(|row| (row.peak_rss_bytes, row.setting.batch))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(batch: usize) -> InferSetting {
        let runner = Runner { engine: EngineChoice::Ort, precision: Precision::F32 };
        InferSetting { runner, batch, threads: 2 }
    }

    fn measured(windows_per_s: f64, peak_rss_bytes: u64) -> Measurement {
        Measurement {
            engine: "ort 1.2.3".into(),
            batch: 4,
            windows_per_s,
            windows_per_cpu_s: windows_per_s / 2.0,
            load_s: 0.1,
            peak_rss_bytes,
        }
    }

    #[test]
    fn repeats_are_summarised_in_a_row() {
        let repeats = [measured(10.0, 100), measured(30.0, 300), measured(20.0, 200)];
        let row = row(setting(8), &repeats).unwrap();
        assert_eq!((row.windows_per_s.median, row.windows_per_s.most), (20.0, 30.0));
        assert_eq!((row.windows_per_core_s, row.peak_rss_bytes), (10.0, 300));
        // The batch is the one that the graph fixes, not the one requested.
        assert_eq!(row.setting.batch, 4);
        assert_eq!(super::row(setting(8), &[]), None);
    }

    #[test]
    fn memory_decides_only_between_equally_fast_settings() {
        let row = |batch, windows_per_s, bytes| {
            let row = row(setting(batch), &[measured(windows_per_s, bytes)]).unwrap();
            InferRow { setting: setting(batch), ..row }
        };
        let rows = [row(1, 90.0, 100), row(8, 98.0, 300), row(16, 100.0, 500)];
        assert_eq!(recommended(&rows).unwrap().setting.batch, 8);
        assert_eq!(recommended(&rows[..1]).unwrap().setting.batch, 1);
        assert_eq!(recommended(&[]), None);
        let mut less = row(8, 200.0, 300);
        less.setting.runner.precision = Precision::Bf16;
        assert_eq!(recommended(&[rows[0].clone(), less.clone()]), Some(&rows[0]));
        assert_eq!(recommended(std::slice::from_ref(&less)), Some(&less));
    }

    #[test]
    fn a_failing_setting_is_reported_and_not_measured_again() {
        let tries = std::cell::Cell::new(0);
        let command = |setting: &InferSetting| {
            tries.set(tries.get() + 1);
            let mut command = Command::new("sh");
            command.arg("-c").arg(match setting.batch {
                1 => "echo 'error: no such operator' >&2; exit 3",
                2 => "kill -SEGV $$",
                3 => "echo words",
                _ => {
                    r#"echo '{"engine": "e 1", "batch": 4, "windows_per_s": 5, "windows_per_cpu_s": 5, "load_s": 1, "peak_rss_bytes": 7}'"#
                }
            });
            Ok(command)
        };
        let settings = [1, 2, 3, 4].map(setting);
        let InferResults { rows, missing } = in_turns(&settings, 3, &command, &Progress::Quiet);
        assert_eq!((rows.len(), rows[0].version.as_str(), tries.get()), (1, "e 1", 6));
        let reasons: Vec<&str> = missing.iter().map(|missing| missing.reason.as_str()).collect();
        assert_eq!((reasons.len(), reasons[0]), (3, "no such operator"));
        assert!(reasons[1].contains("signal"), "{reasons:?}");
        assert!(reasons[2].contains("something else"), "{reasons:?}");
    }
}
