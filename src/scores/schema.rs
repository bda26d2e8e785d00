//! The schema of a score file, format version 2: names, types and meanings.
//!
//! | item | type and shape | meaning |
//! |---|---|---|
//! | `/row` | i32 `[M]` | lattice row |
//! | `/col` | i32 `[M]` | lattice column |
//! | `/score` | f32 [M, C] | the model's output, classes in the order of the model |
//! | `/unnormalized` | UTF-8 `[U]` | `patch 17: reason`, one per patch whose stains could not be measured |
//! | `/unnormalized_kind` | UTF-8 `[U]` | the code of each of these reasons; absent in older files |

use std::collections::BTreeMap;

use super::method_meta::{CascadeMeta, DenseMeta};
use super::precision_meta::PrecisionMeta;
use super::unnormalized::UnnormalizedPatch;
use crate::hdf5_file::{Attributes, FormatError, Lineage, check_header, put_header};
use crate::number::GroupNumber;

/// The `format` attribute.
pub const FORMAT: &str = "slidegrid-scores";
/// The `format` attribute of a part file. The value differs from [`FORMAT`], so that no program
/// takes a part file for the scores of a whole group.
pub const PART_FORMAT: &str = "slidegrid-scores-part";
/// The newest version this program reads, and the one it writes.
pub const VERSION: i64 = 2;

pub(crate) const ROW: &str = "row";
pub(crate) const COL: &str = "col";
pub(crate) const SCORE: &str = "score";
pub(crate) const UNNORMALIZED: &str = "unnormalized";
pub(crate) const UNNORMALIZED_KIND: &str = "unnormalized_kind";
/// Dataset of a cascade's part file, u8 `[M]`: how each window got its score
/// ([`ScoredBy::code`](super::scored_by::ScoredBy::code)).
pub(crate) const HOW: &str = "how";
/// Attribute of a part file: number of windows of the whole group.
pub(crate) const TOTAL: &str = "windows_total";

const METHODS: [&str; 3] = ["window", "dense", "cascade"];

/// The root attributes of a score file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ScoresMeta {
    /// Name of the slide.
    pub slide: String,
    /// Group of the patch file.
    pub group: GroupNumber,
    /// Distance between lattice points, working px; attribute `stride`.
    pub stride_px: u32,
    /// Side of the network's window; attribute `window`.
    pub window_px: u32,
    /// Class names, in the order of the model's outputs.
    pub classes: Vec<String>,
    /// `window`, `dense` or `cascade`.
    pub method: String,
    /// The card's activation, which tells what scores can be: `softmax`, `sigmoid` or `none`;
    /// empty in older files.
    pub activation: String,
    /// Name and version of the engine.
    pub engine: String,
    /// Number type in which the network ran.
    pub precision: String,
    /// Deviation of the scores from those in f32, if the network ran in less precision.
    pub deviation: Option<PrecisionMeta>,
    /// Hash of the model file.
    pub model_sha256: String,
    /// Hash of the run's configuration.
    pub config_sha256: String,
    /// Number of windows that were scored.
    pub windows: u64,
    /// Wall-clock time of the task, seconds.
    pub wall_s: f64,
    /// Processor time of the task, seconds.
    pub cpu_s: f64,
    /// Time spent reading patches, seconds.
    pub read_s: f64,
    /// Time spent in the network, seconds.
    pub infer_s: f64,
    /// Largest resident memory of the task, bytes.
    pub peak_rss_bytes: u64,
    /// Number of threads.
    pub threads: u32,
    /// Name of the machine.
    pub host: String,
    /// Model of the processor, and the instruction sets that decide how engines round; empty in
    /// older files.
    pub processor: String,
    /// Names and versions of linked libraries; empty in older files.
    pub libraries: String,
    /// Number of windows per run of the network. `None` in older files and for dense runs.
    pub batch: Option<u32>,
    /// Number of patches that could not be scored.
    pub failed_patches: u64,
    /// The colour normalisation; empty if there was none.
    pub normalize: String,
    /// Number of patches whose stains could not be measured; set even if only the attributes
    /// are read.
    pub unnormalized_patches: u64,
    /// For each of these patches, by index in the group from 0, the reason and what was done.
    pub unnormalized: BTreeMap<usize, UnnormalizedPatch>,
    /// Number of the `windows` that earlier, interrupted tries had scored.
    pub resumed_windows: u64,
    /// Number of windows that shared the trunk with neighbours.
    pub shared_windows: u64,
    /// Area of the images that the network ran over, px: of windows, also where windows share
    /// layers, and of dense images with their margins. 0 in older files.
    pub computed_px: u64,
    /// Start and end of each try that scored windows, Unix time in seconds. The first start is
    /// also the attribute `started_unix_s`. Empty in older files.
    pub spans_unix_s: Vec<[f64; 2]>,
    /// Attributes of the methods `dense` and `cascade`.
    pub dense: Option<DenseMeta>,
    /// Attributes of the method `cascade`.
    pub cascade: Option<CascadeMeta>,
    /// The slide's file, the patches, and the file's `id`.
    pub lineage: Lineage,
    /// Name and version of the program that wrote the file. Set on reading.
    pub writer: String,
}

