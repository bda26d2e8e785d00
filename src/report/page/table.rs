//! The section "Slides": the table of slides and its controls.

use super::super::cohort::{CohortContent, CohortSlide};
use super::super::names::{html, percent, put};
use super::super::picture::Origin;
use super::numbers::{grouped, significant};

/// Smaller numbers of core-hours are shown as `< 0.001`.
const MIN_HOURS: f64 = 0.001;

/// A column of the table.
struct Column {
    heading: &'static str,
    /// Shown when the pointer rests on the heading.
    explanation: &'static str,
    /// The text of a slide's cell, and the number that the column is sorted by.
    cell: fn(&CohortSlide) -> (String, Option<f64>),
}

/// The section with the table and its controls.
pub(super) fn section(cohort: &CohortContent) -> String {
    let columns = columns(cohort);
    let mut text = String::from(
        "<section id=\"slides\" class=\"cohort\" aria-labelledby=\"slides-title\">\n<h2 id=\"slides-title\">Slides</h2>\n<div class=\"controls\">\n<label>Find <input id=\"find\" type=\"search\" placeholder=\"name or reason\" autocomplete=\"off\"></label>\n<label>Status <select id=\"only\"><option value=\"\">all</option>",
    );
    for (state, count) in cohort.counts() {
        let name = state.name();
        put(&mut text, format_args!("<option value=\"{name}\">{name} ({count})</option>"));
    }
    text.push_str("</select></label>\n<output id=\"shown\" aria-live=\"polite\"></output>\n</div>\n<div class=\"scroll\" tabindex=\"-1\">\n<table id=\"cohort\">\n<thead><tr><th scope=\"col\"><span class=\"hidden\">Picture</span></th>");
    for (heading, explanation) in
        [("Slide", "Name, and a reason or note"), ("Status", "Failures first")]
    {
        heading_cell(&mut text, heading, explanation);
    }
    for column in &columns {
        heading_cell(&mut text, column.heading, column.explanation);
    }
    text.push_str("</tr></thead>\n<tbody>\n");
    for (index, slide) in cohort.slides.iter().enumerate() {
        row(&mut text, index, slide, &columns);
    }
    text.push_str("</tbody>\n</table>\n</div>\n</section>\n");
    text
}

fn heading_cell(text: &mut String, heading: &str, explanation: &str) {
    put(
        text,
        format_args!(
            "<th scope=\"col\"><button type=\"button\" title=\"{explanation}\">{heading}</button></th>"
        ),
    );
}

/// The columns that are not empty for this run.
fn columns(cohort: &CohortContent) -> Vec<Column> {
    let mut columns = vec![Column {
        heading: "Max",
        explanation: "Largest score of the heatmap",
        cell: |slide| score(slide.drawn.max.map(f64::from)),
    }];
    if cohort.study.is_some() {
        columns.push(Column {
            heading: "Score",
            explanation: "Slide score of the study, finest setting",
            cell: |slide| score(slide.study.as_ref().map(|study| study.score)),
        });
    }
    if cohort.slides.iter().any(|slide| slide.is_tumor.is_some()) {
        columns.push(Column {
            heading: "Truth",
            explanation: "Tumor or normal, according to the truth",
            cell: |slide| match slide.is_tumor {
                Some(true) => ("tumor".into(), Some(1.0)),
                Some(false) => ("normal".into(), Some(0.0)),
                None => (String::new(), None),
            },
        });
    }
    columns.push(Column {
        heading: "Found",
        explanation: "Number of detections",
        cell: |slide| count(slide.drawn.detections.map(|n| n as u64)),
    });
    if cohort.slides.iter().any(|slide| slide.failed_patches() > 0) {
        columns.push(Column {
            heading: "Failed",
            explanation: "Patches that could not be decoded or scored",
            cell: |slide| count(Some(slide.failed_patches())),
        });
    }
    if cohort.tally.unnormalized_patches > 0 {
        columns.push(Column {
            heading: "Colour",
            explanation: "Patches whose stains could not be determined",
            cell: |slide| count(Some(slide.tally.unnormalized_patches)),
        });
    }
    columns.push(Column {
        heading: "Core-h",
        explanation: "Processor time of split and predict, hours",
        cell: |slide| match slide.core_hours() {
            hours if hours < MIN_HOURS => (format!("< {MIN_HOURS}"), Some(hours)),
            hours => (significant(hours), Some(hours)),
        },
    });
    columns
}

fn score(value: Option<f64>) -> (String, Option<f64>) {
    (value.map_or(String::new(), |value| format!("{value:.3}")), value)
}

fn count(value: Option<u64>) -> (String, Option<f64>) {
    (value.map_or(String::new(), grouped), value.map(|value| value as f64))
}

fn row(text: &mut String, index: usize, slide: &CohortSlide, columns: &[Column]) {
    let (name, folder, state) = (&slide.record.name, &slide.folder, slide.state);
    let picture = match slide.drawn.origin {
        Origin::Missing(_) => "<span class=\"blank\"></span>".to_owned(),
        _ => format!("<img src=\"slides/{folder}/thumb.jpg\" loading=\"lazy\" alt=\"\">"),
    };
    // The Tab key stops only once in the whole list; arrow keys move within the list.
    let tab = if index == 0 { 0 } else { -1 };
    let heat = if slide.drawn.max.is_some() { " data-heat=\"1\"" } else { "" };
    put(
        text,
        format_args!(
            "<tr data-folder=\"{folder}\" data-name=\"{0}\" data-state=\"{state}\"{heat}><td class=\"pic\">{picture}</td><th scope=\"row\"><a href=\"#slide={1}\" tabindex=\"{tab}\">{0}</a>",
            html(name),
            percent(name),
            state = state.name(),
        ),
    );
    let why = slide.why();
    if !why.is_empty() {
        put(text, format_args!("<p class=\"why\" title=\"{0}\">{0}</p>", html(&why)));
    }
    put(
        text,
        format_args!(
            "</th><td data-sort=\"{}\"><span class=\"state {}\"><span aria-hidden=\"true\">{}</span> {1}</span></td>",
            state as u8,
            state.name(),
            state.sign()
        ),
    );
    for column in columns {
        let (cell, key) = (column.cell)(slide);
        let key = key.map_or(String::new(), |key| key.to_string());
        put(text, format_args!("<td data-sort=\"{key}\">{}</td>", html(&cell)));
    }
    text.push_str("</tr>\n");
}
