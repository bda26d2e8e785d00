//! Small lesions of many places, sizes and seeds, scored by many networks. An ordinary test run
//! tries one of them, drawn from the seed; `--ignored` tries all.
//!
//! SLIDEGRID_SWEEP_CARDS: model cards, separated by commas (the demonstration networks
//! where there are none). SLIDEGRID_SWEEP_SLIDES: more slides, likewise.
//! SLIDEGRID_SWEEP_LESIONS: how many of the ten are made.
//! SLIDEGRID_SWEEP_STRIDES: strides, by default `64,16`; slides of more than 5,000 px are left
//! out at stride 16.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::lesion::Lesion;
use super::{heatmap_meta, run};
use crate::common::seed::{Random, seed};
use crate::common::{Case, repository};
use slidegrid::scores::Screen;

/// Ten of other places, sizes and seeds.
const LESIONS: [Lesion; 10] = [
    Lesion { seed: 12, size_px: 4000, side_px: 320, place: 0.5 },
    Lesion { seed: 13, size_px: 4000, side_px: 352, place: 0.1 },
    Lesion { seed: 14, size_px: 4000, side_px: 384, place: 0.9 },
    Lesion { seed: 15, size_px: 4000, side_px: 400, place: 0.3 },
    Lesion { seed: 16, size_px: 4000, side_px: 416, place: 0.7 },
    Lesion { seed: 17, size_px: 4000, side_px: 448, place: 0.2 },
    Lesion { seed: 18, size_px: 4000, side_px: 464, place: 0.8 },
    Lesion { seed: 21, size_px: 6000, side_px: 512, place: 0.6 },
    Lesion { seed: 22, size_px: 6000, side_px: 576, place: 0.4 },
    Lesion { seed: 23, size_px: 6000, side_px: 640, place: 0.5 },
];

const DEMO_CARDS: [&str; 2] = ["configs/models/demo-padded.toml", "configs/models/demo-valid.toml"];

/// Slides of longer sides are left out at stride 16, px.
const MAX_PX_AT_16: u32 = 5000;

fn list(name: &str) -> Vec<PathBuf> {
    let text = std::env::var(name).unwrap_or_default();
    text.split(',').filter(|item| !item.is_empty()).map(PathBuf::from).collect()
}

/// Slides with their sides, and what to call them.
fn slides(case: &Case, lesions: &[Lesion]) -> Vec<(PathBuf, u32, String)> {
    let mut slides = Vec::new();
    for &lesion in lesions {
        // A seed without room gives way to the next ones.
        let made = (0..20).find_map(|more| {
            let lesion = Lesion { seed: lesion.seed + 100 * more, ..lesion };
            let name = format!("lesion{}_{}/slide.png", lesion.seed, lesion.side_px);
            std::fs::create_dir_all(case.path(&name).parent().unwrap()).unwrap();
            Some((lesion.made(case, &name)?, lesion))
        });
        let (path, lesion) = made.unwrap_or_else(|| panic!("{lesion:?}: no room in 20 seeds"));
        slides.push((path, lesion.size_px, format!("{lesion:?}")));
    }
    for path in list("SLIDEGRID_SWEEP_SLIDES") {
        let side_px = slidegrid::slide::open(&path).unwrap().levels()[0].width_px;
        let name = path.display().to_string();
        // Runs call it by its stem.
        let link = case.path(&format!("given{}", slides.len()));
        std::fs::create_dir_all(&link).unwrap();
        let link = link.join("slide").with_extension(path.extension().unwrap_or_default());
        std::os::unix::fs::symlink(std::fs::canonicalize(&path).unwrap(), &link).unwrap();
        slides.push((link, side_px, name));
    }
    slides
}

