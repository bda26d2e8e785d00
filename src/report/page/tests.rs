//! Tests on the pages of made-up runs.

use super::super::cohort::{CohortContent, CohortSlide, SlideState};
use super::super::picture::Origin;
use super::super::slide_content::DrawnSummary;
use super::super::tally::Tally;
use super::*;
use crate::jobs::cost::RunCost;
use crate::jobs::state::RunState;
use crate::jobs::status::SlideProgress;
use crate::jobs::view::{SlideView, UndoneItem, view_of};
use crate::number::GroupNumber;
use crate::run_dir::{SlideRecord, SlideStatus};
use crate::scores::{CascadeMeta, DenseMeta};

fn group(number: u32) -> GroupNumber {
    GroupNumber::try_from(number).unwrap()
}

fn view(name: &str, missing: &[u32]) -> SlideView {
    let files = SlideProgress {
        note: String::new(),
        name: name.into(),
        split: "done",
        reason: String::new(),
        groups: 4,
        scored: 4 - missing.len(),
        missing: missing.iter().map(|&k| group(k)).collect(),
        begun: Vec::new(),
        failed: Vec::new(),
        heatmap: missing.is_empty(),
        heatmap_without: Vec::new(),
        unnormalized_patches: 0,
        lower_precision: None,
        several_engines: None,
        screen: None,
        partial: None,
        stitch_failure: None,
        heatmap_unread: None,
    };
    view_of(files, &RunState::default())
}

fn entry(name: &str, status: SlideStatus, view: SlideView, tally: Tally) -> CohortSlide {
    let record = SlideRecord { name: name.into(), status, ..SlideRecord::default() };
    let drawn = DrawnSummary {
        origin: Origin::Patches,
        max: Some(0.75),
        scored: 9,
        detections: Some(2),
        has_truth: false,
        notes: Vec::new(),
        damaged: false,
    };
    CohortSlide::new(view, record, tally, drawn)
}

fn cohort(slides: Vec<CohortSlide>) -> CohortContent {
    let mut tally = Tally::default();
    slides.iter().for_each(|slide| tally.merge(&slide.tally));
    CohortContent {
        name: "a <run>".into(),
        root: "/data/a <run>".into(),
        made_unix_s: 0.0,
        slides,
        tally,
        cost: RunCost { stages: Vec::new(), retries: None },
        tasks_svg: None,
        config: None,
        study: None,
        detection: "regions".into(),
        warnings: vec!["SLURM <silent>".into()],
    }
}

#[test]
fn the_worst_state_of_a_slide_is_shown() {
    let state = |status, view: SlideView, failed_patches| {
        let tally = Tally { failed_patches, ..Tally::default() };
        entry("a", status, view, tally).state
    };
    let undone = |k| UndoneItem {
        stage: "predict",
        group: Some(group(k)),
        reason: None,
        words: "gone".into(),
        log: Some("logs/predict/a.7.log".into()),
    };
    let ended = SlideView { ended: vec![undone(2)], ..view("a", &[2]) };
    let stuck = SlideView { stuck: vec![undone(2)], ..view("a", &[2]) };
    let running = SlideView { running: vec![group(2)], ..view("a", &[2]) };
    let mut without = view("a", &[]);
    without.files.heatmap_without = vec![group(3)];
    let found = [
        state(SlideStatus::Failed, view("a", &[]), 0),
        state(SlideStatus::Done, ended, 0),
        state(SlideStatus::Done, stuck, 0),
        state(SlideStatus::Done, without, 0),
        state(SlideStatus::Partial, view("a", &[]), 0),
        state(SlideStatus::Done, view("a", &[]), 1),
        state(SlideStatus::NoTissue, view("a", &[]), 0),
        state(SlideStatus::Done, running, 0),
        state(SlideStatus::Done, view("a", &[2]), 0),
        state(SlideStatus::Done, view("a", &[]), 0),
    ];
    let names = found.map(SlideState::name);
    let expected = [
        "failed",
        "failed",
        "stuck",
        "incomplete",
        "partial",
        "partial",
        "no-tissue",
        "running",
        "waiting",
        "done",
    ];
    assert_eq!(names, expected);
}

