use std::fs;

use std::path::PathBuf;

use super::*;

fn write(name: &str, text: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn area(name: &str, text: &[u8]) -> Result<usize, TruthError> {
    let (_folder, path) = write(name, text);
    let truth = Truth::read(&path, &AnnotationGroups::default(), [0.0; 2])?.truth;
    let truth = truth.covering(&path, 20.0, 20.0)?;
    Ok(truth.raster(&SampleGrid::pixels(20.0, 20.0, 1.0)).unwrap().area())
}

fn xml(annotations: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><ASAP_Annotations><Annotations>{annotations}</Annotations><AnnotationGroups/></ASAP_Annotations>"
    )
}

fn annotation(group: &str, corners: [[u32; 2]; 4]) -> String {
    let mut text = format!(
        "<Annotation Name=\"A &amp; B\" Type=\"Polygon\" PartOfGroup=\"{group}\" Color=\"#F4FA58\"><Coordinates>"
    );
    // The points are out of order, which the format allows.
    for order in [2, 0, 3, 1] {
        let [x, y] = corners[order];
        text += &format!("<Coordinate Order=\"{order}\" X=\"{x}.0\" Y=\"{y},0\" />");
    }
    text + "</Coordinates></Annotation>"
}

fn square(from: u32, to: u32) -> [[u32; 2]; 4] {
    [[from, from], [to, from], [to, to], [from, to]]
}

#[test]
fn the_same_shape_in_any_format_gives_the_same_mask() {
    let annotations = annotation("_2", square(6, 8)) + &annotation("_0", square(4, 14));
    assert_eq!(area("a.xml", xml(&annotations).as_bytes()).unwrap(), 96);
    let feature = |class: &str, rings: &str| {
        format!(
            "{{\"type\":\"Feature\",\"geometry\":{{\"type\":\"Polygon\",\"coordinates\":[{rings}]}},\"properties\":{{\"classification\":{{\"name\":\"{class}\"}}}}}}"
        )
    };
    let whole = "[[4,4],[14,4],[14,14],[4,14],[4,4]]";
    let hole = "[[6,6],[8,6],[8,8],[6,8],[6,6]]";
    let holed = feature("Tumor", &format!("{whole},{hole}"));
    assert_eq!(area("a.geojson", holed.as_bytes()).unwrap(), 96);
    let two = format!(
        "{{\"type\":\"FeatureCollection\",\"features\":[{},{}]}}",
        feature("Ignore*", hole),
        feature("tumor", whole)
    );
    assert_eq!(area("a.json", two.as_bytes()).unwrap(), 96);
    let mut packed = vec![0; 4096];
    let length = libdeflater::Compressor::new(libdeflater::CompressionLvl::default())
        .gzip_compress(two.as_bytes(), &mut packed)
        .unwrap();
    assert_eq!(area("a.geojson.gz", &packed[..length]).unwrap(), 96);
    let ncrf = "{\"positive\":[{\"name\":\"a\",\"vertices\":[[4,4],[14,4],[14,14],[4,14]]}],\"negative\":[{\"name\":\"b\",\"vertices\":[[6,6],[8,6],[8,8],[6,8]]}]}";
    assert_eq!(area("a.json", ncrf.as_bytes()).unwrap(), 96);
    // A mask of half the size, each of its pixels 2 x 2.
    let mut picture = image::GrayImage::new(10, 10);
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let inside = |from, to| (from..to).contains(&x) && (from..to).contains(&y);
        pixel.0 = [u8::from(inside(2, 7) && !inside(3, 4))];
    }
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    assert_eq!(area("a.png", bytes.get_ref()).unwrap(), 96);
}

#[test]
fn errors_say_what_was_found_and_what_to_do() {
    let good = xml(&annotation("_0", square(2, 5)));
    let message = |name: &str, text: &str| area(name, text.as_bytes()).unwrap_err().to_string();
    let other = message("a.xml", &good.replace("_0", "Stroma"));
    assert!(other.contains("\"Stroma\"") && other.contains("--lesion-group"), "{other}");
    assert!(message("a.xml", &good.replace("Y=\"2,0\"", "Y=\"two\"")).contains("\"two\""));
    assert!(message("a.xml", &good[..good.len() / 2]).contains("cut short"));
    assert!(message("a.xml", "<other/>").contains("ASAP_Annotations"));
    assert!(message("a.geojson", "{").contains("not GeoJSON"));
    let unclassified =
        "[{\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1,0],[1,1]]]}}]";
    let unclassified = message("a.geojson", unclassified);
    assert!(
        unclassified.contains("\"none\"") && unclassified.contains("feature 1"),
        "{unclassified}"
    );
    assert!(message("a.png", "no picture").contains("not a picture"));
}

