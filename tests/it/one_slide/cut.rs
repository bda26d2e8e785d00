//! Pictures that are cut short or damaged. Decoders fill what is missing with grey.

use std::path::Path;

use image::ImageFormat;

use crate::common::Case;

/// Settings of a slide in one picture.
const KEYS: [&str; 1] = ["model.mpp=level0"];

/// `picture` written as `format`, and its bytes.
fn written(case: &Case, name: &str, format: ImageFormat) -> Vec<u8> {
    let picture = image::open(case.path("a.png")).unwrap().into_rgb8();
    let path = case.path(name);
    picture.save_with_format(&path, format).unwrap();
    std::fs::read(path).unwrap()
}

/// Splits `bad` together with a good slide; only the good one has patches.
#[track_caller]
fn assert_fails_alone(case: &Case, bad: &str) {
    drop(std::fs::remove_dir_all(case.path("run")));
    let line = format!("split -q --run run --config c.toml {bad} b.png");
    case.slidegrid(&line).set(&KEYS).exits(5).says(&[bad, "failed"]);
    let stem = Path::new(bad).file_stem().unwrap().to_str().unwrap();
    assert!(!case.path(&format!("run/patches/{stem}.h5")).exists());
    assert!(case.path("run/patches/b.h5").exists());
}

#[test]
fn a_picture_that_is_cut_short_fails_and_the_other_slide_is_done() {
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Tiff] {
        let case = Case::usual();
        let suffix = format.extensions_str()[0];
        let name = format!("cut.{suffix}");
        let whole = written(&case, &name, format);
        for share in [0.5, 0.8, 0.95] {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a length")]
            let length = (whole.len() as f64 * share) as usize;
            std::fs::write(case.path(&name), &whole[..length]).unwrap();
            assert_fails_alone(&case, &name);
        }
        // The last bytes of a JPEG are pixels too.
        if format == ImageFormat::Jpeg {
            std::fs::write(case.path(&name), &whole[..whole.len() - 2]).unwrap();
            assert_fails_alone(&case, &name);
        }
    }
}

#[test]
fn a_jpeg_with_a_hole_fails() {
    let case = Case::usual();
    let whole = written(&case, "hole.jpg", ImageFormat::Jpeg);
    let mut hole = whole.clone();
    let (from, to) = (whole.len() / 2, whole.len() * 3 / 4);
    hole[from..to].fill(0xFF);
    std::fs::write(case.path("hole.jpg"), hole).unwrap();
    assert_fails_alone(&case, "hole.jpg");
}

#[test]
fn a_template_of_colours_and_a_mask_that_are_cut_short_are_refused() {
    let case = Case::usual();
    let whole = written(&case, "template.jpg", ImageFormat::Jpeg);
    std::fs::write(case.path("template.jpg"), &whole[..whole.len() / 2]).unwrap();
    let config = case.read("c.toml");
    let keys = "[normalize]\nmethod = \"reinhard\"\ntemplate = \"template.jpg\"\n";
    case.write("n.toml", format!("{config}{keys}"));
    let split = case.slidegrid("split -q --run run --config n.toml a.png").set(&KEYS);
    split.exits(3).says(&["template.jpg", "a part of the picture is missing"]);
    let mask = case.slidegrid("split -q --run masked --config c.toml a.png");
    let mask = mask.set(&KEYS).set(&["tissue.method=mask", "tissue.mask=template.jpg"]);
    mask.exits(4).says(&["template.jpg", "a part of the picture is missing"]);
}
