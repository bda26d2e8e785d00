//! A picture held in memory, from which regions are copied.

use image::DynamicImage;

use super::region::Region;

/// A picture of u8 RGB, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Raster {
    pub(crate) width_px: u32,
    pub(crate) height_px: u32,
    /// Pixels, [row, col, rgb].
    pub(crate) rgb: Vec<u8>,
}

impl Raster {
    /// Converts any picture to RGB; transparency is composited over white.
    pub(crate) fn opaque(picture: DynamicImage, alpha: Alpha) -> Self {
        let (width_px, height_px) = (picture.width(), picture.height());
        let rgb = if picture.color().has_alpha() {
            let rgba = picture.into_rgba8().into_raw();
            let pixels = rgba.chunks_exact(4);
            pixels.flat_map(|p| alpha.over_white([p[0], p[1], p[2]], p[3])).collect()
        } else {
            picture.into_rgb8().into_raw()
        };
        Self { width_px, height_px, rgb }
    }

    /// Copies a region, in px of the picture, into `out`, u8 [row, col, rgb]. Pixels outside
    /// the picture are white (255).
    pub(crate) fn copy_region(&self, region: Region, out: &mut [u8]) {
        let Region { x_px, y_px, width_px, .. } = region;
        if width_px == 0 {
            return;
        }
        let (inside, source_x) = overlap(x_px, width_px, self.width_px);
        for (row, line) in out.chunks_exact_mut(3 * width_px as usize).enumerate() {
            let source_y = usize::try_from(y_px.saturating_add(row as i64)).ok();
            let source_y = source_y.filter(|&y| y < self.height_px as usize && !inside.is_empty());
            let Some(source_y) = source_y else {
                line.fill(255);
                continue;
            };
            line[..3 * inside.start].fill(255);
            line[3 * inside.end..].fill(255);
            let start = 3 * (source_y * self.width_px as usize + source_x);
            line[3 * inside.start..3 * inside.end]
                .copy_from_slice(&self.rgb[start..start + 3 * inside.len()]);
        }
    }

    /// The picture reduced by `factor`: each pixel is the rounded mean of `factor` x
    /// `factor` px, or of fewer at the right and bottom edges.
    pub(crate) fn reduced(&self, factor: u32) -> Self {
        let (width_px, height_px) =
            (self.width_px.div_ceil(factor), self.height_px.div_ceil(factor));
        let mut rgb = Vec::with_capacity(3 * width_px as usize * height_px as usize);
        for row in 0..height_px {
            for col in 0..width_px {
                let rows = row * factor..((row + 1) * factor).min(self.height_px);
                let cols = col * factor..((col + 1) * factor).min(self.width_px);
                rgb.extend(self.mean(rows, cols));
            }
        }
        Self { width_px, height_px, rgb }
    }

    fn mean(&self, rows: std::ops::Range<u32>, cols: std::ops::Range<u32>) -> [u8; 3] {
        let count = rows.len() as u64 * cols.len() as u64;
        let mut sum = [0u64; 3];
        for row in rows {
            for col in cols.clone() {
                let start = 3 * (row as usize * self.width_px as usize + col as usize);
                for (total, value) in sum.iter_mut().zip(&self.rgb[start..start + 3]) {
                    *total += u64::from(*value);
                }
            }
        }
        sum.map(|total| rounded_mean(total, count))
    }
}

/// `total` / `count` for a sum of u8 values, with halves rounded up.
pub(crate) fn rounded_mean(total: u64, count: u64) -> u8 {
    u8::try_from((2 * total + count) / (2 * count)).expect("a mean of bytes is a byte")
}

/// The part of `width` pixels from `start` that lies in [0, limit): as a range relative to
/// `start`, and the position in the picture where the part begins.
fn overlap(start: i64, width: u32, limit: u32) -> (std::ops::Range<usize>, usize) {
    let end = start.saturating_add(i64::from(width)).clamp(0, i64::from(limit));
    let first = start.clamp(0, i64::from(limit));
    let offset = |position: i64| usize::try_from(position - start).unwrap_or(0);
    if end <= first {
        (0..0, 0)
    } else {
        (offset(first)..offset(end), usize::try_from(first).unwrap_or(0))
    }
}

/// How colours and alpha of a pixel are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alpha {
    /// The colour is stored as it is.
    Straight,
    /// The colour is stored multiplied by alpha.
    Premultiplied,
}

impl Alpha {
    /// Composites a pixel over white.
    pub(crate) fn over_white(self, rgb: [u8; 3], alpha: u8) -> [u8; 3] {
        let alpha = u32::from(alpha);
        rgb.map(|value| {
            let value = u32::from(value);
            let over = match self {
                Self::Straight => (value * alpha + 255 * (255 - alpha) + 127) / 255,
                Self::Premultiplied => value + 255 - alpha,
            };
            u8::try_from(over).unwrap_or(u8::MAX)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_match_the_picture_and_are_white_outside() {
        let (width, height) = (5u32, 4u32);
        let rgb = (0..60).collect();
        let raster = Raster { width_px: width, height_px: height, rgb };
        for (x, y, w, h) in
            [(-3, -2, 11, 9), (0, 0, 5, 4), (2, 1, 2, 2), (9, 9, 3, 3), (-8, 0, 3, 4)]
        {
            let mut out = vec![7; 3 * (w * h) as usize];
            raster.copy_region(Region::new(x, y, w, h), &mut out);
            for row in 0..i64::from(h) {
                for col in 0..i64::from(w) {
                    let (px, py) = (x + col, y + row);
                    let inside = (0..5).contains(&px) && (0..4).contains(&py);
                    let expected = if inside { 3 * (py * 5 + px) } else { 255 };
                    let at = usize::try_from(3 * (row * i64::from(w) + col)).unwrap();
                    assert_eq!(i64::from(out[at]), expected);
                }
            }
        }
        raster.copy_region(Region::new(i64::MAX, i64::MIN, 2, 2), &mut [0; 12]);
    }

    #[test]
    fn transparency_is_composited_over_white() {
        assert_eq!(Alpha::Straight.over_white([10, 0, 255], 255), [10, 0, 255]);
        assert_eq!(Alpha::Straight.over_white([10, 0, 255], 0), [255; 3]);
        assert_eq!(Alpha::Straight.over_white([0; 3], 128), [127; 3]);
        assert_eq!(Alpha::Premultiplied.over_white([64, 0, 128], 128), [191, 127, 255]);
        // A colour above its alpha contradicts the format; white is the most there is.
        assert_eq!(Alpha::Premultiplied.over_white([200; 3], 10), [255; 3]);
    }

    #[test]
    fn pixels_at_the_edge_are_means_of_fewer_pixels() {
        let raster = Raster { width_px: 3, height_px: 1, rgb: vec![0, 0, 0, 11, 11, 11, 9, 8, 7] };
        assert_eq!(raster.reduced(2).rgb, [6, 6, 6, 9, 8, 7]);
    }
}
