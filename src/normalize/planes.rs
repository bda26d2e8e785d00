//! Chunks of a few hundred pixels, channel by channel, so that the processor works on eight or
//! sixteen values at once.

use super::fast_math::byte;

/// Pixels per chunk; three planes of them stay in the first-level cache.
pub(super) const CHUNK: usize = 256;

/// One value per channel and pixel, `[channel, pixel]`.
pub(super) type Planes = [[f32; CHUNK]; 3];

/// Planes without pixels. They hold 1, because a last chunk is computed whole.
pub(super) const EMPTY: Planes = [[1.0; CHUNK]; 3];

/// Fills `planes` with the values that `table` has for `rgb`, at most [`CHUNK`] pixels.
#[inline(always)]
pub(super) fn load(rgb: &[u8], table: &[f32; 256], planes: &mut Planes) {
    let [red, green, blue] = planes;
    let places = red.iter_mut().zip(green).zip(blue);
    for (pixel, ((red, green), blue)) in rgb.as_chunks::<3>().0.iter().zip(places) {
        *red = table[usize::from(pixel[0])];
        *green = table[usize::from(pixel[1])];
        *blue = table[usize::from(pixel[2])];
    }
}

/// Truncates the values to bytes, 0 to 255, and writes them to `rgb`.
#[inline(always)]
pub(super) fn store(planes: &Planes, rgb: &mut [u8]) {
    let mut packed = [0u32; CHUNK];
    for (at, packed) in packed.iter_mut().enumerate() {
        let [red, green, blue] = [0, 1, 2].map(|channel| byte(planes[channel][at]));
        *packed = red | green << 8 | blue << 16;
    }
    for (pixel, packed) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(packed) {
        let [red, green, blue, _] = packed.to_le_bytes();
        *pixel = [red, green, blue];
    }
}

/// The sum of up to [`CHUNK`] values, exact to a millionth. A full chunk is summed in single
/// precision in 16 lanes, and the lanes in double precision.
#[inline(always)]
pub(super) fn sum(values: impl Fn(usize) -> f32, count: usize) -> f64 {
    const LANES: usize = 16;
    if count < CHUNK {
        return (0..count).map(|at| f64::from(values(at))).sum();
    }
    let mut lanes = [0f32; LANES];
    for row in 0..CHUNK / LANES {
        for (lane, total) in lanes.iter_mut().enumerate() {
            *total += values(row * LANES + lane);
        }
    }
    lanes.into_iter().map(f64::from).sum()
}
