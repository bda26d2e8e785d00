//! Powers and roots that the compiler turns into vector instructions. They have no branches
//! and no calls, and errors far below a grey level.

/// 1.5 * 2^23. Adding this rounds a number to a whole one, which the low bits then hold.
const ROUNDER: f32 = 12_582_912.0;

/// 2^x with a relative error of about 1e-6. `x` is limited to -126 to 126.
#[inline(always)]
pub(super) fn exp2(x: f32) -> f32 {
    let x = x.clamp(-126.0, 126.0);
    let shifted = x + ROUNDER;
    let rest = x - (shifted - ROUNDER);
    // Taylor's series of e^(rest ln 2), |rest| <= 0.5, to the sixth power.
    let t = rest * std::f32::consts::LN_2;
    let upper = 1.0 / 24.0 + t * (1.0 / 120.0 + t * (1.0 / 720.0));
    let series = 1.0 + t * (1.0 + t * (0.5 + t * (1.0 / 6.0 + t * upper)));
    let exponent = shifted.to_bits().wrapping_sub(ROUNDER.to_bits()).wrapping_add(127);
    series * f32::from_bits(exponent << 23)
}

/// Cube root of a normal x > 0 with a relative error of 3e-5, a hundredth of a grey level. For
/// other `x` the result is arbitrary, without a panic.
#[inline(always)]
pub(super) fn cube_root(x: f32) -> f32 {
    /// Offset that turns a third of a number's bits into nearly the bits of its cube root;
    /// found by trial.
    const OFFSET: i32 = 709_957_500;
    let third = x.to_bits().cast_signed() as f32 * (1.0 / 3.0);
    // SAFETY: a third of an i32 fits an i32.
    let third = unsafe { third.to_int_unchecked::<i32>() };
    let guess = f32::from_bits(third.wrapping_add(OFFSET).cast_unsigned());
    // One step of Halley's method, after which the error is about the cube of the guess's.
    let cube = guess * guess * guess;
    guess * (cube + 2.0 * x) / (2.0 * cube + x)
}

/// x^(1 / 2.4) of a normal x > 0, the curve of sRGB, by way of 5 / 12 = (1 / 3) (5 / 4).
#[inline(always)]
pub(super) fn gamma_power(x: f32) -> f32 {
    let root = cube_root(x);
    root * root.sqrt().sqrt()
}

/// Truncates to a whole number from 0 to 255; 0 for NaN.
#[inline(always)]
pub(super) fn byte(x: f32) -> u32 {
    #[expect(clippy::manual_clamp, reason = "clamp keeps NaN, max and min take the number")]
    let inside = x.max(0.0).min(255.0);
    // SAFETY: `inside` is between 0 and 255.
    unsafe { inside.to_int_unchecked::<i32>() }.cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_stay_small() {
        for step in 1..200_000 {
            let x = step as f32 * 1e-4;
            let relative = |found: f32, expected: f64| (f64::from(found) / expected - 1.0).abs();
            let exact = f64::from(x);
            assert!(relative(exp2(x - 10.0), f64::from(x - 10.0).exp2()) < 2e-6, "{x}");
            assert!(relative(cube_root(x), exact.cbrt()) < 3e-5, "{x}");
            assert!(relative(gamma_power(x), exact.powf(1.0 / 2.4)) < 4e-5, "{x}");
        }
    }

    #[test]
    fn numbers_out_of_range_do_not_panic() {
        let cut = [-1.0, 0.0, 0.99, 254.9, 255.0, 1e9, f32::NAN].map(byte);
        assert_eq!(cut, [0, 0, 0, 254, 255, 255, 0]);
        for x in [0.0, -1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e-45] {
            let _ = (exp2(x), cube_root(x), gamma_power(x));
        }
    }
}
