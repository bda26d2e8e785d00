//! Slides that are not what they should be.

use std::time::Duration;

use ndarray::Array3;
use slidegrid::patches::PatchesFile;

use crate::bad_input::tiff;
use crate::common::case::SMALL;
use crate::common::{Case, noise};

#[test]
fn a_slide_that_does_not_exist() {
    let case = Case::usual();
    let alone = case.slidegrid("run --run alone --config c.toml none.svs");
    alone.exits(4).says(&["none.svs", "no such file", "check the path", "Nothing was registered"]);
    assert!(!case.path("alone/slides.csv").exists());
    case.slidegrid("run --run run --config c.toml a.png none.svs b.png").exits(4);
    assert!(!case.path("run/slides.csv").exists());
    // Of a list or a folder, a slide that is missing does not stop the others.
    case.write("list.txt", "a.png\nnone.svs\nb.png\n");
    let among = case.slidegrid("run --run run --config c.toml list.txt");
    among.exits(5).says(&["none.svs", "no such slide"]);
    assert!(case.path("run/heatmaps/a.h5").exists() && case.path("run/heatmaps/b.h5").exists());
    let row = case.read("run/slides.csv");
    assert!(row.lines().any(|l| l.starts_with("none,") && l.contains(",failed,")), "{row}");
    let status = case.slidegrid("status --run run").exits(5);
    assert!(status.stdout.contains("2 of 3 slides done, 1 failed"), "{}", status.stdout);
}

/// Opening a pipe waits for a writer, so a pipe in a folder of slides would stop a run for ever.
#[test]
fn a_pipe_is_no_slide_and_stops_nothing() {
    let case = Case::usual();
    std::fs::create_dir(case.path("s")).unwrap();
    std::fs::rename(case.path("a.png"), case.path("s/a.png")).unwrap();
    for name in ["pipe.png", "pipe.svs", "pipe.dcm", "pipe.vms"] {
        let made = std::process::Command::new("mkfifo").arg(case.path("s").join(name)).status();
        assert!(made.unwrap().success());
    }
    let limited = |line: &str| case.slidegrid(line).within(Duration::from_secs(60));
    limited("split --run alone --config c.toml s/pipe.png").exits(4).mentions(&["is a pipe"]);
    let names =
        ["s/pipe.png", "s/pipe.svs", "s/pipe.dcm", "s/pipe.vms"].map(|name| case.path(name));
    for (path, to) in names.iter().zip(["one.png", "two.svs", "three.dcm", "four.vms"]) {
        std::fs::rename(path, path.with_file_name(to)).unwrap();
    }
    let stderr = limited("run --run run --config c.toml s").exits(5).stderr;
    assert_eq!(stderr.matches("is a pipe").count(), 4, "{stderr}");
    assert!(case.path("run/heatmaps/a.h5").exists());
}

#[test]
fn errors_are_printed_even_with_quiet() {
    let case = Case::usual();
    case.write("list.txt", "a.png\nnone.svs\n");
    case.slidegrid("run -q --run run --config c.toml list.txt")
        .exits(5)
        .says(&["none.svs", "no such slide"]);
}

#[test]
fn a_mistyped_path_can_be_corrected() {
    let case = Case::usual();
    case.write("list.txt", "wrong/a.png\n");
    case.slidegrid("split --run run --config c.toml list.txt").exits(4);
    case.slidegrid("run --run run a.png").exits(0);
    assert!(case.path("run/heatmaps/a.h5").exists());
}

#[test]
fn text_called_svs() {
    let case = Case::usual();
    case.write("text.svs", "Tomorrow I will send the slide.\n");
    let alone = case.slidegrid("run --run alone --config c.toml text.svs");
    alone.exits(4).says(&["text.svs", "not a slide", "found a text file"]);
    case.slidegrid("run --run run --config c.toml text.svs a.png").exits(5).says(&[
        "text.svs",
        "not a slide",
        "found",
        "is the file complete",
    ]);
    assert!(case.path("run/heatmaps/a.h5").exists());
    assert!(!case.path("run/patches/text.h5").exists());
}

