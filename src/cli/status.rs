//! `slidegrid status`

use std::io::IsTerminal;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::output::{print, print_json};
use super::{Exit, Failure};
use crate::jobs::cost::{RunCost, StageCost, cost_of};
use crate::jobs::cost_plot::plot_tasks;
use crate::jobs::scheduler::System;
use crate::jobs::state::RunState;
use crate::jobs::status::{FilesRead, progress_of};
use crate::jobs::submitted::read_submitted;
use crate::jobs::view::{SlideView, view_of};
use crate::run_dir::RunDir;
use crate::shell::quoted;
use crate::staged;

/// Say what of a run is done, running, waiting or failed, and why.
///
/// What is done is read from the files of the run: a file that exists is
/// complete. The schedulers are asked about what was submitted to them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slidegrid status --run run
  slidegrid status --run run --watch 30
  slidegrid status --run run --cost          what it took; draws RUN/report/tasks.svg
  slidegrid status --run run --json | jq '.slides[] | select(.heatmap | not)'")]
pub(crate) struct StatusArgs {
    /// Run directory.
    #[arg(long, value_name = "DIR")]
    run: PathBuf,

    /// As JSON.
    #[arg(long)]
    json: bool,

    /// Again every so many seconds [default: 10] until all is done: redrawn on
    /// a terminal, else a line each time.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "10", conflicts_with = "json")]
    watch: Option<NonZero<u32>>,

    /// What the run took: time, cores, speed-up, bytes, retries.
    #[arg(long, conflicts_with = "watch")]
    cost: bool,
}

#[derive(serde::Serialize)]
struct Report<'a> {
    run: &'a Path,
    totals: Totals,
    slides: &'a [SlideView],
    warnings: &'a [String],
}

#[derive(serde::Serialize)]
struct Totals {
    slides: usize,
    done: usize,
    failed: usize,
    groups: usize,
    groups_scored: usize,
    groups_running: usize,
    groups_waiting: usize,
    groups_failed: usize,
}

pub(super) fn run(args: &StatusArgs) -> Result<Exit, Failure> {
    let run = RunDir::new(&args.run);
    if args.cost {
        return cost(args, &run);
    }
    let Some(every_s) = args.watch else {
        let look = Look::read(&run)?;
        let (slides, warnings) = (look.slides.as_slice(), look.warnings());
        if args.json {
            let totals = totals(slides);
            print_json(&Report { run: &args.run, totals, slides, warnings })?;
        } else {
            let text = table(slides, warnings) + &look.queue_lines(&run).join("\n");
            print(text.trim_end())?;
        }
        return Ok(Exit::Done);
    };
    watch(&run, Duration::from_secs(u64::from(every_s.get())))
}

/// Shows the state of the run until nothing can proceed without a person.
fn watch(run: &RunDir, every: Duration) -> Result<Exit, Failure> {
    let mut had_stopped = false;
    loop {
        let look = Look::read(run)?;
        let slides = look.slides.as_slice();
        if std::io::stdout().is_terminal() {
            // Home, clear to the end of the screen.
            let text = screenful(slides, look.warnings(), screen());
            print(&format!("\x1b[H\x1b[J{}", text.trim_end()))?;
        } else {
            print(&summary(&totals(slides)))?;
        }
        if slides.iter().all(|slide| slide.files.is_done()) {
            return Ok(Exit::Done);
        }
        // Between two waves there may be a moment without a job.
        let has_stopped = look.state.has_stopped();
        if slides.iter().all(SlideView::is_settled) || (has_stopped && had_stopped) {
            look.queue_lines(run).iter().try_for_each(|line| print(line))?;
            return Ok(Exit::Partial);
        }
        had_stopped = has_stopped;
        std::thread::sleep(every);
    }
}

/// What is known of a run, and a view of each of its slides.
pub(super) struct Look {
    pub(super) state: RunState,
    pub(super) slides: Vec<SlideView>,
}

impl Look {
    /// Reads the heatmaps, asks the schedulers, then lists the files.
    pub(super) fn read(run: &RunDir) -> Result<Self, Failure> {
        let files = FilesRead::read(run);
        let state = read_state(run)?;
        let view = |slide| view_of(progress_of(run, slide, &files), &state);
        let slides = state.listing.slides.iter().map(view).collect();
        Ok(Self { state, slides })
    }

    /// Where the waiting groups are, and how to continue if no job does. Empty if nothing was
    /// submitted.
    fn queue_lines(&self, run: &RunDir) -> Vec<String> {
        if self.state.submissions.is_empty() {
            return Vec::new();
        }
        let mut lines = Vec::new();
        let sum = |count: fn(&SlideView) -> usize| self.slides.iter().map(count).sum::<usize>();
        let (waiting, queued) = (sum(|slide| slide.waiting.len()), sum(|slide| slide.queued.len()));
        if waiting > 0 {
            let open = waiting - queued;
            lines
                .push(format!("waiting: {queued} in the queue, {open} not submitted or forgotten"));
        }
        let is_done = self.slides.iter().all(|slide| slide.files.is_done());
        if !is_done && self.state.has_stopped() {
            let run = quoted(&run.root().to_string_lossy());
            lines.push(format!(
                "stopped: no job of this run is queued or running; `slidegrid master retry --run {run}` continues"
            ));
        }
        lines
    }

