//! The transform from one picture's colours to another's, pixel by pixel.

use super::macenko::DensityMap;
use super::reinhard::ColorTransfer;
use super::vahadane::SparseMap;
use super::{ColourEstimate, NormalizeError};

/// A function of single pixels that changes the colours of one estimate to those of another.
#[derive(Debug, Clone)]
pub struct ColourTransform(MethodTransform);

#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "one per slide or patch, never in a list")]
enum MethodTransform {
    Reinhard(ColorTransfer),
    Macenko(DensityMap),
    Vahadane(SparseMap),
}

impl ColourTransform {
    /// The transform from `source`, the estimate of a picture, to `target`, that of the
    /// template.
    ///
    /// # Errors
    /// `NormalizeError::OtherMethod` if the two estimates are of different methods.
    pub fn new(source: &ColourEstimate, target: &ColourEstimate) -> Result<Self, NormalizeError> {
        Ok(Self(match (source, target) {
            (ColourEstimate::Reinhard(source), ColourEstimate::Reinhard(target)) => {
                MethodTransform::Reinhard(ColorTransfer::new(source, target))
            }
            (ColourEstimate::Macenko(source), ColourEstimate::Macenko(target)) => {
                MethodTransform::Macenko(DensityMap::new(source, target))
            }
            (
                ColourEstimate::Vahadane { luminosity, stains: source },
                ColourEstimate::Vahadane { stains: target, .. },
            ) => MethodTransform::Vahadane(SparseMap::new(*luminosity, source, target)),
            (source, target) => {
                let (found, expected) = (source.method(), target.method());
                return Err(NormalizeError::OtherMethod { found, expected });
            }
        }))
    }

    /// Changes pixels in place. `rgb` is `[pixel, rgb]`.
    pub fn apply(&self, rgb: &mut [u8]) {
        #[cfg(target_arch = "x86_64")]
        if std::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, for which the function is compiled.
            return unsafe { self.apply_avx2(rgb) };
        }
        self.apply_anywhere(rgb);
    }

    /// The same code compiled for eight values per instruction; the results are the same.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn apply_avx2(&self, rgb: &mut [u8]) {
        self.apply_anywhere(rgb);
    }

    #[inline(always)]
    fn apply_anywhere(&self, rgb: &mut [u8]) {
        match &self.0 {
            MethodTransform::Reinhard(map) => map.apply(rgb),
            MethodTransform::Macenko(map) => map.apply(rgb),
            MethodTransform::Vahadane(map) => map.apply(rgb),
        }
    }
}
