//! OpenVINO, loaded at run time: f32 at onnxruntime's speed, and bf16 on request.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use half::f16;
use half::slice::HalfFloatSliceExt;
use openvino::{
    Core, DeviceType, ElementType, InferRequest, InferenceError, PartialShape, PropertyKey,
    RwPropertyKey, SetupError, Shape, Tensor,
};

use super::bf16_support::Bf16Unsupported;
use super::dense::{DenseNetwork, Side};
use super::dense_session::{DenseFrame, DenseSession, DenseUse};
use super::engine::{Engine, EngineError, Session};
use super::frame::{Frame, lacks};
use super::graph::Dtype;
use super::load::Model;
use super::openvino_library::probe;
use super::precision::Precision;

/// One library a process; the `openvino` crate keeps it.
static LOADED: Mutex<Option<(PathBuf, String)>> = Mutex::new(None);

/// Set to 1: bf16 is computed by processors that have no instructions for it.
pub(crate) const EMULATE: &str = "SLIDEGRID_EMULATE_BF16";

/// The engine.
#[derive(Debug, Clone)]
pub(crate) struct OpenVinoEngine {
    version: String,
    precision: Precision,
}

/// Why there is no such engine.
#[derive(Debug)]
pub(crate) enum NotOpen {
    /// The library is at fault.
    Library(String),
    /// The processor is; version of the library.
    NoBf16(String, Bf16Unsupported),
}

impl OpenVinoEngine {
    /// Loads `library`, or says why not.
    pub(crate) fn open(library: &Path, precision: Precision) -> Result<Self, NotOpen> {
        let version = load(library).map_err(NotOpen::Library)?;
        if precision == Precision::F32 {
            return Ok(Self { version, precision });
        }
        let core = Core::new().map_err(|error| NotOpen::Library(error.to_string()))?;
        let able = core.get_property(&DeviceType::CPU, &PropertyKey::DeviceCapabilities);
        let able = able.map_err(|error| NotOpen::Library(error.to_string()))?;
        if able.split_whitespace().any(|word| word == "BF16") {
            return Ok(Self { version, precision });
        }
        let here = Bf16Unsupported::look();
        if std::env::var(EMULATE).is_ok_and(|value| value == "1") && here.to_emulate.is_empty() {
            return Ok(Self { version: format!("{version} (bf16 emulated)"), precision });
        }
        Err(NotOpen::NoBf16(version, here))
    }

    /// The same library in f32.
    pub(crate) fn in_f32(&self) -> Self {
        Self { precision: Precision::F32, ..self.clone() }
    }

    /// A network ready to run on the calling thread: one stream of one thread that
    /// is bound to no core, since workers and their places are slidegrid's.
    fn request(
        &self,
        source: Source<'_>,
        input: (&str, [usize; 4]),
    ) -> Result<InferRequest, Refusal> {
        let mut core = Core::new().map_err(|error| error.to_string())?;
        let precision = self.precision.name();
        core.set_properties(
            &DeviceType::CPU,
            [
                (RwPropertyKey::NumStreams, "1"),
                (RwPropertyKey::InferenceNumThreads, "1"),
                (RwPropertyKey::HintEnableCpuPinning, "NO"),
                // Said for f32 too: some processors would be given bf16 unasked.
                (RwPropertyKey::HintInferencePrecision, precision),
            ],
        )
        .map_err(said)?;
        let mut network = match source {
            Source::Bytes(bytes) => core.read_model_from_buffer(bytes, None),
            Source::File(path) => core.read_model_from_file(&path.display().to_string(), ""),
        }
        .map_err(said)?;
        let (name, shape) = input;
        let shape = PartialShape::new_static(4, &sizes(shape)).map_err(said)?;
        network.reshape_input_by_name(name, &shape).map_err(said)?;
        let mut compiled = core.compile_model(&network, DeviceType::CPU).map_err(said)?;
        let key = RwPropertyKey::HintInferencePrecision.into();
        let found = compiled.get_property(&key).map_err(said)?.into_owned();
        if found != precision {
            return Err(Refusal::OtherPrecision);
        }
        Ok(compiled.create_infer_request().map_err(said)?)
    }

