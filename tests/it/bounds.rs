//! Slides whose scanned area is a part of their plane: GeoJSON counts from the corner of that
//! area, as QuPath does, and all else from the corner of the plane.

use std::io::Read;

use serde_json::Value;
use slidegrid::heatmap_h5::read_heatmap_meta;

use crate::common::{Case, needs, reference};

/// The corner of the scanned area of 512 x 384 px, level-0 px.
const BOUNDS: [f64; 2] = [400.0, 800.0];

/// An outline on the area, counted from the corner of the area.
const RING: [[f64; 2]; 4] = [[64.0, 48.0], [448.0, 80.0], [400.0, 336.0], [96.0, 304.0]];

/// A run over `leica.scn`, with its heatmap.
fn scanned() -> Case {
    needs::openslide();
    let case = Case::new();
    let slide = case.path("leica.scn");
    let sizes = ["1600", "2400", "400", "800", "512", "384"];
    reference::printed("bounds_slide.py", [slide.to_str().unwrap()].into_iter().chain(sizes));
    let keys = "[tissue]\nmethod = \"threshold\"\nsaturation_threshold = 20\n\
        [tiling]\ntile = 64\nblock = 2\n[predict]\nstride = 32\nengine = \"tract\"\n\
        [stitch]\nexport = [\"geojson\", \"csv\"]\ngeojson_min_score = 0.0\n";
    case.config("c.toml", "centre32", keys);
    case.slidegrid("run --run run --config c.toml leica.scn").done();
    case
}

fn geojson(ring: &[[f64; 2]]) -> String {
    let closed: Vec<_> = ring.iter().chain(&ring[..1]).collect();
    serde_json::json!({"type": "FeatureCollection", "features": [{
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [closed]},
        "properties": {"classification": {"name": "Tumor"}},
    }]})
    .to_string()
}

fn asap(ring: &[[f64; 2]]) -> String {
    let points: String = ring
        .iter()
        .enumerate()
        .map(|(at, [x, y])| format!("<Coordinate Order=\"{at}\" X=\"{x}\" Y=\"{y}\" />"))
        .collect();
    format!(
        "<?xml version=\"1.0\"?><ASAP_Annotations><Annotations><Annotation Name=\"a\" Type=\"Polygon\" PartOfGroup=\"Tumor\"><Coordinates>{points}</Coordinates></Annotation></Annotations><AnnotationGroups/></ASAP_Annotations>"
    )
}

fn on_the_plane() -> Vec<[f64; 2]> {
    RING.iter().map(|[x, y]| [x + BOUNDS[0], y + BOUNDS[1]]).collect()
}

/// The corners of all objects of an export.
fn corners(case: &Case, name: &str) -> Vec<[f64; 2]> {
    let packed = std::fs::File::open(case.path(name)).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    let features = file["features"].as_array().unwrap();
    let rings = features.iter().map(|feature| feature["geometry"]["coordinates"][0].clone());
    rings.flat_map(|ring| serde_json::from_value::<Vec<[f64; 2]>>(ring).unwrap()).collect()
}

#[test]
fn outlines_of_qupath_land_on_the_scanned_area() {
    let case = scanned();
    let meta = read_heatmap_meta(&case.path("run/heatmaps/leica.h5")).unwrap();
    assert_eq!(meta.lineage.bounds_px, Some([400, 800]));
    case.write("area/leica.geojson", geojson(&RING));
    case.write("plane/leica.geojson", geojson(&on_the_plane()));
    case.write("asap/leica.xml", asap(&on_the_plane()));
    let hits = |truth: &str, note: bool| {
        let line =
            format!("study dice run/heatmaps/leica.h5 --truth {truth} --thresholds 0.0 --json");
        let outcome = case.slidegrid(&line).done();
        let says = outcome.stderr.contains("slide's bounds at (400, 800)");
        assert_eq!(says, note, "{outcome:?}");
        let rows: Value = serde_json::from_str(&outcome.stdout).unwrap();
        rows[0]["true_positives"].as_u64().unwrap()
    };
    let expected = hits("asap", false);
    // The ring has 0.7 of the area's lattice points, of which tissue has all.
    assert!((60..120).contains(&expected), "{expected}");
    assert_eq!(hits("area", true), expected);
    assert_eq!(hits("plane --origin plane", false), expected);
    // Counted from the wrong corner, nothing is hit: so the numbers above mean something.
    assert_eq!(hits("area --origin plane", false), 0);
}

#[test]
fn a_study_and_the_report_count_from_the_bounds_too() {
    let case = scanned();
    for name in ["b", "c", "d"] {
        std::fs::copy(case.path("leica.scn"), case.path(&format!("{name}.scn"))).unwrap();
    }
    case.slidegrid("run --run run b.scn c.scn d.scn").done();
    for name in ["leica", "b"] {
        case.write(&format!("truth/{name}.geojson"), geojson(&RING));
    }
    let list = "image,type\nleica,Tumor\nb,Tumor\nc,Normal\nd,Normal\n";
    case.write("truth/reference.csv", list);
    let study = "study --run run --truth truth --strides 32 --set study.itc_um=0";
    case.slidegrid(study).done().mentions(&["truth/b.geojson", "slide's bounds at (400, 800)"]);
    case.slidegrid("report --run run --truth truth").done();
    let layers = std::fs::read_dir(case.path("run/report/slides")).unwrap();
    let drawn = layers.map(|slide| slide.unwrap().path().join("layers.js"));
    let drawn: Vec<_> = drawn.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let moved = drawn.iter().filter(|layers| layers.contains("464.0,848.0,848.0,880.0")).count();
    assert_eq!((moved, drawn.len()), (2, 4), "{drawn:?}");
    // From the corner of the plane, the outlines lie on glass, where nothing is scored.
    let covered = |out: &str| case.read(&format!("{out}/lesions.csv"));
    case.slidegrid(&format!("{study} --set slides.origin=\"plane\" --out other")).done();
    assert_ne!(covered("run/study"), covered("other"));
}

#[test]
fn exports_for_qupath_count_from_the_bounds() {
    let case = scanned();
    let from_bounds = corners(&case, "run/heatmaps/leica.geojson.gz");
    assert!(!from_bounds.is_empty());
    let line = "export --run run --all --format geojson --origin plane --out plane";
    case.slidegrid(line).done();
    let from_plane = corners(&case, "plane/leica.geojson.gz");
    let moved: Vec<_> = from_bounds.iter().map(|[x, y]| [x + 400.0, y + 800.0]).collect();
    assert_eq!(moved, from_plane);
    // The lattice of the plane, cell by cell.
    assert!(from_plane.iter().flatten().all(|at| (at - 16.0) % 32.0 == 0.0), "{from_plane:?}");
    case.slidegrid("run --run other --config c.toml leica.scn --set slides.origin=\"plane\"")
        .done();
    assert_eq!(corners(&case, "other/heatmaps/leica.geojson.gz"), from_plane);
    // Tables of coordinates are those of OpenSlide.
    assert_eq!(case.read("run/heatmaps/leica.csv"), case.read("other/heatmaps/leica.csv"));
}
