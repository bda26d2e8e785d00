//! Colour normalisation in a run, with a network that scores the pixel at its window's centre,
//! so that a heatmap shows the pixels that reached the network.

use ndarray::{Array2, Array3, Axis, s};
use slidegrid::internal::colour_template;
use slidegrid::internal::normalize::{ColourMethod, ColourTransform, normalize_patch};
use slidegrid::internal::run_dir::{RunDir, read_slides};
use slidegrid::patches::PatchesFile;
use slidegrid::scores::read_scores;

use crate::common::cli::Slidegrid;
use crate::common::{Case, assert_same, seal};
use crate::normalize::pictures::{FIRST, SECOND, bytes};

const STRIDE: usize = 8;

/// The score of the `centre32` network for a pixel.
fn score(pixel: &[u8]) -> f32 {
    let [r, g, b] = [0, 1, 2].map(|c| f32::from(pixel[c]));
    (r + 256.0 * g + 65536.0 * b) / 16_777_216.0
}

fn expected(slide: &Array3<u8>) -> Array2<f32> {
    let (rows, cols, _) = slide.dim();
    Array2::from_shape_fn((rows.div_ceil(STRIDE), cols.div_ceil(STRIDE)), |(r, c)| {
        score(&slide.slice(s![r * STRIDE, c * STRIDE, ..]).to_vec())
    })
}

/// A run with one slide and a template.
struct Colour {
    case: Case,
    slide: Array3<u8>,
}

impl Colour {
    fn new(slide: Array3<u8>) -> Self {
        let case = Case::new();
        case.slide("slide.png", &slide);
        case.slide("template.png", &FIRST.tissue(200, 200, 1));
        Self { case, slide }
    }

    fn run(&self, run: &str, method: &str, more: &str) -> Slidegrid {
        self.run_of(("centre32", "window"), run, method, more)
    }

    /// By a network and a method of prediction.
    fn run_of(
        &self,
        (model, predict): (&str, &str),
        run: &str,
        method: &str,
        more: &str,
    ) -> Slidegrid {
        self.case.config(
            "config.toml",
            model,
            &format!(
                "mpp = \"level0\"\n[tissue]\nmethod = \"all\"\n[tiling]\ntile = 64\nblock = 2\npatches_per_group = 2\n\
                 [predict]\nstride = {STRIDE}\nengine = \"tract\"\nthreads = 2\nmethod = {predict:?}\n\
                 [normalize]\nmethod = {method:?}\ntemplate = \"template.png\"\n{more}"
            ),
        );
        self.case.slidegrid(&format!("run --quiet --run {run} --config config.toml slide.png"))
    }

    fn patches(&self, run: &str) -> PatchesFile {
        PatchesFile::open(&self.case.path(run).join("patches/slide.h5")).unwrap()
    }

    /// The slide changed pixel by pixel, by the estimate in its patch file.
    fn by_slide(&self, run: &str, method: ColourMethod) -> Array3<u8> {
        let target = colour_template::read(&self.case.path("template.png"), method, false).unwrap();
        let colours = self.patches(run).colours().unwrap().unwrap();
        assert_eq!(colours.method, method);
        let transform = ColourTransform::new(&colours.estimate.unwrap(), &target).unwrap();
        let mut rgb = bytes(&self.slide);
        transform.apply(&mut rgb);
        Array3::from_shape_vec(self.slide.dim(), rgb).unwrap()
    }

    /// (patches that failed, lines of /unnormalized) of all groups.
    fn account(&self, run: &str) -> (u64, Vec<String>) {
        let (mut failed, mut lines) = (0, Vec::new());
        for group in self.patches(run).group_numbers() {
            let path = RunDir::new(&self.case.path(run)).scores("slide", group);
            let meta = read_scores(&path).unwrap().meta;
            assert!(meta.normalize.starts_with("macenko, scope "), "{}", meta.normalize);
            assert_eq!(meta.unnormalized_patches, meta.unnormalized.len() as u64);
            failed += meta.failed_patches;
            for patch in meta.unnormalized.into_values() {
                let scored = patch.kind.expect("a new file has codes").scored;
                assert_eq!(scored, !patch.reason.ends_with("; not scored"), "{patch:?}");
                lines.push(patch.reason);
            }
        }
        (failed, lines)
    }
}

