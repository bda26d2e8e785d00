//! A plot of the tasks that run over time, as SVG.

use std::fmt::Write;
use std::path::PathBuf;

use super::cost::{RunCost, running};
use crate::run_dir::RunDir;
use crate::staged::{self, StageError};

const WIDTH_PX: f64 = 900.0;
const HEIGHT_PX: f64 = 360.0;
/// Margins: left, right, top, bottom.
const MARGIN_PX: [f64; 4] = [60.0, 20.0, 40.0, 46.0];
/// Colours that are distinct for people who confuse red and green (Okabe and Ito).
const COLOURS: [&str; 3] = ["#0072b2", "#e69f00", "#009e73"];

/// Writes the plot to `report/tasks.svg` of the run and returns its path; `None` if no file of the
/// run holds times.
///
/// # Errors
/// [`StageError`] if the file cannot be written.
pub(crate) fn write_plot(run: &RunDir, cost: &RunCost) -> Result<Option<PathBuf>, StageError> {
    let root = std::fs::canonicalize(run.root()).unwrap_or_else(|_| run.root().to_owned());
    let name = root.file_name().unwrap_or(root.as_os_str()).to_string_lossy();
    let title = format!("Tasks of {name} running over time");
    let Some(svg) = plot_tasks(&title, cost) else { return Ok(None) };
    let path = run.tasks_svg();
    staged::write(&path, svg.as_bytes())?;
    Ok(Some(path))
}

/// Draws how many tasks of each stage ran at each moment, as an SVG file. `None` if no file holds
/// times.
pub(crate) fn plot_tasks(title: &str, cost: &RunCost) -> Option<String> {
    let spans = || cost.stages.iter().flat_map(|stage| &stage.spans);
    let first = spans().map(|span| span.from_unix_s).reduce(f64::min)?;
    let last = spans().map(|span| span.to_unix_s).reduce(f64::max)?;
    let total_s = (last - first).max(1e-3);
    let lines: Vec<_> =
        cost.stages.iter().map(|stage| (stage.stage, running(&stage.spans))).collect();
    let most = lines.iter().flat_map(|(_, steps)| steps).map(|step| step.tasks).max()?.max(1);
    let [left, right, top, bottom] = MARGIN_PX;
    let (width, height) = (WIDTH_PX - left - right, HEIGHT_PX - top - bottom);
    let x = |at: f64| left + (at - first) / total_s * width;
    let y = |tasks: usize| top + height * (1.0 - tasks as f64 / most as f64);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH_PX} {HEIGHT_PX}\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{left}\" y=\"20\" font-size=\"14\">{}</text>\n",
        escaped(title)
    );
    axes(&mut svg, most, total_s);
    for (place, ((stage, steps), colour)) in lines.iter().zip(COLOURS).enumerate() {
        if steps.is_empty() {
            continue;
        }
        let mut path = String::new();
        let mut before = 0;
        for step in steps {
            let command = if path.is_empty() { 'M' } else { 'L' };
            let at = x(step.at_unix_s);
            put(
                &mut path,
                format_args!("{command}{at:.1} {:.1}L{at:.1} {:.1}", y(before), y(step.tasks)),
            );
            before = step.tasks;
        }
        put(
            &mut svg,
            format_args!(
                "<path d=\"{path}\" fill=\"{colour}\" fill-opacity=\"0.25\" stroke=\"{colour}\"/>\n"
            ),
        );
        let at = WIDTH_PX - right - 80.0 * (lines.len() - place) as f64;
        put(&mut svg, format_args!("<text x=\"{at}\" y=\"20\" fill=\"{colour}\">{stage}</text>\n"));
    }
    svg.push_str("</svg>\n");
    Some(svg)
}

/// Adds the frame, ticks and labels.
fn axes(svg: &mut String, most: usize, total_s: f64) {
    let [left, right, top, bottom] = MARGIN_PX;
    let (width, height) = (WIDTH_PX - left - right, HEIGHT_PX - top - bottom);
    let base = top + height;
    put(
        svg,
        format_args!(
            "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" fill=\"none\" stroke=\"#999\"/>\n"
        ),
    );
    for tasks in ticks(most as f64).into_iter().filter(|tasks| tasks.fract() == 0.0) {
        let y = base - height * tasks / most as f64;
        put(
            svg,
            format_args!(
                "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{tasks}</text>\n",
                left - 6.0,
                y + 4.0
            ),
        );
    }
    let (unit_s, unit) = match total_s {
        t if t >= 7200.0 => (3600.0, "hours"),
        t if t >= 120.0 => (60.0, "minutes"),
        _ => (1.0, "seconds"),
    };
    for time in ticks(total_s / unit_s) {
        let x = left + width * time * unit_s / total_s;
        put(
            svg,
            format_args!(
                "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{time}</text>\n",
                base + 16.0
            ),
        );
    }
    put(
        svg,
        format_args!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{unit} since the first task began</text>\n",
            left + width / 2.0,
            base + 36.0
        ),
    );
    put(
        svg,
        format_args!(
            "<text transform=\"translate(16 {}) rotate(-90)\" text-anchor=\"middle\">tasks running</text>\n",
            top + height / 2.0
        ),
    );
}

/// Round numbers from 0 to `most`, in four to ten steps.
fn ticks(most: f64) -> Vec<f64> {
    let magnitude = 10f64.powf((most / 4.0).log10().floor());
    let steps = [5.0, 2.0, 1.0].map(|factor| factor * magnitude);
    let step = steps.into_iter().find(|step| most / step >= 4.0).unwrap_or(magnitude);
    let mut ticks = Vec::new();
    let mut count = 0.0;
    while count * step <= most * (1.0 + 1e-9) {
        // Rounding removes the noise of binary fractions.
        ticks.push((count * step * 1e6).round() / 1e6);
        count += 1.0;
    }
    ticks
}

fn put(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("writing to memory does not fail");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::cost::{StageCost, TrySpan};

    #[test]
    fn ticks_are_few_and_round() {
        assert_eq!(ticks(4.0), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(ticks(35.0), [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0]);
        for most in [0.3, 1.0, 7.5, 99.0, 4000.0, 27_280.0] {
            assert!((4..=11).contains(&ticks(most).len()), "{most}: {:?}", ticks(most));
        }
    }

    #[test]
    fn every_stage_with_times_is_drawn() {
        let span =
            |from_unix_s: f64| TrySpan { from_unix_s, to_unix_s: from_unix_s + 60.0, cores: 1.0 };
        let stage = |stage, spans| StageCost { stage, spans, ..StageCost::default() };
        let mut cost = RunCost {
            stages: vec![
                stage("split", vec![span(0.0)]),
                stage("predict", vec![span(60.0), span(90.0)]),
                stage("stitch", Vec::new()),
            ],
            retries: None,
        };
        let svg = plot_tasks("a < b", &cost).unwrap();
        assert_eq!(svg.matches("<path").count(), 2);
        assert!(
            svg.contains("a &lt; b") && svg.contains("minutes since") && svg.contains(">predict<")
        );
        // Two tasks at once reach the top.
        assert!(svg.contains("L552.0 40.0"), "{svg}");
        cost.stages.truncate(0);
        assert_eq!(plot_tasks("", &cost), None);
    }
}
