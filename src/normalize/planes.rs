//! A few hundred pixels at a time, channel by channel: what processors work on
//! eight or sixteen at once.

use super::fast_math::byte;

/// Pixels worked on together; three planes of them stay in the first cache.
pub(super) const CHUNK: usize = 256;

/// One value a channel and pixel, `[channel, pixel]`.
pub(super) type Planes = [[f32; CHUNK]; 3];

/// Something in every place: a last chunk is worked on whole.
pub(super) const EMPTY: Planes = [[1.0; CHUNK]; 3];

/// Looks up `rgb`, at most [`CHUNK`] pixels, in `table`.
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

/// Cuts the values to bytes, 0 to 255, and writes them to `rgb`.
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

/// Sums of up to [`CHUNK`] values in single, then of chunks in double
/// precision: fast, and exact to a millionth.
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
