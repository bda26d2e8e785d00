//! Draws points at random by place alone: blocks and groups do not change a draw. Pure.

/// The purpose of a draw. Draws for different purposes are independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Tiles in which dense scores are compared.
    Tiles = 1,
    /// Windows that are compared in such a tile.
    Windows = 2,
    /// Points of a cascade's audit.
    Audit = 3,
    /// Tiles to fit a head to, over the slides of a run.
    Fit = 4,
}

/// A pseudorandom number that depends on the place alone, uniform over 64 bits: the finaliser
/// of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
pub(super) fn draw_key(purpose: Purpose, row: i64, col: i64) -> u64 {
    let place = (row.cast_unsigned() << 32) ^ (col.cast_unsigned() & 0xffff_ffff);
    mixed(mixed(place.wrapping_add(0x9e37_79b9_7f4a_7c15)).wrapping_add(purpose as u64))
}

/// As [`draw_key`], but different for each slide.
pub(super) fn slide_draw_key(slide: u64, purpose: Purpose, row: i64, col: i64) -> u64 {
    mixed(draw_key(purpose, row, col) ^ slide)
}

/// A pseudorandom number that depends on a slide's name alone.
pub(super) fn slide_key(slide: &str) -> u64 {
    slide.bytes().fold(slide.len() as u64, |number, byte| {
        mixed(number.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ u64::from(byte))
    })
}

/// Whether a place is drawn when a `share` of all places is, 0 to 1.
pub(super) fn is_drawn(purpose: Purpose, row: i64, col: i64, share: f64) -> bool {
    let uniform = (draw_key(purpose, row, col) >> 11) as f64 / (1u64 << 53) as f64;
    uniform < share
}

fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_met_and_draws_for_different_purposes_are_independent() {
        let places = || (0..200).flat_map(|row| (0..200).map(move |col| (row, col)));
        let count =
            |share| places().filter(|&(r, c)| is_drawn(Purpose::Audit, r, c, share)).count();
        assert_eq!((count(0.0), count(1.0)), (0, 40_000));
        assert!((3800..4200).contains(&count(0.1)));
        let common = places()
            .filter(|&(r, c)| {
                is_drawn(Purpose::Audit, r, c, 0.1) && is_drawn(Purpose::Tiles, r, c, 0.1)
            })
            .count();
        assert!((320..480).contains(&common), "{common}");
    }
}
