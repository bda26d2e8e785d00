//! L\*a\*b\* in bytes, equal to OpenCV's 8-bit `cv2.cvtColor`: L\* times 255 / 100, a\* and b\*
//! plus 128.
//!
//! The paper's code standardises brightness in these bytes, and their rounding moves pixels
//! by several grey levels. This module therefore does the same fixed-point arithmetic; the
//! integration tests compare it with OpenCV for every colour.

use std::sync::OnceLock;

use super::lab::linear;

/// Fractional bits of matrices, of linear light and of roots, from sRGB to L\*a\*b\*.
const MATRIX_BITS: u32 = 12;
const LIGHT_BITS: u32 = 3;
const ROOT_BITS: u32 = MATRIX_BITS + LIGHT_BITS;
/// Fractional bits of roots and XYZ from L\*a\*b\* to sRGB.
const BACK_BITS: u32 = 14;
const BACK: i32 = 1 << BACK_BITS;
/// Steps of linear light from L\*a\*b\* to sRGB.
const BACK_STEPS: usize = 4096;
/// Smallest root from L\*a\*b\* to sRGB.
const MIN_ROOT: i32 = -8145;
const ROOTS: usize = 9 * (BACK as usize) / 4;
/// Up to this root (6/29) the conversion is linear instead of cubic.
const LINE_BELOW_ROOT: i32 = 3390;

/// Matrix from linear sRGB to XYZ relative to white, 12 bits; matrix and white are OpenCV's.
const TO_RELATIVE: [[i32; 3]; 3] = [[1777, 1541, 778], [871, 2929, 296], [73, 448, 3575]];
/// Matrix from XYZ relative to white to linear sRGB, 12 bits.
const TO_RGB: [[i32; 3]; 3] = [[12615, -6296, -2223], [-3773, 7684, 185], [217, -836, 4715]];

/// The tables of the conversions.
pub(super) struct CvLab {
    /// Byte -> linear light, 11 bits.
    light: [i32; 256],
    /// Relative X, Y or Z, 11 bits -> its root, 15 bits.
    root: Vec<i32>,
    /// L\* byte -> root and relative Y, 14 bits.
    root_of_l: [i32; 256],
    y_of_l: [i32; 256],
    /// Root from [`MIN_ROOT`] -> relative X or Z, 14 bits.
    cube: Vec<i32>,
    /// Linear light, 12 bits -> byte.
    coded: Vec<u8>,
}

/// The tables, which are made on first use.
pub(super) fn cv_lab() -> &'static CvLab {
    static TABLES: OnceLock<CvLab> = OnceLock::new();
    TABLES.get_or_init(CvLab::new)
}

/// Rounds halves to even, like `cvRound`.
#[expect(clippy::cast_possible_truncation, reason = "values of at most 16 bits")]
fn rounded(value: f64) -> i32 {
    value.round_ties_even() as i32
}

#[inline(always)]
const fn descale(value: i32, bits: u32) -> i32 {
    (value + (1 << (bits - 1))) >> bits
}

#[inline(always)]
fn index(value: i32) -> usize {
    value.cast_unsigned() as usize
}

impl CvLab {
    fn new() -> Self {
        let steps = |count: i32| (0..count).map(f64::from);
        let mut light = [0; 256];
        let (mut root_of_l, mut y_of_l) = ([0; 256], [0; 256]);
        let full = f64::from(255 << LIGHT_BITS);
        let back = f64::from(BACK);
        for (at, value) in steps(256).enumerate() {
            light[at] = rounded(full * linear(value / 255.0));
            let root = if at <= 20 {
                16.0 / 116.0 + value * 5.0 / f64::from(3 * 17 * 29)
            } else {
                value * 100.0 / f64::from(255 * 116) + 16.0 / 116.0
            };
            let y =
                if at <= 20 { value * 180.0 / f64::from(17 * 29 * 29 * 29) } else { root.powi(3) };
            (root_of_l[at], y_of_l[at]) = (rounded(back * root), rounded(back * y));
        }
        let root = |light: f64| {
            let x = light / full;
            let line = x * 841.0 / 108.0 + 16.0 / 116.0;
            rounded(f64::from(1 << ROOT_BITS) * if x < 216.0 / 24389.0 { line } else { x.cbrt() })
        };
        let coded = |step: f64| {
            let x = step / 4096.0;
            let coded =
                if x <= 0.003_130_8 { x * 12.92 } else { 1.055 * x.powf(1.0 / 2.4) - 0.055 };
            u8::try_from(rounded(255.0 * coded)).expect("a coded value is 0 to 1")
        };
        let last_root = MIN_ROOT + i32::try_from(ROOTS).expect("the table is short");
        Self {
            light,
            root: steps(3072).map(root).collect(),
            root_of_l,
            y_of_l,
            cube: (MIN_ROOT..last_root).map(cube).collect(),
            coded: steps(4096).map(coded).collect(),
        }
    }

