//! `slidegrid normalize`.

use std::path::Path;

use ndarray::Array3;
use slidegrid::internal::colour_template::{self, StainsFile};
use slidegrid::internal::normalize::{ColourMethod, normalize_patch};

use crate::common::Case;
use crate::normalize::pictures::{FIRST, SECOND, bytes};

fn rgb(path: &Path) -> Vec<u8> {
    image::open(path).unwrap().to_rgb8().into_raw()
}

#[test]
fn pictures_get_the_colours_of_a_template() {
    let case = Case::new();
    let slide = SECOND.tissue(150, 220, 3);
    case.slide("a.b.png", &slide);
    let template = case.slide("template.png", &FIRST.tissue(200, 200, 1));
    case.slide("blank.png", &Array3::from_elem((50, 50, 3), 255));
    for method in ColourMethod::ALL {
        let out = case.path(method.name());
        let line =
            format!("normalize apply --method {method} --template template.png --out {method}");
        // The blank one cannot be.
        case.slidegrid(&format!("{line} a.b.png blank.png")).exits(5);
        let target = colour_template::read(&template, method, false).unwrap();
        let mut expected = bytes(&slide);
        normalize_patch(&mut expected, &target).unwrap();
        assert_eq!(rgb(&out.join("a.b.png")), expected);
        assert!(!out.join("blank.png").exists());
        // Nothing is overwritten.
        case.slidegrid(&format!("{line} a.b.png")).exits(4);
    }
}

#[test]
fn stains_fitted_to_a_cohort_are_a_template() {
    let case = Case::new();
    case.slide("a.png", &SECOND.tissue(150, 220, 3));
    case.slide("b.png", &FIRST.tissue(180, 200, 4));
    let out = case.path("stains.toml");
    let fit = "normalize fit --method vahadane --out stains.toml a.png b.png missing.png";
    case.slidegrid(fit).exits(5);
    let file = StainsFile::read(&out).unwrap();
    assert_eq!(file.sources, ["a.png", "b.png"]);
    assert_eq!(colour_template::read(&out, ColourMethod::Vahadane, false).unwrap(), file.estimate);
    let message =
        colour_template::read(&out, ColourMethod::Macenko, false).unwrap_err().to_string();
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
    case.slide("slide.png", &SECOND.tissue(1024, 1024, 3));
    case.slide("template.png", &FIRST.tissue(200, 200, 1));
    for (name, more) in [("slide-scope.png", ""), ("tiles.png", "--per-tile")] {
        let line = "normalize preview --method macenko --template template.png";
        case.slidegrid(&format!("{line} --out {name} slide.png {more}")).done();
        let picture = image::open(case.path(name)).unwrap().to_rgb8();
        assert!(picture.width() > 3 * 2 * 256 && picture.height() > 3 * 256);
    }
}
