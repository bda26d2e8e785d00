//! onnxruntime, loaded at run time: 90 % of a core's peak, where it is installed.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use half::f16;
use half::slice::HalfFloatSliceExt;
use ort::environment::Environment;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{DynValue, TensorRef};

use super::dense::{DenseNetwork, Side};
use super::dense_session::{DenseFrame, DenseSession};
use super::engine::{Engine, EngineError, Session};
use super::frame::{Frame, lacks};
use super::graph::Dtype;
use super::load::Model;
use super::ort_library::probe;

/// One library and one environment a process; never dropped, since sessions on
/// other threads may outlive whoever opened it.
static LOADED: Mutex<Option<Loaded>> = Mutex::new(None);

struct Loaded {
    library: PathBuf,
    version: String,
    environment: Environment,
}

/// The engine.
#[derive(Debug, Clone)]
pub(crate) struct OrtEngine {
    version: String,
    environment: Environment,
}

impl OrtEngine {
    /// Loads `library`, or says why not. The `ort` crate panics on some
    /// libraries, so it only meets those that [`probe`] has passed.
    pub(crate) fn open(library: &Path) -> Result<Self, String> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = &*loaded {
            if loaded.library != library {
                return Err(format!("this process already uses {}", loaded.library.display()));
            }
            let (version, environment) = (loaded.version.clone(), loaded.environment.clone());
            return Ok(Self { version, environment });
        }
        let version = probe(library)?;
        let builder = ort::init_from(library).map_err(|error| error.to_string())?;
        let environment = builder
            .with_name("slidegrid")
            .with_telemetry(false)
            .build()
            .map_err(|error| error.to_string())?;
        *loaded = Some(Loaded {
            library: library.to_owned(),
            version: version.clone(),
            environment: environment.clone(),
        });
        Ok(Self { version, environment })
    }

    /// One thread, the caller's: workers are slidegrid's, and onnxruntime's own
    /// pool fails to pin its threads under a scheduler's CPU binding.
    fn builder(&self) -> ort::Result<ort::session::builder::SessionBuilder> {
        let builder = ort::session::Session::builder(&self.environment)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_intra_threads(1)?
            .with_inter_threads(1)?
            .with_parallel_execution(false)?
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?;
        Ok(builder)
    }

    /// For images of any size: the memory of each size would be planned, and kept, by
    /// itself. GoogLeNet with images of 2,384 px took 847 MB with
    /// such a plan and 677 MB without, in the same time.
    fn dense_builder(&self) -> ort::Result<ort::session::builder::SessionBuilder> {
        Ok(self.builder()?.with_memory_pattern(false)?)
    }

    fn session(&self, model: &Model) -> ort::Result<ort::session::Session> {
        let mut builder = self.builder()?;
        if model.graph.external_files.is_empty() {
            builder.commit_from_memory(&model.bytes)
        } else {
            builder.commit_from_file(&model.path)
        }
    }
}

impl Engine for OrtEngine {
    fn name(&self) -> &'static str {
        "ort"
    }

    fn version(&self) -> String {
        self.version.clone()
    }

    fn best_batch(&self) -> usize {
        8
    }

    fn dense_map_bytes(&self) -> u64 {
        // GoogLeNet's of 2,384 px, which take 460 MB, among them.
        500_000_000
    }

    fn load(&self, model: &Model, batch: usize) -> Result<Box<dyn Session>, EngineError> {
        let session = self.session(model).map_err(|error| refused(model, &error.to_string()))?;
        let frame = Frame::new("ort", model, batch);
        Ok(Box::new(OrtSession {
            session,
            input: model.input().name.clone(),
            shape: model.input_shape(frame.batch),
            fixed: model.static_batch().is_some(),
            half_input: model.input().dtype == Dtype::F16,
            frame,
            filled: Vec::new(),
            padded: Vec::new(),
            halves: Vec::new(),
            raw: Vec::new(),
        }))
    }

    fn load_dense(
        &self,
        model: &Model,
        network: &DenseNetwork,
        side_px: u32,
    ) -> Result<Box<dyn DenseSession>, EngineError> {
        let bytes = network.to_onnx(Side::Filled);
        let session = self.dense_builder().and_then(|mut b| b.commit_from_memory(&bytes));
        let session = session.map_err(|error| refused(model, &error.to_string()))?;
        let frame = DenseFrame::new("ort", model, network, side_px);
        let image = vec![0.0; frame.shape.iter().product()];
        let (input, output) = (network.input.clone(), network.output.clone());
        Ok(Box::new(OrtDense { session, frame, input, output, image }))
    }
}

