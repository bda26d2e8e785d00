//! A square of a synthetic lesion in the tissue of a synthetic slide without any.

use std::path::{Path, PathBuf};

use ndarray::{Array2, Array3, s};
use slidegrid::internal::synth::{Cohort, SyntheticSlide, make};
use slidegrid::internal::truth::{AnnotationGroups, Truth};
use slidegrid::metrics::raster::SampleGrid;
use slidegrid::slide::{self, Region};

use crate::common::Case;

/// Distance of the places that are looked at.
const PITCH_PX: usize = 16;

/// Tissue around the lesion, to each side.
const AROUND_PX: usize = 112;

/// Saturation, 0 to 255, of tissue.
const TISSUE: u8 = 30;

/// Which slide, which lesion, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lesion {
    pub(crate) seed: u64,
    /// Side of the slide.
    pub(crate) size_px: u32,
    /// Side of the lesion.
    pub(crate) side_px: usize,
    /// 0, the first place of the tissue, to 1, the last.
    pub(crate) place: f64,
}

impl Lesion {
    /// The slide, `name` in the case's folder.
    pub(crate) fn slide(&self, case: &Case, name: &str) -> PathBuf {
        self.made(case, name).unwrap_or_else(|| panic!("{self:?}: no room: another seed?"))
    }

    /// The same; `None` where no lesion or no tissue is as large.
    pub(crate) fn made(&self, case: &Case, name: &str) -> Option<PathBuf> {
        let folder = case.path(&format!("synth-{}-{}", self.seed, self.size_px));
        let cohort = Cohort {
            slides: 2,
            seed: self.seed,
            width_px: self.size_px,
            height_px: self.size_px,
            um_per_px: 0.25,
            tumor_fraction: 0.5,
            threads: 2,
            force: false,
        };
        let made = make(&cohort, &folder, |_| {}).unwrap();
        let (tumor, normal): (Vec<&SyntheticSlide>, Vec<&SyntheticSlide>) =
            made.iter().partition(|made| made.truth.is_some());
        let (source, mut slide) = (self.pixels(&tumor[0].slide), self.pixels(&normal[0].slide));
        let inside = self.lesions(tumor[0].truth.as_ref()?);
        let from = squares(&inside, self.side_px / PITCH_PX + 1);
        let (y, x) = *from.get(from.len() / 2)?;
        let tissue = tissue(&slide);
        let around = AROUND_PX / PITCH_PX;
        let to = squares(&tissue, self.side_px / PITCH_PX + 2 * around);
        let (to_y, to_x) = *to.get(at(to.len(), self.place))?;
        let square = |row: usize, col: usize| {
            let (y, x) = (row * PITCH_PX, col * PITCH_PX);
            s![y..y + self.side_px, x..x + self.side_px, ..]
        };
        slide.slice_mut(square(to_y + around, to_x + around)).assign(&source.slice(square(y, x)));
        Some(case.slide(name, &slide))
    }

    fn pixels(&self, path: &Path) -> Array3<u8> {
        let side = self.size_px as usize;
        let mut pixels = Array3::zeros((side, side, 3));
        let out = pixels.as_slice_mut().unwrap();
        let whole = Region::new(0, 0, self.size_px, self.size_px);
        slide::open(path).unwrap().read_region(0, whole, out).unwrap();
        pixels
    }

    /// Whether each place lies in a lesion.
    fn lesions(&self, truth: &Path) -> Array2<bool> {
        let places = self.size_px / u32::try_from(PITCH_PX).unwrap();
        let grid = SampleGrid::lattice(places, places, 16.0);
        let truth = Truth::read(truth, &AnnotationGroups::default(), [0.0; 2]).unwrap().truth;
        truth.raster(&grid).unwrap().to_array()
    }
}

/// Place `share` of the way through `count`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to count")]
fn at(count: usize, share: f64) -> usize {
    ((count as f64 * share) as usize).min(count.saturating_sub(1))
}

/// Whether the pixel of each place is coloured like tissue.
fn tissue(slide: &Array3<u8>) -> Array2<bool> {
    let step = isize::try_from(PITCH_PX).unwrap();
    let pixels = slide.slice(s![..; step, ..; step, ..]);
    let mut tissue = Array2::from_elem((pixels.dim().0, pixels.dim().1), false);
    for ((row, col), tissue) in tissue.indexed_iter_mut() {
        let rgb = [0, 1, 2].map(|channel| pixels[[row, col, channel]]);
        let (most, least) = (*rgb.iter().max().unwrap(), *rgb.iter().min().unwrap());
        let saturation = u32::from(most - least) * 255 / u32::from(most.max(1));
        *tissue = saturation > u32::from(TISSUE);
    }
    tissue
}

/// Places whose square of `side` places to the right and down is all set.
fn squares(set: &Array2<bool>, side: usize) -> Vec<(usize, usize)> {
    let (rows, cols) = set.dim();
    let mut sums = Array2::<usize>::zeros((rows + 1, cols + 1));
    for row in 0..rows {
        for col in 0..cols {
            sums[[row + 1, col + 1]] =
                usize::from(set[[row, col]]) + sums[[row, col + 1]] + sums[[row + 1, col]]
                    - sums[[row, col]];
        }
    }
    let all = |&(row, col): &(usize, usize)| {
        let (down, right) = (row + side, col + side);
        sums[[down, right]] + sums[[row, col]] - sums[[row, right]] - sums[[down, col]]
            == side * side
    };
    let places = (0..(rows + 1).saturating_sub(side))
        .flat_map(|row| (0..(cols + 1).saturating_sub(side)).map(move |col| (row, col)));
    places.filter(all).collect()
}
