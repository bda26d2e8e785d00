//! Finds JPEG streams that end too early or are damaged.
//!
//! Decoders of JPEG fill what they cannot decode with grey and succeed. A picture of a slide that
//! is partly grey would be scored as if it were tissue.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Checks a stream, which a decoder has accepted, from its first marker to its last.
///
/// # Errors
/// A clause for a message if the stream does not end with the marker EOI, or cannot be decoded
/// without a gap.
pub(crate) fn check(jpeg: &[u8]) -> Result<(), String> {
    if !has_end(jpeg) {
        return Err(format!(
            "the JPEG stream ends after {} bytes without the marker of its end (FF D9): a part of the picture is missing",
            jpeg.len()
        ));
    }
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX);
    match JpegDecoder::new_with_options(ZCursor::new(jpeg), options).decode() {
        Ok(_) => Ok(()),
        // Filling bytes between two headers change no pixel.
        Err(error) if error.to_string().contains("Extra bytes between headers") => Ok(()),
        Err(error) => Err(format!("the JPEG stream is damaged: {error}")),
    }
}

/// Whether the markers of a stream lead to the end of the image (ITU-T T.81, annex B).
fn has_end(jpeg: &[u8]) -> bool {
    const SOI: u8 = 0xD8;
    const EOI: u8 = 0xD9;
    const TEM: u8 = 0x01;
    let mut at = 0;
    loop {
        // The next marker: FF and anything but 00 (a byte of data), FF (filling) or RST0 to RST7.
        let is_marker = |pair: &[u8]| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xFF | 0xD0..=0xD7);
        let rest = jpeg.get(at..).unwrap_or_default();
        let Some(found) = rest.windows(2).position(is_marker) else { return false };
        let marker = rest[found + 1];
        at += found + 2;
        match marker {
            EOI => return true,
            SOI | TEM => {}
            _ => match jpeg.get(at..at + 2) {
                Some(&[high, low]) => at += usize::from(u16::from_be_bytes([high, low])).max(2),
                _ => return false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(is_progressive: bool) -> Vec<u8> {
        let mut jpeg = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut jpeg, 90);
        encoder.set_progressive(is_progressive);
        let pixels: Vec<u8> = (0..3 * 96 * 64_u32).map(|k| (k * k / 7 % 251) as u8).collect();
        encoder.encode(&pixels, 96, 64, jpeg_encoder::ColorType::Rgb).unwrap();
        jpeg
    }

    #[test]
    fn a_stream_that_is_cut_anywhere_is_found() {
        for is_progressive in [false, true] {
            let jpeg = encoded(is_progressive);
            check(&jpeg).unwrap();
            check(&[&jpeg[..], b"bytes of another program"].concat()).unwrap();
            for length in 0..jpeg.len() {
                assert!(check(&jpeg[..length]).is_err(), "{length} of {}", jpeg.len());
            }
            // A file that was created with its length and not filled.
            for length in (jpeg.len() / 2..jpeg.len() - 1).step_by(7) {
                let mut hollow = jpeg.clone();
                hollow[length..].fill(0);
                assert!(check(&hollow).is_err(), "{length} of {}", jpeg.len());
            }
        }
    }
}
