//! The list of facts about one slide, shown beside its view.

use super::super::cohort::CohortSlide;
use super::super::names::script_json;
use super::super::picture::Origin;
use super::super::tally::spared;
use super::numbers::{bytes, grouped, significant};

/// The content of a slide's `facts.js`, which passes a list of (name, value) to the page.
pub(in super::super) fn facts_js(slide: &CohortSlide) -> String {
    let mut facts: Vec<(&str, String)> = Vec::new();
    let mut add = |name, value: Option<String>| {
        facts.extend(value.filter(|value| !value.is_empty()).map(|value| (name, value)));
    };
    let record = &slide.record;
    add("Status", Some(format!("{} {}", slide.state.sign(), slide.state.name())));
    add("Why", Some(slide.why()));
    let logs: Vec<String> = (slide.view.ended.iter().chain(&slide.view.stuck))
        .filter_map(|undone| undone.log.as_ref().map(|log| log.display().to_string()))
        .collect();
    add("Logs", Some(logs.join("\n")));
    add("Slide file", Some(record.path.display().to_string()));
    add("Read by", Some(record.reader.clone()));
    add("Colour profile", Some(record.icc.clone()));
    let size = record.level0_width.zip(record.level0_height);
    add("Size", size.map(|(w, h)| format!("{w} x {h} px")));
    let source = &record.mpp_source;
    add("Resolution", record.mpp.map(|mpp| format!("{mpp} um per px ({source})")));
    let plane = record.width.zip(record.height).zip(record.downsample);
    let plane = plane.map(|((w, h), downsample)| {
        format!("{w} x {h} px, each as wide as {} level-0 px", significant(downsample))
    });
    add("Working plane", plane);
    add("Largest score", slide.drawn.max.map(|max| format!("{max:.4}")));
    add("Points scored", Some(grouped(slide.drawn.scored)));
    if let Some(study) = &slide.study {
        add("Slide score", Some(format!("{:.4}", study.score)));
        let hit = format!("{} of {}", study.lesions_hit, study.lesions);
        add("Lesions hit", (study.lesions > 0).then_some(hit));
        add("False positives", Some(study.false_positives.to_string()));
    }
    let tumor = |is_tumor| if is_tumor { "tumor" } else { "normal" }.to_owned();
    add("Truth", slide.is_tumor.map(tumor));
    add("Tissue tiles", record.tissue_tiles.map(|n| grouped(n as u64)));
    let differs = record.tissue_differs.map(|differ| {
        let count = |tiles: Option<usize>| grouped(tiles.unwrap_or(0) as u64);
        format!(
            "differs on {} % of the tiles that one of the two masks marks: {} left out, {} without texture",
            significant(100.0 * differ),
            count(record.tissue_left_out),
            count(record.tissue_added)
        )
    });
    add("Tissue by texture", differs);
    add("Tissue settings of this slide", Some(record.tissue_settings.clone()));
    add("Patches", record.patches.map(|n| grouped(n as u64)));
    let failed = slide.failed_patches();
    add("Failed patches", (failed > 0).then(|| grouped(failed)));
    let files = &slide.view.files;
    add("Groups scored", Some(format!("{} of {}", files.scored, files.groups)));
    add_scores(slide, &mut add);
    if let Origin::Slide = slide.drawn.origin {
        add("Picture", Some("made from the slide file".into()));
    }
    format!("slidegrid.facts({}, {});\n", script_json(&slide.folder), script_json(&facts))
}

/// Adds the facts from the slide's score files.
fn add_scores(slide: &CohortSlide, add: &mut impl FnMut(&'static str, Option<String>)) {
    let tally = &slide.tally;
    let kinds = tally.unnormalized.iter().map(|(kind, n)| format!("{n} x {kind}"));
    add("Stains not determined", Some(kinds.collect::<Vec<_>>().join("\n")));
    add(
        "Dense residual",
        tally.dense.as_ref().filter(|dense| !dense.exact).map(|dense| {
            let forced = match (dense.forced, dense.open.is_empty()) {
                (true, _) => ", used nevertheless",
                (false, false) => "; not used: the sample does not determine the fit",
                (false, true) => "",
            };
            format!(
                "{} root mean square, 99 % within {} (tolerance {}{forced})",
                significant(dense.rms),
                significant(dense.p99),
                significant(dense.tolerance)
            )
        }),
    );
    if let Some(cascade) = &tally.cascade {
        let bound = crate::scores::missed_bound(cascade.missed, cascade.audited);
        let share = |share: f64| format!("{} %", significant(100.0 * share));
        add("Windows spared", Some(share(spared(cascade))));
        let found = format!(
            "{} of {} points missed: at most {} (95 %)",
            cascade.missed,
            grouped(cascade.audited),
            share(bound)
        );
        add("Audit", Some(found));
        add("Cascade", Some(cascade.summary()));
        let all_points = cascade.bound.map(|bound| {
            format!(
                "at most {} of the slide's points missed (95 %; {} allowed), {} drawn",
                share(cascade.missed_bound_of_slide()),
                share(bound),
                grouped(cascade.drawn)
            )
        });
        add("Audit of all points", all_points);
        let sure_points = cascade.refine_to.map(|from| {
            let bound = crate::scores::missed_bound(cascade.refuted, cascade.audited_high);
            format!(
                "{} of {} points screened at {} or above were below 0.5: at most {} (95 %)",
                cascade.refuted,
                grouped(cascade.audited_high),
                significant(from),
                share(bound)
            )
        });
        add("Audit of sure points", sure_points);
    }
    let lower = slide.view.files.lower_precision.as_ref();
    let precision = lower.map(|lower| {
        let (max, mean) = (significant(lower.deviation_max), significant(lower.deviation_mean));
        format!(
            "{}: up to {max} from f32, {mean} on average ({} windows)",
            lower.precision, lower.sample_windows
        )
    });
    add("Precision", precision);
    add("Core-hours", Some(significant(slide.core_hours())));
    let peak = tally.peak_rss_bytes;
    add("Most memory", (peak > 0).then(|| bytes(peak)));
    let hosts: Vec<&str> = tally.hosts.keys().map(String::as_str).collect();
    add("Hosts", Some(hosts.join(", ")));
}
