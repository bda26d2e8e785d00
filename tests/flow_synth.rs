//! `synth`, from settings to files: same bytes whatever the threads, a pyramid
//! that decodes, truth that matches the pixels.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use slidegrid::slide::synth::{Cohort, LesionClass, SynthError, make};

const SIDE: u32 = 1800;

fn cohort(threads: usize) -> Cohort {
    Cohort {
        slides: 2,
        seed: 5,
        width_px: SIDE,
        height_px: 1300,
        um_per_px: 0.5,
        tumor_fraction: 0.5,
        threads,
        force: false,
    }
}

/// A BigTIFF's directories: tag to (type, values).
fn directories(bytes: &[u8]) -> Vec<HashMap<u16, Vec<u64>>> {
    let number = |at: u64, size: u64| {
        let start = usize::try_from(at).unwrap();
        let end = usize::try_from(at + size).unwrap();
        let mut full = [0u8; 8];
        full[..end - start].copy_from_slice(&bytes[start..end]);
        u64::from_le_bytes(full)
    };
    assert_eq!(&bytes[..4], b"II\x2B\0");
    let mut found = Vec::new();
    let mut next = number(8, 8);
    while next != 0 {
        let count = number(next, 8);
        let mut tags = HashMap::new();
        for entry in (0..count).map(|k| next + 8 + 20 * k) {
            let size = match number(entry + 2, 2) {
                2 => 1,
                3 => 2,
                4 => 4,
                5 | 16 => 8,
                kind => panic!("type {kind}"),
            };
            let values = number(entry + 4, 8);
            let at = if values * size <= 8 { entry + 12 } else { number(entry + 12, 8) };
            let tag = u16::try_from(number(entry, 2)).unwrap();
            tags.insert(tag, (0..values).map(|k| number(at + k * size, size)).collect());
        }
        found.push(tags);
        next = number(next + 8 + 20 * count, 8);
    }
    found
}

/// One level as RGB, put together from its tiles.
fn decode(bytes: &[u8], level: &HashMap<u16, Vec<u64>>) -> image::RgbImage {
    let size = |tag: u16| u32::try_from(level[&tag][0]).unwrap();
    let (width, height, tile) = (size(256), size(257), size(322));
    let columns = width.div_ceil(tile);
    let mut picture = image::RgbImage::new(width, height);
    for (number, (offset, count)) in (0u32..).zip(level[&324].iter().zip(&level[&325])) {
        let stream =
            &bytes[usize::try_from(*offset).unwrap()..][..usize::try_from(*count).unwrap()];
        let pixels = image::load_from_memory_with_format(stream, image::ImageFormat::Jpeg)
            .unwrap()
            .to_rgb8();
        assert_eq!(pixels.dimensions(), (tile, tile));
        let (left, top) = (number % columns * tile, number / columns * tile);
        image::imageops::replace(&mut picture, &pixels, left.into(), top.into());
    }
    picture
}

/// (group, points) of an ASAP XML file.
fn polygons(xml: &str) -> Vec<(String, Vec<(f32, f32)>)> {
    let attribute = |line: &str, name: &str| {
        let start = line.find(&format!("{name}=\"")).unwrap() + name.len() + 2;
        line[start..].split('"').next().unwrap().to_owned()
    };
    let mut found = Vec::new();
    for line in xml.lines() {
        if line.contains("<Annotation ") {
            found.push((attribute(line, "PartOfGroup"), Vec::new()));
        } else if line.contains("<Coordinate ") {
            let point =
                (attribute(line, "X").parse().unwrap(), attribute(line, "Y").parse().unwrap());
            found.last_mut().unwrap().1.push(point);
        }
    }
    found
}

#[test]
fn threads_do_not_change_a_byte_and_complete_slides_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (one, three) = (folder.path().join("one"), folder.path().join("three"));
    let made = make(&cohort(1), &one, |_| {}).unwrap();
    make(&cohort(3), &three, |_| {}).unwrap();
    assert_eq!(made[0].name, "demo_tumor_001");
    assert_eq!(made[1].name, "demo_normal_002");
    for slide in &made {
        let other = three.join(slide.slide.strip_prefix(&one).unwrap());
        assert!(fs::read(&slide.slide).unwrap() == fs::read(other).unwrap(), "{}", slide.name);
    }
    let again = make(&cohort(2), &one, |_| {}).unwrap();
    assert!(again.iter().all(|slide| slide.kept) && made.iter().all(|slide| !slide.kept));

    let other = Cohort { seed: 6, ..cohort(1) };
    let error = make(&other, &one, |_| {}).unwrap_err();
    assert!(matches!(error, SynthError::OtherSettings { .. }));
    let text = error.to_string();
    assert!(
        text.contains("seed = 5") && text.contains("seed = 6") && text.contains("--force"),
        "{text}"
    );

    fs::remove_file(&made[0].slide).unwrap();
    let repaired = make(&cohort(2), &one, |_| {}).unwrap();
    assert!(!repaired[0].kept && repaired[1].kept);
}

