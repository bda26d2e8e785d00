//! Macenko's method: two stains by extreme angles in the plane of optical density.
//!
//! Source: Macenko et al., A method for normalizing histology slides for quantitative
//! analysis, ISBI 2009. The constants are those of the authors' MATLAB code, of HEnorm_python
//! and of torchstain: light 240, density at least 0.15, angles at 1 and 99 %.

use super::eigen::eigen;
use super::fast_math::exp2;
use super::matrix::{to_f32, unmixing};
use super::percentile::{neighbours, percentile};
use super::planes::{self, CHUNK, EMPTY};
use super::stains::{check_tissue, ordered, with_strength};
use super::{NormalizeError, Stains};

/// Value of light without tissue.
const LIGHT: f64 = 240.0;
/// Smallest optical density of tissue, in every channel.
const MIN_DENSITY: f64 = 0.15;
/// Percentiles of the angles that are the two stains.
const ANGLES: [f64; 2] = [1.0, 99.0];
/// Percentile of a stain's amounts that is its strength.
const STRENGTH: f64 = 99.0;
/// Smallest variance in the second direction. A picture with less has one colour, apart from
/// rounding.
const MIN_VARIANCE: f64 = 1e-6;

/// Optical density of a byte, natural logarithm.
fn density(value: usize) -> f64 {
    -((value as f64 + 1.0) / LIGHT).ln()
}

#[inline(always)]
pub(super) fn estimate(rgb: &[u8]) -> Result<Stains, NormalizeError> {
    let table: [f32; 256] = std::array::from_fn(|value| to_f32(density(value)));
    let tissue = tissue_of(rgb);
    check_tissue(tissue.len() / 3, rgb.len() / 3)?;
    let vectors = directions(&tissue, &table)?;
    let strength = unmixing(vectors).map(|row| {
        let amounts = projected(rgb, &table, row.map(to_f32));
        percentile(&amounts, STRENGTH)
    });
    with_strength(vectors, strength)
}

/// The pixels of tissue, `[pixel, rgb]`: those that are dense in every channel.
#[inline(always)]
fn tissue_of(rgb: &[u8]) -> Vec<u8> {
    let pixels = rgb.as_chunks::<3>().0;
    let brightest = (0..256).rev().find(|&value| density(value) >= MIN_DENSITY).unwrap_or(0);
    let mut tissue = vec![0; 3 * pixels.len()];
    let places = tissue.as_chunks_mut::<3>().0;
    let mut count = 0;
    for pixel in pixels {
        places[count] = *pixel;
        count += usize::from(pixel.iter().all(|&value| usize::from(value) <= brightest));
    }
    tissue.truncate(3 * count);
    tissue
}

/// The two stains: the extreme directions in the plane in which densities vary most.
#[inline(always)]
fn directions(tissue: &[u8], table: &[f32; 256]) -> Result<[[f64; 3]; 2], NormalizeError> {
    let pairs = eigen(&covariance(tissue, table));
    if pairs[1].0 < MIN_VARIANCE {
        return Err(NormalizeError::OneColour);
    }
    let mut most = pairs[0].1;
    if most.iter().sum::<f64>() < 0.0 {
        // Densities are positive, so their main direction is taken with a positive sign.
        most = most.map(|value| -value);
    }
    let plane = [pairs[1].1, most];
    let angles = pseudo_angles(tissue, table, plane);
    let [least, largest] = ANGLES.map(|percent| {
        let ((below, share), above) = neighbours(&angles, percent);
        let (below, above) = (angle(below), angle(above));
        let angle = below + (above - below) * share;
        std::array::from_fn(|c| plane[0][c] * angle.cos() + plane[1][c] * angle.sin())
    });
    ordered(least, largest)
}

/// Covariance of the densities, `[channel, channel]`.
#[inline(always)]
fn covariance(tissue: &[u8], table: &[f32; 256]) -> [[f64; 3]; 3] {
    const PAIRS: [(usize, usize); 6] = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)];
    let (mut sums, mut products) = ([0f64; 3], [0f64; 6]);
    let mut planes = EMPTY;
    for pixels in tissue.chunks(3 * CHUNK) {
        planes::load(pixels, table, &mut planes);
        let here = pixels.len() / 3;
        for (channel, sum) in sums.iter_mut().enumerate() {
            let plane = &planes[channel];
            *sum += planes::sum(|at| plane[at], here);
        }
        for ((a, b), sum) in PAIRS.into_iter().zip(&mut products) {
            let (a, b) = (&planes[a], &planes[b]);
            *sum += planes::sum(|at| a[at] * b[at], here);
        }
    }
    let count = (tissue.len() / 3) as f64;
    let mut matrix = [[0.0; 3]; 3];
    for ((a, b), product) in PAIRS.into_iter().zip(products) {
        let value = (product - sums[a] * sums[b] / count) / (count - 1.0);
        (matrix[a][b], matrix[b][a]) = (value, value);
    }
    matrix
}