#[test]
fn a_slide_is_changed_pixel_by_pixel_without_seams() {
    let colour = Colour::new(SECOND.tissue(300, 270, 4));
    for method in ColourMethod::ALL {
        let name = method.name();
        colour.run(name, name, "").done();
        let shown = colour.case.heatmap(name, "slide");
        assert_same(&shown, &expected(&colour.by_slide(name, method)), 0.0);
        assert!(shown != expected(&colour.slide), "{method} changed nothing");
    }
}

#[test]
fn the_estimate_of_a_slide_depends_on_no_tiling() {
    let colour = Colour::new(SECOND.tissue(300, 270, 4));
    let estimate = |run: &str, set: &str| {
        colour.case.config(
            "config.toml",
            "centre32",
            &format!(
                "[tissue]\nmethod = \"all\"\n[tiling]\ntile = 64\n{set}\n\
             [normalize]\nmethod = \"vahadane\"\ntemplate = \"template.png\"\n"
            ),
        );
        let split = format!("split --quiet --run {run} --config config.toml slide.png");
        colour.case.slidegrid(&split).done();
        colour.patches(run).colours().unwrap().unwrap()
    };
    let one = estimate("one", "block = 1\npatches_per_group = 3");
    assert_eq!(one, estimate("four", "block = 4\ncompression = \"gzip\""));
    assert!(one.estimate.is_ok());
}

#[test]
fn patches_are_changed_by_their_own_estimates() {
    let colour = Colour::new(SECOND.tissue(256, 256, 4));
    let more = "scope = \"patch\"\non_failure = \"raw\"\n";
    colour.run("patch", "macenko", more).done();
    let target =
        colour_template::read(&colour.case.path("template.png"), ColourMethod::Macenko, false)
            .unwrap();
    let mut changed = colour.slide.clone();
    let patches = colour.patches("patch");
    for group in patches.group_numbers() {
        let reader = patches.group(group).unwrap();
        let (side, halo) = (reader.patch_px(), reader.halo_px());
        for (index, place) in reader.coords.iter().enumerate() {
            let mut rgb = vec![0; reader.patch_bytes()];
            reader.read_patch(index, &mut rgb).unwrap();
            normalize_patch(&mut rgb, &target).unwrap();
            let patch = Array3::from_shape_vec((side, side, 3), rgb).unwrap();
            let block = patch.slice(s![halo..side - halo, halo..side - halo, ..]);
            let [y, x] =
                [place.y_px, place.x_px].map(|px| usize::try_from(px + halo as i64).unwrap());
            let rows = block.len_of(Axis(0)).min(256 - y);
            let cols = block.len_of(Axis(1)).min(256 - x);
            changed.slice_mut(s![y..y + rows, x..x + cols, ..]).assign(&block.slice(s![
                ..rows,
                ..cols,
                ..
            ]));
        }
    }
    assert_same(&colour.case.heatmap("patch", "slide"), &expected(&changed), 0.0);
}

/// Tissue on the left, empty glass on the right.
fn half_glass() -> Array3<u8> {
    let mut slide = Array3::from_elem((256, 512, 3), 244);
    slide.slice_mut(s![.., ..256, ..]).assign(&SECOND.tissue(256, 256, 4).slice(s![.., .., ..]));
    slide
}

#[test]
fn unknown_stains_follow_the_policy_and_are_counted() {
    let colour = Colour::new(half_glass());
    let right = s![.., 48..];
    for (policy, exit) in [("raw", 0), ("slide-estimate", 0), ("fail", 5)] {
        let more = format!("scope = \"patch\"\non_failure = {policy:?}\n");
        colour.run(policy, "macenko", &more).exits(exit);
        let shown = colour.case.heatmap(policy, "slide").slice(right).to_owned();
        let (failed, lines) = colour.account(policy);
        assert!(!lines.is_empty() && lines.len() < 8, "{policy}: {lines:?}");
        assert!(lines.iter().all(|line| line.contains("too little tissue")), "{lines:?}");
        match policy {
            "raw" => assert_same(&shown, &expected(&colour.slide).slice(right).to_owned(), 0.0),
            "fail" => {
                assert!(shown.iter().all(|score| score.is_nan()));
                assert_eq!(failed, lines.len() as u64);
            }
            _ => {
                let changed = expected(&colour.by_slide(policy, ColourMethod::Macenko));
                assert_same(&shown, &changed.slice(right).to_owned(), 0.0);
            }
        }
        if policy != "fail" {
            assert_eq!(failed, 0, "{policy}");
        }
        let left = colour.case.heatmap(policy, "slide").slice(s![.., ..16]).to_owned();
        assert!(left.iter().all(|score| !score.is_nan()), "{policy}");
        // A second run of the command finds everything done and repeats the warning.
        colour.run(policy, "macenko", &more).exits(exit);
    }
}