#[test]
fn facts_and_quality_show_failures_residuals_and_audits() {
    let scored = |cascade, rms, kind: &str| Tally {
        cascade: Some(cascade),
        dense: Some(DenseMeta { rms, p99: 3.0 * rms, tolerance: 0.1, ..DenseMeta::default() }),
        failed_patches: 3,
        unnormalized_patches: 5,
        unnormalized: [(kind.to_owned(), 5)].into(),
        normalize: ["macenko, scope patch".to_owned()].into(),
        hosts: [("node<7>".to_owned(), (4, 7200.0))].into(),
        cpu_s: 7200.0,
        ..Tally::default()
    };
    let cascade = CascadeMeta { refined: 10, screened: 940, audited: 50, ..CascadeMeta::default() };
    let slides = vec![
        entry(
            "a",
            SlideStatus::Done,
            view("a", &[]),
            scored(cascade, 0.03, "too <little> tissue; scored"),
        ),
        entry(
            "b",
            SlideStatus::Done,
            view("b", &[]),
            scored(cascade, 0.01, "one colour; not scored"),
        ),
    ];
    let facts = facts_js(&slides[0]);
    // 1 - 0.05^(1/50) = 5.82 %: the bound of one slide is wider than that of the whole run.
    assert!(facts.contains("0 of 50 points missed: at most 5.82 % (95 %)"), "{facts}");
    assert!(facts.contains("[\"Windows spared\",\"94 %\"]"), "{facts}");
    assert!(facts.contains("5 x too \\u003clittle> tissue; scored"), "{facts}");
    assert!(facts.contains("0.03 root mean square, 99 % within 0.09 (tolerance 0.1)"), "{facts}");
    let page = index_html(&cohort(slides));
    for expected in [
        "94 % of the points needed no window of their own: 1\u{202f}880 screened, 20 refined, 100 audited",
        "0 of 100 audited points were at 0.5 or above: at most 2.95 % of the points that the screen ruled out are",
        "by 0.03 (root mean square) on the worst slide",
        "<dt>Failed patches</dt><dd>6, on 2 slides</dd>",
        "Normalised by macenko, scope patch. The stains could not be determined on 10 patches.",
        "<td>too &lt;little&gt; tissue; scored</td><td>5</td>",
        "<td>node&lt;7&gt;</td><td>8</td><td>4</td>",
        "<title>a &lt;run&gt; - slidegrid</title>",
        "<p class=\"warning\">SLURM &lt;silent&gt;</p>",
        "<strong>4</strong> <span>core-hours</span>",
        "<td data-sort=\"2\">2</td>",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    assert!(!page.contains("a <run>") && !page.contains("node<7>"));
}

#[test]
fn sections_and_columns_without_content_are_left_out() {
    let page =
        index_html(&cohort(vec![entry("a", SlideStatus::Done, view("a", &[]), Tally::default())]));
    for absent in
        ["id=\"study\"", "Normalised", "Cascade", ">Truth</button>", "run.toml", ">Failed</button>"]
    {
        assert!(!page.contains(absent), "{absent}");
    }
    assert_eq!(page.matches("<tr data-folder").count(), 1);
    // A run without slides has a page, too.
    assert!(index_html(&cohort(Vec::new())).contains("<strong>0</strong> <span>slides</span>"));
}

#[test]
fn the_page_uses_the_colours_of_the_rendered_heatmaps() {
    let setup = Setup::new();
    assert_eq!(setup.colours.len(), 768);
    assert_eq!(setup.colours[..3], colour_of(0.0));
    assert_eq!(setup.colours[765..], colour_of(1.0));
}
