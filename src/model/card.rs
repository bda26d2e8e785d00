//! The model card, `model.toml`: the facts about a network that its ONNX graph lacks.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::geometry::plane::TargetMpp;
use crate::spelling::is_same;

/// Order of the input's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `[window, channel, row, col]`, the order of PyTorch.
    Nchw,
    /// `[window, row, col, channel]`, the order of TensorFlow.
    Nhwc,
}

/// The range that the bytes of a pixel are scaled to, before `mean` and `std`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Range {
    /// `v / 255`, from 0 to 1.
    Unit,
    /// `v`, from 0 to 255.
    Byte,
    /// `v / 127.5 - 1`, from -1 to 1.
    Signed,
}

/// Order of the colour channels the network was trained with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channels {
    /// Red first.
    Rgb,
    /// Blue first, the order of OpenCV.
    Bgr,
}

/// The function that turns the network's output into scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// Nothing: the output is the score.
    None,
    /// Softmax over the classes.
    Softmax,
    /// Sigmoid of each output.
    Sigmoid,
}

impl Activation {
    /// The name in cards and in score files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Softmax => "softmax",
            Self::Sigmoid => "sigmoid",
        }
    }
}

/// A validated model card.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelCard {
    /// The ONNX file, relative to the card.
    pub file: String,
    /// SHA-256 that the weights must have, lower-case hexadecimal; `None` if the card gives
    /// none.
    pub sha256: Option<String>,
    /// Side of the network's square input, working px; even.
    pub window_px: u32,
    /// Resolution that the network was trained at.
    pub mpp: TargetMpp,
    /// Order of the input's axes.
    pub layout: Layout,
    /// Range that bytes are scaled to.
    pub range: Range,
    /// Mean of each channel, which is subtracted after scaling; in the order of
    /// `channels`, in the units of `range`.
    pub mean: [f32; 3],
    /// Standard deviation of each channel, above 0, which divides the difference; in the
    /// order of `channels`, in the units of `range`.
    pub std: [f32; 3],
    /// Order of the colour channels.
    pub channels: Channels,
    /// Class names in the order of the network's output.
    pub classes: Vec<String>,
    /// The class that heatmaps show; one of `classes`.
    pub positive: String,
    /// The function that turns outputs into scores.
    pub activation: Activation,
    /// Name that the graph's input must have; `None` accepts any.
    pub input: Option<String>,
    /// Name of the output that holds the class scores; needed if the graph has several.
    pub output: Option<String>,
}

/// An error in a card; the caller adds the file's name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CardError {
    /// The card has an unknown key.
    #[error("unknown key `{key}`{}", nearest.as_ref().map_or_else(|| format!("; known keys: {}", KEYS.join(", ")), |n| format!("; did you mean `{n}`?")))]
    UnknownKey {
        /// The key.
        key: String,
        /// The known key nearest to it.
        nearest: Option<&'static str>,
    },
    /// The text is not TOML, a key is missing or a value has the wrong type.
    #[error("{detail}")]
    Syntax {
        /// The parser's message.
        detail: String,
    },
    /// A value breaks a rule.
    #[error("`{key}` is {found}, expected {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// Its value.
        found: String,
        /// The values that the rule allows.
        expected: String,
    },
}

const KEYS: [&str; 14] = [
    "file",
    "sha256",
    "window",
    "mpp",
    "layout",
    "range",
    "mean",
    "std",
    "channels",
    "classes",
    "positive",
    "activation",
    "input",
    "output",
];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCard {
    file: String,
    sha256: Option<String>,
    window: u32,
    mpp: TargetMpp,
    layout: Layout,
    range: Range,
    mean: Vec<f32>,
    std: Vec<f32>,
    channels: Channels,
    classes: Vec<String>,
    positive: String,
    activation: Activation,
    input: Option<String>,
    output: Option<String>,
}

