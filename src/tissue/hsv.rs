//! Conversion of RGB to HSV and to grey, bit for bit that of OpenCV's 8-bit `cvtColor`.
//!
//! Source: OpenCV `modules/imgproc/src/color_hsv.simd.hpp` (`RGB2HSV_b`) and
//! `color_rgb.simd.hpp` (`RGB2Gray`). The tests compare all 2^24 colours with
//! tests/reference/tissue_reference.py.

use ndarray::{Array2, ArrayView3};

/// Fractional bits of OpenCV's division tables.
const SHIFT: i32 = 12;
const HALF: i32 = 1 << (SHIFT - 1);

/// `round(255 * 2^12 / v)` at index v; 0 at index 0.
static SATURATION_TABLE: [i32; 256] = division_table(255 << SHIFT, 1);
/// `round(180 * 2^12 / (6 * d))` at index d; 0 at index 0.
static HUE_TABLE: [i32; 256] = division_table(180 << SHIFT, 6);

/// The integers nearest to `numerator / (factor * i)`, halves rounded to even as by `cvRound`.
const fn division_table(numerator: i32, factor: i32) -> [i32; 256] {
    let mut table = [0; 256];
    let mut i = 1;
    while i < 256 {
        let divisor = factor * i;
        let (floor, rest) = (numerator / divisor, numerator % divisor);
        let up = 2 * rest > divisor || (2 * rest == divisor && floor % 2 == 1);
        #[expect(clippy::cast_sign_loss, reason = "1..256")]
        let index = i as usize;
        table[index] = floor + up as i32;
        i += 1;
    }
    table
}

/// HSV of one colour: `[hue 0..180, saturation 0..=255, value 0..=255]`.
///
/// Hue is in units of 2 degrees. Grey has hue 0 and saturation 0.
pub(crate) fn rgb_to_hsv(rgb: [u8; 3]) -> [u8; 3] {
    let [r, g, b] = rgb.map(i32::from);
    let value = rgb[0].max(rgb[1]).max(rgb[2]);
    let spread = value - rgb[0].min(rgb[1]).min(rgb[2]);
    let diff = i32::from(spread);
    let saturation = (diff * SATURATION_TABLE[usize::from(value)] + HALF) >> SHIFT;
    // Ties between channels go to red, then green: the order decides the hue.
    let sector = if value == rgb[0] {
        g - b
    } else if value == rgb[1] {
        b - r + 2 * diff
    } else {
        r - g + 4 * diff
    };
    let hue = (sector * HUE_TABLE[usize::from(spread)] + HALF) >> SHIFT;
    let hue = if hue < 0 { hue + 180 } else { hue };
    [byte(hue), byte(saturation), value]
}

/// Grey value of one colour, 0..=255: `0.299 R + 0.587 G + 0.114 B`.
pub(crate) fn rgb_to_grey(rgb: [u8; 3]) -> u8 {
    let [r, g, b] = rgb.map(i32::from);
    byte((r * 9798 + g * 19235 + b * 3735 + (1 << 14)) >> 15)
}

/// Hue and saturation of an image.
///
/// `image` is `[row, col, rgb]`. The result is hue `[row, col]`, 0..180, and saturation
/// `[row, col]`, 0..=255.
///
/// # Panics
/// If the last axis is not 3 long.
pub(crate) fn hue_saturation(image: ArrayView3<'_, u8>) -> (Array2<u8>, Array2<u8>) {
    let (rows, cols, _) = image.dim();
    let mut hue = Array2::zeros((rows, cols));
    let mut saturation = Array2::zeros((rows, cols));
    for ((row, col), slot) in hue.indexed_iter_mut() {
        let [h, s, _] = rgb_to_hsv(pixel(image, row, col));
        *slot = h;
        saturation[[row, col]] = s;
    }
    (hue, saturation)
}

/// Grey values, 0..=255, of an image: from `[row, col, rgb]` to `[row, col]`.
///
/// # Panics
/// If the last axis is not 3 long.
pub(crate) fn grey(image: ArrayView3<'_, u8>) -> Array2<u8> {
    let (rows, cols, _) = image.dim();
    Array2::from_shape_fn((rows, cols), |(row, col)| rgb_to_grey(pixel(image, row, col)))
}

fn pixel(image: ArrayView3<'_, u8>, row: usize, col: usize) -> [u8; 3] {
    [0, 1, 2].map(|channel| image[[row, col, channel]])
}

fn byte(value: i32) -> u8 {
    u8::try_from(value).expect("OpenCV's tables keep 8-bit colours within 8 bits")
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn every_colour_equals_opencvs() {
        let reference: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/reference/colours.json")).unwrap();
        let (mut hsv, mut grey) = (Sha256::new(), Sha256::new());
        for r in 0..=255 {
            let mut plane = Vec::with_capacity(3 << 16);
            let mut greys = Vec::with_capacity(1 << 16);
            for g in 0..=255 {
                for b in 0..=255 {
                    plane.extend(rgb_to_hsv([r, g, b]));
                    greys.push(rgb_to_grey([r, g, b]));
                }
            }
            hsv.update(&plane);
            grey.update(&greys);
        }
        let hex = |hash: Sha256| format!("{:x}", hash.finalize());
        assert_eq!(hex(hsv), reference["hsv_sha256"]);
        assert_eq!(hex(grey), reference["grey_sha256"]);
    }

    #[test]
    fn sampled_colours_equal_opencvs() {
        let reference: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/reference/colours.json")).unwrap();
        let samples = reference["samples"].as_array().unwrap();
        assert!(samples.len() > 100);
        for sample in samples {
            let row: Vec<u8> = serde_json::from_value(sample.clone()).unwrap();
            let rgb = [row[0], row[1], row[2]];
            assert_eq!(rgb_to_hsv(rgb), [row[3], row[4], row[5]], "rgb {rgb:?}");
            assert_eq!(rgb_to_grey(rgb), row[6], "rgb {rgb:?}");
        }
    }

    #[test]
    fn primary_colours_have_their_conventional_hues() {
        assert_eq!(rgb_to_hsv([255, 0, 0]), [0, 255, 255]);
        assert_eq!(rgb_to_hsv([0, 255, 0]), [60, 255, 255]);
        assert_eq!(rgb_to_hsv([0, 0, 255]), [120, 255, 255]);
        assert_eq!(rgb_to_hsv([255, 255, 255]), [0, 0, 255]);
        assert_eq!(rgb_to_hsv([0, 0, 0]), [0, 0, 0]);
    }
}
