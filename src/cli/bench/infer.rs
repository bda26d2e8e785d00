//! `slidegrid bench infer`

use std::path::PathBuf;
use std::process::Command;

use clap::Args;

use super::super::{Exit, Failure, print};
use crate::model::{EngineRequest, Model, Precision, select};
use crate::progress::Progress;
use crate::throughput::infer::measure;
use crate::throughput::infer_bench::{InferChoices, InferPlan, InferReport};
use crate::throughput::machine::Machine;
use crate::throughput::rounds::{InferRow, InferSetting, Runner, in_turns, recommended};

/// Recommend engine, batch and threads for a model on this machine.
///
/// Runs the network on random windows with every engine that is installed, in the way that
/// `predict` does: with one session per thread, and with windows cut and prepared on the
/// way. Each measurement runs in a process of its own, and all settings take turns.
#[derive(Debug, Args)]
#[command(
    max_term_width = 100,
    after_help = "\
Examples:
  slidegrid bench infer --model model.toml
  slidegrid bench infer --model model.toml --engines ort --batches 1,8 --threads 1,2,4,8
  slidegrid bench infer --model model.toml --json > infer.json

On a cluster, run this command as a job on a node of the kind that will do the work.
The memory is that of the process; a task of `predict` also holds a group of patches."
)]
pub(super) struct InferArgs {
    /// Model card (model.toml), WSInfer config.json, or an ONNX file that has one of them
    /// beside it.
    #[arg(long, value_name = "MODEL_CARD")]
    model: PathBuf,

    /// Engines to try: tract, ort, openvino, openvino-bf16.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "tract,ort,openvino")]
    engines: Vec<Runner>,

    /// Batch sizes to try, in windows per run of the network.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,2,4,8,16,32", value_parser = clap::value_parser!(u32).range(1..))]
    batches: Vec<u32>,

    /// Numbers of threads to try [default: 1, and as many as `predict` would use here].
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    threads: Vec<u32>,

    /// Length of a measurement, seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0)]
    seconds: f64,

    /// Number of measurements of each setting.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,

    /// Path of libonnxruntime [default: as for `predict`].
    #[arg(long, value_name = "FILE")]
    ort_library: Option<PathBuf>,

    /// Path of libopenvino_c [default: as for `predict`].
    #[arg(long, value_name = "FILE")]
    openvino_library: Option<PathBuf>,

    /// Print the result as JSON.
    #[arg(long)]
    json: bool,

    /// Print no progress, only warnings and errors.
    #[arg(long, short)]
    quiet: bool,

    /// Measure one setting in this process: ENGINE,BATCH,THREADS.
    #[arg(long, hide = true, value_parser = one)]
    one: Option<InferSetting>,
}

impl InferArgs {
    fn engine_request(&self, runner: Runner) -> EngineRequest<'_> {
        let Runner { engine, precision } = runner;
        let ort_library = self.ort_library.as_deref();
        let openvino_library = self.openvino_library.as_deref();
        EngineRequest { engine, precision, ort_library, openvino_library }
    }
}

fn one(text: &str) -> Result<InferSetting, String> {
    let invalid = || format!("{text:?} is not ENGINE,BATCH,THREADS");
    let mut parts = text.splitn(3, ',');
    let runner = parts.next().unwrap_or_default().parse()?;
    let mut number = || parts.next().and_then(|part| part.parse().ok()).ok_or_else(invalid);
    Ok(InferSetting { runner, batch: number()?, threads: number()? })
}

