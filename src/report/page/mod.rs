//! Writes the report's page as HTML text, from a [`CohortContent`]. No I/O.

mod facts;
mod numbers;
mod provenance;
mod quality;
mod study;
mod table;

use super::cohort::CohortContent;
use super::names::{html, put, script_json};
use crate::heatmap::render::{OPACITY, colour_of};
use numbers::{bytes, grouped, significant, utc};

pub(super) use facts::facts_js;

const STYLE: &str = include_str!("../assets/page.css");
const VIEWER: &str = include_str!("../assets/viewer.html");
/// The page's scripts; each uses only what the ones before it define.
const SCRIPTS: [&str; 6] = [
    include_str!("../assets/layers.js"),
    include_str!("../assets/drawing.js"),
    include_str!("../assets/view.js"),
    include_str!("../assets/slides.js"),
    include_str!("../assets/table.js"),
    include_str!("../assets/main.js"),
];
/// The page may load only what lies beside it, and may send nothing anywhere.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline' 'self' file:; style-src 'unsafe-inline'; img-src 'self' file: data:; base-uri 'none'; form-action 'none'";

/// The whole page, `index.html`.
pub(super) fn index_html(cohort: &CohortContent) -> String {
    let name = html(&cohort.name);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<title>{name} - slidegrid</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#slides\">To the slides</a>\n"
    );
    page.push_str(&header(cohort));
    page.push_str("<main>\n<div class=\"workbench\">\n");
    page.push_str(&table::section(cohort));
    page.push_str(&VIEWER.replace("{detection}", &html(&cohort.detection)));
    page.push_str("</div>\n");
    page.push_str(&quality::section(cohort));
    page.push_str(&study::section(cohort));
    page.push_str(&provenance::section(cohort));
    page.push_str("</main>\n");
    put(
        &mut page,
        format_args!(
            "<footer>Made {} by {}. Not a medical device.</footer>\n<script>\n(() => {{\n\"use strict\";\nconst SETUP = {};\n{}}})();\n</script>\n</body>\n</html>\n",
            utc(cohort.made_unix_s),
            html(crate::version::WRITER),
            script_json(&Setup::new()),
            SCRIPTS.join("\n")
        ),
    );
    page
}

/// The constants that the scripts take from the program.
#[derive(serde::Serialize)]
struct Setup {
    /// Colours of 256 scores from 0 to 1: red, green and blue of each in turn.
    colours: Vec<u8>,
    /// Opacity of the heatmap when the page opens, 0 to 1.
    opacity: f32,
}

impl Setup {
    fn new() -> Self {
        let step = |step: u8| colour_of(f32::from(step) / 255.0);
        Self { colours: (0..=255).flat_map(step).collect(), opacity: OPACITY }
    }
}

fn header(cohort: &CohortContent) -> String {
    let mut head = format!(
        "<header>\n<h1>{}</h1>\n<p class=\"path\">{}</p>\n<nav aria-label=\"Sections\"><a href=\"#slides\">Slides</a>",
        html(&cohort.name),
        html(&cohort.root)
    );
    head.push_str(" <a href=\"#quality\">Quality</a>");
    if cohort.study.is_some() {
        head.push_str(" <a href=\"#study\">ShownStudy</a>");
    }
    head.push_str(" <a href=\"#provenance\">Provenance</a></nav>\n<ul class=\"tiles\">\n");
    for (value, label) in tiles(cohort) {
        put(
            &mut head,
            format_args!(
                "<li><strong>{}</strong> <span>{}</span></li>\n",
                html(&value),
                html(&label)
            ),
        );
    }
    head.push_str("</ul>\n");
    for warning in &cohort.warnings {
        put(&mut head, format_args!("<p class=\"warning\">{}</p>\n", html(warning)));
    }
    head.push_str("</header>\n");
    head
}

/// The run's main numbers as (value, label), shown at the top of the page.
fn tiles(cohort: &CohortContent) -> Vec<(String, String)> {
    let mut tiles = vec![(grouped(cohort.slides.len() as u64), "slides".to_owned())];
    for (state, count) in cohort.counts() {
        tiles.push((grouped(count as u64), format!("{} {}", state.sign(), state.name())));
    }
    let written = cohort.cost.stages.iter().map(|stage| stage.written_bytes).sum();
    tiles.push((grouped(cohort.tally.windows), "windows scored".to_owned()));
    tiles.push((significant(cohort.core_hours()), "core-hours".to_owned()));
    tiles.push((bytes(written), "written".to_owned()));
    tiles
}

#[cfg(test)]
mod tests;
