//! The demonstration networks on slides outside their training data: they distinguish tumor
//! from normal tissue, while the mean and spread of a colour do not.

use crate::common::Case;
use ndarray::{Array2, Array3, s};
use slidegrid::internal::synth::{Cohort, SyntheticSlide, make};
use slidegrid::internal::truth::{AnnotationGroups, Truth};
use slidegrid::metrics::auc::auc;
use slidegrid::metrics::raster::SampleGrid;
use slidegrid::slide::{self, Region};

const SIDE_PX: u32 = 4000;
const STRIDE_PX: u16 = 96;
const WINDOW_PX: usize = 224;
/// Points nearer to an outline than this have no certain label, as in training.
const BORDER_PX: f64 = 16.0;
/// Smallest area under the ROC curve for a network.
const MIN_AUC: f64 = 0.97;
/// Largest area under the ROC curve for a colour statistic, in either direction.
const MAX_COLOR_AUC: f64 = 0.85;

fn cohort() -> Cohort {
    Cohort {
        slides: 4,
        seed: 909, // neither of training nor of configs/models/evaluation.json
        width_px: SIDE_PX,
        height_px: SIDE_PX,
        um_per_px: 0.25,
        tumor_fraction: 0.5,
        threads: 2,
        force: false,
    }
}

/// Whether each lattice point is tumor; `None` within [`BORDER_PX`] of an outline.
fn labels(made: &SyntheticSlide, rows: usize, cols: usize) -> Array2<Option<bool>> {
    let Some(path) = &made.truth else {
        return Array2::from_elem((rows, cols), Some(false));
    };
    let truth = Truth::read(path, &AnnotationGroups::default(), [0.0; 2]).unwrap().truth;
    let side = |n: usize| u32::try_from(n).unwrap();
    let shifted = |x: f64, y: f64| {
        let lattice = SampleGrid::lattice(side(rows), side(cols), f64::from(STRIDE_PX));
        truth.raster(&SampleGrid { origin: [x, y], ..lattice }).unwrap().to_array()
    };
    let centre = shifted(0.0, 0.0);
    let around = (0..8_u8).map(|eighth| {
        let (sin, cos) = (f64::from(eighth) * std::f64::consts::FRAC_PI_4).sin_cos();
        shifted(BORDER_PX * cos, BORDER_PX * sin)
    });
    around.fold(centre.mapv(Some), |mut labels, mask| {
        labels.zip_mut_with(&mask, |label, &inside| *label = label.filter(|&was| was == inside));
        labels
    })
}

/// Mean and standard deviation of red, green and blue of the window centred on
/// (x, y), of a slide `[row, col, rgb]`, by every fourth pixel of every fourth row;
/// 0 to 255.
fn colors(pixels: &Array3<u8>, x: usize, y: usize) -> [f64; 6] {
    let around =
        |at: usize, limit: usize| at.saturating_sub(WINDOW_PX / 2)..(at + WINDOW_PX / 2).min(limit);
    let (height, width, _) = pixels.dim();
    let window = pixels.slice(s![around(y, height); 4, around(x, width); 4, ..]).mapv(f64::from);
    let mut found = [0.0; 6];
    for (channel, values) in window.axis_iter(ndarray::Axis(2)).enumerate() {
        found[channel] = values.mean().unwrap();
        found[3 + channel] = values.std(0.0);
    }
    found
}

fn pixels(made: &SyntheticSlide) -> Array3<u8> {
    let side = SIDE_PX as usize;
    let mut pixels = Array3::zeros((side, side, 3));
    let out = pixels.as_slice_mut().unwrap();
    let whole = Region::new(0, 0, SIDE_PX, SIDE_PX);
    slide::open(&made.slide).unwrap().read_region(0, whole, out).unwrap();
    pixels
}

#[test]
fn demo_networks_find_tumor_on_new_slides_where_colour_does_not() {
    let case = Case::new();
    let made = make(&cohort(), &case.path("demo"), |_| {}).unwrap();
    for network in ["demo-valid", "demo-padded"] {
        let config = case.write(
            &format!("{network}.toml"),
            format!(
                "[model]\ncard = \"{}/configs/models/{network}.toml\"\n\
                 [predict]\nstride = {STRIDE_PX}\n[stitch]\npng = false\n",
                env!("CARGO_MANIFEST_DIR")
            ),
        );
        case.run(network, &config, &case.path("demo/slides"), &[]);
    }

    let (mut truth, mut scores, mut features) = (vec![], [vec![], vec![]], vec![]);
    for slide in &made {
        let maps = ["demo-valid", "demo-padded"].map(|network| case.heatmap(network, &slide.name));
        let (rows, cols) = maps[0].dim();
        let pixels = pixels(slide);
        for ((row, col), label) in labels(slide, rows, cols).indexed_iter() {
            let Some(tumor) = label.filter(|_| !maps[0][[row, col]].is_nan()) else { continue };
            truth.push(tumor);
            for (scores, map) in scores.iter_mut().zip(&maps) {
                scores.push(f64::from(map[[row, col]]));
            }
            let px = |index: usize| index * usize::from(STRIDE_PX);
            features.push(colors(&pixels, px(col), px(row)));
        }
    }
    let tumors = truth.iter().filter(|&&tumor| tumor).count();
    assert!(tumors >= 50 && truth.len() >= 1000, "{tumors} of {}", truth.len());

    let reached = scores.map(|scores| auc(&truth, &scores).unwrap().auc);
    assert!(reached.iter().all(|&auc| auc > MIN_AUC), "demo-valid, demo-padded: {reached:?}");
    let by_color: Vec<f64> = (0..6)
        .map(|feature| {
            let values: Vec<f64> = features.iter().map(|of| of[feature]).collect();
            let auc = auc(&truth, &values).unwrap().auc;
            auc.max(1.0 - auc)
        })
        .collect();
    assert!(
        by_color.iter().all(|&auc| auc < MAX_COLOR_AUC),
        "mean r, g, b, deviation r, g, b: {by_color:?}"
    );
}