    /// sRGB to L\*, a\*, b\*.
    #[inline(always)]
    pub(super) fn lab(&self, rgb: [u8; 3]) -> [u8; 3] {
        let [x, y, z] = self.roots(rgb);
        let half = 128 << ROOT_BITS;
        let byte = |value: i32| byte(descale(value, ROOT_BITS));
        [self.l_of(y), byte(500 * (x - y) + half), byte(200 * (y - z) + half)]
    }

    /// sRGB to L\* alone.
    #[inline(always)]
    pub(super) fn l(&self, rgb: [u8; 3]) -> u8 {
        self.l_of(self.root_of(TO_RELATIVE[1], self.linear(rgb)))
    }

    #[inline(always)]
    fn l_of(&self, root: i32) -> u8 {
        const SCALE: i32 = (116 * 255 + 50) / 100;
        const SHIFT: i32 = -((16 * 255 * (1 << ROOT_BITS) + 50) / 100);
        byte(descale(SCALE * root + SHIFT, ROOT_BITS))
    }

    #[inline(always)]
    fn linear(&self, rgb: [u8; 3]) -> [i32; 3] {
        rgb.map(|value| self.light[usize::from(value)])
    }

    #[inline(always)]
    fn roots(&self, rgb: [u8; 3]) -> [i32; 3] {
        let light = self.linear(rgb);
        TO_RELATIVE.map(|row| self.root_of(row, light))
    }

    #[inline(always)]
    fn root_of(&self, row: [i32; 3], light: [i32; 3]) -> i32 {
        self.root[index(descale(sum(row, light), MATRIX_BITS))]
    }

    /// L\*, a\*, b\* to sRGB.
    #[inline(always)]
    pub(super) fn rgb(&self, [l, a, b]: [u8; 3]) -> [u8; 3] {
        let l = usize::from(l);
        let root = self.root_of_l[l];
        // a / 500 and b / 200 in 14 bits.
        let a = ((5 * i32::from(a) * 53687 + (1 << 7)) >> 13) - 128 * BACK / 500;
        let b = ((i32::from(b) * 41943 + (1 << 4)) >> 9) - 128 * BACK / 200 + 1;
        let x = self.cube[index(root + a - MIN_ROOT)];
        let z = self.cube[index(root - b - MIN_ROOT)];
        let relative = [x, self.y_of_l[l], z];
        TO_RGB.map(|row| {
            let light = descale(sum(row, relative), BACK_BITS);
            self.coded[index(light.clamp(0, 4095)) & (BACK_STEPS - 1)]
        })
    }
}

/// The cube of a root, linear up to 6/29. It truncates where OpenCV does.
fn cube(root: i32) -> i32 {
    if root <= LINE_BELOW_ROOT {
        return root * 108 / 841 - BACK * 16 / 116 * 108 / 841;
    }
    root * root / BACK * root / BACK
}

#[inline(always)]
fn sum(row: [i32; 3], vector: [i32; 3]) -> i32 {
    row[0] * vector[0] + row[1] * vector[1] + row[2] * vector[2]
}

#[inline(always)]
fn byte(value: i32) -> u8 {
    #[expect(clippy::cast_sign_loss, reason = "clamped")]
    let byte = value.clamp(0, 255) as u8;
    byte
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_colours() {
        let tables = cv_lab();
        // cv2.cvtColor of OpenCV 5.0.
        assert_eq!(tables.lab([255, 255, 255]), [255, 128, 128]);
        assert_eq!(tables.lab([0, 0, 0]), [0, 128, 128]);
        assert_eq!(tables.rgb([255, 128, 128]), [255, 255, 255]);
        assert_eq!(tables.rgb([0, 128, 128]), [0, 0, 0]);
    }

    proptest! {
        #[test]
        fn conversion_there_and_back_stays_close(bytes in any::<[u8; 3]>()) {
            let tables = cv_lab();
            let lab = tables.lab(bytes);
            prop_assert_eq!(lab[0], tables.l(bytes));
            let _ = tables.rgb(bytes);
            let back = tables.rgb(lab);
            prop_assert!(back.iter().zip(bytes).all(|(a, b)| a.abs_diff(b) < 40));
        }
    }
}