impl ScoresMeta {
    /// Area that the scored points stand for, px: a square of the stride's side for each.
    pub fn scored_px(&self) -> u64 {
        self.windows * u64::from(self.stride_px).pow(2)
    }

    pub(crate) fn check(&self, attributes: &Attributes<'_>) -> Result<(), FormatError> {
        let refuse = |problem: String| Err(FormatError::invalid(attributes.path(), problem));
        if !METHODS.contains(&self.method.as_str()) {
            return refuse(format!(
                "method is {:?}, expected window, dense or cascade",
                self.method
            ));
        }
        if self.classes.is_empty() {
            return refuse("has no classes, expected at least one name".into());
        }
        if self.stride_px == 0 || self.window_px == 0 {
            return refuse(format!(
                "stride {}, window {}, expected each at least 1",
                self.stride_px, self.window_px
            ));
        }
        Ok(())
    }

    /// Writes the attributes, with `format` as the `format` attribute.
    pub(crate) fn write_attributes(
        &self,
        attributes: &Attributes<'_>,
        format: &'static str,
    ) -> Result<(), FormatError> {
        self.check(attributes)?;
        put_header(attributes, format, VERSION)?;
        self.lineage.write_attributes(attributes)?;
        for (name, value) in [
            ("slide", &self.slide),
            ("method", &self.method),
            ("engine", &self.engine),
            ("precision", &self.precision),
            ("model_sha256", &self.model_sha256),
            ("config_sha256", &self.config_sha256),
            ("host", &self.host),
        ] {
            attributes.put_str(name, value)?;
        }
        for (name, value) in [("processor", &self.processor), ("libraries", &self.libraries)] {
            if !value.is_empty() {
                attributes.put_str(name, value)?;
            }
        }
        if let Some(batch) = self.batch {
            attributes.put_i64("batch", i64::from(batch))?;
        }
        for (name, value) in [
            ("group", self.group.get()),
            ("stride", self.stride_px),
            ("window", self.window_px),
            ("threads", self.threads),
        ] {
            attributes.put_i64(name, i64::from(value))?;
        }
        for (name, value) in [
            ("windows", self.windows),
            ("peak_rss_bytes", self.peak_rss_bytes),
            ("failed_patches", self.failed_patches),
            ("resumed_windows", self.resumed_windows),
            ("shared_windows", self.shared_windows),
            ("computed_px", self.computed_px),
            ("scored_px", self.scored_px()),
        ] {
            attributes.put_u64(name, value)?;
        }
        for (name, value) in [
            ("wall_s", self.wall_s),
            ("cpu_s", self.cpu_s),
            ("read_s", self.read_s),
            ("infer_s", self.infer_s),
        ] {
            attributes.put_f64(name, value)?;
        }
        if let Some([started, _]) = self.spans_unix_s.first() {
            attributes.put_f64("started_unix_s", *started)?;
            attributes.put_f64s("spans_unix_s", self.spans_unix_s.as_flattened())?;
        }
        if !self.normalize.is_empty() {
            attributes.put_str("normalize", &self.normalize)?;
            attributes.put_u64("unnormalized_patches", self.unnormalized_patches)?;
        }
        if let Some(deviation) = &self.deviation {
            deviation.write_attributes(attributes)?;
        }
        if let Some(dense) = &self.dense {
            dense.write_attributes(attributes)?;
        }
        if let Some(cascade) = &self.cascade {
            cascade.write_attributes(attributes)?;
        }
        if !self.activation.is_empty() {
            attributes.put_str("activation", &self.activation)?;
        }
        attributes.put_strs("classes", &self.classes)
    }