#[test]
fn the_pyramid_decodes_and_its_levels_agree() {
    let folder = tempfile::tempdir().unwrap();
    let made = make(&cohort(2), folder.path(), |_| {}).unwrap();
    let bytes = fs::read(&made[0].slide).unwrap();
    let levels = directories(&bytes);
    let sizes: Vec<_> = levels.iter().map(|level| (level[&256][0], level[&257][0])).collect();
    assert_eq!(sizes, [(1800, 1300), (900, 650), (450, 325)]);
    for (number, level) in levels.iter().enumerate() {
        assert_eq!(level[&254], [u64::from(number > 0)]);
        assert_eq!((level[&259][0], level[&262][0]), (7, 6), "JPEG, YCbCr");
        assert_eq!(level[&530], [2, 2]);
        let per_cm = level[&282][0];
        let per_cm = f64::from(u32::try_from(per_cm & 0xFFFF_FFFF).unwrap()) / 10_000.0;
        assert!((per_cm - 20_000.0 / f64::from(1 << number)).abs() < 1.0, "{per_cm}");
        assert_eq!(level[&296], [3]);
    }
    let (full, half) = (decode(&bytes, &levels[0]), decode(&bytes, &levels[1]));
    let mut difference = 0u64;
    for (x, y, pixel) in half.enumerate_pixels() {
        for c in 0..3 {
            let sum: u32 = [(0, 0), (1, 0), (0, 1), (1, 1)]
                .iter()
                .map(|(dx, dy)| u32::from(full[(2 * x + dx, 2 * y + dy)][c]))
                .sum();
            difference += u64::from((sum / 4).abs_diff(pixel[c].into()));
        }
    }
    assert!(difference < 4 * 3 * 900 * 650, "levels differ by {difference} in total");
}

#[test]
fn glass_is_pale_tissue_is_stained_and_lesions_lie_in_tissue() {
    let folder = tempfile::tempdir().unwrap();
    let made = make(&cohort(2), folder.path(), |_| {}).unwrap();
    let bytes = fs::read(&made[0].slide).unwrap();
    let picture = decode(&bytes, &directories(&bytes)[0]);
    let corner = picture.get_pixel(2, 2);
    assert!(corner.0.iter().all(|&c| c > 225), "{corner:?}");

    let xml = fs::read_to_string(made[0].truth.as_ref().unwrap()).unwrap();
    let outlines = polygons(&xml);
    let tumors: Vec<_> = outlines.iter().filter(|(group, _)| group != "_2").collect();
    assert_eq!(tumors.len(), made[0].lesions.len());
    for ((group, points), &(class, diameter_um)) in tumors.iter().zip(&made[0].lesions) {
        assert!(["_0", "_1"].contains(&group.as_str()));
        let mut longest = 0.0f32;
        for (k, p) in points.iter().enumerate() {
            assert!((0.0..1800.0).contains(&p.0) && (0.0..1300.0).contains(&p.1), "{p:?}");
            for q in &points[..k] {
                longest = longest.max((p.0 - q.0).hypot(p.1 - q.1));
            }
        }
        assert!((longest * 0.5 - diameter_um).abs() < 3.0, "{longest} px is {diameter_um} um");
        assert_eq!(class, LesionClass::of_diameter_um(diameter_um));
        let n = points.len() as f32;
        let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), p| (x + p.0 / n, y + p.1 / n));
        // Pink to purple: green is the darkest channel.
        let mut mean = [0u32; 3];
        for (dx, dy) in (0..20u8).flat_map(|dy| (0..20u8).map(move |dx| (dx, dy))) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "inside the slide"
            )]
            let at = (x as u32 + u32::from(dx) - 10, y as u32 + u32::from(dy) - 10);
            (0..3).for_each(|c| mean[c] += u32::from(picture[at][c]));
        }
        assert!(mean[1] < mean[0] && mean[1] < mean[2] && mean[1] < 400 * 215, "{mean:?}");
    }
    let csv = fs::read_to_string(folder.path().join("truth/reference.csv")).unwrap();
    assert!(csv.starts_with("image,type,itc,micro,macro,largest_um\ndemo_tumor_001,Tumor,"));
    assert!(csv.contains("\ndemo_normal_002,Normal,0,0,0,0\n"));
    assert!(folder.path().join("model/demo-valid.onnx").exists());
}

#[test]
fn settings_out_of_range_are_named() {
    let wrong = Cohort { width_px: 500, ..cohort(1) };
    let error = make(&wrong, Path::new("/nonexistent/never/made"), |_| {}).unwrap_err().to_string();
    assert!(error.contains("width is 500") && error.contains("1000"), "{error}");
}

#[test]
fn the_configuration_beside_the_slides_can_be_run() {
    let folder = tempfile::tempdir().unwrap();
    make(&Cohort { slides: 1, ..cohort(1) }, folder.path(), |_| {}).unwrap();
    let file = folder.path().join("quickstart.toml");
    let config = slidegrid::config::Config::read(&file, &[]).unwrap();
    let run = slidegrid::config::RunConfig::resolve(config, "quickstart.toml").unwrap();
    assert_eq!(run.resolved.window, 224);
}
