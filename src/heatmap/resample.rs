//! Resampling of thumbnails to the size of a picture.

use ndarray::{Array3, ArrayView3};

/// Weights of the source pixels, from pixel `first` on, whose sum is one target pixel.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

/// The weights of a triangle filter along one axis. Enlarging is bilinear; when shrinking, the
/// filter is as wide as a target pixel on each side, which avoids aliasing.
fn taps(source: usize, target: usize) -> Vec<Taps> {
    let scale = source as f64 / target as f64;
    let reach = scale.max(1.0);
    (0..target)
        .map(|pixel| {
            let centre = (pixel as f64 + 0.5) * scale;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "within 0..=source"
            )]
            let index = |position: f64| position.clamp(0.0, source as f64) as usize;
            let first = index(centre - reach).min(source - 1);
            let last = index((centre + reach).ceil()).max(first + 1);
            let weight = |i: usize| (1.0 - (i as f64 + 0.5 - centre).abs() / reach).max(0.0);
            let sum: f64 = (first..last).map(weight).sum();
            #[expect(clippy::cast_possible_truncation, reason = "a weight needs no f64")]
            let weights = (first..last).map(|i| (weight(i) / sum) as f32).collect();
            Taps { first, weights }
        })
        .collect()
}

/// Resizes an image, `[row, col, rgb]`, to `height` x `width` pixels. Neither the image nor the
/// result may be empty.
pub(crate) fn resize(image: ArrayView3<'_, u8>, width: usize, height: usize) -> Array3<u8> {
    let (rows, cols, _) = image.dim();
    let image = image.as_standard_layout();
    let image = image.as_slice().expect("it is in standard layout");
    let across = taps(cols, width);
    let mut wide = vec![0u8; rows * width * 3];
    let mut sums = vec![0.0f32; width * 3];
    for (from, to) in image.chunks_exact(cols * 3).zip(wide.chunks_exact_mut(width * 3)) {
        for (taps, sum) in across.iter().zip(sums.chunks_exact_mut(3)) {
            sum.fill(0.0);
            let pixels = from[taps.first * 3..].chunks_exact(3);
            for (weight, pixel) in taps.weights.iter().zip(pixels) {
                (0..3).for_each(|channel| sum[channel] += weight * f32::from(pixel[channel]));
            }
        }
        round(&sums, to);
    }
    let mut resized = Vec::with_capacity(height * width * 3);
    for taps in taps(rows, height) {
        sums.fill(0.0);
        let lines = wide[taps.first * width * 3..].chunks_exact(width * 3);
        for (weight, line) in taps.weights.iter().zip(lines) {
            sums.iter_mut().zip(line).for_each(|(sum, &byte)| *sum += weight * f32::from(byte));
        }
        let start = resized.len();
        resized.resize(start + width * 3, 0);
        round(&sums, &mut resized[start..]);
    }
    Array3::from_shape_vec((height, width, 3), resized).expect("every row was made")
}

/// Rounds to the nearest bytes, halves upwards.
fn round(sums: &[f32], bytes: &mut [u8]) {
    for (byte, sum) in bytes.iter_mut().zip(sums) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
        let rounded = (sum + 0.5).clamp(0.0, 255.0) as u8;
        *byte = rounded;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_size_gives_the_same_image_and_one_colour_stays() {
        let image = Array3::from_shape_vec((5, 4, 3), (0..60).map(|v| v * 4).collect()).unwrap();
        assert_eq!(resize(image.view(), 4, 5), image);
        let flat = Array3::from_elem((7, 3, 3), 201_u8);
        assert!(resize(flat.view(), 11, 2).iter().all(|&v| v == 201));
    }

    #[test]
    fn a_mark_stays_where_it_was() {
        for (target, expected) in [(4, 1), (16, 6), (64, 26)] {
            let mut image = Array3::zeros((16, 16, 3));
            image[[6, 6, 0]] = 255_u8;
            let resized = resize(image.view(), target, target);
            let (brightest, _) =
                resized.indexed_iter().max_by_key(|&(at, &v)| (v, usize::MAX - at.0)).unwrap();
            let near = brightest.0.abs_diff(expected);
            assert!(near <= target / 32, "{target}: {brightest:?}");
        }
    }
}
