//! The precision that a network is computed in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Number type of a network's arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision, whatever the weights are stored in.
    #[default]
    F32,
    /// bfloat16: the range of single precision with 8 significant bits.
    Bf16,
}

impl Precision {
    /// The name in configurations and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = [Self::F32, Self::Bf16].into_iter().find(|known| known.name() == text);
        known.ok_or_else(|| format!("precision {text:?} is not one of f32, bf16"))
    }
}
