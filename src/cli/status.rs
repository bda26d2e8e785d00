//! `slidegrid status`

use std::path::PathBuf;

use clap::Args;

use super::{Exit, Failure, print};
use crate::jobs::status::{SlideProgress, progress_of, ranges};
use crate::run_dir::RunDir;

/// Say what of a run is done, missing or failed, and why.
///
/// The answer is read from the files of the run: a file that exists is
/// complete.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slidegrid status --run run
  slidegrid status --run run --json | jq '.slides[] | select(.heatmap | not)'")]
pub struct StatusArgs {
    /// Run directory.
    #[arg(long, value_name = "DIR")]
    run: PathBuf,

    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Report<'a> {
    run: &'a std::path::Path,
    totals: Totals,
    slides: &'a [SlideProgress],
}

#[derive(serde::Serialize)]
struct Totals {
    slides: usize,
    done: usize,
    failed: usize,
    groups: usize,
    groups_scored: usize,
}

pub(super) fn run(args: &StatusArgs) -> Result<Exit, Failure> {
    let slides = progress_of(&RunDir::new(&args.run))?;
    let totals = Totals {
        slides: slides.len(),
        done: slides.iter().filter(|slide| slide.is_done()).count(),
        failed: slides.iter().filter(|slide| slide.has_failed()).count(),
        groups: slides.iter().map(|slide| slide.groups).sum(),
        groups_scored: slides.iter().map(|slide| slide.scored).sum(),
    };
    if args.json {
        let report = Report { run: &args.run, totals, slides: &slides };
        print(&serde_json::to_string_pretty(&report).expect("a report is plain data"))?;
    } else {
        print(&table(&slides, &totals))?;
    }
    Ok(Exit::Done)
}

fn table(slides: &[SlideProgress], totals: &Totals) -> String {
    let width = slides.iter().map(|slide| slide.name.len()).max().unwrap_or(0).max(5);
    let mut lines = vec![format!(
        "{:width$}  {:9}  {:>13}  {:7}  why",
        "slide", "split", "groups scored", "heatmap"
    )];
    for slide in slides {
        let groups = format!("{}/{}", slide.scored, slide.groups);
        let heatmap = if slide.heatmap { "yes" } else { "no" };
        let line = format!(
            "{:width$}  {:9}  {groups:>13}  {heatmap:7}  {}",
            slide.name,
            slide.split,
            why(slide)
        );
        lines.push(line.trim_end().to_owned());
    }
    lines.push(format!(
        "{} of {} slides done, {} failed; {} of {} groups scored",
        totals.done, totals.slides, totals.failed, totals.groups_scored, totals.groups
    ));
    lines.join("\n")
}

fn why(slide: &SlideProgress) -> String {
    let mut parts = Vec::new();
    if !slide.reason.is_empty() {
        parts.push(slide.reason.clone());
    }
    if !slide.missing.is_empty() && slide.scored > 0 {
        parts.push(format!("groups without scores: {}", ranges(&slide.missing)));
    }
    if let Some(first) = slide.failed.first() {
        parts.push(format!(
            "{} groups failed, first t{}: {}",
            slide.failed.len(),
            first.group,
            first.reason
        ));
    }
    if !slide.heatmap_without.is_empty() {
        parts.push(format!(
            "the heatmap was made without {} groups; `slidegrid stitch` makes it anew",
            slide.heatmap_without.len()
        ));
    }
    parts.extend(slide.stitch_failure.iter().map(|failure| format!("stitch failed: {failure}")));
    parts.join("; ")
}
