//! `slidegrid normalize`.

use std::path::Path;

use ndarray::Array3;
use slidegrid::cli::Exit;
use slidegrid::colour_template::{self, StainsFile};
use slidegrid::normalize::{Method, normalize_patch};

use crate::common::Case;
use crate::normalize::pictures::{FIRST, SECOND, bytes};

fn rgb(path: &Path) -> Vec<u8> {
    image::open(path).unwrap().to_rgb8().into_raw()
}

#[test]
fn pictures_get_the_colours_of_a_template() {
    let case = Case::new();
    let (slide, out) = (SECOND.tissue(150, 220, 3), case.path("out"));
    let image = case.slide("a.b.png", &slide);
    let template = case.slide("template.png", &FIRST.tissue(200, 200, 1));
    let blank = case.slide("blank.png", &Array3::from_elem((50, 50, 3), 255));
    for method in Method::ALL {
        let out = out.join(method.name());
        let words: [&dyn AsRef<Path>; 8] = [
            &"normalize",
            &"apply",
            &"--method",
            &method.name(),
            &"--template",
            &template,
            &"--out",
            &out,
        ];
        let exit = case.slidegrid(&[&words[..], &[&image, &blank]].concat()).unwrap();
        assert_eq!(exit, Exit::Partial, "the blank one cannot be");
        let target = colour_template::read(&template, method, false).unwrap();
        let mut expected = bytes(&slide);
        normalize_patch(&mut expected, &target).unwrap();
        assert_eq!(rgb(&out.join("a.b.png")), expected);
        assert!(!out.join("blank.png").exists());
        // Nothing is overwritten.
        let exit = case.slidegrid(&[&words[..], &[&image]].concat()).unwrap();
        assert_eq!(exit, Exit::Input);
    }
}

#[test]
fn stains_fitted_to_a_cohort_are_a_template() {
    let case = Case::new();
    let slides = [
        case.slide("a.png", &SECOND.tissue(150, 220, 3)),
        case.slide("b.png", &FIRST.tissue(180, 200, 4)),
    ];
    let (out, missing) = (case.path("stains.toml"), case.path("missing.png"));
    let words: [&dyn AsRef<Path>; 9] = [
        &"normalize",
        &"fit",
        &"--method",
        &"vahadane",
        &"--out",
        &out,
        &slides[0],
        &slides[1],
        &missing,
    ];
    assert_eq!(case.slidegrid(&words).unwrap(), Exit::Partial);
    let file = StainsFile::read(&out).unwrap();
    assert_eq!(file.sources, ["a.png", "b.png"]);
    assert_eq!(colour_template::read(&out, Method::Vahadane, false).unwrap(), file.estimate);
    let message = colour_template::read(&out, Method::Macenko, false).unwrap_err().to_string();
    assert!(message.contains("fitted with vahadane"), "{message}");

    for (text, expected) in [
        ("version = 1", "version = 2"),
        ("strength = [", "strength = [-1.0, 2.0] # ["),
        ("format = ", "fromat = "),
    ]
    .map(|(from, to)| (std::fs::read_to_string(&out).unwrap().replace(from, to), to))
    {
        std::fs::write(case.path("bad.toml"), text).unwrap();
        let message = StainsFile::read(&case.path("bad.toml")).unwrap_err().to_string();
        assert!(message.contains("bad.toml"), "{expected}: {message}");
        assert!(message.contains("normalize fit"), "{expected}: {message}");
    }
}

#[test]
fn a_preview_shows_tiles_before_and_after() {
    let case = Case::new();
    let slide = case.slide("slide.png", &SECOND.tissue(1024, 1024, 3));
    let template = case.slide("template.png", &FIRST.tissue(200, 200, 1));
    for (name, more) in [("slide-scope.png", None), ("tiles.png", Some("--per-tile"))] {
        let out = case.path(name);
        let mut words: Vec<&dyn AsRef<Path>> = vec![
            &"normalize",
            &"preview",
            &"--method",
            &"macenko",
            &"--template",
            &template,
            &"--out",
            &out,
            &slide,
        ];
        if let Some(more) = &more {
            words.push(more);
        }
        case.slidegrid(&words).unwrap();
        let picture = image::open(&out).unwrap().to_rgb8();
        assert!(picture.width() > 3 * 2 * 256 && picture.height() > 3 * 256);
    }
}
