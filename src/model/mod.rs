//! The network: its card, the facts of its graph, and the engines that run it.
//!
//! ```text
//! model.toml | config.json ──ModelCard──┐
//! model.onnx ──────────────GraphFacts───┴─check_card──> Model ──Engine::load──> Session ──run──> scores
//! ```
//!
//! A [`Model`] exists only if card and graph agree. A [`Session`] belongs to
//! one worker thread and runs on that thread alone.

mod activation;
mod bf16_support;
mod card;
mod card_hash;
mod check;
mod dense;
mod dense_session;
mod engine;
mod engine_error;
mod fit_file;
mod frame;
mod graph;
mod image_size;
mod library_search;
mod link;
mod load;
mod onnxruntime;
mod openvino;
mod openvino_library;
mod ort_arena;
mod ort_library;
mod ort_sessions;
mod precision;
mod select;
mod session;
mod tract;
mod trunk;
mod trunk_session;
mod widen;
mod wsinfer;

pub use bf16_support::Bf16Unsupported;
pub use card::{Activation, CardError, Channels, Layout, ModelCard, Range};
pub(crate) use card_hash::card_sha256;
pub use check::{Mismatch, check_card};
pub(crate) use dense::{DenseCost, HeadFit, HeadInputs, HeadShape, Outputs, dense_cost};
pub use dense::{DenseError, DenseNetwork, Side, densify};
pub use dense_session::{DenseSession, DenseUse};
pub use engine::Engine;
pub use engine_error::EngineError;
pub use fit_file::FitFileError;
pub(crate) use fit_file::{FitFile, FitJudgement, FitSlide, ReadFit};
pub use graph::{Dim, Dtype, GraphError, GraphFacts, NodeFacts, TensorFacts};
pub use image_size::ImageSize;
pub(crate) use link::ScoreLink;
pub use load::{Model, ModelError};
pub use precision::Precision;
pub use select::{EngineChoice, EngineRequest, SelectedEngine, select};
pub use session::Session;
pub use trunk::{CutMap, Trunk, TrunkHead};
pub use trunk_session::{LoadedTrunkHead, TrunkHeadEngine, TrunkSession};
