//! Converts OpenSlide's pixels to RGB over white.

/// Converts premultiplied 0xAARRGGBB pixels to u8 [pixel, rgb] over white: each channel is
/// c + 255 - a.
///
/// # Panics
/// Panics when `rgb` does not have 3 bytes per pixel.
pub(super) fn argb_to_rgb(argb: &[u32], rgb: &mut [u8]) {
    assert_eq!(argb.len() * 3, rgb.len(), "3 bytes per pixel");
    let (blocks, rest) = argb.as_chunks::<4>();
    let (out_blocks, out_rest) = rgb.as_chunks_mut::<12>();
    for (pixels, out) in blocks.iter().zip(out_blocks) {
        // Four pixels become three words, which are written faster than twelve bytes.
        let [a, b, c, d] = pixels.map(over_white);
        let words = [a | b << 24, b >> 8 | c << 16, c >> 16 | d << 8];
        for (bytes, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
    }
    for (pixel, out) in rest.iter().zip(out_rest.as_chunks_mut::<3>().0) {
        let [r, g, b, _] = over_white(*pixel).to_le_bytes();
        *out = [r, g, b];
    }
}

/// One pixel over white as 0x00BBGGRR. A premultiplied channel is at most alpha, so none of
/// the three additions carries into the next channel.
#[inline]
fn over_white(argb: u32) -> u32 {
    (argb + (255 - (argb >> 24)) * 0x0001_0101).swap_bytes() >> 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_pixel_is_composited_over_white(
            pixels in prop::collection::vec((any::<u8>(), any::<[u8; 3]>()), 0..23)
        ) {
            let premultiplied: Vec<(u8, [u8; 3])> =
                pixels.iter().map(|&(a, c)| (a, c.map(|c| c.min(a)))).collect();
            let argb: Vec<u32> = premultiplied
                .iter()
                .map(|&(a, [r, g, b])| u32::from_be_bytes([a, r, g, b]))
                .collect();
            let mut rgb = vec![0; 3 * argb.len()];
            argb_to_rgb(&argb, &mut rgb);
            let expected: Vec<u8> =
                premultiplied.iter().flat_map(|&(a, c)| c.map(|c| c + (255 - a))).collect();
            prop_assert_eq!(rgb, expected);
        }
    }
}
