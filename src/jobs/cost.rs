//! What a run has cost, from the figures its files carry: the paper's
//! Tables I to III for it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::scheduler::{End, TaskState};
use super::state::RunState;
use crate::config::Stage;
use crate::export::ExportFormat;
use crate::run_dir::RunDir;
use crate::scores;

/// One try of one task, on the clock.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Span {
    /// Start, Unix time.
    pub from_unix_s: f64,
    /// End, Unix time.
    pub to_unix_s: f64,
    /// Cores it had.
    pub cores: f64,
}

/// What `stitch` notes of a slide, `logs/stitch/<slide>.json`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StitchRecord {
    /// Start, Unix time.
    pub started_unix_s: f64,
    /// Wall time.
    pub wall_s: f64,
    /// Processor time.
    pub cpu_s: f64,
}

/// What a stage has cost.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct StageCost {
    /// `split`, `predict`, `stitch`.
    pub stage: &'static str,
    /// Slides, or groups for `predict`.
    pub tasks: usize,
    /// Of these, tasks whose file has no times (older files): not in the sums.
    pub untimed: usize,
    /// Processor time over all tasks: what one core would have taken.
    pub serial_s: f64,
    /// Wall time times cores over all tasks: what a cluster bills.
    pub core_s: f64,
    /// From the first start to the last end.
    pub parallel_s: f64,
    /// `serial_s / parallel_s`.
    pub speed_up: f64,
    /// Most cores in use at one moment.
    pub peak_cores: f64,
    /// `speed_up / peak_cores`.
    pub efficiency: f64,
    /// Bytes of input.
    pub read_bytes: u64,
    /// Bytes of output.
    pub written_bytes: u64,
    /// When tasks ran.
    #[serde(skip)]
    pub spans: Vec<Span>,
}

/// Core time that bought nothing.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct RetryCost {
    /// Tries that ended otherwise than well, over all stages.
    pub tries: usize,
    /// Their core time, less what later tries went on from.
    pub lost_core_s: f64,
    /// The same stage by stage; stages without such tries are left out.
    pub stages: Vec<StageRetries>,
}

/// Core time of a stage that bought nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageRetries {
    /// `split`, `predict`, `stitch`.
    pub stage: &'static str,
    /// Tries that ended otherwise than well.
    pub tries: usize,
    /// Their core time, less what later tries went on from.
    pub lost_core_s: f64,
}

/// What a run has cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunCost {
    /// In the order of the flow.
    pub stages: Vec<StageCost>,
    /// What schedulers say of tries that failed; `None` when none was asked.
    pub retries: Option<RetryCost>,
}

/// Adds up what the files of a run say, and the tries that schedulers say failed.
pub fn cost_of(run: &RunDir, state: &RunState) -> RunCost {
    let (predict, kept_core_s) = predict_cost(run, state);
    let stages = vec![split_cost(run, state), predict, stitch_cost(run, state)];
    RunCost { stages, retries: retry_cost(state, kept_core_s) }
}

/// A task's figures on their way into a stage.
struct Figures {
    cpu_s: f64,
    wall_s: f64,
    spans: Vec<Span>,
}

impl StageCost {
    fn new(stage: &'static str) -> Self {
        Self { stage, ..Self::default() }
    }

    fn add(&mut self, figures: Option<Figures>) {
        self.tasks += 1;
        let Some(figures) = figures.filter(|figures| !figures.spans.is_empty()) else {
            self.untimed += 1;
            return;
        };
        self.serial_s += figures.cpu_s;
        self.core_s += figures.wall_s * figures.spans[0].cores;
        self.spans.extend(figures.spans);
    }

    fn settled(mut self) -> Self {
        let first = self.spans.iter().map(|span| span.from_unix_s).fold(f64::INFINITY, f64::min);
        let last = self.spans.iter().map(|span| span.to_unix_s).fold(f64::NEG_INFINITY, f64::max);
        if first < last {
            self.parallel_s = last - first;
            self.speed_up = self.serial_s / self.parallel_s;
        }
        let busy = running(&self.spans);
        self.peak_cores = busy.iter().map(|step| step.cores).fold(0.0, f64::max);
        if self.peak_cores > 0.0 {
            self.efficiency = self.speed_up / self.peak_cores;
        }
        self
    }
}

fn split_cost(run: &RunDir, state: &RunState) -> StageCost {
    let mut cost = StageCost::new("split");
    let split = state.listing.slides.iter().filter(|slide| slide.patches);
    for slide in split.map(|slide| &slide.record) {
        cost.read_bytes += bytes(&slide.path);
        cost.written_bytes += bytes(&run.patches(&slide.name)) + bytes(&run.mask_png(&slide.name));
        let figures = match (slide.started_unix_s, slide.split_s, slide.split_cpu_s) {
            (Some(from), Some(wall_s), Some(cpu_s)) => Some(Figures {
                cpu_s,
                wall_s,
                spans: vec![span(from, wall_s, slide.split_threads)],
            }),
            _ => None,
        };
        cost.add(figures);
    }
    cost.settled()
}