/// Numbers from -2 to 2 in the same order as the angles in the plane, which are more expensive
/// to compute.
#[inline(always)]
fn pseudo_angles(tissue: &[u8], table: &[f32; 256], plane: [[f64; 3]; 2]) -> Vec<f32> {
    let [u, v] = plane.map(|vector| vector.map(to_f32));
    let mut angles = Vec::with_capacity(tissue.len() / 3 + CHUNK);
    let mut planes = EMPTY;
    for pixels in tissue.chunks(3 * CHUNK) {
        planes::load(pixels, table, &mut planes);
        let mut here = [0f32; CHUNK];
        for (at, angle) in here.iter_mut().enumerate() {
            let [r, g, b] = [planes[0][at], planes[1][at], planes[2][at]];
            let x = u[0] * r + u[1] * g + u[2] * b;
            let y = v[0] * r + v[1] * g + v[2] * b;
            *angle = (1.0 - x / (x.abs() + y.abs())).copysign(y);
        }
        angles.extend_from_slice(&here[..pixels.len() / 3]);
    }
    angles
}

/// The angle, in radians, of a pseudo-angle.
fn angle(pseudo: f32) -> f64 {
    let pseudo = f64::from(pseudo);
    let x = 1.0 - pseudo.abs();
    (1.0 - x.abs()).copysign(pseudo).atan2(x)
}

/// The dot product of each pixel's density with a vector.
#[inline(always)]
fn projected(rgb: &[u8], table: &[f32; 256], vector: [f32; 3]) -> Vec<f32> {
    let mut values = Vec::with_capacity(rgb.len() / 3 + CHUNK);
    let mut planes = EMPTY;
    for pixels in rgb.chunks(3 * CHUNK) {
        planes::load(pixels, table, &mut planes);
        let mut here = [0f32; CHUNK];
        for (at, value) in here.iter_mut().enumerate() {
            *value =
                vector[0] * planes[0][at] + vector[1] * planes[1][at] + vector[2] * planes[2][at];
        }
        values.extend_from_slice(&here[..pixels.len() / 3]);
    }
    values
}

/// The transform: unmixing, scaling and mixing, which together are one matrix between optical
/// densities.
#[derive(Debug, Clone)]
pub(super) struct DensityMap {
    /// Base-2 logarithm of the transmitted share of light, indexed by byte.
    table: [f32; 256],
    matrix: [[f32; 3]; 3],
}

impl DensityMap {
    pub(super) fn new(source: &Stains, target: &Stains) -> Self {
        let rows = unmixing(source.vectors());
        let scale = [0, 1].map(|k| target.strength[k] / source.strength[k]);
        let to = target.vectors();
        let matrix = std::array::from_fn(|out| {
            std::array::from_fn(|c| {
                to_f32((0..2).map(|k| to[k][out] * scale[k] * rows[k][c]).sum())
            })
        });
        let table = |value| to_f32(-density(value) * std::f64::consts::LOG2_E);
        Self { table: std::array::from_fn(table), matrix }
    }

    #[inline(always)]
    pub(super) fn apply(&self, rgb: &mut [u8]) {
        let mut planes = EMPTY;
        for pixels in rgb.chunks_mut(3 * CHUNK) {
            planes::load(pixels, &self.table, &mut planes);
            super::lab::multiply(&self.matrix, [0.0; 3], &mut planes);
            for plane in &mut planes {
                for value in plane {
                    *value = exp2(*value) * to_f32(LIGHT);
                }
            }
            planes::store(&planes, pixels);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pseudo_angles_convert_to_angles() {
        for step in -31..=31 {
            let expected = f64::from(step) / 10.0;
            let (x, y) = (to_f32(expected.cos()), to_f32(expected.sin()));
            let pseudo = (1.0 - x / (x.abs() + y.abs())).copysign(y);
            assert!((angle(pseudo) - expected).abs() < 1e-5, "{expected}");
        }
    }
}
