//! Rows of bytes to rows of numbers, eight at a time where the processor can.

/// `value = pixel * scale + bias` along a row of one channel.
pub(super) fn scale_row(pixels: &[u8], scale: f32, bias: f32, values: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what the function was compiled for.
        return unsafe { scale_row_avx2(pixels, scale, bias, values) };
    }
    scale_row_plain(pixels, scale, bias, values);
}

/// The same along a row `[col, channel]`.
pub(super) fn scale_pixels(pixels: &[u8], scale: [f32; 3], bias: [f32; 3], values: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what the function was compiled for.
        return unsafe { scale_pixels_avx2(pixels, scale, bias, values) };
    }
    scale_pixels_plain(pixels, scale, bias, values);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn scale_pixels_avx2(pixels: &[u8], scale: [f32; 3], bias: [f32; 3], values: &mut [f32]) {
    scale_pixels_plain(pixels, scale, bias, values);
}

#[inline(always)]
fn scale_pixels_plain(pixels: &[u8], scale: [f32; 3], bias: [f32; 3], values: &mut [f32]) {
    for (values, pixels) in values.chunks_exact_mut(3).zip(pixels.chunks_exact(3)) {
        for channel in 0..3 {
            values[channel] = f32::from(pixels[channel]) * scale[channel] + bias[channel];
        }
    }
}

/// Channels of `[pixel, rgb]` apart: `planes[channel]` takes as many bytes as there
/// are pixels.
pub(super) fn part_channels(rgb: &[u8], planes: [&mut [u8]; 3]) {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what the function was compiled for.
        return unsafe { part_channels_avx2(rgb, planes) };
    }
    part_channels_plain(rgb, planes);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn scale_row_avx2(pixels: &[u8], scale: f32, bias: f32, values: &mut [f32]) {
    scale_row_plain(pixels, scale, bias, values);
}

#[inline(always)]
fn scale_row_plain(pixels: &[u8], scale: f32, bias: f32, values: &mut [f32]) {
    for (value, &pixel) in values.iter_mut().zip(pixels) {
        *value = f32::from(pixel) * scale + bias;
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn part_channels_avx2(rgb: &[u8], planes: [&mut [u8]; 3]) {
    part_channels_plain(rgb, planes);
}

#[inline(always)]
fn part_channels_plain(rgb: &[u8], [first, second, third]: [&mut [u8]; 3]) {
    let pixels = rgb.chunks_exact(3).zip(first).zip(second).zip(third);
    for (((pixel, first), second), third) in pixels {
        (*first, *second, *third) = (pixel[0], pixel[1], pixel[2]);
    }
}