fn span(from_unix_s: f64, wall_s: f64, cores: Option<usize>) -> Span {
    Span { from_unix_s, to_unix_s: from_unix_s + wall_s, cores: cores.unwrap_or(1) as f64 }
}

/// The stage, and the core time that interrupted tries have handed on.
fn predict_cost(run: &RunDir, state: &RunState) -> (StageCost, f64) {
    let (mut cost, mut kept_core_s) = (StageCost::new("predict"), 0.0);
    for slide in state.listing.slides.iter().filter(|slide| slide.planned) {
        let name = &slide.record.name;
        cost.read_bytes += bytes(&run.patches(name));
        for group in slide.scored() {
            let path = run.scores(name, group);
            let Ok(meta) = scores::read_scores_meta(&path) else { continue };
            cost.written_bytes += bytes(&path);
            let cores = f64::from(meta.threads.max(1));
            let spans: Vec<Span> = meta
                .spans_unix_s
                .iter()
                .map(|&[from_unix_s, to_unix_s]| Span { from_unix_s, to_unix_s, cores })
                .collect();
            let earlier = spans.len().saturating_sub(1);
            kept_core_s += core_s(&spans[..earlier]);
            cost.add(Some(Figures { cpu_s: meta.cpu_s, wall_s: meta.wall_s, spans }));
        }
    }
    (cost.settled(), kept_core_s)
}

fn core_s(spans: &[Span]) -> f64 {
    spans.iter().map(|span| (span.to_unix_s - span.from_unix_s) * span.cores).sum()
}

fn stitch_cost(run: &RunDir, state: &RunState) -> StageCost {
    let mut cost = StageCost::new("stitch");
    let stitched = state.listing.slides.iter().filter(|slide| slide.heatmap);
    for slide in stitched.map(|slide| &slide.record) {
        cost.read_bytes += folder_bytes(&run.scores_of(&slide.name));
        let files = ["h5", "png", "npy"].map(|suffix| bytes(&run.heatmap(&slide.name, suffix)));
        cost.written_bytes += files.iter().sum::<u64>();
        let exports = ExportFormat::ALL.map(|format| format.path(&run.heatmaps(), &slide.name));
        cost.written_bytes += exports.iter().map(|file| bytes(file)).sum::<u64>();
        let record = std::fs::read(run.stitch_record(&slide.name)).ok();
        let record = record.and_then(|text| serde_json::from_slice::<StitchRecord>(&text).ok());
        cost.add(record.map(|record| Figures {
            cpu_s: record.cpu_s,
            wall_s: record.wall_s,
            spans: vec![span(record.started_unix_s, record.wall_s, Some(1))],
        }));
    }
    cost.settled()
}

/// Tries that the schedulers say did not end well. Only `predict` hands on what
/// an interrupted try has done.
fn retry_cost(state: &RunState, kept_core_s: f64) -> Option<RetryCost> {
    let stages: BTreeMap<&str, Stage> = state
        .submissions
        .iter()
        .filter(|submission| !matches!(submission.stage, Stage::Master | Stage::Study))
        .map(|submission| (submission.id.as_str(), submission.stage))
        .collect();
    if stages.is_empty() {
        return None;
    }
    let is_failed =
        |state: &TaskState| !state.is_live() && *state != TaskState::Ended(End::Success);
    let mut cost = RetryCost::default();
    for (stage, kept_core_s) in
        [(Stage::Split, 0.0), (Stage::Predict, kept_core_s), (Stage::Stitch, 0.0)]
    {
        let records = state.answers.records.iter();
        let failed: Vec<f64> = records
            .filter(|record| is_failed(&record.state))
            .filter(|record| stages.get(record.job.as_str()) == Some(&stage))
            .filter_map(|record| Some(record.elapsed_s? * f64::from(record.cores)))
            .collect();
        if failed.is_empty() {
            continue;
        }
        let lost_core_s = (failed.iter().sum::<f64>() - kept_core_s).max(0.0);
        cost.tries += failed.len();
        cost.lost_core_s += lost_core_s;
        cost.stages.push(StageRetries { stage: stage.name(), tries: failed.len(), lost_core_s });
    }
    Some(cost)
}

fn bytes(path: &Path) -> u64 {
    std::fs::metadata(path)
        .map_or(0, |metadata| if metadata.is_file() { metadata.len() } else { 0 })
}

fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries.filter_map(Result::ok).map(|entry| bytes(&entry.path())).sum()
}

/// From `at_unix_s` on, so much runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Unix time.
    pub at_unix_s: f64,
    /// Tasks.
    pub tasks: usize,
    /// Their cores.
    pub cores: f64,
}

/// How much runs over time, one step a change, the last one 0.
pub fn running(spans: &[Span]) -> Vec<Step> {
    let starts = spans.iter().map(|span| (span.from_unix_s, true, span.cores));
    let ends = spans.iter().map(|span| (span.to_unix_s, false, span.cores));
    let mut events: Vec<(f64, bool, f64)> = starts.chain(ends).collect();
    // Ends first: a task that follows another at once does not overlap it.
    events.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let (mut tasks, mut cores) = (0usize, 0.0);
    let mut steps: Vec<Step> = Vec::new();
    for (at_unix_s, starts, its_cores) in events {
        (tasks, cores) = match starts {
            true => (tasks + 1, cores + its_cores),
            false => (tasks.saturating_sub(1), cores - its_cores),
        };
        steps.push(Step { at_unix_s, tasks, cores });
    }
    // Of changes at one moment the last one holds.
    steps.reverse();
    steps.dedup_by_key(|step| step.at_unix_s);
    steps.reverse();
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SchedulerKind;
    use crate::jobs::listing::RunListing;
    use crate::jobs::scheduler::TaskRecord;
    use crate::jobs::state::Answers;
    use crate::jobs::submitted::Submission;
    use crate::jobs::work::Request;

    fn spans(list: &[(f64, f64, f64)]) -> Vec<Span> {
        let span = |&(from_unix_s, to_unix_s, cores)| Span { from_unix_s, to_unix_s, cores };
        list.iter().map(span).collect()
    }

    #[test]
    fn what_runs_is_counted() {
        let steps = running(&spans(&[(0.0, 10.0, 2.0), (5.0, 15.0, 2.0), (10.0, 12.0, 1.0)]));
        let found: Vec<_> = steps.iter().map(|s| (s.at_unix_s, s.tasks, s.cores)).collect();
        let expected =
            [(0.0, 1, 2.0), (5.0, 2, 4.0), (10.0, 2, 3.0), (12.0, 1, 2.0), (15.0, 0, 0.0)];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_stage_is_its_tasks() {
        let mut cost = StageCost::new("predict");
        for from in [0.0, 0.0, 10.0, 10.0] {
            let spans = spans(&[(from, from + 10.0, 2.0)]);
            cost.add(Some(Figures { cpu_s: 16.0, wall_s: 10.0, spans }));
        }
        cost.add(None);
        let cost = cost.settled();
        assert_eq!((cost.tasks, cost.untimed), (5, 1));
        assert_eq!((cost.serial_s, cost.core_s, cost.parallel_s), (64.0, 80.0, 20.0));
        assert_eq!((cost.speed_up, cost.peak_cores, cost.efficiency), (3.2, 4.0, 0.8));
        let nothing = StageCost::new("split").settled();
        assert_eq!((nothing.speed_up, nothing.efficiency), (0.0, 0.0));
    }

    #[test]
    fn lost_is_what_failed_tries_did_not_hand_on() {
        let record = |job: &str, end, elapsed_s, cores| TaskRecord {
            job: job.into(),
            index: None,
            state: TaskState::Ended(end),
            node: String::new(),
            cores,
            elapsed_s: Some(elapsed_s),
        };
        let records = vec![
            record("7", End::NodeLoss, 60.0, 2),
            record("7", End::Success, 90.0, 2),
            record("8", End::ExitCode(1), 50.0, 2),
            record("9", End::ExitCode(1), 50.0, 1),
        ];
        let submission = |id: &str, stage| Submission {
            id: id.into(),
            scheduler: SchedulerKind::Slurm,
            stage,
            slide: Some("a".into()),
            items: String::new(),
            tasks: None,
            round: 1,
            time_s: 0,
            script: "s".into(),
            log: "l".into(),
            request: Request::NONE,
        };
        let submissions = vec![submission("7", Stage::Predict), submission("9", Stage::Stitch)];
        let answers = Answers { records, ..Answers::default() };
        let state = RunState::new(RunListing::default(), submissions, answers);
        let cost = retry_cost(&state, 100.0).unwrap();
        assert_eq!((cost.tries, cost.lost_core_s), (2, 70.0));
        let stages: Vec<_> = cost.stages.iter().map(|s| (s.stage, s.lost_core_s)).collect();
        assert_eq!(stages, [("predict", 20.0), ("stitch", 50.0)]);
        assert_eq!(retry_cost(&RunState::default(), 0.0), None);
    }
}
