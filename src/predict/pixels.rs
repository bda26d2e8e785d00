//! Converts rows of pixels to rows of f32, with AVX2 where the processor has it. Pure.

/// `value = pixel * scale + bias` along a row of one channel.
pub(super) fn scale_row(pixels: &[u8], scale: f32, bias: f32, values: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, as the line above checks.
        return unsafe { scale_row_avx2(pixels, scale, bias, values) };
    }
    scale_row_plain(pixels, scale, bias, values);
}

/// `value = pixel * scale + bias` along a row `[col, channel]`, per channel.
pub(super) fn scale_pixels(pixels: &[u8], scale: [f32; 3], bias: [f32; 3], values: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, as the line above checks.
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

/// Separates the channels of `[pixel, rgb]`; each of `planes` takes one byte per pixel.
pub(super) fn separate_channels(rgb: &[u8], planes: [&mut [u8]; 3]) {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, as the line above checks.
        return unsafe { separate_channels_avx2(rgb, planes) };
    }
    separate_channels_plain(rgb, planes);
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
fn separate_channels_avx2(rgb: &[u8], planes: [&mut [u8]; 3]) {
    separate_channels_plain(rgb, planes);
}

#[inline(always)]
fn separate_channels_plain(rgb: &[u8], [first, second, third]: [&mut [u8]; 3]) {
    let pixels = rgb.chunks_exact(3).zip(first).zip(second).zip(third);
    for (((pixel, first), second), third) in pixels {
        (*first, *second, *third) = (pixel[0], pixel[1], pixel[2]);
    }
}
