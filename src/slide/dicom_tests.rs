use super::*;

/// An element with a short length (explicit) or any (implicit).
fn element(tag: u32, kind: &str, value: &[u8], is_explicit: bool) -> Vec<u8> {
    let mut bytes = [(tag >> 16) as u16, tag as u16].map(u16::to_le_bytes).concat();
    let mut value = value.to_vec();
    if value.len() % 2 == 1 {
        value.push(if kind == "UI" { 0 } else { b' ' });
    }
    if is_explicit {
        bytes.extend(kind.as_bytes());
        bytes.extend((value.len() as u16).to_le_bytes());
    } else {
        bytes.extend((value.len() as u32).to_le_bytes());
    }
    bytes.extend(value);
    bytes
}

/// A sequence of open length with an item of open length, which holds such a sequence.
fn sequence(tag: u32, is_explicit: bool) -> Vec<u8> {
    let head = |tag: u32| {
        let mut bytes = [(tag >> 16) as u16, tag as u16].map(u16::to_le_bytes).concat();
        if is_explicit {
            bytes.extend(b"SQ\0\0");
        }
        bytes.extend(OPEN_END.to_le_bytes());
        bytes
    };
    let mark = |tag: u32, length: u32| {
        let tag = [(tag >> 16) as u16, tag as u16].map(u16::to_le_bytes).concat();
        [tag, length.to_le_bytes().to_vec()].concat()
    };
    // An identifier within the sequence is not that of the file.
    let inner = element(SERIES_UID, "UI", b"9.9", is_explicit);
    let closed = [mark(ITEM, inner.len() as u32), inner.clone()].concat();
    let nested = [head(0x0040_0001), closed, mark(SEQUENCE_END, 0)].concat();
    [head(tag), mark(ITEM, OPEN_END), inner, nested, mark(ITEM_END, 0), mark(SEQUENCE_END, 0)]
        .concat()
}

fn file(syntax: &str, class: &str, container: &[u8], sets: &[u8]) -> Vec<u8> {
    let is_explicit = syntax != IMPLICIT;
    let mut bytes = vec![0; 128];
    bytes.extend(b"DICM");
    bytes.extend(element(STORAGE_CLASS, "UI", class.as_bytes(), true));
    bytes.extend(element(TRANSFER_SYNTAX, "UI", syntax.as_bytes(), true));
    bytes.extend(element(CHARACTER_SET, "CS", sets, is_explicit));
    bytes.extend(sequence(0x0008_1115, is_explicit));
    bytes.extend(element(SERIES_UID, "UI", b"1.2.34", is_explicit));
    bytes.extend(sequence(0x0020_9221, is_explicit));
    bytes.extend(element(CONTAINER, "LO", container, is_explicit));
    bytes
}

fn series(container: Option<&str>) -> Option<DicomFile> {
    let container = container.map(str::to_owned);
    Some(DicomFile::Slide(DicomSeries { uid: "1.2.34".into(), container }))
}

#[test]
fn the_series_is_read_from_the_header() {
    let jpeg = "1.2.840.10008.1.2.4.50";
    for syntax in [jpeg, IMPLICIT, "1.2.840.10008.1.2.1"] {
        let name = series(Some("S-1"));
        assert_eq!(parse(&file(syntax, WHOLE_SLIDE, b" S-1", b"ISO_IR 100")), name, "{syntax}");
        assert_eq!(parse(&file(syntax, WHOLE_SLIDE, b"  ", b"")), series(None));
    }
    let latin = parse(&file(jpeg, WHOLE_SLIDE, b"\xe4", b"ISO_IR 100"));
    assert_eq!(latin, series(Some("\u{e4}")));
    let utf8 = parse(&file(jpeg, WHOLE_SLIDE, "\u{e4}".as_bytes(), b"ISO_IR 192"));
    assert_eq!(utf8, series(Some("\u{e4}")));
    let segmentation = "1.2.840.10008.5.1.4.1.1.66.4";
    assert_eq!(parse(&file(jpeg, segmentation, b"S-1", b"")), Some(DicomFile::Other));
    assert_eq!(parse(&file("1.2.840.10008.1.2.2", WHOLE_SLIDE, b"S-1", b"")), None);
}

#[test]
fn a_header_that_is_cut_short_or_damaged_ends_the_reading() {
    let whole = file("1.2.840.10008.1.2.4.50", WHOLE_SLIDE, b"S-1", b"");
    for end in 0..whole.len() {
        let found = parse(&whole[..end]);
        assert!(
            found.is_none() || found == series(None) || found == Some(DicomFile::Other),
            "{end}"
        );
    }
    for at in 132..whole.len() {
        for value in [0, 0x7f, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] = value;
            let _ = parse(&damaged);
        }
    }
}

#[test]
fn names_of_archives_may_be_dicom() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = file("1.2.840.10008.1.2.4.50", WHOLE_SLIDE, b"S-1", b"");
    for name in ["a.dcm", "b.DICOM", "I0001", "1.2.840.3"] {
        let path = folder.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(dicom_file(&path), series(Some("S-1")), "{name}");
    }
    for name in ["a.svs", ".hidden", "b.TIF"] {
        let path = folder.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(dicom_file(&path), None, "{name}");
    }
    std::fs::write(folder.path().join("text"), "no DICOM").unwrap();
    assert_eq!(dicom_file(&folder.path().join("text")), None);
    assert_eq!(dicom_file(folder.path()), None);
}
