//! `slidegrid status`

use std::io::IsTerminal;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::output::{print, print_json};
use super::{Exit, Failure};
use crate::jobs::cost::{RunCost, StageCost, cost_of};
use crate::jobs::cost_plot::write_plot;
use crate::jobs::run_view::{FitView, RunView, Totals, read_state};
use crate::jobs::view::SlideView;
use crate::number::counted;
use crate::process::{self, TerminalSize};
use crate::progress::tell;
use crate::run_dir::RunDir;

/// Show what is done, running, waiting or failed in a run, and why.
///
/// What is done is read from the files of the run: a file that exists is
/// complete. The schedulers are asked about what was submitted to them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slidegrid status --run run
  slidegrid status --run run --watch 30
  slidegrid status --run run --cost          what it took; draws RUN/report/tasks.svg
  slidegrid status --run run --json | jq '.slides[] | select(.heatmap | not)'

Exit codes: 5 if a slide failed, is partial, has no tissue or a heatmap that cannot be
read, or if work is left and no job does it; otherwise 0, also while work is running.")]
pub(crate) struct StatusArgs {
    /// Run directory.
    #[arg(long, value_name = "DIR")]
    run: PathBuf,

    /// Print the state as JSON.
    #[arg(long)]
    json: bool,

    /// Repeat every SECONDS [default: 60] until nothing can proceed: redrawn on a terminal,
    /// otherwise one line each time.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "60", conflicts_with = "json")]
    watch: Option<NonZero<u32>>,

    /// Show what the run cost: time, cores, speed-up, bytes, retries.
    #[arg(long, conflicts_with = "watch")]
    cost: bool,
}

#[derive(serde::Serialize)]
struct Report<'a> {
    run: &'a Path,
    /// Whether work is left, was submitted, and no job does it.
    stopped: bool,
    totals: Totals,
    slides: &'a [SlideView],
    #[serde(skip_serializing_if = "Option::is_none")]
    calibrate: Option<&'a FitView>,
    warnings: &'a [String],
}

pub(super) fn run(args: &StatusArgs) -> Result<Exit, Failure> {
    let run = RunDir::new(&args.run);
    if args.cost {
        return cost(args, &run);
    }
    let Some(every_s) = args.watch else {
        let view = RunView::read(&run)?;
        let (slides, warnings) = (view.slides.as_slice(), view.warnings());
        if args.json {
            let (stopped, totals) = (view.has_stopped(), Totals::count(slides));
            let (run, calibrate) = (args.run.as_path(), view.fit.as_ref());
            print_json(&Report { run, stopped, totals, slides, calibrate, warnings })?;
        } else {
            let text = table(slides, warnings) + &view.queue_lines(&run).join("\n");
            print(text.trim_end())?;
            note_earlier_version(&view);
        }
        return Ok(exit_of(&view));
    };
    watch(&run, Duration::from_secs(u64::from(every_s.get())))
}

fn exit_of(view: &RunView) -> Exit {
    if view.needs_attention() { Exit::Partial } else { Exit::Done }
}

/// Says in a line that slides of an earlier version lack what this one records.
fn note_earlier_version(view: &RunView) {
    let slides = view.state.listing.slides.iter();
    let count = slides.filter(|slide| slide.record.is_of_version_1()).count();
    if count > 0 {
        tell(&format!(
            "note: {} split by an earlier version, whose files have no checksums and do not record the slide's file: a changed byte or a replaced slide is not noticed there",
            counted(count as u64, "slide was", "slides were")
        ));
    }
}

/// Shows the state of the run until nothing can proceed without a person.
fn watch(run: &RunDir, every: Duration) -> Result<Exit, Failure> {
    let mut had_stopped = false;
    loop {
        let view = RunView::read(run)?;
        let slides = view.slides.as_slice();
        if std::io::stdout().is_terminal() {
            // Home, clear to the end of the screen.
            let text = screenful(slides, view.warnings(), process::terminal_size());
            print(&format!("\x1b[H\x1b[J{}", text.trim_end()))?;
        } else {
            print(&summary(&Totals::count(slides)))?;
        }
        // Between two waves there may be a moment without a job.
        let has_stopped = view.has_stopped();
        if view.is_settled() || (has_stopped && had_stopped) {
            view.queue_lines(run).iter().try_for_each(|line| print(line))?;
            return Ok(exit_of(&view));
        }
        had_stopped = has_stopped;
        std::thread::sleep(every);
    }
}