/// The area of a file's lesions, and its notes.
fn area_and_notes(name: &str, text: &str) -> (usize, String) {
    let (_folder, path) = write(name, text.as_bytes());
    let TruthFile { truth, notes } =
        Truth::read(&path, &AnnotationGroups::default(), [0.0; 2]).unwrap();
    (truth.raster(&SampleGrid::pixels(20.0, 20.0, 1.0)).unwrap().area(), notes.join("\n"))
}

#[test]
fn shapes_without_area_are_left_out_and_named() {
    let click = "<Annotation Name=\"_8\" Type=\"Polygon\" PartOfGroup=\"_0\"><Coordinates><Coordinate Order=\"0\" X=\"1\" Y=\"1\"/><Coordinate Order=\"1\" X=\"2\" Y=\"2\"/></Coordinates></Annotation>";
    let dot = annotation("_0", square(4, 14)).replace("Polygon", "Dot");
    let (area, note) =
        area_and_notes("a.xml", &xml(&format!("{click}{dot}{}", annotation("_0", square(4, 14)))));
    assert_eq!(area, 100);
    assert!(
        note.contains("a.xml") && note.contains("\"_8\"") && note.contains("\"Dot\""),
        "{note}"
    );

    let feature = |geometry: &str, class: &str| {
        format!(
            "{{\"type\":\"Feature\",\"geometry\":{geometry},\"properties\":{{\"classification\":{class}}}}}"
        )
    };
    let polygon = "{\"type\":\"Polygon\",\"coordinates\":[[[4,4],[14,4],[14,14],[4,14],[4,4]]]}";
    let features = [
        feature("{\"type\":\"LineString\",\"coordinates\":[[0,0],[9,9]]}", "null"),
        feature("{\"type\":\"Point\",\"coordinates\":[3,3]}", "null"),
        feature("null", "null"),
        feature("{\"type\":\"Polygon\",\"coordinates\":[[[1,1],[2,2],[1,1]]]}", "\"Tumor\""),
        feature(
            &format!(
                "{{\"type\":\"GeometryCollection\",\"geometries\":[{polygon},{{\"type\":\"Point\",\"coordinates\":[1,1]}}]}}"
            ),
            "\"Tumor\"",
        ),
    ];
    let (area, note) = area_and_notes("a.geojson", &format!("[{}]", features.join(",")));
    assert_eq!(area, 100);
    for part in
        ["feature 1", "LineString", "feature 2", "feature 3", "feature 4", "feature 5", "Point"]
    {
        assert!(note.contains(part), "{part} missing in {note}");
    }
    let ncrf = "{\"positive\":[{\"vertices\":[[1,1],[2,2]]},{\"vertices\":[[4,4],[14,4],[14,14],[4,14]]}]}";
    let (area, note) = area_and_notes("a.json", ncrf);
    assert!(area == 100 && note.contains("positive polygon 1"), "{note}");
}

#[test]
fn a_class_may_be_an_object_a_name_or_an_object_as_text() {
    for class in [
        "\"Tumor\"",
        "{\"name\":\"Tumor\"}",
        "\"{\\\"name\\\": \\\"Tumor\\\"}\"",
        "{\"names\":[\"Tumor\",\"Positive\"]}",
    ] {
        let text = format!(
            "[{{\"geometry\":{{\"type\":\"Polygon\",\"coordinates\":[[[4,4],[14,4],[14,14],[4,14]]]}},\"properties\":{{\"classification\":{class}}}}}]"
        );
        assert_eq!(area_and_notes("a.geojson", &text), (100, String::new()), "{class}");
    }
}

#[test]
fn an_area_that_is_drawn_twice_stays_inside_in_asap() {
    let mut twice =
        "<Annotation Name=\"a\" Type=\"Polygon\" PartOfGroup=\"_0\"><Coordinates>".to_owned();
    for (order, [x, y]) in square(4, 14).into_iter().chain(square(4, 14)).enumerate() {
        twice += &format!("<Coordinate Order=\"{order}\" X=\"{x}\" Y=\"{y}\"/>");
    }
    assert_eq!(
        area("a.xml", xml(&(twice + "</Coordinates></Annotation>")).as_bytes()).unwrap(),
        100
    );
}

#[test]
fn imagescope_files_have_layers_regions_and_negative_regions() {
    let vertices = |points: &[[u32; 2]]| -> String {
        points.iter().map(|[x, y]| format!("<Vertex X=\"{x}\" Y=\"{y},0\" Z=\"0\"/>")).collect()
    };
    let region = |kind: u32, negative: u32, points: &[[u32; 2]]| {
        format!(
            "<Region Id=\"1\" Type=\"{kind}\" NegativeROA=\"{negative}\"><Vertices>{}</Vertices></Region>",
            vertices(points)
        )
    };
    let text = format!(
        "<Annotations MicronsPerPixel=\"0.25\"><Annotation Id=\"1\" Name=\"Tumor\"><Regions>{}{}{}</Regions></Annotation></Annotations>",
        region(0, 0, &square(4, 14)),
        region(1, 1, &square(6, 8)),
        region(4, 0, &[[0, 0], [20, 20]]),
    );
    let (area, note) = area_and_notes("a.xml", &text);
    assert_eq!(area, 96);
    assert!(note.contains("type 4"), "{note}");
    let ellipse = format!(
        "<Annotations><Annotation Name=\"Tumor\"><Regions>{}</Regions></Annotation></Annotations>",
        region(2, 0, &[[2, 2], [18, 18]])
    );
    let (area, _) = area_and_notes("a.xml", &ellipse);
    assert!((190..212).contains(&area), "{area}");
}