#[test]
fn a_small_lesion_is_not_lost_silently() {
    let case = Case::new();
    let mut random = Random::new(seed());
    // The last ones are larger slides.
    let lesions = random.sample(LESIONS[..7].to_vec(), 1);
    let card = random.sample(DEMO_CARDS.to_vec(), 1)[0];
    let (slide, _, name) = slides(&case, &lesions).remove(0);
    let result = tried(&case, &repository(card), 64, &slide);
    assert!(!result.unreported, "seed {}, {card}, {name}: {}", seed(), result.line);
}

#[test]
#[ignore = "half an hour or more: CONTRIBUTING.md"]
fn no_small_lesion_is_lost_silently() {
    let case = Case::new();
    let mut cards = list("SLIDEGRID_SWEEP_CARDS");
    if cards.is_empty() {
        cards = DEMO_CARDS.map(repository).to_vec();
    }
    let strides: Vec<u32> = list("SLIDEGRID_SWEEP_STRIDES")
        .iter()
        .map(|stride| stride.to_string_lossy().parse().unwrap())
        .collect();
    let strides = if strides.is_empty() { vec![64, 16] } else { strides };
    let count =
        std::env::var("SLIDEGRID_SWEEP_LESIONS").map_or(LESIONS.len(), |n| n.parse().unwrap());
    let slides = slides(&case, &LESIONS[..count]);
    let mut unreported = Vec::new();
    for card in &cards {
        for &stride in &strides {
            for (slide, side_px, name) in &slides {
                if stride < 64 && *side_px > MAX_PX_AT_16 {
                    continue;
                }
                let result = tried(&case, card, stride, slide);
                let line = format!("{} stride {stride} {name}: {}", card.display(), result.line);
                println!("{line}");
                unreported.extend(result.unreported.then_some(line));
            }
        }
    }
    assert!(unreported.is_empty(), "lost without a word:\n{}", unreported.join("\n"));
}

struct SweepResult {
    line: String,
    unreported: bool,
}

/// Runs `window` and `cascade` and compares their heatmaps.
fn tried(case: &Case, card: &Path, stride: u32, slide: &Path) -> SweepResult {
    let config = |method: &str| {
        let text = format!(
            "[slides]\nmpp = 0.25\n[model]\ncard = {card:?}\n[tissue]\nmethod = \"otsu-s\"\n\
             [tiling]\nblock = 8\n[predict]\nstride = {stride}\nmethod = {method:?}\n[stitch]\npng = false\n"
        );
        case.write(&format!("{method}.toml"), text)
    };
    for name in ["window", "cascade"] {
        drop(std::fs::remove_dir_all(case.path(name)));
    }
    let started = Instant::now();
    run(case, "window", &config("window"), slide, &[]).done();
    let window_s = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let code = run(case, "cascade", &config("cascade"), slide, &[]).run().code.unwrap();
    assert!([0, 5].contains(&code), "exit code {code}");
    let cascade_s = started.elapsed().as_secs_f64();
    let (window, cascade) = (case.heatmap("window", "slide"), case.heatmap("cascade", "slide"));
    let above = window.iter().zip(&cascade).filter(|(window, _)| **window > 0.5);
    let (mut all, mut lost) = (0, 0);
    for (window, cascade) in above {
        // An exact score that rounding puts on the other side of 0.5 is not lost.
        let kept = *cascade >= 0.5 || (window - cascade).abs() < 1e-3;
        (all, lost) = (all + 1, lost + usize::from(!kept));
    }
    let meta = heatmap_meta(case, "cascade");
    let counts = meta.cascade.unwrap();
    let screen = match counts.screen {
        Screen::Dense => "dense".to_owned(),
        Screen::Windows { step_px } => format!("windows {step_px} px apart"),
    };
    let line = format!(
        "{all} above 0.5, {lost} lost, exit code {code}; screen {screen}, {} of {} points exact, {} drawn, {} missed, bound {:.4}; window {window_s:.0} s, cascade {cascade_s:.0} s",
        counts.exact(),
        counts.points(),
        counts.drawn,
        counts.missed,
        counts.missed_bound_of_slide()
    );
    SweepResult { line, unreported: all == 0 || (lost > 0 && code != 5) }
}
