//! The trait that each library implements.

use super::dense::DenseNetwork;
use super::dense_session::{DenseSession, DenseUse};
use super::engine_error::EngineError;
use super::load::Model;
use super::precision::Precision;
use super::session::Session;
use super::trunk_session::TrunkHeadEngine;

/// A library that runs networks.
pub trait Engine: Send + Sync + std::fmt::Debug {
    /// `tract`, `ort` or `openvino`.
    fn name(&self) -> &'static str;

    /// Version of the library.
    fn version(&self) -> String;

    /// The precision that the engine computes in, whatever the type of a network's input.
    fn precision(&self) -> Precision {
        Precision::F32
    }

    /// The number of windows per run at which the engine is fastest.
    fn best_batch(&self) -> usize;

    /// The largest sum of `DenseNetwork::map_bytes` over all workers with which a process,
    /// its sessions, images and patches included, stays below a gigabyte.
    fn dense_map_bytes(&self) -> u64 {
        450_000_000
    }

    /// Loads a network to run up to `batch` windows at a time on the calling thread.
    /// `Session::batch` differs from `batch` if the graph fixes another.
    ///
    /// # Errors
    /// [`EngineError`] naming the model, and the node whose operator the engine lacks.
    fn load(&self, model: &Model, batch: usize) -> Result<Box<dyn Session>, EngineError>;

    /// Loads a dense network to run on images of `side_px` x `side_px`, or smaller ones if
    /// `DenseSession::takes_smaller`, on the calling thread.
    ///
    /// # Errors
    /// [`EngineError`] naming the model.
    fn load_dense(
        &self,
        model: &Model,
        network: &DenseNetwork,
        side_px: u32,
        used_for: DenseUse,
    ) -> Result<Box<dyn DenseSession>, EngineError>;

    /// The engine as one that loads trunk and head as two networks; `None` for engines
    /// that fix the size of the images.
    fn trunk_head(&self) -> Option<&dyn TrunkHeadEngine> {
        None
    }
}
