//! The forecast before the long work: what is left, and what each method takes on this machine.

use std::collections::BTreeMap;

use crate::config::{Method, RunConfig};
use crate::jobs::estimate::points_in_tissue;
use crate::patches::PatchesFile;
use crate::predict::{Forecast, PredictError, Predictor};
use crate::progress::Progress;
use crate::run_dir::RunDir;
use crate::scores::points_to_draw;

/// Fewest points that are worth a timing.
const MIN_POINTS: f64 = 5_000.0;

/// Points of the groups that have no scores yet.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct PointsLeft {
    points: f64,
    /// Points that audits score exactly, by a cascade.
    audited: f64,
}

/// Times the network and notes what each method takes for the groups without scores; warns if
/// the method of the run takes longer than single windows. Nothing is timed for little work.
/// `unscored` is the number of such groups of each slide.
///
/// # Errors
/// [`PredictError`] if the network cannot run.
pub(super) fn note_forecast(
    run: &RunDir,
    config: &RunConfig,
    unscored: &BTreeMap<&str, u32>,
    predictor: &mut Predictor<'_>,
    progress: &Progress,
) -> Result<(), PredictError> {
    let left = points_left(run, config, unscored);
    if left.points < MIN_POINTS {
        return Ok(());
    }
    let forecast = predictor.forecast()?;
    progress.note(&line(left, &forecast, predictor.workers()));
    if let Some(warning) = warning(config.config.predict.method, left, &forecast) {
        progress.warn(&warning);
    }
    Ok(())
}

/// Points of the groups without scores. Slides whose patches cannot be read are left out, since
/// scoring names them.
fn points_left(run: &RunDir, config: &RunConfig, unscored: &BTreeMap<&str, u32>) -> PointsLeft {
    let keys = &config.config.predict;
    let mut left = PointsLeft::default();
    for (slide, &count) in unscored {
        let Ok(file) = PatchesFile::open(&run.patches(slide)) else { continue };
        let Ok(tissue) = file.tissue() else { continue };
        let meta = file.meta();
        let (width_px, height_px) = (meta.width_px, meta.height_px);
        let all = points_in_tissue(tissue.view(), meta.tile_px, width_px, height_px, keys.stride);
        let share = f64::from(count) / f64::from(file.groups().max(1));
        left.points += share * all as f64;
        left.audited += share * points_to_draw(all, keys.audit_bound) as f64;
    }
    left
}

/// The forecast in one line.
fn line(left: PointsLeft, forecast: &Forecast, workers: usize) -> String {
    let window_s = left.points * forecast.window_s;
    let mut line = format!(
        "predict: {:.0} points left; on this machine, by a short timing: window {} (less where windows share layers)",
        left.points,
        about(window_s)
    );
    if let Some(dense_s) = forecast.dense_s {
        let dense_s = left.points * dense_s;
        let audited_s = left.audited * forecast.window_s;
        line += &format!(
            ", dense {}, cascade {} and {} more for each percent of the points that it refines",
            about(dense_s),
            about(dense_s + audited_s),
            about(window_s / 100.0)
        );
        line += match forecast.timed_dense {
            true => "; where all is tissue, without calibration",
            false => {
                "; dense runs by their multiplications, where all is tissue, without calibration"
            }
        };
    }
    line + &format!(" ({workers} workers)")
}

/// The warning that single windows take less time; `None` if they do not.
fn warning(method: Method, left: PointsLeft, forecast: &Forecast) -> Option<String> {
    let dense_s = left.points * forecast.dense_s.filter(|_| forecast.timed_dense)?;
    let cost_s = match method {
        Method::Window | Method::Auto => return None,
        Method::Dense => dense_s,
        Method::Cascade => dense_s + left.audited * forecast.window_s,
    };
    let window_s = left.points * forecast.window_s;
    (cost_s > window_s).then(|| {
        format!(
            "warning: method {} takes {} or more here, single windows {}; use method = \"window\" in another run directory",
            method.name(),
            about(cost_s),
            about(window_s)
        )
    })
}

/// A time in words, rounded: `41 s`, `19 min`, `3.4 h`.
fn about(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{s:.1} s"),
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 6000.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORECAST: Forecast =
        Forecast { window_s: 0.01, dense_s: Some(0.0002), timed_dense: true };
    const LEFT: PointsLeft = PointsLeft { points: 100_000.0, audited: 900.0 };

    #[test]
    fn the_line_has_the_time_of_each_method() {
        let text = line(LEFT, &FORECAST, 2);
        for part in [
            "100000 points",
            "window 17 min",
            "dense 20 s",
            "cascade 29 s and 10 s more",
            "2 workers",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let alone = Forecast { dense_s: None, ..FORECAST };
        assert!(!line(LEFT, &alone, 1).contains("dense"));
    }

    #[test]
    fn a_method_that_takes_longer_than_single_windows_is_warned_of() {
        assert_eq!(warning(Method::Dense, LEFT, &FORECAST), None);
        assert_eq!(warning(Method::Cascade, LEFT, &FORECAST), None);
        let dear = Forecast { dense_s: Some(0.05), ..FORECAST };
        let text = warning(Method::Dense, LEFT, &dear).unwrap();
        assert!(text.contains("dense takes 83 min or more here, single windows 17 min"), "{text}");
        assert_eq!(warning(Method::Window, LEFT, &dear), None);
        // Small slides are audited nearly whole.
        let small = PointsLeft { audited: 99_000.0, ..LEFT };
        assert!(warning(Method::Cascade, small, &FORECAST).is_some());
        let untimed = Forecast { timed_dense: false, ..dear };
        assert_eq!(warning(Method::Dense, LEFT, &untimed), None);
    }

    #[test]
    fn times_are_rounded_to_what_they_tell() {
        let texts = [0.04, 41.2, 119.0, 1140.0, 12_240.0].map(about);
        assert_eq!(texts, ["0.0 s", "41 s", "2 min", "19 min", "3.4 h"]);
    }
}
