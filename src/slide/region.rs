//! [`Region`], a rectangle of pixels that readers return.

/// A rectangle of pixels of a level or of the working plane; each function says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Left edge; may be negative.
    pub x_px: i64,
    /// Top edge; may be negative.
    pub y_px: i64,
    /// Width.
    pub width_px: u32,
    /// Height.
    pub height_px: u32,
}

impl Region {
    /// The region whose top left corner is (`x_px`, `y_px`).
    #[must_use]
    pub const fn new(x_px: i64, y_px: i64, width_px: u32, height_px: u32) -> Self {
        Self { x_px, y_px, width_px, height_px }
    }

    /// The first column to the right of the region.
    #[must_use]
    pub fn right_px(&self) -> i64 {
        self.x_px.saturating_add(self.width_px.into())
    }

    /// The first row below the region.
    #[must_use]
    pub fn bottom_px(&self) -> i64 {
        self.y_px.saturating_add(self.height_px.into())
    }

    /// Bytes of the region's pixels, u8 [row, col, rgb].
    #[must_use]
    pub fn rgb_bytes(&self) -> u64 {
        3 * u64::from(self.width_px) * u64::from(self.height_px)
    }

    /// The common part of both regions; `None` if they have no pixel in common.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let (x_px, y_px) = (self.x_px.max(other.x_px), self.y_px.max(other.y_px));
        let span = |start: i64, end: i64| {
            let length = u32::try_from(end.checked_sub(start)?).ok()?;
            (length > 0).then_some(length)
        };
        let width_px = span(x_px, self.right_px().min(other.right_px()))?;
        let height_px = span(y_px, self.bottom_px().min(other.bottom_px()))?;
        Some(Self { x_px, y_px, width_px, height_px })
    }

    /// The smallest region that contains both.
    ///
    /// # Panics
    /// When the two are further apart than 2^32 px.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let (x_px, y_px) = (self.x_px.min(other.x_px), self.y_px.min(other.y_px));
        let length = |start: i64, end: i64| u32::try_from(end - start).expect("both are near");
        Self {
            x_px,
            y_px,
            width_px: length(x_px, self.right_px().max(other.right_px())),
            height_px: length(y_px, self.bottom_px().max(other.bottom_px())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_part_has_the_pixels_of_both() {
        let region = Region::new(-2, 3, 5, 4);
        assert_eq!(region.intersection(&Region::new(0, 0, 9, 5)), Some(Region::new(0, 3, 3, 2)));
        assert_eq!(region.intersection(&region), Some(region));
        for apart in [Region::new(3, 3, 1, 1), Region::new(-2, 7, 5, 1), Region::new(0, 4, 0, 1)] {
            assert_eq!(region.intersection(&apart), None, "{apart:?}");
        }
        let ends = [Region::new(i64::MAX, i64::MIN, 2, 2), Region::new(i64::MIN, 0, u32::MAX, 1)];
        assert_eq!(ends[0].intersection(&ends[1]), None);
    }

    #[test]
    fn the_union_contains_both_and_no_more() {
        let union = Region::new(-2, 3, 5, 4).union(&Region::new(1, -1, 4, 2));
        assert_eq!(union, Region::new(-2, -1, 7, 8));
        assert_eq!((union.right_px(), union.bottom_px(), union.rgb_bytes()), (5, 7, 168));
    }
}
