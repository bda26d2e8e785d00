//! The engine OpenVINO, a shared library that is loaded at run time: f32 at the speed of
//! onnxruntime, and bf16 on request.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use half::f16;
use half::slice::HalfFloatSliceExt;
use openvino::{
    Core, DeviceType, ElementType, InferRequest, InferenceError, PartialShape, PropertyKey,
    RwPropertyKey, SetupError, Shape, Tensor,
};

use super::activation::RawOutput;
use super::bf16_support::Bf16Unsupported;
use super::dense::{DenseNetwork, Side};
use super::dense_session::{DenseFrame, DenseSession, DenseUse};
use super::engine::Engine;
use super::engine_error::EngineError;
use super::frame::{Frame, missing_operator};
use super::graph::Dtype;
use super::load::Model;
use super::openvino_library::{EMULATE, probe};
use super::precision::Precision;
use super::session::Session;
use crate::geometry::dense_tiles::{GridPlace, GridSize};

/// Path and version of the one library of the process, which the `openvino` crate keeps.
static LOADED: Mutex<Option<(PathBuf, String)>> = Mutex::new(None);

/// OpenVINO as an [`Engine`].
#[derive(Debug, Clone)]
pub(crate) struct OpenVinoEngine {
    version: String,
    precision: Precision,
}

/// Why OpenVINO cannot be opened.
#[derive(Debug)]
pub(crate) enum NotOpen {
    /// The library cannot be used, for this reason.
    Library(String),
    /// The processor does not compute in bf16. The text is the version of the library.
    NoBf16(String, Bf16Unsupported),
}

impl OpenVinoEngine {
    /// Loads `library`; the error says why that fails.
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
        let unsupported = Bf16Unsupported::detect();
        if std::env::var(EMULATE).is_ok_and(|value| value == "1")
            && unsupported.to_emulate.is_empty()
        {
            return Ok(Self { version: format!("{version} (bf16 emulated)"), precision });
        }
        Err(NotOpen::NoBf16(version, unsupported))
    }

    /// The same engine, computing in f32.
    pub(crate) fn in_f32(&self) -> Self {
        Self { precision: Precision::F32, ..self.clone() }
    }

    /// Compiles a network to run on the calling thread: one stream of one thread that is
    /// bound to no core, since slidegrid places its own workers.
    fn request(
        &self,
        source: NetworkSource<'_>,
        input: NetworkInput<'_>,
    ) -> Result<InferRequest, Refusal> {
        let mut core = Core::new().map_err(|error| error.to_string())?;
        let precision = self.precision.name();
        core.set_properties(
            &DeviceType::CPU,
            [
                (RwPropertyKey::NumStreams, "1"),
                (RwPropertyKey::InferenceNumThreads, "1"),
                (RwPropertyKey::HintEnableCpuPinning, "NO"),
                // Set for f32 too: on some processors OpenVINO would choose bf16 by itself.
                (RwPropertyKey::HintInferencePrecision, precision),
            ],
        )
        .map_err(message_of)?;
        let mut network = match source {
            NetworkSource::Bytes(bytes) => core.read_model_from_buffer(bytes, None),
            NetworkSource::File(path) => core.read_model_from_file(&path.display().to_string(), ""),
        }
        .map_err(message_of)?;
        let NetworkInput { name, shape } = input;
        let shape = PartialShape::new_static(4, &sizes(shape)).map_err(message_of)?;
        network.reshape_input_by_name(name, &shape).map_err(message_of)?;
        let mut compiled = core.compile_model(&network, DeviceType::CPU).map_err(message_of)?;
        let key = RwPropertyKey::HintInferencePrecision.into();
        let found = compiled.get_property(&key).map_err(message_of)?.into_owned();
        if found != precision {
            return Err(Refusal::OtherPrecision);
        }
        Ok(compiled.create_infer_request().map_err(message_of)?)
    }

    /// The error for a network that could not be compiled.
    fn compile_error(&self, model: &Model, refusal: Refusal) -> EngineError {
        let bf16 = self.precision == Precision::Bf16;
        match (refusal, Bf16Unsupported::detect()) {
            (Refusal::OtherPrecision, unsupported) => {
                EngineError::NoBf16 { version: self.version.clone(), unsupported }
            }
            (Refusal::Failed(detail), Bf16Unsupported { capped: Some((name, value)), .. })
                if bf16 =>
            {
                let capped = format!("{detail}; {name}={value} may keep it from bf16: unset that");
                load_error(model, capped)
            }
            (Refusal::Failed(detail), _) => load_error(model, detail),
        }
    }
}