#[test]
fn a_slide_of_glass_alone_is_partial_and_says_why() {
    let colour = Colour::new(Array3::from_elem((200, 200, 3), 244));
    colour.run("fail", "macenko", "").exits(5);
    let rows = read_slides(&RunDir::new(&colour.case.path("fail"))).unwrap();
    assert!(rows[0].reason.contains("too little tissue"), "{}", rows[0].reason);
    let lines = colour.account("fail").1;
    assert!(!lines.is_empty());
    assert!(lines.iter().all(|line| line.contains("no estimate of the slide")), "{lines:?}");
    assert!(colour.case.heatmap("fail", "slide").iter().all(|score| score.is_nan()));
    colour.run("raw", "macenko", "on_failure = \"raw\"\n").exits(5);
    assert_same(&colour.case.heatmap("raw", "slide"), &expected(&colour.slide), 0.0);
}

#[test]
fn a_patch_file_without_colours_says_what_to_do() {
    let colour = Colour::new(SECOND.tissue(256, 256, 4));
    colour.run("run", "macenko", "").done();
    let run = colour.case.path("run");
    seal::edit(&run.join("patches/slide.h5"), |file| file.delete_attr("colour_method").unwrap());
    std::fs::remove_dir_all(run.join("scores")).unwrap();
    let predict = colour.case.slidegrid("predict --quiet --run run --slide slide --group 1");
    predict.exits(3).mentions(&[
        "slide.h5",
        "no colour estimate",
        "split the slide again",
        "scope = \"patch\"",
    ]);
}

#[test]
fn a_colour_profile_is_applied_if_configured_and_its_absence_recorded() {
    let colour = Colour::new(SECOND.tissue(128, 128, 4));
    let path = colour.case.path("slide.png");
    let with_profile = |profile: moxcms::ColorProfile| {
        use image::ImageEncoder;
        let mut encoder =
            image::codecs::png::PngEncoder::new(std::fs::File::create(&path).unwrap());
        encoder.set_icc_profile(profile.encode().unwrap()).unwrap();
        let rgb = bytes(&colour.slide);
        encoder.write_image(&rgb, 128, 128, image::ExtendedColorType::Rgb8).unwrap();
    };
    let config = colour.case.config(
        "config.toml",
        "centre32",
        "[tissue]\nmethod = \"all\"\n[tiling]\ntile = 64\n[predict]\nstride = 8\nengine = \"tract\"\n",
    );
    let run = |name: &str, icc: bool| {
        colour.case.run(name, &config, &path, &[&format!("normalize.icc={icc}")]);
        let rows = read_slides(&RunDir::new(&colour.case.path(name))).unwrap();
        (rows[0].icc.clone(), colour.case.heatmap(name, "slide"))
    };
    let stored = expected(&colour.slide);
    let (icc, shown) = run("absent", true);
    assert!(icc.starts_with("absent"), "{icc}");
    assert_same(&shown, &stored, 0.0);
    let provenance = colour.patches("absent").meta().provenance.clone();
    assert!(provenance["icc"].starts_with("absent"), "{provenance:?}");

    with_profile(moxcms::ColorProfile::new_adobe_rgb());
    let (icc, shown) = run("not-asked", false);
    assert_eq!(icc, "");
    assert_same(&shown, &stored, 0.0);
    let (icc, shown) = run("applied", true);
    assert!(icc.starts_with("applied"), "{icc}");
    assert!(shown != stored);
}

#[test]
fn dense_runs_and_cascades_see_the_colours_that_windows_see() {
    let colour = Colour::new(half_glass());
    for (scope, exit) in [("slide", 0), ("patch", 5)] {
        // A network without padding, so that the methods agree.
        let run = |method: &str| {
            let more = format!("scope = {scope:?}\non_failure = \"fail\"\n");
            let name = format!("{scope}-{method}");
            colour.run_of(("valid", method), &name, "macenko", &more).exits(exit);
            (colour.case.heatmap(&name, "slide"), colour.account(&name))
        };
        let (window, counted) = run("window");
        let lost = window.iter().filter(|score| score.is_nan()).count();
        assert_eq!(lost > 0, scope == "patch", "{scope}: {lost} lost");
        for method in ["dense", "cascade"] {
            let (shown, counts) = run(method);
            assert_same(&shown, &window, 1e-4);
            assert_eq!(counts, counted, "{scope}-{method}");
        }
    }
}