#[test]
fn an_empty_file_and_an_empty_folder() {
    let case = Case::usual();
    case.write("empty.tif", "");
    case.slidegrid("split --run run --config c.toml empty.tif").exits(4).says(&["empty.tif"]);
    std::fs::create_dir(case.path("folder")).unwrap();
    case.slidegrid("split --run run2 --config c.toml folder").exits(4).says(&[
        "folder",
        "no slides in this folder",
        "expected",
    ]);
    case.write("list.txt", "# nothing\n");
    case.slidegrid("split --run run2 --config c.toml list.txt")
        .exits(4)
        .says(&["list.txt", "names no slides"]);
    case.slidegrid("split --run run2 --config c.toml none.txt").exits(4).says(&["none.txt"]);
}

#[test]
fn a_tiff_cut_in_header_or_directory() {
    let whole = tiff::tiled(4, 4);
    for length in [3, 8, 40, 150, 200] {
        let case = Case::usual();
        case.write("cut.tif", &whole[..length]);
        case.slidegrid("run --run run --config c.toml cut.tif a.png")
            .exits(5)
            .says(&["cut.tif", "compare size and checksum with its source"]);
        assert!(case.path("run/heatmaps/a.h5").exists(), "{length}");
        assert!(!case.path("run/patches/cut.h5").exists(), "{length}");
    }
}

#[test]
fn a_tiff_cut_in_its_pixels_keeps_what_is_whole() {
    let case = Case::usual();
    let mut cut = tiff::tiled(4, 4);
    // The last tile row is gone, and half of the tile before it.
    cut.truncate(cut.len() - 4 * tiff::TILE_BYTES - tiff::TILE_BYTES / 2);
    case.write("cut.tif", cut);
    let outcome = case.slidegrid("run --run run --config c.toml cut.tif a.png").exits(5);
    outcome.omits("TIFFFillTile").says(&["cut", "partial", "could not be decoded", "level-0"]);
    let row = case.read("run/slides.csv");
    let row = row.lines().find(|line| line.starts_with("cut,")).unwrap().to_owned();
    assert!(row.contains(",partial,") && row.contains("cut.tif"), "{row}");
    let file = PatchesFile::open(&case.path("run/patches/cut.h5")).unwrap();
    let failures = file.failures().unwrap();
    assert!(!failures.is_empty() && failures.len() < file.meta().patches, "{failures:?}");
    assert!(failures.iter().all(|line| line.contains("patch") && line.contains("level-0 px")));
    let heatmap = case.path("run/heatmaps/cut.h5");
    let (_, score) = slidegrid::heatmap_h5::read_heatmap(&heatmap).unwrap();
    assert_eq!(score.dim(), (32, 32));
    assert!(score[[0, 0]].is_finite() && score[[4, 20]].is_finite());
    assert!(score[[30, 10]].is_nan(), "nothing may be made up");
    // A second run has the same outcome and computes nothing.
    case.slidegrid("run --run run").exits(5).says(&["cut", "could not be decoded"]);
    // The stored patches stay as they are, and the message about missing ones is repeated.
    case.slidegrid("predict --run run --all").exits(5).says(&["cut t", "no scores for"]);
}