    /// Reads the attributes of a file whose `format` attribute must be `format`.
    pub(crate) fn read_attributes(
        attributes: &Attributes<'_>,
        format: &'static str,
    ) -> Result<Self, FormatError> {
        let writer = check_header(attributes, format, VERSION)?;
        let newer =
            |name: &str| if attributes.contains(name)? { attributes.u64(name) } else { Ok(0) };
        let normalized = attributes.contains("normalize")?;
        let unnormalized = if normalized { attributes.u64("unnormalized_patches")? } else { 0 };
        let spans = attributes.contains("spans_unix_s")?;
        let spans = if spans { attributes.f64s("spans_unix_s")? } else { Vec::new() };
        let newer_text = |name: &str| match attributes.contains(name)? {
            true => attributes.str(name),
            false => Ok(String::new()),
        };
        let batch = attributes.contains("batch")?;
        let meta = Self {
            lineage: Lineage::read_attributes(attributes)?,
            slide: attributes.str("slide")?,
            group: GroupNumber::try_from(attributes.u32("group", 1)?)
                .map_err(|e| FormatError::invalid(attributes.path(), e.to_string()))?,
            stride_px: attributes.u32("stride", 1)?,
            window_px: attributes.u32("window", 1)?,
            classes: attributes.strs("classes")?,
            method: attributes.str("method")?,
            activation: match attributes.contains("activation")? {
                true => attributes.str("activation")?,
                false => String::new(),
            },
            engine: attributes.str("engine")?,
            precision: attributes.str("precision")?,
            deviation: PrecisionMeta::read_attributes(attributes)?,
            model_sha256: attributes.str("model_sha256")?,
            config_sha256: attributes.str("config_sha256")?,
            windows: attributes.u64("windows")?,
            wall_s: attributes.f64("wall_s")?,
            cpu_s: attributes.f64("cpu_s")?,
            read_s: attributes.f64("read_s")?,
            infer_s: attributes.f64("infer_s")?,
            peak_rss_bytes: attributes.u64("peak_rss_bytes")?,
            threads: attributes.u32("threads", 0)?,
            host: attributes.str("host")?,
            processor: newer_text("processor")?,
            libraries: newer_text("libraries")?,
            batch: batch.then(|| attributes.u32("batch", 1)).transpose()?,
            failed_patches: attributes.u64("failed_patches")?,
            normalize: if normalized { attributes.str("normalize")? } else { String::new() },
            unnormalized_patches: unnormalized,
            unnormalized: BTreeMap::new(),
            resumed_windows: newer("resumed_windows")?,
            shared_windows: newer("shared_windows")?,
            computed_px: newer("computed_px")?,
            spans_unix_s: spans.as_chunks().0.to_vec(),
            dense: DenseMeta::read_attributes(attributes)?,
            cascade: CascadeMeta::read_attributes(attributes)?,
            writer,
        };
        meta.check(attributes)?;
        Ok(meta)
    }
}
