//! The hash of a model card.

use super::card::ModelCard;
use crate::sha256::sha256_of_pairs;

/// Hash of a card's entries on pixels and classes. A card whose entries were edited after
/// scores were made counts as another model.
pub(crate) fn card_sha256(card: &ModelCard) -> String {
    let ModelCard {
        file: _,
        sha256: _,
        window_px,
        mpp: _,
        layout,
        range,
        mean,
        std,
        channels,
        classes,
        positive,
        activation,
        input: _,
        output: _,
    } = card;
    let pixels = format!("{window_px} {layout:?} {range:?} {mean:?} {std:?} {channels:?}");
    let classes = format!("{classes:?} {positive} {activation:?}");
    sha256_of_pairs([("pixels", pixels.as_str()), ("classes", classes.as_str())].into_iter())
}