    fn warnings(&self) -> &[String] {
        &self.state.answers.warnings
    }
}

fn read_state(run: &RunDir) -> Result<RunState, Failure> {
    Ok(RunState::read(run, &read_submitted(run)?, &System::ONCE, true)?)
}

fn totals(slides: &[SlideView]) -> Totals {
    let sum = |count: fn(&SlideView) -> usize| slides.iter().map(count).sum();
    Totals {
        slides: slides.len(),
        done: slides.iter().filter(|slide| slide.files.is_done()).count(),
        failed: slides.iter().filter(|slide| slide.has_failed()).count(),
        groups: sum(|slide| slide.files.groups as usize),
        groups_scored: sum(|slide| slide.files.scored),
        groups_running: sum(|slide| slide.running.len()),
        groups_waiting: sum(|slide| slide.waiting.len()),
        groups_failed: sum(|slide| slide.failed().len()),
    }
}

fn table(slides: &[SlideView], warnings: &[String]) -> String {
    let mut lines = slide_lines(&slides.iter().collect::<Vec<_>>());
    lines.push(summary(&totals(slides)));
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

/// The table on a screen of so many rows and columns: where not all slides fit,
/// those that failed first, then what runs; lines end at the edge.
fn screenful(slides: &[SlideView], warnings: &[String], (rows, columns): (usize, usize)) -> String {
    // The heading, what is left out, the summary, and the cursor's line.
    let room = rows.saturating_sub(4 + warnings.len()).max(1);
    let mut shown: Vec<&SlideView> = slides.iter().collect();
    let mut tail = Vec::new();
    if shown.len() > room + 1 {
        shown.sort_by_key(|slide| match slide {
            slide if slide.has_failed() => 0,
            slide if !slide.stuck.is_empty() => 1,
            slide if !slide.running.is_empty() => 2,
            slide if !slide.files.is_done() => 3,
            _ => 4,
        });
        tail.push(format!("... {} more slides", shown.len() - room));
        shown.truncate(room);
    }
    tail.push(summary(&totals(slides)));
    tail.extend(warnings.iter().map(|warning| format!("warning: {warning}")));
    let lines = slide_lines(&shown).into_iter().chain(tail);
    lines.map(|line| line.chars().take(columns).collect::<String>() + "\n").collect()
}

/// Rows and columns of the terminal; those of old when it does not say.
fn screen() -> (usize, usize) {
    // SAFETY: all-zero is a valid winsize, and the call only writes to it.
    let size = unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size);
        size
    };
    match (usize::from(size.ws_row), usize::from(size.ws_col)) {
        (0, _) | (_, 0) => (24, 80),
        known => known,
    }
}

fn summary(totals: &Totals) -> String {
    format!(
        "{} of {} slides done, {} failed; {} of {} groups scored, {} running, {} waiting, {} failed",
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

/// The paper's tables, and the plot.
fn cost(args: &StatusArgs, run: &RunDir) -> Result<Exit, Failure> {
    let cost = cost_of(run, &read_state(run)?);
    let root = std::fs::canonicalize(&args.run).unwrap_or_else(|_| args.run.clone());
    let name = root.file_name().unwrap_or(root.as_os_str()).to_string_lossy();
    let title = format!("Tasks of {name} running over time");
    let plot = plot_tasks(&title, &cost);
    if let Some(svg) = &plot {
        staged::write(&run.tasks_svg(), svg.as_bytes())?;
    }
    if args.json {
        print_json(&cost)?;
        return Ok(Exit::Done);
    }
    let file = plot.map_or(String::new(), |_| format!("{}\n", run.tasks_svg().display()));
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
    use crate::jobs::status::SlideProgress;
    use crate::number::GroupNumber;

    fn slide(name: &str, scored: usize, failed: bool) -> SlideView {
        let files = SlideProgress {
            unnormalized_patches: 0,
            lower_precision: None,
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
        let text = screenful(&slides, &[], (10, 60));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 9, "{text}");
        assert!(lines[1].starts_with("s30") && lines[2].starts_with("s20"), "{text}");
        assert_eq!(lines[7], "... 34 more slides");
        assert!(lines[8].starts_with("38 of 40 slides done, 1 failed"), "{text}");
        assert!(lines.iter().all(|line| line.chars().count() <= 60));
        let few = screenful(&slides[..6], &[], (10, 200));
        assert_eq!(few.trim_end(), table(&slides[..6], &[]).trim_end());
    }
}
