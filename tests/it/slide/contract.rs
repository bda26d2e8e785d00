//! The contract of every reader of slides.

use slidegrid::slide::{Region, RegionError, Slide};

pub(crate) fn read(slide: &dyn Slide, level: usize, x: i64, y: i64, w: u32, h: u32) -> Vec<u8> {
    let mut out = vec![77; 3 * w as usize * h as usize];
    slide.read_region(level, Region::new(x, y, w, h), &mut out).unwrap();
    out
}

/// Checks every promise of [`Slide`] on a slide without damage.
pub(crate) fn check(slide: &dyn Slide) {
    levels_are_ordered(slide);
    for level in 0..slide.levels().len() {
        outside_is_white(slide, level);
        regions_agree(slide, level);
        threads_agree(slide, level);
    }
    mistakes_are_errors(slide);
}

fn levels_are_ordered(slide: &dyn Slide) {
    let levels = slide.levels();
    assert_eq!(levels[0].downsample, 1.0);
    assert!(levels.is_sorted_by(|a, b| a.downsample < b.downsample && a.width_px >= b.width_px));
    assert!(!slide.reader().is_empty());
}

fn outside_is_white(slide: &dyn Slide, level: usize) {
    let size = slide.levels()[level];
    let (width, height) = (i64::from(size.width_px), i64::from(size.height_px));
    for (x, y) in
        [(-9, 0), (0, -9), (width, 0), (0, height), (-1 << 40, 1 << 40), (i64::MIN, i64::MAX)]
    {
        assert!(read(slide, level, x, y, 9, 9).iter().all(|v| *v == 255), "({x}, {y})");
    }
    // In a region that reaches beyond the slide, the corner pixel is at the expected place.
    let corner = read(slide, level, 0, 0, 1, 1);
    let over = read(slide, level, -5, -3, 8, 7);
    assert_eq!(over[3 * (3 * 8 + 5)..][..3], corner);
    assert!(over[..3 * 3 * 8].iter().all(|v| *v == 255));
    let last = read(slide, level, width - 1, height - 1, 1, 1);
    let beyond = read(slide, level, width - 1, height - 1, 3, 2);
    assert_eq!(beyond[..3], last);
    assert!(beyond[3..].iter().all(|v| *v == 255));
}

/// Positions that cross tile borders, the slide's edges, and nothing.
fn corners(slide: &dyn Slide, level: usize) -> Vec<(i64, i64)> {
    let size = slide.levels()[level];
    let (width, height) = (i64::from(size.width_px), i64::from(size.height_px));
    let mut corners = vec![(0, 0), (-17, -5), (width - 40, height - 30), (width / 2, height / 3)];
    corners.extend((1..6).map(|i| ((i * 131) % width, (i * 197) % height)));
    corners
}

fn regions_agree(slide: &dyn Slide, level: usize) {
    let side = 150u32;
    for (x, y) in corners(slide, level) {
        let whole = read(slide, level, x, y, side, side);
        for (dx, dy, w, h) in [(0, 0, 75, 150), (75, 0, 75, 150), (33, 71, 1, 1), (60, 13, 90, 41)]
        {
            let part = read(slide, level, x + i64::from(dx), y + i64::from(dy), w, h);
            for row in 0..h {
                let start = 3 * ((dy + row) * side + dx) as usize;
                let line = &part[3 * (row * w) as usize..][..3 * w as usize];
                assert_eq!(&whole[start..start + line.len()], line, "level {level} at ({x}, {y})");
            }
        }
    }
}

fn threads_agree(slide: &dyn Slide, level: usize) {
    let expected: Vec<_> = corners(slide, level)
        .into_iter()
        .map(|(x, y)| (x, y, read(slide, level, x, y, 64, 64)))
        .collect();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for (x, y, pixels) in &expected {
                    assert_eq!(&read(slide, level, *x, *y, 64, 64), pixels);
                }
            });
        }
    });
}

fn mistakes_are_errors(slide: &dyn Slide) {
    let levels = slide.levels().len();
    let missing = slide.read_region(levels, Region::new(0, 0, 1, 1), &mut [0; 3]).unwrap_err();
    assert!(matches!(missing, RegionError::NoLevel { level, .. } if level == levels));
    let name = slide.path().display().to_string();
    assert!(missing.to_string().contains(&name), "{missing}");
    let short = slide.read_region(0, Region::new(0, 0, 2, 2), &mut [0; 3]).unwrap_err();
    assert!(matches!(short, RegionError::Buffer { found: 3, .. }));
}