impl ModelCard {
    /// Reads a card from the text of a `model.toml`.
    ///
    /// # Errors
    /// [`CardError`] naming the key, its value and what was expected.
    pub fn from_toml(text: &str) -> Result<Self, CardError> {
        let syntax = |e: toml::de::Error| CardError::Syntax { detail: e.to_string() };
        let table: toml::Table = text.parse().map_err(syntax)?;
        if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(CardError::UnknownKey { key: key.clone(), nearest: nearest(key) });
        }
        let raw: RawCard = toml::from_str(text).map_err(syntax)?;
        Self {
            file: raw.file,
            sha256: raw.sha256.map(|digest| digest.to_ascii_lowercase()),
            window_px: raw.window,
            mpp: raw.mpp,
            layout: raw.layout,
            range: raw.range,
            mean: three_channels("mean", &raw.mean)?,
            std: three_channels("std", &raw.std)?,
            channels: raw.channels,
            classes: raw.classes,
            positive: raw.positive,
            activation: raw.activation,
            input: raw.input,
            output: raw.output,
        }
        .validated()
    }

    /// Index of the positive class in `classes`.
    #[must_use]
    pub fn positive_index(&self) -> usize {
        self.classes.iter().position(|class| *class == self.positive).unwrap_or(0)
    }

    /// The network's input for each value of a byte: `[model channel][byte]`, with the
    /// channels in the order of `channels`.
    ///
    /// The operations are those of torchvision's `ToTensor` and `Normalize`, in f32 and in
    /// the same order, so that a table look-up gives the same bits.
    #[must_use]
    pub fn levels(&self) -> [[f32; 256]; 3] {
        let mut levels = [[0.0; 256]; 3];
        for (channel, table) in levels.iter_mut().enumerate() {
            for (value, byte) in table.iter_mut().zip(0u8..=255) {
                let byte = f32::from(byte);
                let ranged = match self.range {
                    Range::Unit => byte / 255.0,
                    Range::Byte => byte,
                    Range::Signed => byte / 127.5 - 1.0,
                };
                *value = (ranged - self.mean[channel]) / self.std[channel];
            }
        }
        levels
    }

    /// Checks the rules that the types of the fields do not express.
    pub(crate) fn validated(self) -> Result<Self, CardError> {
        let invalid = |key, found: String, expected: &str| {
            Err(CardError::Value { key, found, expected: expected.to_owned() })
        };
        if self.window_px == 0 {
            return invalid("window", self.window_px.to_string(), "a number of pixels above 0");
        }
        if let TargetMpp::Um(mpp) = self.mpp
            && !(mpp.is_finite() && mpp > 0.0)
        {
            return invalid("mpp", mpp.to_string(), "micrometres per pixel above 0, or \"level0\"");
        }
        if !self.mean.iter().all(|v| v.is_finite()) {
            return invalid("mean", format!("{:?}", self.mean), "three finite numbers");
        }
        if !self.std.iter().all(|v| v.is_finite() && *v > 0.0) {
            return invalid("std", format!("{:?}", self.std), "three numbers above 0");
        }
        if let Some(digest) = &self.sha256
            && !(digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit()))
        {
            return invalid("sha256", digest.clone(), "64 hexadecimal digits, as sha256sum prints");
        }
        self.validated_classes()
    }

    fn validated_classes(mut self) -> Result<Self, CardError> {
        let list = format!("{:?}", self.classes);
        let invalid = |key, found, expected: String| Err(CardError::Value { key, found, expected });
        if self.classes.is_empty() {
            return invalid("classes", list, "the names of the network's outputs".into());
        }
        if self.classes.iter().enumerate().any(|(i, c)| self.classes[..i].contains(c)) {
            return invalid("classes", list, "names that differ from one another".into());
        }
        if self.classes.len() == 1 && self.activation == Activation::Softmax {
            return invalid(
                "activation",
                "softmax".into(),
                "sigmoid (or none): softmax of one class is always 1".into(),
            );
        }
        if self.classes.contains(&self.positive) {
            return Ok(self);
        }
        let mut respelled = self.classes.iter().filter(|class| is_same(class, &self.positive));
        let Some(class) = respelled.next().cloned() else {
            return invalid("positive", format!("{:?}", self.positive), format!("one of {list}"));
        };
        self.positive = class;
        Ok(self)
    }
}

fn three_channels(key: &'static str, values: &[f32]) -> Result<[f32; 3], CardError> {
    values.try_into().map_err(|_| CardError::Value {
        key,
        found: format!("{values:?}"),
        expected: "three numbers, one per channel".to_owned(),
    })
}

