//! The methods of colour normalisation.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How colours are measured and changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColourMethod {
    /// Mean and standard deviation in L\*a\*b\*.
    Reinhard,
    /// Two stains by extreme angles in the plane of optical density.
    Macenko,
    /// Two stains by sparse non-negative factors, after brightness is standardised.
    Vahadane,
}

impl ColourMethod {
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
}

impl fmt::Display for ColourMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ColourMethod {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|method| method.name() == text)
            .ok_or_else(|| format!("{text:?}, expected reinhard, macenko or vahadane"))
    }
}
