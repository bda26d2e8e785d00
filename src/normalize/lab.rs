//! Conversion between sRGB and CIE L\*a\*b\* under D65, with the constants of scikit-image
//! (`skimage.color.rgb2lab`), which torchstain shares.

use super::fast_math::{cube_root, gamma_power};
use super::matrix::{Matrix, applied, inverse, to_f32};
use super::planes::{CHUNK, Planes};

/// Matrix from linear sRGB to XYZ.
const RGB_TO_XYZ: Matrix = [
    [0.412_453, 0.357_580, 0.180_423],
    [0.212_671, 0.715_160, 0.072_169],
    [0.019_334, 0.119_193, 0.950_227],
];
/// XYZ of white: D65, 2 degree observer.
const WHITE: [f64; 3] = [0.950_47, 1.0, 1.088_83];

/// Up to this X/Xn, and this root, the cube root is replaced by a line.
const LINE_BELOW: f64 = 0.008_856;
const LINE_BELOW_ROOT: f64 = 0.206_896_6;
const LINE_SLOPE: f64 = 7.787;
const LINE_START: f64 = 16.0 / 116.0;

/// Up to this coded value, and this linear light, sRGB's curve is a line.
const GAMMA_LINE_BELOW: f64 = 0.040_45;
const GAMMA_LINE_BELOW_LINEAR: f64 = 0.003_130_8;

/// Linear light of a coded sRGB value; both are 0 to 1.
pub(super) fn linear(coded: f64) -> f64 {
    if coded > GAMMA_LINE_BELOW { ((coded + 0.055) / 1.055).powf(2.4) } else { coded / 12.92 }
}

/// Converts sRGB to L\* (0 to 100), a\* and b\*.
pub fn rgb_to_lab(rgb: [u8; 3]) -> [f64; 3] {
    let xyz = applied(&rgb_to_relative(), rgb.map(|value| linear(f64::from(value) / 255.0)));
    let [x, y, z] =
        xyz.map(
            |value| {
                if value > LINE_BELOW { value.cbrt() } else { LINE_SLOPE * value + LINE_START }
            },
        );
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// Converts L\* (0 to 100), a\* and b\* to sRGB, 0 to 1. Colours outside sRGB are clipped.
pub fn lab_to_rgb([l, a, b]: [f64; 3]) -> [f64; 3] {
    let y = (l + 16.0) / 116.0;
    let relative = [y + a / 500.0, y, y - b / 200.0].map(|root| {
        if root > LINE_BELOW_ROOT { root.powi(3) } else { (root - LINE_START) / LINE_SLOPE }
    });
    applied(&relative_to_rgb(), relative).map(|value| {
        let coded = if value > GAMMA_LINE_BELOW_LINEAR {
            1.055 * value.powf(1.0 / 2.4) - 0.055
        } else {
            12.92 * value
        };
        coded.clamp(0.0, 1.0)
    })
}

/// Matrix from linear sRGB to XYZ relative to white.
pub(super) fn rgb_to_relative() -> Matrix {
    std::array::from_fn(|row| RGB_TO_XYZ[row].map(|value| value / WHITE[row]))
}

/// Matrix from XYZ relative to white to linear sRGB.
pub(super) fn relative_to_rgb() -> Matrix {
    let back = inverse(&RGB_TO_XYZ);
    std::array::from_fn(|row| std::array::from_fn(|col| back[row][col] * WHITE[col]))
}

/// Linear light, 0 to 1, of each byte.
pub(super) fn linear_table() -> [f32; 256] {
    let mut byte = 0.0;
    std::array::from_fn(|_| {
        let value = to_f32(linear(byte / 255.0));
        byte += 1.0;
        value
    })
}

/// Multiplies every pixel by a 3 x 3 matrix and adds an offset.
#[inline(always)]
pub(super) fn multiply(matrix: &[[f32; 3]; 3], offset: [f32; 3], planes: &mut Planes) {
    #[expect(clippy::needless_range_loop, reason = "three planes at once")]
    for at in 0..CHUNK {
        let [x, y, z] = [planes[0][at], planes[1][at], planes[2][at]];
        for channel in 0..3 {
            let m = matrix[channel];
            planes[channel][at] = m[0] * x + m[1] * y + m[2] * z + offset[channel];
        }
    }
}

/// Converts XYZ relative to white to roots. L\*a\*b\* is a linear function of the roots.
#[inline(always)]
pub(super) fn to_roots(planes: &mut Planes) {
    for plane in planes {
        for value in plane {
            let root = cube_root(*value);
            let line = *value * to_f32(LINE_SLOPE) + to_f32(LINE_START);
            *value = if *value > to_f32(LINE_BELOW) { root } else { line };
        }
    }
}

/// Converts roots to XYZ relative to white.
#[inline(always)]
pub(super) fn from_roots(planes: &mut Planes) {
    for plane in planes {
        for value in plane {
            let cube = *value * *value * *value;
            let line = (*value - to_f32(LINE_START)) * to_f32(1.0 / LINE_SLOPE);
            *value = if *value > to_f32(LINE_BELOW_ROOT) { cube } else { line };
        }
    }
}

/// Converts linear light to coded values of 0 to 255, not clipped.
#[inline(always)]
pub(super) fn to_coded(planes: &mut Planes) {
    for plane in planes {
        for value in plane {
            let curve = gamma_power(*value) * (1.055 * 255.0) - 0.055 * 255.0;
            let line = *value * (12.92 * 255.0);
            *value = if *value > to_f32(GAMMA_LINE_BELOW_LINEAR) { curve } else { line };
        }
    }
}

/// L\*, a\*, b\* as a linear function of the roots: matrix and offset.
pub(super) const LAB_OF_ROOTS: (Matrix, [f64; 3]) =
    ([[0.0, 116.0, 0.0], [500.0, -500.0, 0.0], [0.0, 200.0, -200.0]], [-16.0, 0.0, 0.0]);
