//! `synth`, from settings to files: the bytes do not depend on threads, the pyramid decodes,
//! and the truth matches the pixels.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use slidegrid::internal::synth::{Cohort, LesionClass, SynthError, make};
use slidegrid::patches::PatchesFile;

use crate::common::Case;

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
        let other = three.join(slide.tissue.strip_prefix(&one).unwrap());
        assert!(fs::read(&slide.tissue).unwrap() == fs::read(other).unwrap(), "{}", slide.name);
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
    let map = fs::read(&made[1].tissue).unwrap();
    fs::remove_file(&made[1].tissue).unwrap();
    let repaired = make(&cohort(2), &one, |_| {}).unwrap();
    assert!(!repaired[0].kept && repaired[1].kept);
    assert!(fs::read(&made[1].tissue).unwrap() == map);
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
    assert!(!tumors.is_empty());
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

/// Which pixels of a slide differ from its glass, `[row, col]`. The corner is glass.
fn stained(picture: &image::RgbImage) -> Vec<bool> {
    let glass = *picture.get_pixel(2, 2);
    let differs = |pixel: &image::Rgb<u8>| (0..3).any(|c| pixel[c].abs_diff(glass[c]) > 10);
    picture.pixels().map(differs).collect()
}

/// Which pixels cannot be reached from the slide's border over glass, `[row, col]`:
/// tissue with all that it encloses, and specks of dust.
fn enclosed(stained: &[bool], width: usize) -> Vec<bool> {
    let height = stained.len() / width;
    let mut enclosed = vec![true; stained.len()];
    let border = |at: &usize| {
        let (x, y) = (at % width, at / width);
        x == 0 || x == width - 1 || y == 0 || y == height - 1
    };
    let mut open: Vec<usize> = (0..stained.len()).filter(border).collect();
    while let Some(at) = open.pop() {
        if stained[at] || !enclosed[at] {
            continue;
        }
        enclosed[at] = false;
        let (x, y) = (at % width, at / width);
        open.extend((x > 0).then(|| at - 1).into_iter().chain((x + 1 < width).then_some(at + 1)));
        open.extend((y > 0).then(|| at - width));
        open.extend((y + 1 < height).then_some(at + width));
    }
    enclosed
}

/// The share of true pixels in the 16 x 16 px block (`column`, `row`), as far as it lies
/// on the slide.
fn share(pixels: &[bool], width: usize, column: u32, row: u32) -> f64 {
    let height = pixels.len() / width;
    let span = |at: u32, end: usize| at as usize * 16..(at as usize * 16 + 16).min(end);
    let block = span(row, height)
        .flat_map(|y| span(column, width).map(move |x| pixels[y * width + x]))
        .collect::<Vec<_>>();
    block.iter().filter(|&&pixel| pixel).count() as f64 / block.len() as f64
}

/// The criterion uses the drawn pixels alone: tissue is what cannot be reached over glass, and
/// fat is distinguished from other tissue by its share of white.
#[test]
fn the_tissue_map_is_what_was_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let width = SIDE as usize;
    for made in make(&Cohort { slides: 4, ..cohort(2) }, folder.path(), |_| {}).unwrap() {
        let bytes = fs::read(&made.slide).unwrap();
        let stained = stained(&decode(&bytes, &directories(&bytes)[0]));
        let enclosed = enclosed(&stained, width);
        let map = image::open(&made.tissue).unwrap();
        assert_eq!(map.color(), image::ColorType::L8);
        let map = map.into_luma8();
        assert_eq!(map.dimensions(), (SIDE.div_ceil(16), 1300u32.div_ceil(16)));
        // Blocks whose share of tissue is not that of the map's pixel `shift` farther left.
        let wrong = |shift: u32| {
            let disagrees = |&(column, row, _): &(u32, u32, &image::Luma<u8>)| {
                let inside = share(&enclosed, width, column, row);
                let found = map.get_pixel(column.saturating_sub(shift), row)[0] > 0;
                if found { inside < 0.4 } else { inside > 0.6 }
            };
            map.enumerate_pixels().filter(disagrees).count()
        };
        let limit = map.len() / 200;
        assert!(wrong(0) <= limit, "{}: {} of {} blocks", made.name, wrong(0), map.len());
        assert!(wrong(1) > limit, "{}: a map that is moved by a block passes too", made.name);

        let white = |value: u8| {
            let of_value = map.enumerate_pixels().filter(|block| block.2[0] == value);
            let whites = of_value.map(|(column, row, _)| 1.0 - share(&stained, width, column, row));
            let whites: Vec<f64> = whites.collect();
            (whites.len(), whites.iter().sum::<f64>() / whites.len() as f64)
        };
        let (fat, tissue) = (white(128), white(255));
        assert!(fat.0 > 300 && fat.1 > 0.5, "{}: fat {fat:?}", made.name);
        assert!(tissue.0 > 2000 && tissue.1 < 0.06, "{}: tissue {tissue:?}", made.name);
        assert_eq!(fat.0 + tissue.0 + white(0).0, map.len(), "{}", made.name);
    }
}

/// The map is a mask that `split` takes as it is.
#[test]
fn the_tissue_map_serves_as_a_mask() {
    let case = Case::new();
    let made = make(&Cohort { slides: 1, ..cohort(2) }, case.folder(), |_| {}).unwrap();
    let mask = format!("tissue.mask=\"{}\"", case.path("tissue").display());
    let keys = ["tissue.method=\"mask\"", &mask, "model.mpp=\"level0\""];
    let split = case.slidegrid("split --threads 1 --config quickstart.toml --run run").set(&keys);
    split.arg(&made[0].slide).done();
    let patches = PatchesFile::open(&case.path("run/patches/demo_tumor_001.h5"));
    let tiles = patches.unwrap().tissue().unwrap();
    let map = image::open(&made[0].tissue).unwrap().into_luma8();
    let px_per_tile = 224 / 16;
    for ((row, column), &tile) in tiles.indexed_iter() {
        let span = |at: usize, end: u32| {
            let first = u32::try_from(at).unwrap() * px_per_tile;
            first..(first + px_per_tile).min(end)
        };
        let pixels: Vec<bool> = span(row, map.height())
            .flat_map(|y| span(column, map.width()).map(move |x| (x, y)))
            .map(|(x, y)| map.get_pixel(x, y)[0] > 0)
            .collect();
        let marked = pixels.iter().filter(|&&pixel| pixel).count() as f64 / pixels.len() as f64;
        // The map is laid over a slide that ends within its last row and column.
        if (marked - 0.5).abs() > 0.06 {
            assert_eq!(tile == 1, marked > 0.5, "tile {column}, {row}: {marked} marked");
        }
    }
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
    let config = slidegrid::internal::config::Config::read(&file, &[]).unwrap();
    let run = slidegrid::internal::resolve::resolve(config, "quickstart.toml").unwrap();
    assert_eq!(run.resolved.window, 224);
}
