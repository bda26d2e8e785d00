//! The engine tract, which is compiled in and needs nothing installed.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tract_onnx::prelude::*;
use tract_onnx::tract_core::knobs;
use tract_onnx::tract_hir::internal::*;

use super::activation::RawOutput;
use super::dense::{DenseNetwork, Side};
use super::dense_session::{DenseFrame, DenseSession, DenseUse};
use super::engine::Engine;
use super::engine_error::EngineError;
use super::frame::{Frame, missing_operator};
use super::graph::NodeFacts;
use super::load::Model;
use super::session::Session;
use super::widen::widen;
use crate::geometry::dense_tiles::{GridPlace, GridSize};

type TractPlan = Arc<TypedSimplePlan>;

/// Domains whose operators tract implements. tract looks operators up by name alone, so a
/// `Relu` of another domain would be taken for ONNX's.
const DOMAINS: [&str; 3] = ["", "ai.onnx.ml", "com.microsoft"];

/// The version of tract, whose API does not give it; a test compares the constant with
/// Cargo.lock.
const VERSION: &str = "0.23.9";

/// What the names of networks with a fitted head contain.
const REFITTED: &str = " refitted ";

/// tract as an [`Engine`]. Sessions of one model and batch share one optimised plan.
pub(crate) struct TractEngine {
    plans: Mutex<HashMap<PlanKey, TractPlan>>,
}

/// What a plan depends on: SHA-256 of the weights, shape of the input, name of the output.
type PlanKey = (String, [usize; 4], String);

impl fmt::Debug for TractEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TractEngine")
    }
}

impl TractEngine {
    pub(crate) fn new() -> Self {
        // By default an average pool of stride 1 costs the kernel's area for each pixel:
        // 1977 ms against 24 ms for a kernel of 28 x 28. The user's environment still
        // wins. The call fails only if another part of the process has chosen, which is
        // fine too.
        let _ = knobs::set_config_global("TRACT_AVGPOOL_SEPARABLE", "true");
        Self { plans: Mutex::new(HashMap::new()) }
    }

    fn plan(&self, model: &Model, shape: [usize; 4]) -> Result<TractPlan, EngineError> {
        let key = (model.sha256.clone(), shape, model.output().name.clone());
        self.cached_plan(key, model, |onnx| optimised(onnx, model, shape))
    }

    /// The plan of `key`, which `make` makes the first time.
    fn cached_plan(
        &self,
        key: PlanKey,
        model: &Model,
        make: impl FnOnce(&tract_onnx::Onnx) -> TractResult<TractPlan>,
    ) -> Result<TractPlan, EngineError> {
        // The lock is held while optimising: other workers want the same plan and would
        // otherwise make it too.
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = plans.get(&key) {
            return Ok(Arc::clone(plan));
        }
        let onnx = tract_onnx::onnx().with_ignore_value_info(true).with_ignore_output_shapes(true);
        if let Some(node) = model.graph.nodes.iter().find(|node| !implements(&onnx, node)) {
            return Err(missing_operator("tract", model, node));
        }
        let plan = make(&onnx).map_err(|error| load_error(model, &error))?;
        // Each slide may have a head of its own; the plan of the last one is not needed.
        if key.2.contains(REFITTED) {
            plans.retain(|other, _| !other.2.contains(REFITTED));
        }
        plans.insert(key, Arc::clone(&plan));
        Ok(plan)
    }
}

/// Whether tract implements the operator of a node.
fn implements(onnx: &tract_onnx::Onnx, node: &NodeFacts) -> bool {
    DOMAINS.contains(&node.domain.as_str()) && onnx.op_register.0.contains_key(&node.operator)
}

fn optimised(onnx: &tract_onnx::Onnx, model: &Model, shape: [usize; 4]) -> TractResult<TractPlan> {
    let mut proto = onnx.proto_model_for_read(&mut model.bytes.as_slice())?;
    widen(&mut proto).map_err(|problem| format_err!("{problem}"))?;
    let folder = model.path.parent().and_then(|folder| folder.to_str());
    runnable(onnx, &proto, folder, &model.output().name, shape)
}

/// A plan that computes the output named `output` from an input of `shape`.
fn runnable(
    onnx: &tract_onnx::Onnx,
    proto: &tract_onnx::pb::ModelProto,
    folder: Option<&str>,
    output: &str,
    shape: [usize; 4],
) -> TractResult<TractPlan> {
    let parsed = onnx.parse(proto, folder)?;
    if !parsed.unresolved_inputs.is_empty() {
        bail!("nothing computes {}", parsed.unresolved_inputs.join(", "));
    }
    let outlet = parsed.outlets_by_name.get(output).copied();
    let outlet = outlet.with_context(|| format!("no output {output}"))?;
    parsed
        .model
        .with_output_outlets(&[outlet])?
        .with_input_fact(0, InferenceFact::dt_shape(f32::datum_type(), shape))?
        .into_optimized()?
        .into_runnable()
}

