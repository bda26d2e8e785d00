//! The methods of colour normalisation, and the estimates that they make of a picture.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

use super::{NormalizeError, macenko, reinhard, vahadane};

/// How colours are measured and changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Mean and standard deviation in L\*a\*b\*.
    Reinhard,
    /// Two stains by extreme angles in the plane of optical density.
    Macenko,
    /// Two stains by sparse non-negative factors, after brightness is standardised.
    Vahadane,
}

impl Method {
    /// All methods.
    pub const ALL: [Self; 3] = [Self::Reinhard, Self::Macenko, Self::Vahadane];

    /// The method's name in files and configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reinhard => "reinhard",
            Self::Macenko => "macenko",
            Self::Vahadane => "vahadane",
        }
    }

    /// Measures a picture.
    ///
    /// `rgb` is `[pixel, rgb]`, any number of pixels in any order.
    ///
    /// # Errors
    /// [`NormalizeError`] if the picture's colours cannot be measured.
    pub fn estimate(self, rgb: &[u8]) -> Result<Estimate, NormalizeError> {
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
    fn estimate_avx2(self, rgb: &[u8]) -> Result<Estimate, NormalizeError> {
        self.estimate_anywhere(rgb)
    }

    #[inline(always)]
    fn estimate_anywhere(self, rgb: &[u8]) -> Result<Estimate, NormalizeError> {
        match self {
            Self::Reinhard => reinhard::estimate(rgb).map(Estimate::Reinhard),
            Self::Macenko => macenko::estimate(rgb).map(Estimate::Macenko),
            Self::Vahadane => vahadane::estimate(rgb),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|method| method.name() == text)
            .ok_or_else(|| format!("{text:?}, expected reinhard, macenko or vahadane"))
    }
}

/// The measurements of a picture by one of the methods.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case")]
pub enum Estimate {
    /// By [`Method::Reinhard`].
    Reinhard(LabStatistics),
    /// By [`Method::Macenko`].
    Macenko(Stains),
    /// By [`Method::Vahadane`].
    Vahadane {
        /// 95th percentile of L\* as OpenCV stores L\*, 0 to 255.
        luminosity: f64,
        /// The stains after L\* is scaled so that this percentile is 255.
        #[serde(flatten)]
        stains: Stains,
    },
}

impl Estimate {
    /// The method of the estimate.
    pub fn method(&self) -> Method {
        match self {
            Self::Reinhard(_) => Method::Reinhard,
            Self::Macenko(_) => Method::Macenko,
            Self::Vahadane { .. } => Method::Vahadane,
        }
    }

    /// The two stains; `None` for a method without stains.
    pub fn stains(&self) -> Option<&Stains> {
        match self {
            Self::Reinhard(_) => None,
            Self::Macenko(stains) | Self::Vahadane { stains, .. } => Some(stains),
        }
    }

    /// The reason why numbers read from a file cannot be an estimate, if there is one.
    pub fn invalid_reason(&self) -> Option<String> {
        let positive = |name: &str, values: &[f64]| {
            let invalid = values.iter().find(|value| !(value.is_finite() && **value > 0.0))?;
            Some(format!("{name} is {invalid}, expected a number above 0"))
        };
        let vector = |name: &str, values: [f64; 3]| {
            let length = values.iter().map(|value| value * value).sum::<f64>().sqrt();
            let unit = (length - 1.0).abs() < 0.25;
            (!unit).then(|| format!("{name} has length {length}, expected about 1"))
        };
        match self {
            Self::Reinhard(LabStatistics { mean, std }) => positive("std", std).or_else(|| {
                let invalid = mean.iter().find(|value| !value.is_finite())?;
                Some(format!("mean is {invalid}, expected a number"))
            }),
            Self::Macenko(stains) => vector("haematoxylin", stains.haematoxylin)
                .or_else(|| vector("eosin", stains.eosin))
                .or_else(|| positive("strength", &stains.strength)),
            Self::Vahadane { luminosity, stains } => positive("luminosity", &[*luminosity])
                .or_else(|| Self::Macenko(*stains).invalid_reason()),
        }
    }

    /// Rounds to nine decimals, so that machines with different mathematical libraries write
    /// the same text for the same picture.
    #[must_use]
    pub fn rounded(mut self) -> Self {
        let round = |value: &mut f64| *value = (*value * 1e9).round() / 1e9;
        match &mut self {
            Self::Reinhard(LabStatistics { mean, std }) => {
                mean.iter_mut().chain(std).for_each(round);
            }
            Self::Macenko(stains) => stains.values_mut().for_each(round),
            Self::Vahadane { luminosity, stains } => {
                stains.values_mut().chain([luminosity]).for_each(round);
            }
        }
        self
    }
}

/// Statistics of L\* (0 to 100), a\* and b\* over a picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LabStatistics {
    /// Means over all pixels.
    pub mean: [f64; 3],
    /// Standard deviations over all pixels.
    pub std: [f64; 3],
}

/// Two stains. Haematoxylin is the one that absorbs more red light.
///
/// The vectors are optical densities (natural logarithm) of red, green and blue, scaled to
/// length 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Stains {
    /// Vector of haematoxylin.
    pub haematoxylin: [f64; 3],
    /// Vector of eosin.
    pub eosin: [f64; 3],
    /// 99th percentiles of the amounts of haematoxylin and eosin.
    pub strength: [f64; 2],
}

impl Stains {
    /// The vectors of haematoxylin and eosin.
    pub fn vectors(&self) -> [[f64; 3]; 2] {
        [self.haematoxylin, self.eosin]
    }

    /// The colours of haematoxylin and eosin at their strength, for legends.
    #[must_use]
    pub fn swatches(&self) -> [[u8; 3]; 2] {
        let colour = |vector: [f64; 3], amount: f64| {
            vector.map(|c| {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "clamped"
                )]
                let byte = (255.0 * (-c * amount).exp()).clamp(0.0, 255.0) as u8;
                byte
            })
        };
        [colour(self.haematoxylin, self.strength[0]), colour(self.eosin, self.strength[1])]
    }

    fn values_mut(&mut self) -> impl Iterator<Item = &mut f64> {
        self.haematoxylin.iter_mut().chain(&mut self.eosin).chain(&mut self.strength)
    }
}
