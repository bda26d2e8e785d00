//! The section "Study": the study's table, its poorly scored lesions, and its curves.

use super::super::cohort::CohortContent;
use super::super::names::{base64, html, put};
use super::super::study::{Setting, ShownLesion, ShownStudy};
use super::numbers::{grouped, significant};
use crate::metrics::coverage::WELL_SCORED;
use crate::metrics::interval::Interval;

/// The section as HTML; empty without a study.
pub(super) fn section(cohort: &CohortContent) -> String {
    let Some(study) = &cohort.study else { return String::new() };
    let mut text = format!(
        "<section id=\"study\" aria-labelledby=\"study-title\">\n<h2 id=\"study-title\">ShownStudy</h2>\n<p>{} slides, {} with tumor. {}</p>\n",
        study.slides,
        study.tumor_slides,
        html(&study.rules)
    );
    table(&mut text, study);
    coverage(&mut text, study);
    text.push_str("<div class=\"curves\">\n");
    for (svg, shows) in &study.curves {
        text.push_str(&picture(svg, shows));
    }
    text.push_str("</div>\n</section>\n");
    text
}

/// Adds the lesions of which too little was scored, at the finest stride of each source.
fn coverage(text: &mut String, study: &ShownStudy) {
    for (index, setting) in study.settings.iter().enumerate() {
        let is_poor = |lesion: &&ShownLesion| {
            !lesion.is_itc && lesion.share.is_some_and(|share| share < WELL_SCORED)
        };
        let poor: Vec<&ShownLesion> = setting.coverage.iter().filter(is_poor).collect();
        // Settings of one source come in order of their strides, the finest first.
        let is_finest = study.settings[..index].iter().all(|s| s.source != setting.source);
        if !is_finest || poor.is_empty() {
            continue;
        }
        let to_find = setting.coverage.iter().filter(|lesion| !lesion.is_itc).count();
        put(
            text,
            format_args!(
                "<p class=\"warning\">{}, stride {}: {} of {to_find} lesions to find have scores on less than nine tenths of their points. A lesion that was not scored cannot be found.</p>\n<div class=\"wide\"><table class=\"plain\"><thead><tr>",
                html(&setting.source),
                setting.stride_px,
                poor.len()
            ),
        );
        for heading in COVERAGE_HEADINGS {
            put(text, format_args!("<th scope=\"col\">{heading}</th>"));
        }
        text.push_str("</tr></thead><tbody>\n");
        for lesion in poor {
            text.push_str("<tr>");
            for cell in coverage_cells(lesion) {
                put(text, format_args!("<td>{}</td>", html(&cell)));
            }
            text.push_str("</tr>\n");
        }
        text.push_str("</tbody></table></div>\n");
    }
}

const COVERAGE_HEADINGS: [&str; 7] =
    ["Slide", "Lesion", "x, y (level-0 px)", "Axis, um", "Points scored", "Share", "Outcome"];

fn coverage_cells(lesion: &ShownLesion) -> [String; 7] {
    let outcome = if lesion.score.is_some() { "hit" } else { "missed" };
    let reason = lesion.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
    [
        lesion.slide.clone(),
        lesion.lesion.to_string(),
        format!("{}, {}", lesion.x, lesion.y),
        format!("{:.0}", lesion.major_axis_um),
        format!("{} of {}", grouped(lesion.scored), grouped(lesion.points)),
        lesion.share.map_or("-".into(), |share| format!("{:.1} %", 100.0 * share)),
        format!("{outcome}{reason}"),
    ]
}

/// An SVG drawing embedded in the page. It is embedded as an image, so that browsers neither
/// run scripts in it nor load anything from it.
pub(super) fn picture(svg: &str, shows: &str) -> String {
    format!(
        "<figure><img src=\"data:image/svg+xml;base64,{}\" alt=\"{}\"></figure>\n",
        base64(svg.as_bytes()),
        html(shows)
    )
}

const HEADINGS: [&str; 11] = [
    "Setting",
    "Stride, px",
    "AUC",
    "95 %",
    "Change",
    "FROC score",
    "95 %",
    "Lesions hit",
    "False positives",
    "Windows",
    "Core-hours",
];

fn table(text: &mut String, study: &ShownStudy) {
    text.push_str("<div class=\"wide\"><table class=\"plain\"><thead><tr>");
    for heading in HEADINGS {
        put(text, format_args!("<th scope=\"col\">{heading}</th>"));
    }
    text.push_str("<th scope=\"col\">Saving</th></tr></thead><tbody>\n");
    for setting in &study.settings {
        text.push_str("<tr>");
        for cell in cells(setting) {
            put(text, format_args!("<td>{}</td>", html(&cell)));
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody></table></div>\n");
}

fn cells(setting: &Setting) -> [String; 12] {
    let interval = |interval: &Interval| format!("{:.3} to {:.3}", interval.low, interval.high);
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    [
        setting.source.clone(),
        setting.stride_px.to_string(),
        format!("{:.3}", setting.auc),
        interval(&setting.auc_interval_95),
        format!("{:+.3}", setting.auc_change),
        or_none(setting.froc_score.map(|score| format!("{score:.3}"))),
        or_none(setting.froc_interval_95.as_ref().map(interval)),
        format!("{} of {}", setting.lesions_hit, setting.lesions),
        setting.false_positives.to_string(),
        grouped(setting.windows),
        or_none(setting.core_hours.map(significant)),
        or_none(setting.saving.map(|saving| format!("{:.1} %", 100.0 * saving))),
    ]
}