impl Engine for TractEngine {
    fn name(&self) -> &'static str {
        "tract"
    }

    fn version(&self) -> String {
        VERSION.to_owned()
    }

    fn best_batch(&self) -> usize {
        1
    }

    fn load(&self, model: &Model, batch: usize) -> Result<Box<dyn Session>, EngineError> {
        let frame = Frame::new("tract", model, batch);
        let shape = model.input_shape(frame.batch);
        let plan = self.plan(model, shape)?;
        let load_error = |error: TractError| load_error(model, &error);
        let fact = plan.model().output_fact(0).map_err(load_error)?;
        if let Some(found) = fact.shape.as_concrete()
            && super::activation::outputs_per_window(found, frame.batch).is_none()
        {
            return Err(frame.output_error(found, frame.batch));
        }
        let state = plan.spawn().map_err(load_error)?;
        let input = Arc::new(Tensor::zero::<f32>(&shape).map_err(load_error)?);
        Ok(Box::new(TractSession { frame, shape, state, input }))
    }

    fn load_dense(
        &self,
        model: &Model,
        network: &DenseNetwork,
        side_px: u32,
        _used_for: DenseUse,
    ) -> Result<Box<dyn DenseSession>, EngineError> {
        let frame = DenseFrame::new("tract", model, network, side_px);
        let (stride_px, variant) = (network.stride_px, network.variant());
        let key = (model.sha256.clone(), frame.shape, format!("dense {stride_px} {variant}"));
        let plan = self.cached_plan(key, model, |onnx| {
            let bytes = network.to_onnx(Side::Fixed(side_px));
            let proto = onnx.proto_model_for_read(&mut bytes.as_slice())?;
            runnable(onnx, &proto, None, &network.output, frame.shape)
        })?;
        let state = plan.spawn().map_err(|error| load_error(model, &error))?;
        Ok(Box::new(TractDense { frame, state }))
    }
}

fn load_error(model: &Model, error: &TractError) -> EngineError {
    let detail = format!("{error:#}");
    EngineError::Load { model: model.path.clone(), engine: "tract", detail }
}

/// A dense network for images of one size.
struct TractDense {
    frame: DenseFrame,
    state: TypedSimpleState,
}

impl TractDense {
    fn infer(&mut self, fill: &mut dyn FnMut(&mut [f32])) -> TractResult<Tensor> {
        let mut tensor = Tensor::zero::<f32>(&self.frame.shape)?;
        fill(tensor.try_as_plain_ram_mut()?.as_slice_mut::<f32>()?);
        let mut outputs = self.state.run(tvec![TValue::from_const(Arc::new(tensor))])?;
        Ok(outputs.pop().context("no output")?.into_tensor())
    }
}

impl DenseSession for TractDense {
    fn run(
        &mut self,
        grid: GridSize,
        fill: &mut dyn FnMut(&mut [f32]),
        places: &[GridPlace],
        scores: &mut [f32],
    ) -> Result<(), EngineError> {
        let output = self.infer(fill).map_err(|error| self.frame.failed(format!("{error:#}")))?;
        let plain = output.try_as_plain_ram().and_then(|plain| plain.as_slice::<f32>());
        let raw = plain.map_err(|error| self.frame.failed(format!("{error:#}")))?;
        let raw = RawOutput { shape: output.shape(), values: raw };
        self.frame.scores(grid, raw, places, scores)
    }
}

struct TractSession {
    frame: Frame,
    shape: [usize; 4],
    state: TypedSimpleState,
    /// The input, refilled for each run once tract has released it.
    input: Arc<Tensor>,
}

impl TractSession {
    /// Runs the network on a batch whose first `len` numbers `fill` writes; the others
    /// are 0.
    fn infer(&mut self, len: usize, fill: &mut dyn FnMut(&mut [f32])) -> TractResult<Tensor> {
        if Arc::get_mut(&mut self.input).is_none() {
            self.input = Arc::new(Tensor::zero::<f32>(&self.shape)?);
        }
        let tensor = Arc::get_mut(&mut self.input).context("the input is still in use")?;
        let mut plain = tensor.try_as_plain_ram_mut()?;
        let (windows, rest) = plain.as_slice_mut::<f32>()?.split_at_mut(len);
        fill(windows);
        rest.fill(0.0);
        let mut outputs = self.state.run(tvec![TValue::from_const(Arc::clone(&self.input))])?;
        let output = outputs.pop().context("no output")?.into_tensor();
        let float = output.cast_to::<f32>()?;
        Ok(float.into_owned())
    }
}

impl Session for TractSession {
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
        let len = n.min(self.frame.batch) * self.frame.window_len;
        let output =
            self.infer(len, fill).map_err(|error| self.frame.failed(n, format!("{error:#}")))?;
        let plain = output.try_as_plain_ram().and_then(|plain| plain.as_slice::<f32>());
        let raw = plain.map_err(|error| self.frame.failed(n, format!("{error:#}")))?;
        let raw = RawOutput { shape: output.shape(), values: raw };
        self.frame.scores(raw, self.frame.batch, n, scores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_cargo_lock() {
        let lock = include_str!("../../Cargo.lock");
        assert!(lock.contains(&format!("name = \"tract-onnx\"\nversion = \"{VERSION}\"")));
    }
}
