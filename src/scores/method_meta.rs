//! Attributes that the methods `dense` and `cascade` store with their scores.

use super::audit::{missed_bound, missed_bound_finite};
use crate::hdf5_file::{Attributes, FormatError};

/// The calibration of dense scores to exact ones, and its residual.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DenseMeta {
    /// Whether dense scores are exact, because the network does not pad. There is then no
    /// calibration.
    pub exact: bool,
    /// How far beyond a window the dense score depends on pixels, px.
    pub reach_px: u32,
    /// Number of the slide's windows that were scored densely and exactly.
    pub sampled: u64,
    /// Slope of each class's logit.
    pub slope: Vec<f64>,
    /// Offset of each class's logit.
    pub offset: Vec<f64>,
    /// Residual: root mean square of score differences on windows that were not fitted.
    pub rms: f64,
    /// 99th percentile of the absolute differences.
    pub p99: f64,
    /// Largest root mean square difference that is accepted.
    pub tolerance: f64,
    /// Whether the user forced dense scores although the difference was larger or the
    /// calibration was open.
    pub forced: bool,
    /// Number of sampled windows with scores near or above the threshold, which determine the
    /// slope. `None` in older files.
    pub near: Option<u64>,
    /// 5th and 95th percentile of the positive class's slope, from fits to resampled tiles of
    /// the sample. `None` in older files and without calibration.
    pub slope_range: Option<[f64; 2]>,
    /// The reason why the sample does not determine the slope; empty if it does.
    pub open: String,
    /// Hash of the calibration: SHA-256 of the fit over the slides, or XXH3 of the slide's own
    /// calibration, as in `calibration.json`. Empty in older files.
    pub fit_id: String,
    /// Side of the largest image that the dense network was run on, px. `None` in older files.
    pub image_px: Option<u32>,
}

/// The screen of a cascade: the cheap scores from which it chooses the points to score exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Screen {
    /// Calibrated dense scores of every point.
    #[default]
    Dense,
    /// Exact scores of points that are `step_px` apart; all points if that is the stride.
    Windows {
        /// Distance between these points, working px.
        step_px: u32,
    },
}

/// The thresholds and the counts of a cascade.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CascadeMeta {
    /// The screen.
    pub screen: Screen,
    /// Points whose screened score of the positive class is at least this were scored exactly.
    pub refine_from: f64,
    /// Points whose screened score is at least this were left, because they are certainly above
    /// 0.5. `None` if there is no such limit.
    pub refine_to: Option<f64>,
    /// Number of points that were scored exactly because of their screened score.
    pub refined: u64,
    /// Number of points that keep their screened score.
    pub screened: u64,
    /// Number of points below `refine_from` that were drawn at random and scored exactly.
    pub audited: u64,
    /// Number of audited points whose exact score is at least 0.5.
    pub missed: u64,
    /// Number of points from `refine_to` on that were drawn at random and scored exactly.
    pub audited_high: u64,
    /// Number of those points whose exact score is below 0.5.
    pub refuted: u64,
    /// Number of points whose exact scores were the screen.
    pub coarse: u64,
    /// Number of points that were drawn for the audit from all points of the slide, including
    /// those that were scored exactly anyway.
    pub drawn: u64,
    /// Largest share of a slide's points that may have been missed. `None` if the audit had a
    /// fixed share of points instead of a bound.
    pub bound: Option<f64>,
}

impl CascadeMeta {
    /// Number of all points.
    pub fn points(&self) -> u64 {
        self.refined + self.screened + self.audited + self.audited_high + self.coarse
    }

    /// Number of points with exact scores.
    pub fn exact(&self) -> u64 {
        self.points() - self.screened
    }

    /// The screen and the counts, in one line.
    pub fn summary(&self) -> String {
        let screen = match self.screen {
            Screen::Dense => "screened by dense scores".to_owned(),
            Screen::Windows { step_px } => {
                format!("screened by single windows {step_px} px apart ({})", self.coarse)
            }
        };
        format!(
            "{screen}, {} refined, {} audited: {} of {} points by windows of their own",
            self.refined,
            self.audited + self.audited_high,
            self.exact(),
            self.points()
        )
    }

    /// Upper 95 % bound on the share of all points that were missed, 0..=1.
    pub fn missed_bound_of_slide(&self) -> f64 {
        if self.screened == 0 {
            // Every point has an exact score.
            return 0.0;
        }
        missed_bound_finite(self.points(), self.missed, self.drawn)
    }

    /// The reason why the audit of a whole slide of `windows` points makes its heatmap partial,
    /// if it does.
    pub fn audit_failure(&self, windows: u64) -> Option<String> {
        let (points, audited) = (self.points(), self.audited);
        if points != windows {
            return Some(format!(
                "the cascade counts {points} points, expected all {windows}: an interrupted task of an earlier version lost the others, and the audit's bound with them"
            ));
        }
        if self.missed > 0 {
            let at_most = match self.bound {
                Some(_) => format!(
                    "up to {:.2} % of the slide's points may have been missed (95 % confidence)",
                    100.0 * self.missed_bound_of_slide()
                ),
                None => "more may have been missed".to_owned(),
            };
            return Some(format!(
                "the audit found {} of {audited} points at 0.5 or above that the cascade had not refined: {at_most}",
                self.missed
            ));
        }
        let bound =
            self.bound.filter(|&bound| points > 0 && self.missed_bound_of_slide() > bound)?;
        Some(format!(
            "after the audit of {} of {points} points, up to {:.2} % of them may have been missed (95 % confidence); expected at most predict.audit_bound = {bound}",
            self.drawn,
            100.0 * self.missed_bound_of_slide()
        ))
    }

