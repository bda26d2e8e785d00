//! A small run with everything that a report shows.

use std::fs;
use std::path::PathBuf;

use ndarray::Array3;

use crate::common::Case;

/// A name with characters that are special in HTML, addresses and scripts.
pub(crate) const ODD: &str = "odd <b>&'\" #50%? é";
/// Level-0 px of every slide.
pub(crate) const SIZE: [usize; 2] = [640, 480];
/// The spot that scores high: left, top, right, bottom, level-0 px.
pub(crate) const SPOT: [usize; 4] = [352, 128, 448, 192];

/// Brown tissue with a margin of glass, and in it, for `spot`, blue: the network
/// scores about what is blue.
fn tissue(spot: bool) -> Array3<u8> {
    Array3::from_shape_fn((SIZE[1], SIZE[0], 3), |(y, x, channel)| {
        let inside = |[left, top, right, bottom]: [usize; 4]| {
            (left..right).contains(&x) && (top..bottom).contains(&y)
        };
        // A weave, so that a picture of it has something to compare.
        let weave = u8::try_from((x / 16 + y / 16) % 2 * 12).unwrap();
        match () {
            () if spot && inside(SPOT) => [90, 40, 250][channel],
            () if inside([96, 64, 544, 416]) => [180, 90, 60][channel] + weave,
            () => 250,
        }
    })
}

/// Slides `spot`, [`ODD`], `glass` and `broken`, taken to heatmaps in `run`; of
/// [`ODD`] a group has failed, and its heatmap was made without. Truth about `spot` in `truth`.
pub(crate) fn run(case: &Case) -> PathBuf {
    let folder = case.path("slides");
    fs::create_dir_all(&folder).unwrap();
    case.slide("slides/spot.png", &tissue(true));
    case.slide(&format!("slides/{ODD}.png"), &tissue(false));
    case.slide("slides/glass.png", &Array3::from_elem((SIZE[1], SIZE[0], 3), 250));
    let whole = fs::read(folder.join("spot.png")).unwrap();
    fs::write(folder.join("broken.png"), &whole[..whole.len() / 2]).unwrap();
    truth(case);
    case.config(
        "config.toml",
        "centre32",
        "mpp = 1.0\n[slides]\nmpp = 0.5\n[tissue]\nmethod = \"otsu-s\"\n[tiling]\ntile = 16\nblock = 2\npatches_per_group = 20\n[predict]\nstride = 8\nengine = \"tract\"\nthreads = 1\n[stitch]\npng = false\n",
    );
    let run = case.path("run");
    // One slide is broken: the rest is done.
    case.slidegrid("run -q --run run --config config.toml slides").exits(5);
    fs::remove_file(run.join("scores").join(ODD).join("t2.h5")).unwrap();
    fs::remove_file(run.join("heatmaps").join(format!("{ODD}.h5"))).unwrap();
    let failure = run.join("logs/predict").join(format!("{ODD}_t2.failed"));
    fs::create_dir_all(failure.parent().unwrap()).unwrap();
    fs::write(failure, "t2: <script>alert(1)</script> & \"such\"\n").unwrap();
    case.slidegrid("stitch -q --run run --allow-missing --slide").arg(ODD).exits(5);
    run
}

/// The spot, drawn; the other slides are listed as normal.
fn truth(case: &Case) {
    let [left, top, right, bottom] = SPOT;
    let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
    let points: String = (corners.iter().enumerate())
        .map(|(order, (x, y))| format!("<Coordinate Order=\"{order}\" X=\"{x}\" Y=\"{y}\"/>"))
        .collect();
    case.write("truth/spot.xml", format!(
        "<ASAP_Annotations><Annotations><Annotation Name=\"a\" Type=\"Polygon\" PartOfGroup=\"_0\"><Coordinates>{points}</Coordinates></Annotation></Annotations></ASAP_Annotations>"
    ));
    case.write("truth/reference.csv", "image,type\nspot,Tumor\nglass,Normal\nbroken,Normal\n");
}

/// Runs `slidegrid report` with more arguments and returns its output.
pub(crate) fn report(case: &Case, more: &[&str]) -> String {
    case.slidegrid("report -q --run run --truth truth").args(more).done().stdout
}
