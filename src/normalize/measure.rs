//! The measurement of a picture by a method.

use super::error::NormalizeError;
use super::estimate::ColourEstimate;
use super::method::ColourMethod;
use super::{macenko, reinhard, vahadane};

impl ColourMethod {
    /// Measures a picture.
    ///
    /// `rgb` is `[pixel, rgb]`, any number of pixels in any order.
    ///
    /// # Errors
    /// `NormalizeError` if the picture's colours cannot be measured.
    pub fn estimate(self, rgb: &[u8]) -> Result<ColourEstimate, NormalizeError> {
        #[cfg(target_arch = "x86_64")]
        if std::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, for which the function is compiled.
            return unsafe { self.estimate_avx2(rgb) };
        }
        self.estimate_anywhere(rgb)
    }

    /// The same code compiled for eight values per instruction; the results are the same.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn estimate_avx2(self, rgb: &[u8]) -> Result<ColourEstimate, NormalizeError> {
        self.estimate_anywhere(rgb)
    }

    #[inline(always)]
    fn estimate_anywhere(self, rgb: &[u8]) -> Result<ColourEstimate, NormalizeError> {
        match self {
            Self::Reinhard => reinhard::estimate(rgb).map(ColourEstimate::Reinhard),
            Self::Macenko => macenko::estimate(rgb).map(ColourEstimate::Macenko),
            Self::Vahadane => vahadane::estimate(rgb),
        }
    }
}