#[test]
fn truth_beside_the_slide_does_not_touch_it() {
    let ring = |x: f64| {
        Truth::Outlines(vec![Outline {
            rings: vec![vec![[x, 1.0], [x + 5.0, 1.0], [x, 9.0]]],
            ..Outline::default()
        }])
    };
    assert!(ring(-4.0).touches(20.0, 20.0) && ring(19.0).touches(20.0, 20.0));
    assert!(!ring(-6.0).touches(20.0, 20.0) && !ring(20.0).touches(20.0, 20.0));
}

#[test]
fn groups_may_be_spelled_tumor_or_tumour() {
    for group in ["Tumor", "TUMOUR", "tumour"] {
        assert_eq!(area("a.xml", xml(&annotation(group, square(2, 5))).as_bytes()).unwrap(), 9);
    }
    let groups = AnnotationGroups {
        lesion: vec!["Tumour cells".to_owned()],
        excluded: vec!["necrotic tumor".to_owned()],
        values: Vec::new(),
    };
    let excludes = |group: &str| groups.excludes(Path::new("a.xml"), group, "annotation \"a\"");
    assert!(!excludes("tumor cells").unwrap() && excludes("Necrotic tumour").unwrap());
    assert!(excludes("tumor").is_err());
}

#[test]
fn truth_files_are_found_by_the_name_of_the_slide() {
    let (folder, path) = write("s.1_mask.png", b"");
    assert_eq!(find(folder.path(), "s.1").unwrap(), Some(path.clone()));
    assert_eq!(find(folder.path(), "s").unwrap(), None);
    assert_eq!(slide_name(&path).as_deref(), Some("s.1"));
    assert_eq!(slide_name(Path::new("x/tumor_001.geojson.gz")).as_deref(), Some("tumor_001"));
    assert_eq!(slide_name(Path::new("x/reference.csv")), None);
}

#[test]
fn slide_lists_have_a_header_or_the_column_order_of_camelyon16() {
    let kinds = |text: &str| {
        let (_folder, path) = write("reference.csv", text.as_bytes());
        read_slide_list(&path).map(|slides| {
            slides.into_iter().map(|slide| (slide.name, slide.is_tumor)).collect::<Vec<_>>()
        })
    };
    let expected = vec![("test_001".to_owned(), true), ("test_003".to_owned(), false)];
    assert_eq!(kinds("test_001,Tumor,IDC,Macro\ntest_003.tif,Normal,None\n").unwrap(), expected);
    assert_eq!(kinds("no,truth,slide\n0,1,test_001\n1,0,test_003\n").unwrap(), expected);
    assert_eq!(kinds("test_001,Tumour\ntest_003,normal\n").unwrap(), expected);
    assert_eq!(kinds("slide,is_tumour\ntest_001,1\ntest_003,0\n").unwrap(), expected);
    let message = kinds("test_001,perhaps\n").unwrap_err().to_string();
    assert!(message.contains("line 1") && message.contains("perhaps"), "{message}");
    assert!(kinds("a,Tumor\na,Normal\n").unwrap_err().to_string().contains("twice"));
}

#[test]
fn a_shape_alone_is_geojson() {
    let folder = tempfile::tempdir().unwrap();
    let groups =
        AnnotationGroups { lesion: vec![UNGROUPED.to_owned()], ..AnnotationGroups::default() };
    let ring = "[[[1,1],[9,1],[9,5],[1,1]]]";
    let texts = [
        format!(r#"{{"type":"Polygon","coordinates":{ring}}}"#),
        format!(r#"{{"coordinates":[{ring}],"type":"MultiPolygon"}}"#),
        format!(
            r#"{{"type":"GeometryCollection","geometries":[{{"type":"Polygon","coordinates":{ring}}}]}}"#
        ),
    ];
    for (number, text) in texts.iter().enumerate() {
        let path = folder.path().join(format!("{number}.geojson"));
        std::fs::write(&path, text).unwrap();
        let file = Truth::read(&path, &groups, [0.0; 2]).unwrap();
        assert_eq!(file.truth.extent(), Some([9.0, 5.0]), "{text}");
    }
    let path = folder.path().join("f.geojson");
    std::fs::write(&path, r#"{"type":"Feature","geometry":null,"properties":{}}"#).unwrap();
    let notes = Truth::read(&path, &groups, [0.0; 2]).unwrap().notes;
    assert!(notes[0].contains("has no geometry"), "{notes:?}");
}
