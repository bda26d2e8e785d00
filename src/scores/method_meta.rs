//! What the methods `dense` and `cascade` store with their scores.

use super::audit::missed_bound;
use crate::hdf5_file::{Attributes, FormatError};

/// How dense scores were fitted to those of single windows, and what is left.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DenseMeta {
    /// Whether the network pads nowhere, so that nothing was fitted.
    pub exact: bool,
    /// How far beyond a window its dense score depends on pixels.
    pub reach_px: u32,
    /// Windows of the slide that were scored both ways.
    pub sampled: u64,
    /// Slope of each class's logit.
    pub slope: Vec<f64>,
    /// Offset of each class's logit.
    pub offset: Vec<f64>,
    /// Root mean square of score differences, after fitting to other windows.
    pub rms: f64,
    /// 99 of 100 differences are at most this.
    pub p99: f64,
    /// Largest root mean square difference that was to be accepted.
    pub tolerance: f64,
    /// Accepted although it was larger.
    pub forced: bool,
}

/// What a cascade did.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CascadeMeta {
    /// Screened scores of the positive class from here on were scored exactly.
    pub refine_from: f64,
    /// Screened scores from here on were left as they are, surely above 0.5; absent:
    /// all were scored exactly.
    pub refine_to: Option<f64>,
    /// Points with exact scores because of that.
    pub refined: u64,
    /// Points with screened scores.
    pub screened: u64,
    /// Points below `refine_from` drawn at random and scored exactly.
    pub audited: u64,
    /// Of these, positive after all: at least 0.5.
    pub missed: u64,
    /// Points from `refine_to` on drawn at random and scored exactly.
    pub audited_high: u64,
    /// Of these, not positive after all: below 0.5.
    pub refuted: u64,
}

impl CascadeMeta {
    /// Counts of two tries, or of two groups, together.
    pub(crate) fn sum(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        let (Some(a), Some(b)) = (a, b) else { return a.or(b) };
        Some(Self {
            refine_from: a.refine_from,
            refine_to: a.refine_to,
            refined: a.refined + b.refined,
            screened: a.screened + b.screened,
            audited: a.audited + b.audited,
            missed: a.missed + b.missed,
            audited_high: a.audited_high + b.audited_high,
            refuted: a.refuted + b.refuted,
        })
    }
}

impl DenseMeta {
    pub(crate) fn put(&self, attributes: &Attributes<'_>) -> Result<(), FormatError> {
        attributes.put_i64("dense_exact", i64::from(self.exact))?;
        attributes.put_i64("dense_reach", i64::from(self.reach_px))?;
        attributes.put_u64("dense_sampled", self.sampled)?;
        attributes.put_f64s("dense_slope", &self.slope)?;
        attributes.put_f64s("dense_offset", &self.offset)?;
        attributes.put_f64("dense_rms", self.rms)?;
        attributes.put_f64("dense_p99", self.p99)?;
        attributes.put_f64("dense_tolerance", self.tolerance)?;
        attributes.put_i64("dense_forced", i64::from(self.forced))
    }

    pub(super) fn get(attributes: &Attributes<'_>) -> Result<Option<Self>, FormatError> {
        if !attributes.has("dense_exact")? {
            return Ok(None);
        }
        Ok(Some(Self {
            exact: attributes.u64("dense_exact")? != 0,
            reach_px: attributes.u32("dense_reach", 0)?,
            sampled: attributes.u64("dense_sampled")?,
            slope: attributes.f64s("dense_slope")?,
            offset: attributes.f64s("dense_offset")?,
            rms: attributes.f64("dense_rms")?,
            p99: attributes.f64("dense_p99")?,
            tolerance: attributes.f64("dense_tolerance")?,
            forced: attributes.u64("dense_forced")? != 0,
        }))
    }
}

impl CascadeMeta {
    pub(crate) fn put(&self, attributes: &Attributes<'_>) -> Result<(), FormatError> {
        attributes.put_f64("cascade_refine_from", self.refine_from)?;
        attributes.put_u64("cascade_refined", self.refined)?;
        attributes.put_u64("cascade_screened", self.screened)?;
        attributes.put_u64("cascade_audited", self.audited)?;
        attributes.put_u64("cascade_missed", self.missed)?;
        let bound = missed_bound(self.missed, self.audited);
        attributes.put_f64("cascade_missed_bound", bound)?;
        let Some(refine_to) = self.refine_to else { return Ok(()) };
        attributes.put_f64("cascade_refine_to", refine_to)?;
        attributes.put_u64("cascade_audited_high", self.audited_high)?;
        attributes.put_u64("cascade_refuted", self.refuted)?;
        let bound = missed_bound(self.refuted, self.audited_high);
        attributes.put_f64("cascade_refuted_bound", bound)
    }

    pub(super) fn get(attributes: &Attributes<'_>) -> Result<Option<Self>, FormatError> {
        if !attributes.has("cascade_refined")? {
            return Ok(None);
        }
        let high = attributes.has("cascade_refine_to")?;
        let count = |name| if high { attributes.u64(name) } else { Ok(0) };
        Ok(Some(Self {
            refine_from: attributes.f64("cascade_refine_from")?,
            refine_to: high.then(|| attributes.f64("cascade_refine_to")).transpose()?,
            refined: attributes.u64("cascade_refined")?,
            screened: attributes.u64("cascade_screened")?,
            audited: attributes.u64("cascade_audited")?,
            missed: attributes.u64("cascade_missed")?,
            audited_high: count("cascade_audited_high")?,
            refuted: count("cascade_refuted")?,
        }))
    }
}
