use super::*;
use proptest::prelude::*;

fn at(row: i32, col: i32) -> LatticePoint {
    LatticePoint { row, col, patch_x_px: 500, patch_y_px: 500 }
}

#[test]
fn steps_are_multiples_of_the_stride_up_to_64_px_within_the_margin() {
    let step_px_and_reach = |stride, margin| {
        let ScreenLattice { step, reach } = ScreenLattice::new(stride, margin);
        (step * i32::try_from(stride).unwrap(), reach)
    };
    let found = [(16, 200), (20, 200), (24, 200)].map(|(s, m)| step_px_and_reach(s, m));
    assert_eq!(found, [(64, 4), (60, 3), (48, 2)]);
    // The corners of a cell lie in the margin, points a whole step away do not.
    let found = [(16, 63), (32, 63), (16, 40)].map(|(s, m)| step_px_and_reach(s, m));
    assert_eq!(found, [(64, 3), (64, 1), (48, 2)]);
    // All points are screened.
    assert_eq!(
        [(48, 200), (64, 200), (224, 200), (16, 15)].map(|(s, m)| step_px_and_reach(s, m).0),
        [48, 64, 224, 16]
    );
}

proptest! {
    #[test]
    fn all_screened_points_within_reach_are_found(
        row in 0i32..50, col in 0i32..50, rows in 51usize..60, step in 1i32..9, less in 0i32..2,
    ) {
        let reach = (step - less).max(0);
        let grid = ScreenLattice { step, reach };
        let lattice = Lattice::new(51, u32::try_from(rows).unwrap(), 1);
        let found: HashSet<LatticePlace> = grid.around(&at(row, col), &lattice).collect();
        let count = grid.around(&at(row, col), &lattice).count();
        let mut expected = HashSet::new();
        for r in (0..60).filter(|r| r % step == 0 && usize::try_from(*r).unwrap() < rows) {
            for c in (0..51).filter(|c| c % step == 0) {
                if (r - row).abs() <= reach && (c - col).abs() <= reach {
                    expected.insert(LatticePlace { row: r, col: c });
                }
            }
        }
        prop_assert_eq!(count, found.len());
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn points_left_alone_are_interpolated_between_screened_scores(
        row in 0i32..40, col in 0i32..40, step in 2i32..9,
    ) {
        // A plane of scores is met exactly; beyond the last corner the nearest scores hold.
        let plane = |r: i32, c: i32| 0.001 * (r + 2 * c) as f32;
        let known: ScreenedScores = (0..=40)
            .flat_map(|r| (0..=40).map(move |c| (r, c)))
            .filter(|(r, c)| r % step == 0 && c % step == 0)
            .map(|(row, col)| (LatticePlace { row, col }, vec![1.0 - plane(row, col), plane(row, col)]))
            .collect();
        let found = between(&at(row, col), step, &known);
        let last = 40 / step * step;
        prop_assert!((found[0] + found[1] - 1.0).abs() < 1e-6);
        if row <= last && col <= last {
            prop_assert!((found[1] - plane(row, col)).abs() < 1e-6, "{found:?}");
        } else {
            prop_assert!(found[1] <= plane(last, last) + 1e-6, "{found:?}");
        }
    }
}

#[test]
fn a_point_near_a_screened_score_that_is_not_low_is_refined() {
    let lattice = Lattice::new(41, 41, 1);
    let low = (0..=40).step_by(4).flat_map(|r| (0..=40).step_by(4).map(move |c| (r, c)));
    let mut known: ScreenedScores =
        low.map(|(row, col)| (LatticePlace { row, col }, vec![0.09])).collect();
    known.insert(LatticePlace { row: 20, col: 20 }, vec![0.1]);
    let rules = CoarseRules {
        grid: ScreenLattice { step: 4, reach: 4 },
        positive: 0,
        refine_from: 0.1,
        drawn: HashSet::from([7]),
    };
    let how = |row, col, number| {
        rules.how(&NumberedPoint { number, point: at(row, col) }, &known, &lattice)
    };
    for (row, col) in [(19, 19), (16, 17), (24, 21), (21, 24), (23, 16)] {
        assert_eq!(how(row, col, 0), ScoredBy::Refined, "{row} {col}");
    }
    for (row, col) in [(15, 20), (25, 20), (20, 25), (20, 15), (15, 15), (40, 39)] {
        assert_eq!(how(row, col, 0), ScoredBy::Screened, "{row} {col}");
        assert_eq!(how(row, col, 7), ScoredBy::Audited, "{row} {col}");
    }
}

#[test]
fn screened_points_beyond_the_block_are_listed_once_and_the_group_s_own_keep_their_number() {
    let lattice = Lattice::new(640, 640, 16);
    let points: Vec<NumberedPoint> = (8..12)
        .flat_map(|row| (8..12).map(move |col| (row, col)))
        .enumerate()
        .map(|(number, (row, col))| {
            let px = |at: i32| u32::try_from(64 + (at - 8) * 16).unwrap();
            let point = LatticePoint { row, col, patch_x_px: px(col), patch_y_px: px(row) };
            NumberedPoint { number, point }
        })
        .collect();
    let mut beyond = 100;
    let screen = screen_of(&points, ScreenLattice { step: 4, reach: 4 }, &lattice, &mut beyond);
    // Rows and columns 4, 8, 12: (4, 4) is within a step of (8, 8) alone, which is screened
    // itself.
    let places: Vec<(i32, i32)> = screen.iter().map(|n| (n.point.row, n.point.col)).collect();
    assert_eq!(places, [(4, 8), (4, 12), (8, 4), (8, 8), (8, 12), (12, 4), (12, 8), (12, 12)]);
    let numbers: Vec<usize> = screen.iter().map(|n| n.number).collect();
    assert_eq!(numbers, [100, 101, 102, 0, 103, 104, 105, 106]);
    assert_eq!(beyond, 107);
    let corner = screen[0].point;
    assert_eq!((corner.patch_x_px, corner.patch_y_px), (64, 0));
}
