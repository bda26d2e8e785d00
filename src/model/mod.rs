//! The network: its card, the facts of its graph, and the engines that run it.
//!
//! ```text
//! model.toml | config.json ──ModelCard──┐
//! model.onnx ──────────────GraphFacts───┴─check_card──> Model ──Engine::load──> Session ──run──> scores
//! ```
//!
//! A [`Model`] exists only if card and graph agree. A `Session` belongs to
//! one worker thread and runs on that thread alone.

mod activation;
mod bf16_support;
mod card;
mod card_hash;
mod check;
pub(crate) mod dense;
mod dense_session;
pub(crate) mod engine;
pub(crate) mod engine_error;
mod external;
mod fit_file;
mod frame;
mod graph;
mod image_size;
mod library_search;
mod link;
pub(crate) mod load;
mod onnxruntime;
mod openvino;
mod openvino_library;
mod ort_arena;
mod ort_library;
mod ort_sessions;
mod precision;
pub(crate) mod select;
mod session;
mod tract;
pub(crate) mod trunk;
mod trunk_session;
mod weights;
mod widen;
mod wsinfer;

pub use card::{Activation, CardError, Channels, Layout, ModelCard, Range};
pub(crate) use card_hash::card_sha256;
pub(crate) use dense::{
    DenseCost, DenseError, DenseNetwork, HeadFit, HeadInputs, HeadShape, Outputs, Side, dense_cost,
    densify,
};
pub(crate) use dense_session::{DenseSession, DenseUse};
pub(crate) use engine_error::EngineError;
pub(crate) use fit_file::FitFileError;
pub(crate) use fit_file::{FitFile, FitJudgement, FitSlide, ReadFit};
pub use image_size::ImageSize;
pub(crate) use link::ScoreLink;
pub(crate) use load::{Model, ModelError};
pub(crate) use precision::Precision;
pub(crate) use select::{EngineChoice, EngineRequest, SelectedEngine, library_of_shell, select};
pub(crate) use session::Session;
pub(crate) use trunk::{CutMap, Trunk, TrunkHead};
pub(crate) use trunk_session::{LoadedTrunkHead, TrunkSession};
