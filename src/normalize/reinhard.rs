//! Reinhard's method: mean and standard deviation in L\*a\*b\* made those of the template.
//!
//! Source: Reinhard, Ashikhmin, Gooch and Shirley, Color transfer between images, IEEE
//! Computer Graphics and Applications 21(5), 2001. Like torchstain and StainTools, the method
//! works in L\*a\*b\* and over all pixels.

use super::lab::{self, LAB_OF_ROOTS};
use super::matrix::{Matrix, inverse, product, to_f32};
use super::planes::{self, CHUNK, EMPTY, Planes};
use super::stains::check_tissue;
use super::{LabStatistics, NormalizeError};

/// Tissue has an L\* below this, which is StainTools' luminosity of 0.8.
const TISSUE_BELOW_L: f32 = 80.0;

/// Smallest standard deviation, in L\*a\*b\* units, of a picture with more than one colour.
/// Smaller ones are invisible and close to rounding.
const MIN_STD: f64 = 0.1;

/// Subtracted from values before summing; sums lose less precision around zero.
const CENTRE: [f32; 3] = [70.0, 0.0, 0.0];

#[inline(always)]
pub(super) fn estimate(rgb: &[u8]) -> Result<LabStatistics, NormalizeError> {
    let count = rgb.len() / 3;
    let to_lab = Forward::new();
    let (mut sums, mut squares, mut tissue) = ([0f64; 3], [0f64; 3], 0.0);
    let mut planes = EMPTY;
    for pixels in rgb.chunks(3 * CHUNK) {
        to_lab.load(pixels, &mut planes);
        let here = pixels.len() / 3;
        for channel in 0..3 {
            let (plane, centre) = (&planes[channel], CENTRE[channel]);
            sums[channel] += planes::sum(|at| plane[at] - centre, here);
            squares[channel] += planes::sum(|at| (plane[at] - centre).powi(2), here);
        }
        let dark = &planes[0];
        tissue += planes::sum(|at| f32::from(u8::from(dark[at] < TISSUE_BELOW_L)), here);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    check_tissue(tissue as usize, count)?;
    let all = count as f64;
    let mean = sums.map(|sum| sum / all);
    let std: [f64; 3] =
        std::array::from_fn(|c| (squares[c] / all - mean[c] * mean[c]).max(0.0).sqrt());
    if std.iter().any(|&value| value < MIN_STD) {
        return Err(NormalizeError::OneColour);
    }
    Ok(LabStatistics { mean: std::array::from_fn(|c| mean[c] + f64::from(CENTRE[c])), std })
}

/// Conversion from bytes to L\*a\*b\*.
struct Forward {
    table: [f32; 256],
    to_relative: [[f32; 3]; 3],
    to_lab: [[f32; 3]; 3],
    offset: [f32; 3],
}

impl Forward {
    fn new() -> Self {
        Self {
            table: lab::linear_table(),
            to_relative: lab::rgb_to_relative().map(|row| row.map(to_f32)),
            to_lab: LAB_OF_ROOTS.0.map(|row| row.map(to_f32)),
            offset: LAB_OF_ROOTS.1.map(to_f32),
        }
    }

    #[inline(always)]
    fn load(&self, pixels: &[u8], planes: &mut Planes) {
        planes::load(pixels, &self.table, planes);
        lab::multiply(&self.to_relative, [0.0; 3], planes);
        lab::to_roots(planes);
        lab::multiply(&self.to_lab, self.offset, planes);
    }
}

/// The transform that gives one picture the statistics of another. It is a scale and a shift
/// in L\*a\*b\*, and therefore a matrix and an offset between the roots, of which L\*a\*b\* is a
/// linear function.
#[derive(Debug, Clone)]
pub(super) struct ColorTransfer {
    table: [f32; 256],
    to_relative: [[f32; 3]; 3],
    between: [[f32; 3]; 3],
    offset: [f32; 3],
    to_rgb: [[f32; 3]; 3],
}

impl ColorTransfer {
    pub(super) fn new(source: &LabStatistics, target: &LabStatistics) -> Self {
        let scale: [f64; 3] = std::array::from_fn(|c| target.std[c] / source.std[c]);
        let (to_lab, start) = LAB_OF_ROOTS;
        let to_roots = inverse(&to_lab);
        let scaled: Matrix = std::array::from_fn(|row| to_lab[row].map(|v| v * scale[row]));
        // roots -> lab -> scale, shift -> roots
        let shift: [f64; 3] = std::array::from_fn(|c| {
            (start[c] - source.mean[c]) * scale[c] + target.mean[c] - start[c]
        });
        let offset = super::matrix::applied(&to_roots, shift);
        Self {
            table: lab::linear_table(),
            to_relative: lab::rgb_to_relative().map(|row| row.map(to_f32)),
            between: product(&to_roots, &scaled).map(|row| row.map(to_f32)),
            offset: offset.map(to_f32),
            to_rgb: lab::relative_to_rgb().map(|row| row.map(to_f32)),
        }
    }

    #[inline(always)]
    pub(super) fn apply(&self, rgb: &mut [u8]) {
        let mut planes = EMPTY;
        for pixels in rgb.chunks_mut(3 * CHUNK) {
            planes::load(pixels, &self.table, &mut planes);
            lab::multiply(&self.to_relative, [0.0; 3], &mut planes);
            lab::to_roots(&mut planes);
            lab::multiply(&self.between, self.offset, &mut planes);
            lab::from_roots(&mut planes);
            lab::multiply(&self.to_rgb, [0.0; 3], &mut planes);
            lab::to_coded(&mut planes);
            planes::store(&planes, pixels);
        }
    }
}