fn table(slides: &[SlideView], warnings: &[String]) -> String {
    let mut lines = slide_lines(&slides.iter().collect::<Vec<_>>());
    lines.push(summary(&Totals::count(slides)));
    lines.extend(warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.join("\n") + "\n"
}

/// A heading, and one line per slide.
fn slide_lines(slides: &[&SlideView]) -> Vec<String> {
    let width = slides.iter().map(|slide| slide.files.name.len()).max().unwrap_or(0).max(5);
    let mut lines = vec![format!(
        "{:width$}  {:9}  {:>13}  {:>7}  {:>7}  {:>6}  {:7}  why",
        "slide", "split", "groups scored", "running", "waiting", "failed", "heatmap"
    )];
    for slide in slides {
        let files = &slide.files;
        let groups = format!("{}/{}", files.scored, files.groups);
        let line = format!(
            "{:width$}  {:9}  {groups:>13}  {:>7}  {:>7}  {:>6}  {:7}  {}",
            files.name,
            files.split,
            slide.running.len(),
            slide.waiting.len(),
            slide.failed().len(),
            if files.heatmap { "yes" } else { "no" },
            slide.why()
        );
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// The table on a screen. Where not all slides fit, those that need attention come first; lines
/// end at the edge.
fn screenful(slides: &[SlideView], warnings: &[String], screen: TerminalSize) -> String {
    // The heading, what is left out, the summary, and the cursor's line.
    let room = screen.rows.saturating_sub(4 + warnings.len()).max(1);
    let mut shown: Vec<&SlideView> = slides.iter().collect();
    let mut tail = Vec::new();
    if shown.len() > room + 1 {
        shown.sort_by_key(|slide| slide.attention());
        tail.push(format!("... {} more slides", shown.len() - room));
        shown.truncate(room);
    }
    tail.push(summary(&Totals::count(slides)));
    tail.extend(warnings.iter().map(|warning| format!("warning: {warning}")));
    let lines = slide_lines(&shown).into_iter().chain(tail);
    lines.map(|line| line.chars().take(screen.columns).collect::<String>() + "\n").collect()
}

fn summary(totals: &Totals) -> String {
    let partial = match totals.partial {
        0 => String::new(),
        slides => format!(" {slides} partial,"),
    };
    format!(
        "{} of {} slides done,{partial} {} failed; {} of {} groups scored, {} running, {} waiting, {} failed",
        totals.done,
        totals.slides,
        totals.failed,
        totals.groups_scored,
        totals.groups,
        totals.groups_running,
        totals.groups_waiting,
        totals.groups_failed
    )
}

/// Prints the paper's tables, and writes the plot.
fn cost(args: &StatusArgs, run: &RunDir) -> Result<Exit, Failure> {
    let cost = cost_of(run, &read_state(run)?);
    let plot = write_plot(run, &cost)?;
    if args.json {
        print_json(&cost)?;
        return Ok(Exit::Done);
    }
    let file = plot.map_or(String::new(), |svg| format!("{}\n", svg.display()));
    print(format!("{}{file}", cost_table(&cost)).trim_end())?;
    Ok(Exit::Done)
}

fn cost_table(cost: &RunCost) -> String {
    let mut lines = vec![format!(
        "{:8}  {:>7}  {:>11}  {:>11}  {:>11}  {:>8}  {:>5}  {:>10}  {:>10}  {:>10}",
        "stage",
        "tasks",
        "serial h",
        "core h",
        "parallel h",
        "speed-up",
        "cores",
        "efficiency",
        "read GB",
        "written GB"
    )];
    for stage in &cost.stages {
        lines.push(cost_line(stage));
    }
    for stage in cost.stages.iter().filter(|stage| stage.untimed > 0) {
        lines.push(format!(
            "{}: {} of {} files carry no times and are not in the sums",
            stage.stage, stage.untimed, stage.tasks
        ));
    }
    lines.push("serial: processor time of all tasks; core: wall time x cores; parallel: first start to last end; cores: most in use at once; efficiency: speed-up / cores".into());
    lines.push(match &cost.retries {
        None => "retries: nothing was submitted to a scheduler".into(),
        Some(retries) => {
            let stages = retries.stages.iter().map(|s| format!("{} {}", s.tries, s.stage));
            let stages = stages.collect::<Vec<_>>().join(", ");
            let stages = if stages.is_empty() { stages } else { format!(" ({stages})") };
            format!(
                "retries: {} tries ended badly{stages}, {:.4} core-hours lost",
                retries.tries,
                retries.lost_core_s / 3600.0
            )
        }
    });
    lines.join("\n") + "\n"
}

fn cost_line(stage: &StageCost) -> String {
    format!(
        "{:8}  {:>7}  {:>11.4}  {:>11.4}  {:>11.4}  {:>8.2}  {:>5}  {:>10.2}  {:>10.4}  {:>10.4}",
        stage.stage,
        stage.tasks,
        stage.serial_s / 3600.0,
        stage.core_s / 3600.0,
        stage.parallel_s / 3600.0,
        stage.speed_up,
        stage.peak_cores,
        stage.efficiency,
        stage.read_bytes as f64 / 1e9,
        stage.written_bytes as f64 / 1e9
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::state::RunState;
    use crate::jobs::status::SlideProgress;
    use crate::jobs::view::view_of;
    use crate::number::GroupNumber;

    fn slide(name: &str, scored: usize, failed: bool) -> SlideView {
        let files = SlideProgress {
            unnormalized_patches: 0,
            lower_precision: None,
            several_engines: None,
            screen: None,
            partial: None,
            name: name.into(),
            split: if failed { "failed" } else { "done" },
            reason: if failed { "the file ends after 7 of 9 tiles".into() } else { String::new() },
            note: String::new(),
            groups: 9,
            scored,
            missing: GroupNumber::up_to(9).skip(scored).collect(),
            begun: Vec::new(),
            failed: Vec::new(),
            heatmap: scored == 9,
            heatmap_without: Vec::new(),
            stitch_failure: None,
            heatmap_unread: None,
        };
        view_of(files, &RunState::default())
    }

    #[test]
    fn a_screen_shows_what_matters_and_no_more() {
        let mut slides: Vec<SlideView> =
            (0..40).map(|k| slide(&format!("s{k:02}"), 9, false)).collect();
        slides[20] = slide("s20", 3, false);
        slides[30] = slide("s30", 0, true);
        let text = screenful(&slides, &[], TerminalSize { rows: 10, columns: 60 });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 9, "{text}");
        assert!(lines[1].starts_with("s30") && lines[2].starts_with("s20"), "{text}");
        assert_eq!(lines[7], "... 34 more slides");
        assert!(lines[8].starts_with("38 of 40 slides done, 1 failed"), "{text}");
        assert!(lines.iter().all(|line| line.chars().count() <= 60));
        let few = screenful(&slides[..6], &[], TerminalSize { rows: 10, columns: 200 });
        assert_eq!(few.trim_end(), table(&slides[..6], &[]).trim_end());
    }
}