pub(super) fn run(args: &InferArgs) -> Result<Exit, Failure> {
    if !(args.seconds.is_finite() && args.seconds > 0.0 && args.seconds <= 3600.0) {
        let problem = format!("--seconds {}, expected above 0 and at most 3600", args.seconds);
        return Err(Failure::new(Exit::Usage, problem));
    }
    let model = Model::load(&args.model)?;
    if let Some(setting) = &args.one {
        let engine = select(&args.engine_request(setting.runner))?;
        let measured = measure(&engine, &model, setting.batch, setting.threads, args.seconds)?;
        print(&serde_json::to_string(&measured).expect("a result is plain data"))?;
        return Ok(Exit::Done);
    }
    let progress = Progress::on_stderr(args.quiet);
    let machine = Machine::here();
    machine.warn(&progress);
    let choices =
        InferChoices { runners: &args.engines, batches: &args.batches, threads: &args.threads };
    let select_runner = |runner| select(&args.engine_request(runner));
    let plan = InferPlan::new(&choices, &model, machine.offered, &select_runner, &progress);
    let program = std::env::current_exe().map_err(|e| {
        Failure::new(Exit::Input, format!("cannot find the path of this program: {e}"))
    })?;
    let command = |setting: &InferSetting| {
        let mut command = Command::new(&program);
        let InferSetting { runner, batch, threads } = setting;
        command.args(["bench", "infer", "--model"]).arg(&args.model);
        command.args(["--one", &format!("{runner},{batch},{threads}")]);
        command.args(["--seconds", &args.seconds.to_string()]);
        if let Some(library) = &args.ort_library {
            command.arg("--ort-library").arg(library);
        }
        if let Some(library) = &args.openvino_library {
            command.arg("--openvino-library").arg(library);
        }
        Ok(command)
    };
    let measured = in_turns(&plan.settings, args.repeats as usize, &command, &progress);
    let mut not_measured = plan.missing;
    not_measured.extend(measured.missing);
    let report = InferReport {
        model: args.model.display().to_string(),
        model_sha256: &model.sha256,
        machine,
        seconds: args.seconds,
        repeats: args.repeats,
        recommended: recommended(&measured.rows).cloned(),
        settings: measured.rows,
        not_measured,
    };
    if args.json {
        print(&serde_json::to_string_pretty(&report).expect("a report is plain data"))?;
    } else {
        print(table(&report).trim_end())?;
    }
    Ok(if report.settings.is_empty() { Exit::Configuration } else { Exit::Done })
}

fn table(report: &InferReport<'_>) -> String {
    let mut lines = vec![
        format!("{}, {} processors offered", report.machine.processor, report.machine.offered),
        format!(
            "{:24}  {:>5}  {:>7}  {:>9}  {:>17}  {:>8}  {:>9}  {:>9}  {:>6}",
            "engine",
            "batch",
            "threads",
            "windows/s",
            "least to most",
            "per core",
            "per cpu s",
            "memory MB",
            "load s"
        ),
    ];
    lines.extend(report.settings.iter().map(|row| {
        let InferRow { setting, windows_per_s, .. } = row;
        format!(
            "{:24}  {:>5}  {:>7}  {:>9.1}  {:>17}  {:>8.1}  {:>9.1}  {:>9.0}  {:>6.2}",
            row.version,
            setting.batch,
            setting.threads,
            windows_per_s.median,
            format!("{:.1} to {:.1}", windows_per_s.least, windows_per_s.most),
            row.windows_per_core_s,
            row.windows_per_cpu_s,
            row.peak_rss_bytes as f64 / 1e6,
            row.load_s
        )
    }));
    let (repeats, seconds) = (report.repeats, report.seconds);
    lines.push(format!(
        "windows/s: median of {repeats} measurements of {seconds} s, in turns; memory: of the process"
    ));
    for missing in &report.not_measured {
        lines.push(format!("not measured: {}: {}", missing.what, missing.reason));
    }
    if let Some(row) = &report.recommended {
        let InferSetting { runner: Runner { engine, precision }, batch, threads } = row.setting;
        let precision = match precision {
            Precision::F32 => String::new(),
            less => format!("\nprecision = \"{less}\""),
        };
        lines.push(format!(
            "\n# {:.1} windows per second here with --threads {threads}\n[predict]\nengine = \"{engine}\"{precision}\nbatch = {batch}",
            row.windows_per_s.median
        ));
    }
    lines.join("\n")
}
