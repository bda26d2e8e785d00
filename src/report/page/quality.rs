//! The section "Quality": what the run knows about its own errors, namely failed patches,
//! colours, dense scores and the audit of the cascade.

use super::super::cohort::{CohortContent, CohortSlide, SlideState};
use super::super::names::{html, put};
use super::super::tally::spared;
use super::numbers::{count, grouped, significant};
use crate::scores::{CascadeMeta, missed_bound};
use crate::tissue::DIFFER_LIMIT;

/// The section as HTML.
pub(super) fn section(cohort: &CohortContent) -> String {
    let mut text = String::from(
        "<section id=\"quality\" aria-labelledby=\"quality-title\">\n<h2 id=\"quality-title\">Quality</h2>\n<dl class=\"facts\">\n",
    );
    for (name, value) in lines(cohort) {
        put(&mut text, format_args!("<dt>{name}</dt><dd>{}</dd>\n", html(&value)));
    }
    text.push_str("</dl>\n");
    colours(&mut text, cohort);
    text.push_str("</section>\n");
    text
}

/// A fact about the run: its name and its value.
type Fact = (&'static str, String);

fn lines(cohort: &CohortContent) -> Vec<Fact> {
    let mut lines = completeness(cohort);
    lines.extend(dense_scores(cohort));
    if let Some(cascade) = &cohort.tally.cascade {
        lines.extend(cascades(cohort, cascade));
    }
    lines
}

/// Slides, patches and groups that failed or need a look.
fn completeness(cohort: &CohortContent) -> Vec<Fact> {
    let mut lines = Vec::new();
    let in_state = |state| cohort.slides.iter().filter(|slide| slide.state == state).count();
    let failed: u64 = cohort.slides.iter().map(CohortSlide::failed_patches).sum();
    let with = cohort.slides.iter().filter(|slide| slide.failed_patches() > 0).count();
    lines.push(("Slides that failed", in_state(SlideState::Failed).to_string()));
    lines.push(("Slides without tissue", in_state(SlideState::NoTissue).to_string()));
    let doubtful: Vec<&str> = (cohort.slides.iter())
        .filter(|slide| slide.record.tissue_differs.is_some_and(|differ| differ > DIFFER_LIMIT))
        .map(|slide| slide.record.name.as_str())
        .collect();
    lines.push((
        "Tissue to look at",
        match doubtful.as_slice() {
            [] => {
                let compared = |slide: &&CohortSlide| slide.record.tissue_differs.is_some();
                let compared = cohort.slides.iter().filter(compared).count();
                format!("none of {compared} slides whose tissue was compared with texture")
            }
            names => format!(
                "{}, where texture and the tissue method differ: {}",
                count(names.len(), "slide", "slides"),
                names.join(", ")
            ),
        },
    ));
    lines.push((
        "Failed patches",
        match failed {
            0 => "none".to_owned(),
            failed => format!("{}, on {}", grouped(failed), count(with, "slide", "slides")),
        },
    ));
    let missing: usize = cohort.slides.iter().map(|slide| slide.view.files.missing.len()).sum();
    let groups = cohort.slides.iter().map(|slide| u64::from(slide.view.files.groups)).sum();
    let (missing, groups) = (grouped(missing as u64), grouped(groups));
    lines.push(("Groups without scores", format!("{missing} of {groups}")));
    lines
}

/// The residual of dense scores, and slides whose calibration is open.
fn dense_scores(cohort: &CohortContent) -> Vec<Fact> {
    let mut lines = Vec::new();
    if let Some(dense) = &cohort.tally.dense {
        lines.push((
            "Dense scores",
            match dense.exact {
                true => "equal those of single windows: the network pads nowhere".to_owned(),
                false => format!(
                    "differ from single windows by {} (root mean square) on the worst slide, after calibration; 99 % by at most {}",
                    significant(dense.rms),
                    significant(dense.p99)
                ),
            },
        ));
    }
    let open = cohort.slides.iter().filter(|slide| slide.view.files.screen.is_some()).count();
    if open > 0 {
        let slides = count(open, "slide", "slides");
        let text = format!("open on {slides}: the reason stands beside each");
        lines.push(("Calibration of dense scores", text));
    }
    lines
}

/// What the cascades of all slides did, and what their audits found.
fn cascades(cohort: &CohortContent, cascade: &CascadeMeta) -> Vec<Fact> {
    let mut lines = Vec::new();
    let partial = cohort.slides.iter().filter(|slide| slide.view.files.partial.is_some());
    lines.push((
        "Cascade, slides whose audit does not hold",
        match partial.count() {
            0 => "none".to_owned(),
            slides => format!("{slides}: the command to run stands beside each"),
        },
    ));
    let percent = |share: f64| format!("{} %", significant(100.0 * share));
    lines.push((
        "Cascade",
        format!(
            "{} of the points needed no window of their own: {} screened, {} refined, {} audited",
            percent(spared(cascade)),
            grouped(cascade.screened),
            grouped(cascade.refined),
            grouped(cascade.audited + cascade.audited_high)
        ),
    ));
    lines.push((
        "Cascade, audit",
        format!(
            "{} of {} audited points were at 0.5 or above: at most {} of the points that the screen ruled out are (95 % bound)",
            grouped(cascade.missed),
            grouped(cascade.audited),
            percent(missed_bound(cascade.missed, cascade.audited))
        ),
    ));
    if let Some(from) = cascade.refine_to {
        lines.push((
            "Cascade, audit of sure points",
            format!(
                "{} of {} audited points screened at {} or above were below 0.5: at most {} of those that were not refined are (95 % bound)",
                grouped(cascade.refuted),
                grouped(cascade.audited_high),
                significant(from),
                percent(missed_bound(cascade.refuted, cascade.audited_high))
            ),
        ));
    }
    lines
}

/// Adds the number of patches whose stains could not be determined, by reason.
fn colours(text: &mut String, cohort: &CohortContent) {
    let tally = &cohort.tally;
    if tally.normalize.is_empty() {
        return;
    }
    let methods: Vec<&str> = tally.normalize.iter().map(String::as_str).collect();
    put(
        text,
        format_args!(
            "<h3>Colour</h3>\n<p>Normalised by {}. The stains could not be determined on {} patches.</p>\n",
            html(&methods.join("; ")),
            grouped(tally.unnormalized_patches)
        ),
    );
    if tally.unnormalized.is_empty() {
        return;
    }
    text.push_str("<table class=\"plain\"><thead><tr><th scope=\"col\">Reason</th><th scope=\"col\">Patches</th></tr></thead><tbody>\n");
    for (kind, patches) in &tally.unnormalized {
        put(text, format_args!("<tr><td>{}</td><td>{}</td></tr>\n", html(kind), grouped(*patches)));
    }
    text.push_str("</tbody></table>\n");
}
