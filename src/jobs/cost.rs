//! The cost of a run, from the figures in its files: what Tables I to III of the paper show.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::scheduler::{End, TaskState};
use super::state::RunState;
use crate::config::Stage;
use crate::export::ExportFormat;
use crate::run_dir::RunDir;
use crate::scores;

/// The time in which one try of a task ran.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct TrySpan {
    /// Start, Unix time.
    pub from_unix_s: f64,
    /// End, Unix time.
    pub to_unix_s: f64,
    /// Number of cores of the task.
    pub cores: f64,
}

/// What `stitch` records for a slide in `logs/stitch/<slide>.json`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct StitchRecord {
    /// Start, Unix time.
    pub started_unix_s: f64,
    /// Wall time, seconds.
    pub wall_s: f64,
    /// Processor time, seconds.
    pub cpu_s: f64,
}

/// The cost of a stage.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(crate) struct StageCost {
    /// `split`, `predict`, `stitch`.
    pub stage: &'static str,
    /// Number of slides, or of groups for `predict`.
    pub tasks: usize,
    /// Number of these whose files hold no times, as older files do. The sums leave them out.
    pub untimed: usize,
    /// Processor time of all tasks, seconds: the time that one core would take.
    pub serial_s: f64,
    /// Sum of wall time times cores over all tasks, seconds: what a cluster bills.
    pub core_s: f64,
    /// Time from the first start to the last end, seconds.
    pub parallel_s: f64,
    /// `serial_s / parallel_s`.
    pub speed_up: f64,
    /// Largest number of cores in use at one moment.
    pub peak_cores: f64,
    /// `speed_up / peak_cores`.
    pub efficiency: f64,
    /// Size of the input, bytes.
    pub read_bytes: u64,
    /// Size of the output, bytes.
    pub written_bytes: u64,
    /// When the tasks ran.
    #[serde(skip)]
    pub spans: Vec<TrySpan>,
}

/// Core time that was lost to tries that ended badly.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(crate) struct RetryCost {
    /// Number of tries that ended badly, over all stages.
    pub tries: usize,
    /// Core time of these tries, less the part that later tries continued, seconds.
    pub lost_core_s: f64,
    /// The same for each stage; stages without such tries are left out.
    pub stages: Vec<StageRetries>,
}

/// Core time of a stage that was lost to tries that ended badly.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct StageRetries {
    /// `split`, `predict`, `stitch`.
    pub stage: &'static str,
    /// Number of tries that ended badly.
    pub tries: usize,
    /// Core time of these tries, less the part that later tries continued, seconds.
    pub lost_core_s: f64,
}

/// The cost of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct RunCost {
    /// The stages, in the order of the flow.
    pub stages: Vec<StageCost>,
    /// The tries that failed according to the schedulers; `None` if nothing was submitted.
    pub retries: Option<RetryCost>,
}

/// Adds up the figures in the files of a run, and the tries that failed according to the
/// schedulers.
pub(crate) fn cost_of(run: &RunDir, state: &RunState) -> RunCost {
    let (predict, kept_core_s) = predict_cost(run, state);
    let stages = vec![split_cost(run, state), predict, stitch_cost(run, state)];
    RunCost { stages, retries: retry_cost(state, kept_core_s) }
}

/// The figures of one task.
struct Figures {
    cpu_s: f64,
    wall_s: f64,
    spans: Vec<TrySpan>,
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

    fn with_sums(mut self) -> Self {
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
    cost.with_sums()
}

fn span(from_unix_s: f64, wall_s: f64, cores: Option<usize>) -> TrySpan {
    TrySpan { from_unix_s, to_unix_s: from_unix_s + wall_s, cores: cores.unwrap_or(1) as f64 }
}

/// The cost of `predict`, and the core time of interrupted tries that later tries continued.
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
            let spans: Vec<TrySpan> = meta
                .spans_unix_s
                .iter()
                .map(|&[from_unix_s, to_unix_s]| TrySpan { from_unix_s, to_unix_s, cores })
                .collect();
            let earlier = spans.len().saturating_sub(1);
            kept_core_s += core_s(&spans[..earlier]);
            cost.add(Some(Figures { cpu_s: meta.cpu_s, wall_s: meta.wall_s, spans }));
        }
    }
    (cost.with_sums(), kept_core_s)
}

fn core_s(spans: &[TrySpan]) -> f64 {
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
    cost.with_sums()
}

/// The tries that ended badly according to the schedulers. Only in `predict` do later tries
/// continue what an interrupted try has scored, in `kept_core_s`.
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
    for (stage, kept_core_s) in [Stage::Split, Stage::Calibrate, Stage::Predict, Stage::Stitch]
        .map(|stage| (stage, if stage == Stage::Predict { kept_core_s } else { 0.0 }))
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

/// What runs from a moment on, until the next step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CostStep {
    /// The moment, Unix time.
    pub at_unix_s: f64,
    /// Number of tasks that run.
    pub tasks: usize,
    /// Number of their cores.
    pub cores: f64,
}

/// How many tasks run over time: one step per change, in order; the last step has 0 tasks.
pub(crate) fn running(spans: &[TrySpan]) -> Vec<CostStep> {
    let starts = spans.iter().map(|span| (span.from_unix_s, true, span.cores));
    let ends = spans.iter().map(|span| (span.to_unix_s, false, span.cores));
    let mut events: Vec<(f64, bool, f64)> = starts.chain(ends).collect();
    // Ends come first, so that a task that follows another at once does not overlap it.
    events.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let (mut tasks, mut cores) = (0usize, 0.0);
    let mut steps: Vec<CostStep> = Vec::new();
    for (at_unix_s, starts, its_cores) in events {
        (tasks, cores) = match starts {
            true => (tasks + 1, cores + its_cores),
            false => (tasks.saturating_sub(1), cores - its_cores),
        };
        steps.push(CostStep { at_unix_s, tasks, cores });
    }
    // The last of several changes at one moment counts.
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

    fn spans(list: &[(f64, f64, f64)]) -> Vec<TrySpan> {
        let span = |&(from_unix_s, to_unix_s, cores)| TrySpan { from_unix_s, to_unix_s, cores };
        list.iter().map(span).collect()
    }

    #[test]
    fn running_tasks_and_cores_are_counted() {
        let steps = running(&spans(&[(0.0, 10.0, 2.0), (5.0, 15.0, 2.0), (10.0, 12.0, 1.0)]));
        let found: Vec<_> = steps.iter().map(|s| (s.at_unix_s, s.tasks, s.cores)).collect();
        let expected =
            [(0.0, 1, 2.0), (5.0, 2, 4.0), (10.0, 2, 3.0), (12.0, 1, 2.0), (15.0, 0, 0.0)];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_stage_sums_up_its_tasks() {
        let mut cost = StageCost::new("predict");
        for from in [0.0, 0.0, 10.0, 10.0] {
            let spans = spans(&[(from, from + 10.0, 2.0)]);
            cost.add(Some(Figures { cpu_s: 16.0, wall_s: 10.0, spans }));
        }
        cost.add(None);
        let cost = cost.with_sums();
        assert_eq!((cost.tasks, cost.untimed), (5, 1));
        assert_eq!((cost.serial_s, cost.core_s, cost.parallel_s), (64.0, 80.0, 20.0));
        assert_eq!((cost.speed_up, cost.peak_cores, cost.efficiency), (3.2, 4.0, 0.8));
        let nothing = StageCost::new("split").with_sums();
        assert_eq!((nothing.speed_up, nothing.efficiency), (0.0, 0.0));
    }

    #[test]
    fn core_time_that_later_tries_continue_is_not_lost() {
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