    /// Counts of two groups together.
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
            coarse: a.coarse + b.coarse,
            drawn: a.drawn + b.drawn,
            screen: a.screen,
            bound: a.bound,
        })
    }
}

impl DenseMeta {
    pub(crate) fn write_attributes(&self, attributes: &Attributes<'_>) -> Result<(), FormatError> {
        attributes.put_i64("dense_exact", i64::from(self.exact))?;
        attributes.put_i64("dense_reach", i64::from(self.reach_px))?;
        attributes.put_u64("dense_sampled", self.sampled)?;
        attributes.put_f64s("dense_slope", &self.slope)?;
        attributes.put_f64s("dense_offset", &self.offset)?;
        attributes.put_f64("dense_rms", self.rms)?;
        attributes.put_f64("dense_p99", self.p99)?;
        attributes.put_f64("dense_tolerance", self.tolerance)?;
        attributes.put_i64("dense_forced", i64::from(self.forced))?;
        if let Some(near) = self.near {
            attributes.put_u64("dense_near", near)?;
        }
        if let Some(range) = &self.slope_range {
            attributes.put_f64s("dense_slope_range", range)?;
        }
        if let Some(image_px) = self.image_px {
            attributes.put_i64("dense_image", i64::from(image_px))?;
        }
        if !self.fit_id.is_empty() {
            attributes.put_str("fit_id", &self.fit_id)?;
        }
        if self.open.is_empty() { Ok(()) } else { attributes.put_str("dense_open", &self.open) }
    }

    pub(crate) fn read_attributes(
        attributes: &Attributes<'_>,
    ) -> Result<Option<Self>, FormatError> {
        if !attributes.contains("dense_exact")? {
            return Ok(None);
        }
        let newer = |name| Ok::<_, FormatError>(attributes.contains(name)?.then_some(name));
        let range = newer("dense_slope_range")?.map(|name| attributes.f64s(name)).transpose()?;
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
            near: newer("dense_near")?.map(|name| attributes.u64(name)).transpose()?,
            slope_range: range.and_then(|range| range.try_into().ok()),
            open: newer("dense_open")?.map_or(Ok(String::new()), |name| attributes.str(name))?,
            fit_id: newer("fit_id")?.map_or(Ok(String::new()), |name| attributes.str(name))?,
            image_px: newer("dense_image")?.map(|name| attributes.u32(name, 1)).transpose()?,
        }))
    }
}

impl CascadeMeta {
    pub(crate) fn write_attributes(&self, attributes: &Attributes<'_>) -> Result<(), FormatError> {
        attributes.put_f64("cascade_refine_from", self.refine_from)?;
        attributes.put_u64("cascade_refined", self.refined)?;
        attributes.put_u64("cascade_screened", self.screened)?;
        attributes.put_u64("cascade_audited", self.audited)?;
        attributes.put_u64("cascade_missed", self.missed)?;
        let bound = missed_bound(self.missed, self.audited);
        attributes.put_f64("cascade_missed_bound", bound)?;
        attributes.put_u64("cascade_drawn", self.drawn)?;
        if let Some(bound) = self.bound {
            attributes.put_f64("cascade_audit_bound", bound)?;
        }
        if let Screen::Windows { step_px } = self.screen {
            attributes.put_i64("cascade_screen_step", i64::from(step_px))?;
            attributes.put_u64("cascade_coarse", self.coarse)?;
        }
        let Some(refine_to) = self.refine_to else { return Ok(()) };
        attributes.put_f64("cascade_refine_to", refine_to)?;
        attributes.put_u64("cascade_audited_high", self.audited_high)?;
        attributes.put_u64("cascade_refuted", self.refuted)?;
        let bound = missed_bound(self.refuted, self.audited_high);
        attributes.put_f64("cascade_refuted_bound", bound)
    }

    pub(crate) fn read_attributes(
        attributes: &Attributes<'_>,
    ) -> Result<Option<Self>, FormatError> {
        if !attributes.contains("cascade_refined")? {
            return Ok(None);
        }
        let high = attributes.contains("cascade_refine_to")?;
        let count = |name| if high { attributes.u64(name) } else { Ok(0) };
        let newer = |name| if attributes.contains(name)? { attributes.u64(name) } else { Ok(0) };
        let bound = attributes.contains("cascade_audit_bound")?;
        let screen = match attributes.contains("cascade_screen_step")? {
            true => Screen::Windows { step_px: attributes.u32("cascade_screen_step", 1)? },
            false => Screen::Dense,
        };
        Ok(Some(Self {
            screen,
            coarse: newer("cascade_coarse")?,
            drawn: newer("cascade_drawn")?,
            bound: bound.then(|| attributes.f64("cascade_audit_bound")).transpose()?,
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
