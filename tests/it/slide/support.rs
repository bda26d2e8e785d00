//! What tests of slides share.

/// A picture without regularity, u8 [row, col, channel].
pub(crate) fn noise(rows: usize, cols: usize, channels: usize) -> ndarray::Array3<u8> {
    ndarray::Array3::from_shape_fn((rows, cols, channels), |(row, col, channel)| {
        let mixed = (row * 7919 + col * 104_729 + channel * 1_299_709) as u64;
        let mixed = (mixed ^ (mixed >> 7)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed.to_be_bytes()[1]
    })
}
