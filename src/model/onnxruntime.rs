//! The engine onnxruntime, a shared library that is loaded at run time where it is
//! installed. It reaches 90 % of a core's peak.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use ort::session::builder::GraphOptimizationLevel;

use super::dense::{DenseNetwork, Side};
use super::dense_session::{DenseFrame, DenseSession, DenseUse};
use super::engine::Engine;
use super::engine_error::EngineError;
use super::frame::{Frame, missing_operator};
use super::graph::Dtype;
use super::load::Model;
use super::ort_arena;
use super::ort_library::probe;
use super::ort_sessions::{OrtDense, OrtSession, OrtTrunk};
use super::session::Session;
use super::trunk::TrunkHead;
use super::trunk_session::{LoadedTrunkHead, TrunkHeadEngine};

/// Bytes for the maps of dense runs: enough for GoogLeNet on images of 2,832 px, whose maps
/// take 737 MB.
const DENSE_MAP_BYTES: i32 = 740_000_000;

/// The one library and environment of the process. They are never dropped, since sessions
/// on other threads may outlive the engine that opened them.
static LOADED: Mutex<Option<Loaded>> = Mutex::new(None);

struct Loaded {
    path: PathBuf,
    version: String,
    environment: Environment,
}

/// onnxruntime as an [`Engine`].
#[derive(Debug, Clone)]
pub(crate) struct OrtEngine {
    version: String,
    environment: Environment,
}

impl OrtEngine {
    /// Loads `library`; the error says why that fails. The `ort` crate panics on some
    /// libraries, so only libraries that pass [`probe`] reach the crate.
    pub(crate) fn open(library: &Path) -> Result<Self, String> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = &*loaded {
            if loaded.path != library {
                return Err(format!("this process already uses {}", loaded.path.display()));
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
        ort_arena::register(&environment, DENSE_MAP_BYTES).map_err(|error| error.to_string())?;
        *loaded = Some(Loaded {
            path: library.to_owned(),
            version: version.clone(),
            environment: environment.clone(),
        });
        Ok(Self { version, environment })
    }

    /// The settings of a session that computes on the calling thread alone. slidegrid has
    /// its own workers, and the thread pool of onnxruntime fails to pin its threads under
    /// a scheduler's CPU binding.
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

    /// The settings of a session for images of any size. Memory patterns are off, since
    /// onnxruntime would plan and keep memory for each size.
    fn any_size_builder(&self) -> ort::Result<ort::session::builder::SessionBuilder> {
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
        u64::from(DENSE_MAP_BYTES.unsigned_abs())
    }

    fn load(&self, model: &Model, batch: usize) -> Result<Box<dyn Session>, EngineError> {
        let session = self.session(model).map_err(|error| load_error(model, &error.to_string()))?;
        let frame = Frame::new("ort", model, batch);
        let (input, shape) = (model.input().name.clone(), model.input_shape(frame.batch));
        Ok(Box::new(OrtSession {
            fixed: model.static_batch().is_some(),
            half_input: model.input().dtype == Dtype::F16,
            ..OrtSession::new(session, frame, input, shape)
        }))
    }

    fn load_dense(
        &self,
        model: &Model,
        network: &DenseNetwork,
        side_px: u32,
        used_for: DenseUse,
    ) -> Result<Box<dyn DenseSession>, EngineError> {
        let bytes = network.to_onnx(Side::Filled);
        let builder = match used_for {
            DenseUse::Sampling => self.any_size_builder(),
            DenseUse::Scoring => self.any_size_builder().and_then(|b| Ok(b.with_env_allocators()?)),
        };
        let session = builder.and_then(|mut builder| builder.commit_from_memory(&bytes));
        let session = session.map_err(|error| load_error(model, &error.to_string()))?;
        let frame = DenseFrame::new("ort", model, network, side_px);
        let image = vec![0.0; frame.shape.iter().product()];
        let (input, output) = (network.input.clone(), network.output.clone());
        Ok(Box::new(OrtDense { session, frame, input, output, image }))
    }

    fn trunk_head(&self) -> Option<&dyn TrunkHeadEngine> {
        Some(self)
    }
}

impl TrunkHeadEngine for OrtEngine {
    fn load_trunk_head(
        &self,
        model: &Model,
        parts: &TrunkHead,
        batch: usize,
    ) -> Result<LoadedTrunkHead, EngineError> {
        let failed = |error: ort::Error| load_error(model, &error.to_string());
        let trunk =
            self.any_size_builder().and_then(|mut b| b.commit_from_memory(&parts.trunk_onnx));
        let head = self.builder().and_then(|mut b| b.commit_from_memory(&parts.head_onnx));
        let (side, channels) = (parts.trunk.map.side, parts.trunk.map.channels);
        let whole = Frame::new("ort", model, batch);
        let frame = Frame { window_len: channels * side * side, batch: batch.max(1), ..whole };
        let shape = [batch, channels, side, side];
        let head = OrtSession::new(head.map_err(failed)?, frame, parts.cut.clone(), shape);
        let trunk = OrtTrunk {
            session: trunk.map_err(failed)?,
            model: model.path.clone(),
            layout: model.card.layout,
            input: parts.input.clone(),
            output: parts.cut.clone(),
            images: Vec::new(),
        };
        Ok(LoadedTrunkHead { trunk: Box::new(trunk), head: Box::new(head) })
    }
}

/// The error for a network that onnxruntime does not load; it names the node if an
/// operator is missing.
fn load_error(model: &Model, detail: &str) -> EngineError {
    let missing = ["is not a registered function", "Could not find an implementation"];
    let blamed =
        model.graph.nodes.iter().find(|node| detail.contains(&format!("{}(", node.operator)));
    match blamed {
        Some(node) if missing.iter().any(|words| detail.contains(words)) => {
            missing_operator("ort", model, node)
        }
        _ => EngineError::Load {
            model: model.path.clone(),
            engine: "ort",
            detail: detail.to_owned(),
        },
    }
}
