//! The estimates that methods of colour normalisation make of a picture.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::method::ColourMethod;

/// The measurements of a picture by one of the methods.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case")]
pub enum ColourEstimate {
    /// By [`ColourMethod::Reinhard`].
    Reinhard(LabStatistics),
    /// By [`ColourMethod::Macenko`].
    Macenko(Stains),
    /// By [`ColourMethod::Vahadane`].
    Vahadane {
        /// 95th percentile of L\* as OpenCV stores L\*, 0 to 255.
        luminosity: f64,
        /// The stains after L\* is scaled so that this percentile is 255.
        #[serde(flatten)]
        stains: Stains,
    },
}

impl ColourEstimate {
    /// The method of the estimate.
    pub fn method(&self) -> ColourMethod {
        match self {
            Self::Reinhard(_) => ColourMethod::Reinhard,
            Self::Macenko(_) => ColourMethod::Macenko,
            Self::Vahadane { .. } => ColourMethod::Vahadane,
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

/// The estimate as one line of text.
impl fmt::Display for ColourEstimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let three = |v: [f64; 3]| format!("({:.3} {:.3} {:.3})", v[0], v[1], v[2]);
        match self {
            Self::Reinhard(lab) => {
                write!(f, "L*a*b* mean {}, deviation {}", three(lab.mean), three(lab.std))
            }
            Self::Macenko(stains) | Self::Vahadane { stains, .. } => write!(
                f,
                "H {} to {:.2}, E {} to {:.2}",
                three(stains.haematoxylin),
                stains.strength[0],
                three(stains.eosin),
                stains.strength[1]
            ),
        }
    }
}