/// Why a network could not be compiled.
enum Refusal {
    /// OpenVINO failed, with this message.
    Failed(String),
    /// The network would compute in another precision than the requested one.
    OtherPrecision,
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

/// Where the ONNX file of a network is.
enum NetworkSource<'s> {
    /// In memory.
    Bytes(&'s [u8]),
    /// On disk, with weights in other files beside it.
    File(&'s Path),
}

/// Loads the library into the process, once, and returns its version.
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
    // Checks that OpenVINO finds its plugins, which lie beside the library.
    Core::new().map_err(|error: SetupError| error.to_string())?;
    *loaded = Some((library.to_owned(), version.clone()));
    Ok(version)
}

/// OpenVINO's message on one line, without positions in OpenVINO's source code.
fn message_of(error: InferenceError) -> String {
    let text = error.message.clone().unwrap_or_else(|| error.kind.to_string());
    let lines = text.lines().map(str::trim).filter(|line| {
        !line.is_empty() && !line.starts_with("Exception from ") && !line.starts_with("Check '")
    });
    let joined = lines.collect::<Vec<_>>().join("; ");
    if joined.is_empty() { text.trim().replace('\n', "; ") } else { joined }
}

fn sizes(shape: [usize; 4]) -> [i64; 4] {
    shape.map(|size| i64::try_from(size).expect("no tensor in memory is that large"))
}

/// The error for a network that OpenVINO does not load; it names the node if an operator
/// is missing. OpenVINO lists operators as `org.example.Sharpen`, after words that differ
/// between releases.
fn load_error(model: &Model, detail: String) -> EngineError {
    let lists = ["following ONNX operations:", "No conversion rule found for operations:"];
    let listed = lists.iter().find_map(|words| detail.split_once(words)).map(|(_, rest)| rest);
    let missing = |operator: &str| {
        let mut words = listed.unwrap_or_default().split([' ', ',', ';']);
        words.any(|word| word.rsplit('.').next() == Some(operator))
    };
    match model.graph.nodes.iter().find(|node| missing(&node.operator)) {
        Some(node) => missing_operator("openvino", model, node),
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
            NetworkSource::Bytes(&model.bytes)
        } else {
            NetworkSource::File(&model.path)
        };
        let shape = model.input_shape(frame.batch);
        let input = NetworkInput { name: &model.input().name, shape };
        let half = model.input().dtype == Dtype::F16;
        let run = self.request(source, input);
        let run = run
            .and_then(|request| Ok(OpenVinoRun::new(request, input, half, &frame.output)?))
            .map_err(|refusal| self.compile_error(model, refusal))?;
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
        let input = NetworkInput { name: &network.input, shape: frame.shape };
        let run = self.request(NetworkSource::Bytes(&bytes), input);
        let run = run
            .and_then(|request| Ok(OpenVinoRun::new(request, input, false, &network.output)?))
            .map_err(|refusal| self.compile_error(model, refusal))?;
        Ok(Box::new(OpenVinoDense { run, frame }))
    }
}

/// The input of a network.
#[derive(Clone, Copy)]
struct NetworkInput<'n> {
    name: &'n str,
    shape: [usize; 4],
}

/// An inference request with its input tensor, which is filled before each run.
struct OpenVinoRun {
    request: InferRequest,
    input: Tensor,
    output: String,
    /// The input in f32, before it is converted to float16; empty for a float32 input.
    wide: Vec<f32>,
    /// Shape of the output of the last run.
    shape: Vec<usize>,
    /// Numbers of the output of the last run.
    raw: Vec<f32>,
}

impl OpenVinoRun {
    fn new(
        mut request: InferRequest,
        NetworkInput { name, shape }: NetworkInput<'_>,
        half: bool,
        output: &str,
    ) -> Result<Self, String> {
        let element = if half { ElementType::F16 } else { ElementType::F32 };
        let wide = if half { vec![0.0; shape.iter().product()] } else { Vec::new() };
        let shape = Shape::new(&sizes(shape)).map_err(message_of)?;
        let input = Tensor::new(element, &shape).map_err(message_of)?;
        request.set_tensor(name, &input).map_err(message_of)?;
        let output = output.to_owned();
        Ok(Self { request, input, output, wide, shape: Vec::new(), raw: Vec::new() })
    }

    /// The output of the last run.
    fn output(&self) -> RawOutput<'_> {
        RawOutput { shape: &self.shape, values: &self.raw }
    }

    /// Runs the network on an input whose first `len` numbers `fill` writes; the others
    /// are 0. `shape` and `raw` then hold the output.
    fn run(&mut self, len: usize, fill: &mut dyn FnMut(&mut [f32])) -> Result<(), String> {
        let values = if self.wide.is_empty() {
            self.input.get_data_mut::<f32>().map_err(message_of)?
        } else {
            self.wide.as_mut_slice()
        };
        let (windows, rest) = values.split_at_mut(len);
        fill(windows);
        rest.fill(0.0);
        if !self.wide.is_empty() {
            self.input
                .get_data_mut::<f16>()
                .map_err(message_of)?
                .convert_from_f32_slice(&self.wide);
        }
        self.request.infer().map_err(message_of)?;
        let output = self.request.get_tensor(&self.output).map_err(message_of)?;
        let shape = output.get_shape().map_err(message_of)?;
        let shape = shape.get_dimensions().iter();
        self.shape = shape.map(|&size| usize::try_from(size).unwrap_or(0)).collect();
        self.raw.clear();
        match output.get_element_type().map_err(message_of)? {
            ElementType::F32 => self.raw.extend_from_slice(output.get_data().map_err(message_of)?),
            ElementType::F16 => {
                let halves: &[f16] = output.get_data().map_err(message_of)?;
                self.raw.resize(halves.len(), 0.0);
                halves.convert_to_f32_slice(&mut self.raw);
            }
            other => return Err(format!("output {} is {other:?}, expected f32", self.output)),
        }
        Ok(())
    }
}

struct OpenVinoSession {
    run: OpenVinoRun,
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
        frame.scores(run.output(), frame.batch, n, scores)
    }
}

/// A dense network for images of one size.
struct OpenVinoDense {
    run: OpenVinoRun,
    frame: DenseFrame,
}

impl DenseSession for OpenVinoDense {
    fn run(
        &mut self,
        grid: GridSize,
        fill: &mut dyn FnMut(&mut [f32]),
        places: &[GridPlace],
        scores: &mut [f32],
    ) -> Result<(), EngineError> {
        let Self { run, frame } = self;
        run.run(frame.shape.iter().product(), fill).map_err(|detail| frame.failed(detail))?;
        frame.scores(grid, run.output(), places, scores)
    }
}
