//! DICOM files by their headers: which of them are one slide, and what the slide is called. Their
//! pixels are OpenSlide's.

use crate::common::Case;

/// A DICOM file without pixels: explicit VR, little-endian.
fn header(class: &str, series: &str, container: &str) -> Vec<u8> {
    let element = |group: u16, number: u16, kind: &str, value: &str| -> Vec<u8> {
        let mut value = value.as_bytes().to_vec();
        value.resize(value.len().next_multiple_of(2), b' ');
        let length = u16::try_from(value.len()).unwrap();
        let head = [group, number].map(u16::to_le_bytes).concat();
        [&head[..], kind.as_bytes(), &length.to_le_bytes(), &value].concat()
    };
    let mut bytes = vec![0; 128];
    bytes.extend(b"DICM");
    bytes.extend(element(2, 2, "UI", class));
    bytes.extend(element(2, 0x10, "UI", "1.2.840.10008.1.2.4.50"));
    bytes.extend(element(0x20, 0xe, "UI", series));
    bytes.extend(element(0x40, 0x512, "LO", container));
    bytes
}

const WHOLE_SLIDE: &str = "1.2.840.10008.5.1.4.1.1.77.1.6";
const ANNOTATION: &str = "1.2.840.10008.5.1.4.1.1.91.1";

/// Name and file of each row of slides.csv.
fn rows(case: &Case, run: &str) -> Vec<(String, String)> {
    let table = case.read(&format!("{run}/slides.csv"));
    let row = |line: &str| {
        let mut cells = line.split(',');
        let (name, path) = (cells.next().unwrap().to_owned(), cells.next().unwrap());
        let folder = format!("{}/", case.folder().canonicalize().unwrap().display());
        (name, path.replace(&folder, "").replace(&format!("{}/", case.folder().display()), ""))
    };
    table.lines().skip(1).map(row).collect()
}

fn case() -> Case {
    let case = Case::usual();
    let files = [
        ("study/I0001", "1.1", "S-1"),
        ("study/I0002", "1.1", "S-1"),
        ("study/a.dcm", "1.2", "S-2"),
        ("study/b.DICOM", "1.2", "S-2"),
        ("study/1.2.840.7", "1.3", "S/3"),
        ("study/x", "1.4", "twice"),
        ("study/y", "1.5", "twice"),
        ("study/z.dcm", "1.6", ""),
        ("study/dot.dcm", "1.7", ".hidden"),
    ];
    for (name, series, container) in files {
        case.write(name, header(WHOLE_SLIDE, series, container));
    }
    case.write("study/ann.dcm", header(ANNOTATION, "1.8", "S-1"));
    case.write("study/notes.txt", "no slide");
    case
}

fn named(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|&(name, path)| (name.to_owned(), format!("study/{path}"))).collect()
}

#[test]
fn a_series_is_one_slide_whatever_its_files_are_called() {
    let case = case();
    let outcome = case.slidegrid("split --run run --config c.toml study").run();
    let left = "2 files that are no slide are left out: ann.dcm, notes.txt";
    outcome.mentions(&[left, "2 of 9 DICOM files are further instances"]);
    let expected = [
        ("S_3", "1.2.840.7"),
        ("S-1", "I0001"),
        ("S-2", "a.dcm"),
        ("1.7", "dot.dcm"),
        ("1.4", "x"),
        ("1.5", "y"),
        ("1.6", "z.dcm"),
    ];
    assert_eq!(rows(&case, "run"), named(&expected));
    // Another file of a series that the run has is no other slide.
    case.slidegrid("split --run run study/b.DICOM study/I0002").run();
    assert_eq!(rows(&case, "run"), named(&expected));
    // A container that the run has already is that of another series.
    case.slidegrid("split --run other --config c.toml study/x").run();
    case.slidegrid("split --run other study").run();
    let mut names: Vec<_> = rows(&case, "other").into_iter().map(|(name, _)| name).collect();
    names.sort();
    assert_eq!(names, ["1.5", "1.6", "1.7", "S-1", "S-2", "S_3", "twice"]);
}

#[test]
fn a_manifest_names_a_series_once() {
    let case = case();
    let split = "split --run run --config c.toml --manifest t.csv";
    case.write("t.csv", "slide,id\nstudy/I0002,first\nstudy/b.DICOM,\n");
    case.slidegrid(&format!("{split} study/I0001 study/a.dcm")).run();
    assert_eq!(rows(&case, "run"), named(&[("first", "I0002"), ("S-2", "b.DICOM")]));
    case.write("t.csv", "slide,id\nstudy/I0002,first\nstudy/I0001,second\n");
    case.slidegrid(split).exits(4).mentions(&["study/I0001: the table has this slide twice"]);
    // A folder stands for the one slide in it.
    case.write("one/1.dcm", header(WHOLE_SLIDE, "2.1", "S-9"));
    case.write("one/2.dcm", header(WHOLE_SLIDE, "2.1", "S-9"));
    case.write("t.csv", "slide,id\none,\n");
    case.slidegrid(split).run();
    let last = rows(&case, "run").pop().unwrap();
    assert_eq!(last, ("S-9".to_owned(), "one/1.dcm".to_owned()));
    case.write("t.csv", "slide,id\nstudy,\n");
    case.slidegrid(split).exits(4).mentions(&["study is a folder with 7 slides", "name the file"]);
}
