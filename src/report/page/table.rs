//! The table of slides.

use super::super::cohort::{Cohort, Entry};
use super::super::names::{html, percent, put};
use super::super::picture::Origin;
use super::numbers::{grouped, significant};

/// Fewer hours are not worth their digits.
const MIN_HOURS: f64 = 0.001;

/// A column: heading, explanation, and what stands in it: text, and the number
/// to sort by.
struct Column {
    heading: &'static str,
    explained: &'static str,
    cell: fn(&Entry) -> (String, Option<f64>),
}

/// The section with the table and its controls.
pub(super) fn section(cohort: &Cohort) -> String {
    let columns = columns(cohort);
    let mut text = String::from(
        "<section id=\"slides\" class=\"cohort\" aria-labelledby=\"slides-title\">\n<h2 id=\"slides-title\">Slides</h2>\n<div class=\"controls\">\n<label>Find <input id=\"find\" type=\"search\" placeholder=\"name or reason\" autocomplete=\"off\"></label>\n<label>Status <select id=\"only\"><option value=\"\">all</option>",
    );
    for (state, count) in cohort.counts() {
        let name = state.name();
        put(&mut text, format_args!("<option value=\"{name}\">{name} ({count})</option>"));
    }
    text.push_str("</select></label>\n<output id=\"shown\" aria-live=\"polite\"></output>\n</div>\n<div class=\"scroll\" tabindex=\"-1\">\n<table id=\"cohort\">\n<thead><tr><th scope=\"col\"><span class=\"hidden\">Picture</span></th>");
    for (heading, explained) in
        [("Slide", "Name, and what there is to know"), ("Status", "Failures first")]
    {
        heading_cell(&mut text, heading, explained);
    }
    for column in &columns {
        heading_cell(&mut text, column.heading, column.explained);
    }
    text.push_str("</tr></thead>\n<tbody>\n");
    for (place, slide) in cohort.slides.iter().enumerate() {
        row(&mut text, place, slide, &columns);
    }
    text.push_str("</tbody>\n</table>\n</div>\n</section>\n");
    text
}

fn heading_cell(text: &mut String, heading: &str, explained: &str) {
    put(
        text,
        format_args!(
            "<th scope=\"col\"><button type=\"button\" title=\"{explained}\">{heading}</button></th>"
        ),
    );
}

/// The columns that have something in them.
fn columns(cohort: &Cohort) -> Vec<Column> {
    let mut columns = vec![Column {
        heading: "Max",
        explained: "Largest score of the heatmap",
        cell: |slide| score(slide.drawn.max.map(f64::from)),
    }];
    if cohort.study.is_some() {
        columns.push(Column {
            heading: "Score",
            explained: "Slide score of the study, finest setting",
            cell: |slide| score(slide.study.as_ref().map(|study| study.score)),
        });
    }
    if cohort.slides.iter().any(|slide| slide.is_tumor.is_some()) {
        columns.push(Column {
            heading: "Truth",
            explained: "What the slide is, as the truth says",
            cell: |slide| match slide.is_tumor {
                Some(true) => ("tumour".into(), Some(1.0)),
                Some(false) => ("normal".into(), Some(0.0)),
                None => (String::new(), None),
            },
        });
    }
    columns.push(Column {
        heading: "Found",
        explained: "Detections",
        cell: |slide| count(slide.drawn.detections.map(|n| n as u64)),
    });
    if cohort.slides.iter().any(|slide| slide.failed_patches() > 0) {
        columns.push(Column {
            heading: "Failed",
            explained: "Patches that could not be decoded or scored",
            cell: |slide| count(Some(slide.failed_patches())),
        });
    }
    if cohort.tally.unnormalized_patches > 0 {
        columns.push(Column {
            heading: "Colour",
            explained: "Patches whose stains could not be told",
            cell: |slide| count(Some(slide.tally.unnormalized_patches)),
        });
    }
    columns.push(Column {
        heading: "Core-h",
        explained: "Processor time of split and predict, hours",
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

fn row(text: &mut String, place: usize, slide: &Entry, columns: &[Column]) {
    let (name, folder, state) = (&slide.record.name, &slide.folder, slide.state);
    let picture = match slide.drawn.origin {
        Origin::Missing(_) => "<span class=\"blank\"></span>".to_owned(),
        _ => format!("<img src=\"slides/{folder}/thumb.jpg\" loading=\"lazy\" alt=\"\">"),
    };
    // One stop for the Tab key in the whole list; arrow keys go on from there.
    let tab = if place == 0 { 0 } else { -1 };
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
