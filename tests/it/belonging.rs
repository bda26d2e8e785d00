//! A file belongs to its slide: one that takes another's place is refused, with both names.

use slidegrid::heatmap_h5::read_heatmap_meta;
use slidegrid::patches::PatchesFile;
use slidegrid::scores::read_scores;

use crate::common::{Case, noise};

/// Slides `a` and `b` of one size, split and planned.
fn two_slides() -> Case {
    let case = Case::usual();
    case.slide("b.png", &noise(100, 130, 2));
    case.slidegrid("split --run run --config c.toml a.png b.png").done();
    case.slidegrid("master plan --run run").done();
    case
}

fn copy(case: &Case, from: &str, to: &str) {
    std::fs::copy(case.path(from), case.path(to)).unwrap();
}

#[test]
fn files_name_their_slide_and_what_they_were_made_from() {
    let case = two_slides();
    case.slidegrid("predict --run run --all").done();
    case.slidegrid("stitch --run run --all").done();
    let mut ids = Vec::new();
    for (slide, bytes) in
        ["a", "b"].map(|s| (s, std::fs::read(case.path(&format!("{s}.png"))).unwrap()))
    {
        let patches = PatchesFile::open(&case.path(&format!("run/patches/{slide}.h5"))).unwrap();
        let patches = patches.meta().lineage.clone();
        assert_eq!((patches.id.len(), patches.made_from.as_str()), (16, ""));
        let identity = patches.slide.unwrap();
        assert_eq!(identity.bytes, bytes.len() as u64);
        // As docs/formats.md describes it, for a file shorter than a MiB.
        let hashed = [&identity.bytes.to_le_bytes()[..], &bytes].concat();
        assert_eq!(identity.hash, xxhash_rust::xxh3::xxh3_64(&hashed));
        for group in 1..=5 {
            let scores =
                read_scores(&case.path(&format!("run/scores/{slide}/t{group}.h5"))).unwrap();
            let lineage = scores.meta.lineage;
            assert_eq!((&lineage.made_from, lineage.slide), (&patches.id, patches.slide));
            ids.push(lineage.id);
        }
        let heatmap = read_heatmap_meta(&case.path(&format!("run/heatmaps/{slide}.h5"))).unwrap();
        assert_eq!(
            (&heatmap.lineage.made_from, heatmap.lineage.slide),
            (&patches.id, patches.slide)
        );
        assert_eq!(heatmap.scores_id.len(), 16);
        ids.extend([heatmap.lineage.id, patches.id]);
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "{ids:?}");
    // What is made again of the same has the same id.
    let id = |name: &str| PatchesFile::open(&case.path(name)).unwrap().meta().lineage.id.clone();
    case.slidegrid("split --run other --config c.toml a.png").done();
    assert_eq!(id("other/patches/a.h5"), id("run/patches/a.h5"));
}

#[test]
fn patches_of_another_slide_are_refused() {
    let case = two_slides();
    let kept = std::fs::read(case.path("run/patches/b.h5")).unwrap();
    copy(&case, "run/patches/a.h5", "run/patches/b.h5");
    let words = ["run/patches/b.h5", "belongs to the slide a, expected b"];
    case.slidegrid("predict --run run --all").exits(5).mentions(&words);
    case.slidegrid("predict --run run --slide b").exits(4).mentions(&words);
    case.slidegrid("stitch --run run --slide b").exits(4).mentions(&words);
    case.slidegrid("master plan --run run").exits(5).mentions(&words);
    case.slidegrid("split --run run").exits(5).mentions(&words);
    assert!(!case.path("run/scores/b/t1.h5").exists());
    // Nothing is set aside: it is a whole file, in the wrong place.
    case.write("run/patches/b.h5", kept);
    case.slidegrid("run --run run").done();
}

#[test]
fn scores_of_another_slide_or_of_other_patches_are_refused() {
    let case = two_slides();
    case.slidegrid("predict --run run --all").done();
    let kept = std::fs::read(case.path("run/scores/b/t2.h5")).unwrap();
    copy(&case, "run/scores/a/t2.h5", "run/scores/b/t2.h5");
    case.slidegrid("stitch --run run --slide b").exits(4).mentions(&["slide is a, expected b"]);
    case.slidegrid("predict --run run --slide b --group 2")
        .exits(4)
        .mentions(&["slide a, expected b"]);
    case.write("run/scores/b/t2.h5", kept);
    // The same slide, settings and places, of other pixels.
    case.slide("b.png", &noise(100, 130, 7));
    case.slidegrid("split --run other --config c.toml b.png").done();
    copy(&case, "other/patches/b.h5", "run/patches/b.h5");
    case.slidegrid("stitch --run run --slide b").exits(4).mentions(&["t1.h5", "made_from is"]);
}

#[test]
fn heatmaps_of_another_slide_are_refused() {
    let case = two_slides();
    case.slidegrid("run --run run").done();
    copy(&case, "run/heatmaps/a.h5", "run/heatmaps/b.h5");
    let words = ["run/heatmaps/b.h5", "belongs to the slide a, expected b"];
    case.slidegrid("export --run run --all --format csv").exits(5).mentions(&words);
    case.slidegrid("stitch --run run --all").exits(5).mentions(&words);
    case.slidegrid("study features run/heatmaps/b.h5").exits(4).mentions(&words);
    let status = case.slidegrid("status --run run").exits(5).stdout;
    assert!(status.contains(words[1]), "{status}");
    let report = case.slidegrid("report --run run").run();
    assert_ne!(report.code, Some(0), "{report:?}");
}

#[test]
fn a_slide_that_was_replaced_is_not_taken_for_the_old_one() {
    let case = two_slides();
    case.slidegrid("run --run run").done();
    // A copy of another time is the same.
    let bytes = std::fs::read(case.path("b.png")).unwrap();
    std::fs::remove_file(case.path("b.png")).unwrap();
    case.write("b.png", &bytes);
    let past = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    std::fs::File::options()
        .write(true)
        .open(case.path("b.png"))
        .unwrap()
        .set_modified(past)
        .unwrap();
    case.slidegrid("run --run run").done();
    case.slide("b.png", &noise(100, 130, 7));
    let words = ["b.png", "has changed since it was split", "slidegrid redo"];
    case.slidegrid("run --run run").exits(5).mentions(&words);
    case.slidegrid("split --run run").exits(5).mentions(&words);
    let status = case.slidegrid("status --run run").done().stdout;
    assert!(status.contains(words[1]), "{status}");
    assert!(case.path("run/heatmaps/b.h5").exists(), "nothing is removed unasked");
    // Afresh, with all that follows; the other slide is left alone.
    let of_a = std::fs::read(case.path("run/heatmaps/a.h5")).unwrap();
    case.slidegrid("redo --run run b").done();
    case.slidegrid("run --run run").done();
    let status = case.slidegrid("status --run run").done().stdout;
    assert!(status.contains("2 of 2 slides done") && !status.contains(words[1]), "{status}");
    case.slidegrid("run --run fresh --config c.toml b.png").done();
    assert_eq!(case.heatmap("run", "b"), case.heatmap("fresh", "b"));
    assert_eq!(std::fs::read(case.path("run/heatmaps/a.h5")).unwrap(), of_a);
}