fn nearest(unknown: &str) -> Option<&'static str> {
    KEYS.into_iter()
        .map(|known| (strsim::jaro_winkler(unknown, known), known))
        .filter(|(similarity, _)| *similarity > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = r#"
file = "net.onnx"
window = 224
mpp = 0.25
layout = "nchw"
range = "unit"
mean = [0.7, 0.6, 0.7]
std = [0.15, 0.15, 0.15]
channels = "rgb"
classes = ["normal", "tumor"]
positive = "tumor"
activation = "softmax"
"#;

    fn refused(from: &str, to: &str) -> String {
        assert!(VALID.contains(from));
        ModelCard::from_toml(&VALID.replace(from, to)).unwrap_err().to_string()
    }

    #[test]
    fn a_valid_card_is_read() {
        let card = ModelCard::from_toml(VALID).unwrap();
        assert_eq!(card.window_px, 224);
        assert_eq!(card.mpp, TargetMpp::Um(0.25));
        assert_eq!(card.positive_index(), 1);
        let level0 = ModelCard::from_toml(&VALID.replace("0.25", "\"level0\"")).unwrap();
        assert_eq!(level0.mpp, TargetMpp::Level0);
    }

    #[test]
    fn every_known_key_is_a_field() {
        let all =
            format!("{VALID}\ninput = \"x\"\noutput = \"y\"\nsha256 = \"{}\"", "0A".repeat(32));
        let card = ModelCard::from_toml(&all).unwrap();
        assert_eq!(card.sha256.as_deref(), Some("0a".repeat(32).as_str()));
        assert!(KEYS.iter().all(|key| all.contains(&format!("\n{key} ="))));
    }

    #[test]
    fn an_invalid_card_is_refused_with_key_value_and_rule() {
        assert_eq!(refused("window =", "windw ="), "unknown key `windw`; did you mean `window`?");
        assert!(refused("mpp =", "qqqq =").contains("known keys: file, sha256"));
        assert_eq!(refused("= 224", "= 0"), "`window` is 0, expected a number of pixels above 0");
        assert!(refused("[0.7, 0.6, 0.7]", "[0.7]").contains("`mean` is [0.7], expected three"));
        assert!(refused("[0.15, 0.15, 0.15]", "[0.15, 0.0, 0.15]").contains("numbers above 0"));
        assert!(
            refused("positive = \"tumor\"", "positive = \"Tumor\"")
                .contains("one of [\"normal\", \"tumor\"]")
        );
        assert!(refused("[\"normal\", \"tumor\"]", "[\"tumor\"]").contains("sigmoid"));
        assert!(refused("[\"normal\", \"tumor\"]", "[\"tumor\", \"tumor\"]").contains("differ"));
        assert!(refused("\"nchw\"", "\"chw\"").contains("nchw"));
        assert!(refused("mpp = 0.25", "").contains("mpp"));
        assert!(refused("mpp = 0.25", "mpp = -1.0").contains("above 0"));
    }

    #[test]
    fn the_positive_class_may_be_spelled_tumour() {
        let card = |classes: &str, positive: &str| {
            let text = VALID.replace("[\"normal\", \"tumor\"]", classes);
            let text = text.replace("positive = \"tumor\"", &format!("positive = \"{positive}\""));
            ModelCard::from_toml(&text).unwrap()
        };
        let british = card("[\"normal\", \"tumor\"]", "tumour");
        assert_eq!((british.positive.as_str(), british.positive_index()), ("tumor", 1));
        let british = card("[\"tumour\", \"normal\"]", "tumor");
        assert_eq!((british.positive.as_str(), british.positive_index()), ("tumour", 0));
        // A class of exactly that name is preferred.
        let both = card("[\"tumor\", \"tumour\"]", "tumour");
        assert_eq!((both.positive.as_str(), both.positive_index()), ("tumour", 1));
    }

    #[test]
    fn levels_equal_those_of_torchvision() {
        let card = ModelCard::from_toml(VALID).unwrap();
        assert_eq!(card.levels()[1][51], ((51.0f32 / 255.0) - 0.6) / 0.15);
        let signed = VALID
            .replace("\"unit\"", "\"signed\"")
            .replace("[0.7, 0.6, 0.7]", "[0.0, 0.0, 0.0]")
            .replace("0.15", "1.0");
        let levels = ModelCard::from_toml(&signed).unwrap().levels();
        assert_eq!((levels[0][0], levels[2][255]), (-1.0, 1.0));
    }
}