    /// What is said to the user when a network cannot be had.
    fn refused(&self, model: &Model, refusal: Refusal) -> EngineError {
        let bf16 = self.precision == Precision::Bf16;
        match (refusal, Bf16Unsupported::look()) {
            (Refusal::OtherPrecision, here) => {
                EngineError::NoBf16 { version: self.version.clone(), here }
            }
            (Refusal::Said(detail), Bf16Unsupported { capped: Some((name, value)), .. })
                if bf16 =>
            {
                let capped = format!("{detail}; {name}={value} may keep it from bf16: unset that");
                refused(model, capped)
            }
            (Refusal::Said(detail), _) => refused(model, detail),
        }
    }
}

/// Why a network cannot be had.
enum Refusal {
    /// In OpenVINO's words.
    Said(String),
    /// It would compute in another precision than was asked for.
    OtherPrecision,
}

impl From<String> for Refusal {
    fn from(said: String) -> Self {
        Self::Said(said)
    }
}

/// Where a network is.
enum Source<'s> {
    Bytes(&'s [u8]),
    /// Weights lie in other files beside it.
    File(&'s Path),
}

/// Loads the library into the process, once; its version.
fn load(library: &Path) -> Result<String, String> {
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((path, version)) = &*loaded {
        return if path == library {
            Ok(version.clone())
        } else {
            Err(format!("this process already uses {}", path.display()))
        };
    }
    let version = probe(library)?;
    openvino_sys::library::load_from(library)?;
    // Its plugins are looked for, and found, beside the library.
    Core::new().map_err(|error: SetupError| error.to_string())?;
    *loaded = Some((library.to_owned(), version.clone()));
    Ok(version)
}

/// OpenVINO's words on one line, without the places in its source.
fn said(error: InferenceError) -> String {
    let text = error.message.clone().unwrap_or_else(|| error.kind.to_string());
    let lines = text.lines().map(str::trim).filter(|line| {
        !line.is_empty() && !line.starts_with("Exception from ") && !line.starts_with("Check '")
    });
    let joined = lines.collect::<Vec<_>>().join("; ");
    if joined.is_empty() { text.trim().replace('\n', "; ") } else { joined }
}

fn sizes(shape: [usize; 4]) -> [i64; 4] {
    shape.map(|size| i64::try_from(size).unwrap_or(i64::MAX))
}

/// Names the node when it is an operator that is missing. OpenVINO lists operators
/// as `org.example.Sharpen`, after words that differ between releases.
fn refused(model: &Model, detail: String) -> EngineError {
    let lists = ["following ONNX operations:", "No conversion rule found for operations:"];
    let listed = lists.iter().find_map(|words| detail.split_once(words)).map(|(_, rest)| rest);
    let missing = |operator: &str| {
        let mut words = listed.unwrap_or_default().split([' ', ',', ';']);
        words.any(|word| word.rsplit('.').next() == Some(operator))
    };
    match model.graph.nodes.iter().find(|node| missing(&node.operator)) {
        Some(node) => lacks("openvino", model, node),
        None => EngineError::Load { model: model.path.clone(), engine: "openvino", detail },
    }
}

impl Engine for OpenVinoEngine {
    fn name(&self) -> &'static str {
        "openvino"
    }

    fn version(&self) -> String {
        self.version.clone()
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    fn best_batch(&self) -> usize {
        1
    }

    fn load(&self, model: &Model, batch: usize) -> Result<Box<dyn Session>, EngineError> {
        let frame = Frame::new("openvino", model, batch);
        let source = if model.graph.external_files.is_empty() {
            Source::Bytes(&model.bytes)
        } else {
            Source::File(&model.path)
        };
        let shape = model.input_shape(frame.batch);
        let name = model.input().name.as_str();
        let half = model.input().dtype == Dtype::F16;
        let run = self.request(source, (name, shape));
        let run = run
            .and_then(|request| Ok(Run::new(request, (name, shape, half), &frame.output)?))
            .map_err(|refusal| self.refused(model, refusal))?;
        Ok(Box::new(OpenVinoSession { run, frame }))
    }

    fn load_dense(
        &self,
        model: &Model,
        network: &DenseNetwork,
        side_px: u32,
        _used_for: DenseUse,
    ) -> Result<Box<dyn DenseSession>, EngineError> {
        let bytes = network.to_onnx(Side::Fixed(side_px));
        let frame = DenseFrame::new("openvino", model, network, side_px);
        let (name, shape) = (network.input.as_str(), frame.shape);
        let run = self.request(Source::Bytes(&bytes), (name, shape));
        let run = run
            .and_then(|request| Ok(Run::new(request, (name, shape, false), &network.output)?))
            .map_err(|refusal| self.refused(model, refusal))?;
        Ok(Box::new(OpenVinoDense { run, frame }))
    }
}

/// A request with an input of its own, filled before each run.
struct Run {
    request: InferRequest,
    input: Tensor,
    output: String,
    /// Where a 16-bit input is prepared; empty otherwise.
    wide: Vec<f32>,
    /// Output of the last run.
    shape: Vec<usize>,
    raw: Vec<f32>,
}

impl Run {
    fn new(
        mut request: InferRequest,
        (name, shape, half): (&str, [usize; 4], bool),
        output: &str,
    ) -> Result<Self, String> {
        let element = if half { ElementType::F16 } else { ElementType::F32 };
        let wide = if half { vec![0.0; shape.iter().product()] } else { Vec::new() };
        let shape = Shape::new(&sizes(shape)).map_err(said)?;
        let input = Tensor::new(element, &shape).map_err(said)?;
        request.set_tensor(name, &input).map_err(said)?;
        let output = output.to_owned();
        Ok(Self { request, input, output, wide, shape: Vec::new(), raw: Vec::new() })
    }

    /// Runs on what `fill` writes into the first `len` numbers of the input, zeros
    /// after them; `shape` and `raw` are the output then.
    fn run(&mut self, len: usize, fill: &mut dyn FnMut(&mut [f32])) -> Result<(), String> {
        let values = if self.wide.is_empty() {
            self.input.get_data_mut::<f32>().map_err(said)?
        } else {
            self.wide.as_mut_slice()
        };
        let (windows, rest) = values.split_at_mut(len);
        fill(windows);
        rest.fill(0.0);
        if !self.wide.is_empty() {
            self.input.get_data_mut::<f16>().map_err(said)?.convert_from_f32_slice(&self.wide);
        }
        self.request.infer().map_err(said)?;
        let output = self.request.get_tensor(&self.output).map_err(said)?;
        let shape = output.get_shape().map_err(said)?;
        let shape = shape.get_dimensions().iter();
        self.shape = shape.map(|&size| usize::try_from(size).unwrap_or(0)).collect();
        self.raw.clear();
        match output.get_element_type().map_err(said)? {
            ElementType::F32 => self.raw.extend_from_slice(output.get_data().map_err(said)?),
            ElementType::F16 => {
                let halves: &[f16] = output.get_data().map_err(said)?;
                self.raw.resize(halves.len(), 0.0);
                halves.convert_to_f32_slice(&mut self.raw);
            }
            other => return Err(format!("output {} is {other:?}, expected f32", self.output)),
        }
        Ok(())
    }
}

struct OpenVinoSession {
    run: Run,
    frame: Frame,
}

impl Session for OpenVinoSession {
    fn batch(&self) -> usize {
        self.frame.batch
    }

    fn run(&mut self, input: &[f32], n: usize, scores: &mut [f32]) -> Result<(), EngineError> {
        self.frame.check_sizes(input, n, scores)?;
        self.run_filled(n, &mut |windows| windows.copy_from_slice(input), scores)
    }

    fn run_filled(
        &mut self,
        n: usize,
        fill: &mut dyn FnMut(&mut [f32]),
        scores: &mut [f32],
    ) -> Result<(), EngineError> {
        if n == 0 {
            return Ok(());
        }
        let Self { run, frame } = self;
        let len = n.min(frame.batch) * frame.window_len;
        run.run(len, fill).map_err(|detail| frame.failed(n, detail))?;
        frame.scores((&run.shape, &run.raw), frame.batch, n, scores)
    }
}

/// A dense network, for images of one size.
struct OpenVinoDense {
    run: Run,
    frame: DenseFrame,
}

impl DenseSession for OpenVinoDense {
    fn run(
        &mut self,
        grid: (u32, u32),
        fill: &mut dyn FnMut(&mut [f32]),
        places: &[(u32, u32)],
        scores: &mut [f32],
    ) -> Result<(), EngineError> {
        let Self { run, frame } = self;
        run.run(frame.shape.iter().product(), fill).map_err(|detail| frame.failed(detail))?;
        frame.scores(grid, (&run.shape, &run.raw), places, scores)
    }
}
