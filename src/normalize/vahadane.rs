//! Vahadane's method: two stains by sparse non-negative factors of optical density.
//!
//! Source: Vahadane et al., Structure-preserving color normalization and sparse stain
//! separation for histological images, IEEE TMI 35(8), 2016. The computation follows
//! StainTools, after brightness is standardised like in the paper's code.

use super::cv_lab::cv_lab;
use super::dictionary::{FastLasso, Lasso, WeightedDensity, learn, refine};
use super::fast_math::exp2;
use super::luminosity::{Luminosity, percentile_of_l};
use super::matrix::to_f32;
use super::percentile::percentile;
use super::planes::{self, CHUNK, EMPTY, Planes};
use super::stains::{check_tissue, ordered, with_strength};
use super::{ColourEstimate, NormalizeError, Stains};

/// Tissue has an 8-bit L\* below this, 0.8 of its range.
const TISSUE_BELOW_L: u8 = 204;
/// Weight of sparsity when the stains are learned.
const DICTIONARY_LAMBDA: f64 = 0.1;
/// Weight of sparsity when amounts are found.
const AMOUNT_LAMBDA: f64 = 0.01;
/// Smallest optical density, so that the density of white is not zero.
const MIN_DENSITY: f64 = 1e-6;
/// Percentile of a stain's amounts that is its strength.
const STRENGTH: f64 = 99.0;

/// Bits per channel of a colour in the palette; colours that agree in them are combined.
const LEVELS_BITS: u32 = 5;

/// Optical density of a byte, natural logarithm.
fn density(value: usize) -> f64 {
    (-(value.max(1) as f64 / 255.0).ln()).max(MIN_DENSITY)
}

fn density_table() -> [f32; 256] {
    std::array::from_fn(|value| to_f32(density(value)))
}

#[inline(always)]
pub(super) fn estimate(rgb: &[u8]) -> Result<ColourEstimate, NormalizeError> {
    let luminosity = percentile_of_l(rgb)?;
    let mut standard = rgb.to_vec();
    Luminosity::new(luminosity).apply(&mut standard);
    let tissue = tissue_of(&standard);
    check_tissue(tissue.len() / 3, rgb.len() / 3)?;
    let near = learn(&palette(&tissue), DICTIONARY_LAMBDA);
    let [a, b] = refine(&densities(&tissue), near, DICTIONARY_LAMBDA);
    let vectors = ordered(a, b)?;
    let amounts = amounts_of(&amounts_lasso(vectors), &standard);
    let strength = [0, 1].map(|k| percentile(&amounts[k], STRENGTH));
    Ok(ColourEstimate::Vahadane { luminosity, stains: with_strength(vectors, strength)? })
}

/// The pixels of tissue, `[pixel, rgb]`: those that are dark enough.
#[inline(always)]
fn tissue_of(standard: &[u8]) -> Vec<u8> {
    let lab = cv_lab();
    let pixels = standard.as_chunks::<3>().0;
    let dark = pixels.iter().filter(|pixel| lab.l(**pixel) < TISSUE_BELOW_L);
    dark.flatten().copied().collect()
}

/// The densities of tissue, similar ones combined at their mean. Learning from them gives
/// [`refine`] its start at a fiftieth of the cost.
#[inline(always)]
fn palette(tissue: &[u8]) -> Vec<WeightedDensity> {
    let table = density_table();
    let mut bins = vec![[0f32; 4]; 1 << (3 * LEVELS_BITS)];
    for &pixel in tissue.as_chunks::<3>().0 {
        let level = |c: usize| usize::from(pixel[c]) >> (8 - LEVELS_BITS);
        let bin = (level(0) << LEVELS_BITS | level(1)) << LEVELS_BITS | level(2);
        let [r, g, b] = pixel.map(|value| table[usize::from(value)]);
        bins[bin] = [bins[bin][0] + r, bins[bin][1] + g, bins[bin][2] + b, bins[bin][3] + 1.0];
    }
    let used = bins.iter().filter(|bin| bin[3] > 0.0);
    used.map(|bin| WeightedDensity {
        density: [0, 1, 2].map(|c| f64::from(bin[c]) / f64::from(bin[3])),
        weight: f64::from(bin[3]),
    })
    .collect()
}

/// The densities of tissue, chunk by chunk; 0 where the last chunk has no pixel.
#[inline(always)]
fn densities(tissue: &[u8]) -> Vec<Planes> {
    let table = density_table();
    let chunks = tissue.chunks(3 * CHUNK).map(|pixels| {
        let mut planes = [[0.0; CHUNK]; 3];
        planes::load(pixels, &table, &mut planes);
        planes
    });
    chunks.collect()
}

/// The lasso that finds amounts.
fn amounts_lasso(vectors: [[f64; 3]; 2]) -> FastLasso {
    FastLasso::new(&Lasso::new(vectors, AMOUNT_LAMBDA))
}

/// Amounts of the two stains in every pixel, `[stain][pixel]`.
#[inline(always)]
fn amounts_of(lasso: &FastLasso, standard: &[u8]) -> [Vec<f32>; 2] {
    let table = density_table();
    let room = standard.len() / 3 + CHUNK;
    let mut amounts = [Vec::with_capacity(room), Vec::with_capacity(room)];
    let mut planes = EMPTY;
    for pixels in standard.chunks(3 * CHUNK) {
        planes::load(pixels, &table, &mut planes);
        let mut here = [[0f32; CHUNK]; 2];
        for at in 0..CHUNK {
            let [a1, a2] = lasso.amounts([planes[0][at], planes[1][at], planes[2][at]]);
            (here[0][at], here[1][at]) = (a1, a2);
        }
        for (amounts, here) in amounts.iter_mut().zip(here) {
            amounts.extend_from_slice(&here[..pixels.len() / 3]);
        }
    }
    amounts
}

/// The transform: standardised brightness, unmixing, scaling and mixing.
#[derive(Debug, Clone)]
pub(super) struct SparseMap {
    luminosity: Luminosity,
    table: [f32; 256],
    lasso: FastLasso,
    /// Base-2 logarithm of the light that a unit of each stain transmits, `[stain][channel]`.
    mix: [[f32; 3]; 2],
}

impl SparseMap {
    pub(super) fn new(luminosity: f64, source: &Stains, target: &Stains) -> Self {
        let to = target.vectors();
        let mix = [0, 1].map(|k| {
            let scale = target.strength[k] / source.strength[k];
            to[k].map(|c| to_f32(-c * scale * std::f64::consts::LOG2_E))
        });
        Self {
            luminosity: Luminosity::new(luminosity),
            table: density_table(),
            lasso: amounts_lasso(source.vectors()),
            mix,
        }
    }

    #[inline(always)]
    pub(super) fn apply(&self, rgb: &mut [u8]) {
        let mut planes = EMPTY;
        for pixels in rgb.chunks_mut(3 * CHUNK) {
            self.luminosity.apply(pixels);
            planes::load(pixels, &self.table, &mut planes);
            let [mix1, mix2] = self.mix;
            #[expect(clippy::needless_range_loop, reason = "three planes at once")]
            for at in 0..CHUNK {
                let [a1, a2] = self.lasso.amounts([planes[0][at], planes[1][at], planes[2][at]]);
                for channel in 0..3 {
                    planes[channel][at] = exp2(mix1[channel] * a1 + mix2[channel] * a2) * 255.0;
                }
            }
            planes::store(&planes, pixels);
        }
    }
}
