//! WSInfer's `config.json`, read as a model card.
//!
//! Format: <https://wsinfer.readthedocs.io>, zoo specification 1.0. WSInfer runs
//! TorchScript; slidegrid needs the same network exported to ONNX beside the file.

use serde::Deserialize;

use super::card::{Activation, CardError, Channels, Layout, ModelCard, Range};
use crate::geometry::plane::TargetMpp;

#[derive(Debug, Deserialize)]
struct RawConfig {
    num_classes: usize,
    patch_size_pixels: u32,
    spacing_um_px: f64,
    class_names: Vec<String>,
    transform: Vec<TransformStep>,
}

#[derive(Debug, Deserialize)]
struct TransformStep {
    name: String,
    #[serde(default)]
    arguments: Option<Arguments>,
}

#[derive(Debug, Default, Deserialize)]
struct Arguments {
    size: Option<ResizeSize>,
    mean: Option<[f32; 3]>,
    std: Option<[f32; 3]>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum ResizeSize {
    Side(u32),
    Sides([u32; 2]),
}

/// Reads the text of a `config.json`; `file` is the ONNX file that the card names.
///
/// WSInfer's networks give logits, so the activation is softmax, or sigmoid for a single
/// class. The positive class is `positive` if given, otherwise the only class or the
/// second of two. With more classes `positive` must be given.
pub(crate) fn card_from_json(
    text: &str,
    file: &str,
    positive: Option<&str>,
) -> Result<ModelCard, CardError> {
    let raw: RawConfig = serde_json::from_str(text)
        .map_err(|e| CardError::Syntax { detail: format!("not a WSInfer config.json: {e}") })?;
    let invalid =
        |key, found: String, expected: String| Err(CardError::Value { key, found, expected });
    if raw.num_classes != raw.class_names.len() {
        let names = format!("{} names, as many as class_names has", raw.class_names.len());
        return invalid("num_classes", raw.num_classes.to_string(), names);
    }
    let (mut mean, mut std) = ([0.0; 3], [1.0; 3]);
    for step in raw.transform {
        let arguments = step.arguments.unwrap_or_default();
        match step.name.as_str() {
            "Resize" => {
                if let Some(size) = arguments.size {
                    require_same_size(size, raw.patch_size_pixels, raw.spacing_um_px)?;
                }
            }
            "ToTensor" => {}
            "Normalize" => {
                mean = arguments.mean.unwrap_or(mean);
                std = arguments.std.unwrap_or(std);
            }
            other => {
                let rule = "Resize, ToTensor or Normalize; write a model.toml for anything else";
                return invalid("transform", format!("{other:?}"), rule.to_owned());
            }
        }
    }
    let positive = match (positive, raw.class_names.as_slice()) {
        (Some(given), _) => given.to_owned(),
        (None, [only]) => only.clone(),
        (None, [_, second]) => second.clone(),
        (None, names) => {
            let rule = format!(
                "one of {names:?}: a WSInfer config does not say which class is positive, write a model.toml that does"
            );
            return invalid("positive", "not given".to_owned(), rule);
        }
    };
    let activation = if raw.num_classes == 1 { Activation::Sigmoid } else { Activation::Softmax };
    ModelCard {
        file: file.to_owned(),
        sha256: None,
        window_px: raw.patch_size_pixels,
        mpp: TargetMpp::Um(raw.spacing_um_px),
        layout: Layout::Nchw,
        range: Range::Unit,
        mean,
        std,
        channels: Channels::Rgb,
        classes: raw.class_names,
        positive,
        activation,
        input: None,
        output: None,
    }
    .validated()
}

/// Refuses a `Resize` to another size than the patch has: resampling twice, to the spacing
/// and then to `size`, does not give the pixels of resampling once.
fn require_same_size(size: ResizeSize, patch_px: u32, spacing_um: f64) -> Result<(), CardError> {
    let (rows, cols) = match size {
        ResizeSize::Side(side) => (side, side),
        ResizeSize::Sides([rows, cols]) => (rows, cols),
    };
    if (rows, cols) == (patch_px, patch_px) {
        return Ok(());
    }
    let mpp = spacing_um * f64::from(patch_px) / f64::from(cols.max(1));
    Err(CardError::Value {
        key: "transform",
        found: format!("Resize to {rows} x {cols}"),
        expected: format!(
            "patch_size_pixels ({patch_px}): write a model.toml with window = {cols} and mpp = {mpp:.6}, the same field of view resampled once instead of twice"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = r#"{"spec_version": "1.0", "architecture": "resnet34", "num_classes": 2,
        "class_names": ["other", "tumor"], "patch_size_pixels": 224, "spacing_um_px": 0.5,
        "transform": [{"name": "Resize", "arguments": {"size": 224}}, {"name": "ToTensor"},
        {"name": "Normalize", "arguments": {"mean": [0.7, 0.5, 0.6], "std": [0.1, 0.2, 0.3]}}]}"#;

    #[test]
    fn a_configuration_of_the_zoo_becomes_a_card() {
        let card = card_from_json(VALID, "net.onnx", None).unwrap();
        assert_eq!((card.window_px, card.mpp), (224, TargetMpp::Um(0.5)));
        assert_eq!((card.positive.as_str(), card.activation), ("tumor", Activation::Softmax));
        assert_eq!((card.mean, card.std), ([0.7, 0.5, 0.6], [0.1, 0.2, 0.3]));
        assert_eq!(card_from_json(VALID, "n", Some("other")).unwrap().positive_index(), 0);
        assert_eq!(card_from_json(VALID, "n", Some("tumour")).unwrap().positive, "tumor");
    }

    #[test]
    fn a_configuration_that_does_not_determine_a_card_is_refused() {
        let refused = |from: &str, to: &str| {
            assert!(VALID.contains(from));
            card_from_json(&VALID.replace(from, to), "net.onnx", None).unwrap_err().to_string()
        };
        let resized = refused("\"patch_size_pixels\": 224", "\"patch_size_pixels\": 350");
        assert!(resized.contains("window = 224 and mpp = 0.781250"), "{resized}");
        assert!(refused("\"num_classes\": 2", "\"num_classes\": 3").contains("num_classes"));
        assert!(refused("ToTensor", "ColorJitter").contains("ColorJitter"));
        assert!(refused("\"spacing_um_px\": 0.5,", "").contains("spacing_um_px"));
        let three = VALID.replace("2,", "3,").replace("[\"other\",", "[\"a\", \"other\",");
        assert!(card_from_json(&three, "n", None).unwrap_err().to_string().contains("positive"));
        assert!(card_from_json(&three, "n", Some("a")).is_ok());
        assert!(card_from_json(VALID, "n", Some("b")).is_err());
    }
}
