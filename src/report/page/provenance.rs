//! The section "Provenance": where the results come from and what they cost.

use std::collections::BTreeSet;

use super::super::cohort::CohortContent;
use super::super::names::{html, put};
use super::numbers::{bytes, count, grouped, significant, utc};
use super::study::picture;
use crate::jobs::cost::RunCost;

/// The list of hosts is folded up if it is longer than this.
const FEW_HOSTS: usize = 12;

/// The section as HTML.
pub(super) fn section(cohort: &CohortContent) -> String {
    let mut text = String::from(
        "<section id=\"provenance\" aria-labelledby=\"provenance-title\">\n<h2 id=\"provenance-title\">Provenance</h2>\n<dl class=\"facts\">\n",
    );
    for (name, value) in lines(cohort) {
        if !value.is_empty() {
            put(&mut text, format_args!("<dt>{name}</dt><dd>{}</dd>\n", html(&value)));
        }
    }
    text.push_str("</dl>\n<h3>Cost</h3>\n");
    cost(&mut text, &cohort.cost);
    if let Some(svg) = &cohort.tasks_svg {
        text.push_str("<div class=\"curves\">\n");
        text.push_str(&picture(svg, "Tasks of each stage running over time"));
        text.push_str("</div>\n");
    }
    hosts(&mut text, cohort);
    if let Some((_, config)) = &cohort.config {
        put(
            &mut text,
            format_args!(
                "<details><summary>Configuration (run.toml)</summary>\n<pre>{}</pre></details>\n",
                html(config)
            ),
        );
    }
    text.push_str("</section>\n");
    text
}

fn lines(cohort: &CohortContent) -> Vec<(&'static str, String)> {
    let tally = &cohort.tally;
    let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join("\n");
    let readers = cohort
        .readers()
        .into_iter()
        .map(|(reader, n)| format!("{reader}: {}", count(n, "slide", "slides")));
    let spans = || cohort.cost.stages.iter().flat_map(|stage| &stage.spans);
    let first = spans().map(|span| span.from_unix_s).reduce(f64::min);
    let last = spans().map(|span| span.to_unix_s).reduce(f64::max);
    let mut lines = vec![
        ("Run", cohort.root.clone()),
        (
            "Worked on",
            first.zip(last).map_or(String::new(), |(a, b)| format!("{} to {}", utc(a), utc(b))),
        ),
        ("Method", list(&tally.methods)),
        ("Engine", list(&tally.engines)),
        ("Scores written by", list(&tally.writers)),
        ("Slides read by", readers.collect::<Vec<_>>().join("\n")),
        ("Model, SHA-256", list(&tally.models)),
    ];
    if let Some((config, _)) = &cohort.config {
        let card = config.config.model.card.as_ref();
        lines.push(("Model card", card.map_or(String::new(), |card| card.display().to_string())));
        lines.push(("Window", format!("{} px", config.resolved.window)));
        lines.push(("Configuration, SHA-256", config.scores_sha256()));
        lines.push(("Run made by", config.resolved.writer.clone()));
    }
    lines.push(("Report made by", crate::version::WRITER.to_owned()));
    lines.push(("Detections", cohort.detection.clone()));
    lines
}

fn cost(text: &mut String, cost: &RunCost) {
    text.push_str("<div class=\"wide\"><table class=\"plain\"><thead><tr>");
    for heading in [
        "Stage",
        "Tasks",
        "Processor, h",
        "Cores x wall, h",
        "First start to last end, h",
        "Most cores",
        "Read",
        "Written",
    ] {
        put(text, format_args!("<th scope=\"col\">{heading}</th>"));
    }
    text.push_str("</tr></thead><tbody>\n");
    for stage in &cost.stages {
        let hours = |seconds: f64| significant(seconds / 3600.0);
        let untimed = match stage.untimed {
            0 => String::new(),
            n => format!(" ({n} without times, not counted in the sums)"),
        };
        put(
            text,
            format_args!(
                "<tr><td>{}</td><td>{}{untimed}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                stage.stage,
                grouped(stage.tasks as u64),
                hours(stage.serial_s),
                hours(stage.core_s),
                hours(stage.parallel_s),
                significant(stage.peak_cores),
                bytes(stage.read_bytes),
                bytes(stage.written_bytes)
            ),
        );
    }
    text.push_str("</tbody></table></div>\n");
    if let Some(retries) = cost.retries.as_ref().filter(|retries| retries.tries > 0) {
        put(
            text,
            format_args!(
                "<p>{} failed; {} core-hours were lost.</p>\n",
                count(retries.tries, "try", "tries"),
                significant(retries.lost_core_s / 3600.0)
            ),
        );
    }
}

fn hosts(text: &mut String, cohort: &CohortContent) {
    let hosts = &cohort.tally.hosts;
    if hosts.is_empty() {
        return;
    }
    let open = if hosts.len() <= FEW_HOSTS { " open" } else { "" };
    put(
        text,
        format_args!(
            "<details{open}><summary>Hosts ({})</summary>\n<table class=\"plain\"><thead><tr><th scope=\"col\">Host</th><th scope=\"col\">Groups</th><th scope=\"col\">Processor, h</th></tr></thead><tbody>\n",
            hosts.len()
        ),
    );
    for (host, (groups, cpu_s)) in hosts {
        put(
            text,
            format_args!(
                "<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                html(host),
                grouped(*groups),
                significant(cpu_s / 3600.0)
            ),
        );
    }
    text.push_str("</tbody></table></details>\n");
}
