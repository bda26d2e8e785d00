//! Powers and logarithms that compilers turn into vector instructions: no
//! branches, no calls, relative error below 1e-6.

/// 1.5 * 2^23: added to a number, rounds it to a whole one in the low bits.
const ROUNDER: f32 = 12_582_912.0;

/// 2^x for any x; below 2^-126 and above 2^126 the nearest of these.
#[inline(always)]
pub(super) fn exp2(x: f32) -> f32 {
    let x = x.max(-126.0).min(126.0);
    let shifted = x + ROUNDER;
    let rest = x - (shifted - ROUNDER);
    // Taylor's series of e^(rest ln 2), |rest| <= 0.5.
    let t = rest * std::f32::consts::LN_2;
    let series = 1.0
        + t * (1.0
            + t * (0.5
                + t * (1.0 / 6.0 + t * (1.0 / 24.0 + t * (1.0 / 120.0 + t * (1.0 / 720.0))))));
    let exponent = shifted.to_bits().wrapping_sub(ROUNDER.to_bits()).wrapping_add(127);
    series * f32::from_bits(exponent << 23)
}

/// Base-2 logarithm of a normal x > 0; anything, not a panic, of others.
#[inline(always)]
pub(super) fn log2(x: f32) -> f32 {
    /// Half the square root of 2, so that the mantissa lies around 1.
    const CENTRE: u32 = 0x3f35_04f3;
    let exponent = x.to_bits().wrapping_sub(CENTRE).cast_signed() >> 23;
    let mantissa = f32::from_bits(x.to_bits().wrapping_sub((exponent << 23).cast_unsigned()));
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let s2 = s * s;
    // Series of the inverse hyperbolic tangent, |s| <= 0.172.
    let series = s * (1.0 + s2 * (1.0 / 3.0 + s2 * (0.2 + s2 * (1.0 / 7.0))));
    exponent as f32 + series * (2.0 * std::f32::consts::LOG2_E)
}

/// x^p of x > 0.
#[inline(always)]
pub(super) fn power(x: f32, p: f32) -> f32 {
    exp2(log2(x) * p)
}

/// To a whole number from 0 to 255, decimals cut off; 0 of what is no number.
#[inline(always)]
pub(super) fn byte(x: f32) -> u32 {
    // max and min take the number of a number and NaN.
    let inside = x.max(0.0).min(255.0);
    // SAFETY: between 0 and 255.
    unsafe { inside.to_int_unchecked::<i32>() }.cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_stay_below_a_millionth() {
        for step in 1..200_000 {
            let x = step as f32 * 1e-4;
            let found = f64::from(exp2(x - 10.0));
            let expected = (f64::from(x) - 10.0).exp2();
            assert!((found / expected - 1.0).abs() < 2e-6, "{x}: {found} {expected}");
            assert!((f64::from(log2(x)) - f64::from(x).log2()).abs() < 2e-6, "{x}");
            let root = f64::from(power(x, 1.0 / 3.0));
            assert!((root / f64::from(x).cbrt() - 1.0).abs() < 2e-6, "{x}");
        }
        assert_eq!(
            [-1.0, 0.0, 0.99, 254.9, 255.0, 1e9, f32::NAN].map(byte),
            [0, 0, 0, 254, 255, 255, 0]
        );
        for x in [0.0, -1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e-45] {
            let _ = (exp2(x), log2(x), power(x, 0.3));
        }
    }
}