#[test]
fn a_slide_without_mpp_names_ways_out_that_work() {
    let case = Case::new();
    case.write("plain.tif", tiff::tiled(4, 4));
    let at = |mpp: &str| format!("mpp = {mpp}\n{SMALL}");
    case.config("c.toml", "centre32", &at("0.25"));
    case.slidegrid("run --run run --config c.toml plain.tif").exits(4).says(&[
        "plain.tif",
        "resolution is unknown",
        "[slides] mpp",
        "[slides.mpp_of]",
        "level0",
    ]);
    // In the same run directory, as the message suggests.
    case.config("all.toml", "centre32", &format!("{}[slides]\nmpp = 0.25\n", at("0.25")));
    case.slidegrid("run --run run --config all.toml plain.tif").exits(0);
    let half = format!("{}[slides.mpp_of]\nplain = 0.125\n", at("0.25"));
    case.config("one.toml", "centre32", &half);
    case.slidegrid("run --run one --config one.toml plain.tif").exits(0);
    let file = PatchesFile::open(&case.path("one/patches/plain.h5")).unwrap();
    assert_eq!((file.meta().downsample, file.meta().width_px), (2.0, 128));
    case.slidegrid("run --run given --config c.toml --mpp 0.25 plain.tif").exits(0);
    let both = "split --run given1 --config c.toml --mpp 0.25 --mpp plain=0.125 plain.tif";
    case.slidegrid(both).exits(0);
    let patches = PatchesFile::open(&case.path("given1/patches/plain.h5")).unwrap();
    assert_eq!(patches.meta().downsample, 2.0);
    for wrong in ["0", "-1", "plain=", "NaN", "0.25um"] {
        let command = format!("run --run wrong --config c.toml --mpp={wrong} plain.tif");
        case.slidegrid(&command).exits(2).says(&["--mpp", "um per px above 0"]);
    }
    let other = case.slidegrid("run --run other --config c.toml --mpp plane=0.25 plain.tif");
    other.exits(2).says(&["plane=0.25", "no slide of this run"]);
    assert!(!case.path("other").exists());
    case.config("level0.toml", "centre32", &at("\"level0\""));
    case.slidegrid("run --run level0 --config level0.toml plain.tif").exits(0);
    // Existing patches are never presented as made at another resolution, however often the
    // command runs.
    let words = ["0.25 um/px", "0.125", "patches/plain.h5", "delete"];
    let before = std::fs::read(case.path("run/patches/plain.h5")).unwrap();
    for _ in 0..2 {
        case.slidegrid("run --run run --config one.toml plain.tif").exits(4).mentions(&words);
        assert!(std::fs::read(case.path("run/patches/plain.h5")).unwrap() == before);
    }
}

#[test]
fn two_slides_of_one_name() {
    let case = Case::usual();
    std::fs::create_dir(case.path("more")).unwrap();
    case.slide("more/a.png", &noise(90, 90, 1));
    case.slidegrid("run --run run --config c.toml a.png more/a.png").exits(4).says(&[
        "two slides are called a",
        "more/a.png",
        "rename one",
    ]);
    assert!(!case.path("run/patches").exists(), "no work before");
}

#[test]
fn a_slide_without_tissue() {
    let case = Case::usual();
    case.config(
        "otsu.toml",
        "centre32",
        "[tiling]\ntile = 32\nblock = 1\n[predict]\nengine = \"tract\"\n",
    );
    case.slide("white.png", &Array3::from_elem((200, 200, 3), 255));
    case.slidegrid("run --run run --config otsu.toml white.png a.png").exits(5).says(&[
        "white",
        "no tissue found",
        "masks/white.png",
        "[tissue] method",
    ]);
    assert!(case.path("run/masks/white.png").exists());
    assert!(case.path("run/heatmaps/a.h5").exists());
    assert!(case.read("run/slides.csv").contains(",no-tissue,"));
}

#[test]
fn a_slide_smaller_than_a_window() {
    let case = Case::usual();
    case.slide("tiny.png", &Array3::from_shape_fn((20, 20, 3), |at| [200, 50, 100][at.2]));
    case.slidegrid("run --run run --config c.toml tiny.png a.png").exits(5).says(&[
        "tiny.png",
        "20 x 20 px",
        "window of 32 px",
        "give a larger slide",
    ]);
    assert!(case.path("run/heatmaps/a.h5").exists());
}

#[test]
fn a_mask_that_is_no_image() {
    let case = Case::usual();
    case.write("masks/a.png", "no image");
    let rest = SMALL.replace("\"all\"", "\"mask\"\nmask = \"masks\"");
    case.config("mask.toml", "centre32", &rest);
    case.slidegrid("run --run run --config mask.toml a.png").exits(4).says(&[
        "a.png",
        "masks/a.png",
        "tissue mask",
        "expected a picture of the whole slide",
    ]);
}
