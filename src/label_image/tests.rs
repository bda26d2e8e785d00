//! Tests of pictures of labels.

use std::fs::File;

use super::*;

fn written(name: &str, picture: &DynamicImage) -> LabelImage {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    picture.save(&path).unwrap();
    LabelImage::read(&path).unwrap()
}

fn grey16(values: &[u16]) -> DynamicImage {
    let width = u32::try_from(values.len()).unwrap();
    DynamicImage::ImageLuma16(image::ImageBuffer::from_raw(width, 1, values.to_vec()).unwrap())
}

#[test]
fn sixteen_bits_are_not_scaled() {
    for name in ["a.png", "a.tif"] {
        let image = written(name, &grey16(&[0, 1, 1, 0]));
        assert_eq!(image.binary(&[]).unwrap().mask.as_slice().unwrap(), [0, 1, 1, 0]);
    }
    let labels = written("a.png", &grey16(&[0, 1, 2, 300]));
    let problem = labels.binary(&[]).unwrap_err();
    assert!(problem.contains("3 values") && problem.contains("--lesion-value"), "{problem}");
    assert_eq!(labels.binary(&[2, 300]).unwrap().mask.as_slice().unwrap(), [0, 0, 1, 1]);
    assert!(labels.classes().unwrap_err().contains("300"));
    assert_eq!(labels.nonzero().as_slice().unwrap(), [0, 1, 1, 1]);
}

#[test]
fn values_that_programs_read_differently_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    // One strip of 8 x 1 px at 1 bit, as tifffile writes [False, True, ...].
    let entry = |tag: u16, value: u32| -> Vec<u8> {
        let head = [tag, 4].map(u16::to_le_bytes).concat();
        [head, [1, value].map(u32::to_le_bytes).concat()].concat()
    };
    let tiff = |photometric: u32| {
        let entries = [
            (256, 8),
            (257, 1),
            (258, 1),
            (259, 1),
            (262, photometric),
            (273, 8),
            (277, 1),
            (278, 1),
            (279, 1),
        ];
        let mut bytes = b"II*\0\x0a\0\0\0\x55\0".to_vec();
        bytes.extend(9_u16.to_le_bytes());
        entries.iter().for_each(|&(tag, value)| bytes.extend(entry(tag, value)));
        bytes.extend([0; 4]);
        let path = folder.path().join("m.tif");
        std::fs::write(&path, bytes).unwrap();
        LabelImage::read(&path)
    };
    let mask = tiff(1).unwrap().nonzero();
    assert_eq!(mask.as_slice().unwrap(), [0, 1, 0, 1, 0, 1, 0, 1]);
    let problem = tiff(0).unwrap_err();
    assert!(problem.contains("WhiteIsZero") && problem.contains("PNG"), "{problem}");
}

#[test]
fn indices_count_and_not_colours() {
    let folder = tempfile::tempdir().unwrap();
    for (depth, packed, expected) in [
        (png::BitDepth::One, vec![0b0110_0000], [0, 1, 1, 0]),
        (png::BitDepth::Two, vec![0b0001_1000], [0, 1, 2, 0]),
        (png::BitDepth::Eight, vec![0, 1, 2, 0], [0, 1, 2, 0]),
    ] {
        let path = folder.path().join("indexed.png");
        let mut encoder = png::Encoder::new(File::create(&path).unwrap(), 4, 1);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(depth);
        encoder.set_palette(vec![255, 255, 255, 1, 1, 1, 9, 0, 0]);
        encoder.write_header().unwrap().write_image_data(&packed).unwrap();
        assert_eq!(LabelImage::read(&path).unwrap().values.as_slice().unwrap(), expected);
    }
}

#[test]
fn transparent_pixels_are_background_and_any_channel_counts() {
    let rgba =
        image::RgbaImage::from_raw(3, 1, vec![255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 255]);
    let image = written("a.png", &DynamicImage::ImageRgba8(rgba.unwrap()));
    assert_eq!(image.binary(&[]).unwrap().mask.as_slice().unwrap(), [1, 0, 0]);
    let blue = image::RgbImage::from_raw(3, 1, vec![0, 0, 9, 0, 0, 0, 0, 0, 9]).unwrap();
    let image = written("a.png", &DynamicImage::ImageRgb8(blue));
    assert_eq!(image.binary(&[]).unwrap().mask.as_slice().unwrap(), [1, 0, 1]);
    let two = image::RgbImage::from_raw(3, 1, vec![0, 0, 9, 0, 0, 0, 9, 0, 0]).unwrap();
    let problem = written("a.png", &DynamicImage::ImageRgb8(two)).binary(&[]).unwrap_err();
    assert!(problem.contains("several colours"), "{problem}");
}

#[test]
fn shapes_may_differ_by_rounding_only() {
    for (rows, cols) in [(200, 250), (201, 250), (7, 9), (8, 9), (800, 1000)] {
        assert_eq!(check_shape(rows, cols, 10_000.0, 8000.0), Ok(()), "{rows} x {cols}");
    }
    for (rows, cols) in [(250, 200), (100, 250), (1000, 800), (40, 100)] {
        let problem = check_shape(rows, cols, 10_000.0, 8000.0).unwrap_err();
        assert!(problem.contains("10000 x 8000"), "{problem}");
    }
}

#[test]
fn ringing_of_jpeg_is_cut_at_half() {
    let square = |x: u32, y: u32| (20..61).contains(&x) && (13..50).contains(&y);
    let drawn =
        image::GrayImage::from_fn(80, 64, |x, y| image::Luma([if square(x, y) { 255 } else { 0 }]));
    let image = written("a.jpg", &DynamicImage::ImageLuma8(drawn));
    let found = image.binary(&[]).unwrap();
    let wrong = found.mask.indexed_iter().filter(|&((row, col), &value)| {
        value != u8::from(square(u32::try_from(col).unwrap(), u32::try_from(row).unwrap()))
    });
    assert_eq!(wrong.count(), 0);
    assert!(found.note.unwrap().contains("at least"));
}