/// Names the node when it is an operator that is missing.
fn refused(model: &Model, detail: &str) -> EngineError {
    let missing = ["is not a registered function", "Could not find an implementation"];
    let blamed =
        model.graph.nodes.iter().find(|node| detail.contains(&format!("{}(", node.operator)));
    match blamed {
        Some(node) if missing.iter().any(|words| detail.contains(words)) => {
            lacks("ort", model, node)
        }
        _ => EngineError::Load {
            model: model.path.clone(),
            engine: "ort",
            detail: detail.to_owned(),
        },
    }
}

struct OrtSession {
    session: ort::session::Session,
    frame: Frame,
    input: String,
    shape: [usize; 4],
    /// The graph fixes the batch: short batches are padded.
    fixed: bool,
    half_input: bool,
    filled: Vec<f32>,
    padded: Vec<f32>,
    halves: Vec<f16>,
    raw: Vec<f32>,
}

impl Session for OrtSession {
    fn batch(&self) -> usize {
        self.frame.batch
    }

    fn run(&mut self, input: &[f32], n: usize, scores: &mut [f32]) -> Result<(), EngineError> {
        let Self { session, frame, shape, padded, halves, raw, .. } = self;
        frame.check_sizes(input, n, scores)?;
        if n == 0 {
            return Ok(());
        }
        let given = if self.fixed { frame.batch } else { n };
        let input = if given == n {
            input
        } else {
            padded.clear();
            padded.extend_from_slice(input);
            padded.resize(given * frame.window_len, 0.0);
            padded
        };
        let failed = |error: ort::Error| frame.failed(n, error.to_string());
        let shape = [given, shape[1], shape[2], shape[3]];
        let name = self.input.as_str();
        let outputs = if self.half_input {
            halves.resize(input.len(), f16::ZERO);
            halves.convert_from_f32_slice(input);
            let tensor = TensorRef::from_array_view((shape, halves.as_slice())).map_err(failed)?;
            session.run(ort::inputs![name => tensor])
        } else {
            let tensor = TensorRef::from_array_view((shape, input)).map_err(failed)?;
            session.run(ort::inputs![name => tensor])
        }
        .map_err(failed)?;
        let output = outputs
            .get(frame.output.as_str())
            .ok_or_else(|| frame.failed(n, format!("no output {}", frame.output)))?;
        let (shape, values) = floats(output, raw).map_err(failed)?;
        frame.scores((&shape, values), given, n, scores)
    }

    fn run_filled(
        &mut self,
        n: usize,
        fill: &mut dyn FnMut(&mut [f32]),
        scores: &mut [f32],
    ) -> Result<(), EngineError> {
        let mut windows = std::mem::take(&mut self.filled);
        windows.resize(n * self.frame.window_len, 0.0);
        fill(&mut windows);
        let result = self.run(&windows, n, scores);
        self.filled = windows;
        result
    }
}

/// The output's shape and numbers; 16-bit ones are widened into `wide`.
fn floats<'v>(
    output: &'v DynValue,
    wide: &'v mut Vec<f32>,
) -> ort::Result<(Vec<usize>, &'v [f32])> {
    let sizes =
        |shape: &[i64]| shape.iter().map(|size| usize::try_from(*size).unwrap_or(0)).collect();
    if let Ok((shape, values)) = output.try_extract_tensor::<f32>() {
        return Ok((sizes(shape), values));
    }
    let (shape, values) = output.try_extract_tensor::<f16>()?;
    wide.resize(values.len(), 0.0);
    values.convert_to_f32_slice(wide);
    Ok((sizes(shape), wide))
}

/// A dense network, for images up to a size.
struct OrtDense {
    session: ort::session::Session,
    frame: DenseFrame,
    input: String,
    output: String,
    image: Vec<f32>,
}

impl DenseSession for OrtDense {
    fn takes_smaller(&self) -> bool {
        true
    }

    fn run(
        &mut self,
        grid: (u32, u32),
        fill: &mut dyn FnMut(&mut [f32]),
        places: &[(u32, u32)],
        scores: &mut [f32],
    ) -> Result<(), EngineError> {
        let Self { session, frame, input, output, image } = self;
        let shape = frame.shape_of(grid);
        let image = &mut image[..shape.iter().product()];
        fill(image);
        let failed = |error: ort::Error| frame.failed(error.to_string());
        let tensor = TensorRef::from_array_view((shape, &*image)).map_err(failed)?;
        let outputs = session.run(ort::inputs![input.as_str() => tensor]).map_err(failed)?;
        let found = outputs
            .get(output.as_str())
            .ok_or_else(|| frame.failed(format!("no output {output}")))?;
        let mut wide = Vec::new();
        let (shape, values) = floats(found, &mut wide).map_err(failed)?;
        frame.scores(grid, (&shape, values), places, scores)
    }
}
