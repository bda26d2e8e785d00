//! The ranges in which numbers of the configuration mean something.
//!
//! A larger or smaller number is a slip of the keyboard, which would fill a disk, take all memory
//! or never end.

use std::ops::RangeInclusive;

use super::predict::PredictKeys;
use super::study::StudyKeys;
use super::tiling::TilingKeys;
use super::violation::Violation;

/// Range of `predict.stride` and `study.strides`, working px.
pub(crate) const STRIDE_PX: RangeInclusive<u32> = 1..=4096;

/// Range of `predict.batch`, windows. At 4096, windows of 224 px take 2.5 GB.
pub(crate) const BATCH: RangeInclusive<usize> = 1..=4096;

/// Range of `predict.threads`.
const THREADS: RangeInclusive<usize> = 1..=1024;

/// Range of `tiling.tile` and `tiling.window`, working px. A slide of 100,000 px has 150 million
/// tiles of 8 px; a patch may have 26,754 px.
const SIDE_PX: RangeInclusive<u32> = 8..=16_384;

/// Range of `tiling.block`, tiles along a side.
const BLOCK_TILES: RangeInclusive<u32> = 1..=1024;

/// Range of `predict.dense_map_mb`, up to a terabyte.
const MAP_MB: RangeInclusive<u32> = 1..=1_000_000;

/// Range of `tiling.patches_per_group`, and of `tiling.group_memory_mb`, where it is a terabyte.
const GROUP: RangeInclusive<u32> = 1..=1_000_000;

/// The first number outside its range.
pub(super) fn violation(
    tiling: &TilingKeys,
    predict: &PredictKeys,
    study: &StudyKeys,
) -> Option<Violation> {
    let block = "; use a smaller block";
    let sides = [
        ("tiling.tile", Some(tiling.tile), SIDE_PX, " px"),
        ("tiling.window", tiling.window, SIDE_PX, " px"),
        ("tiling.block", Some(tiling.block), BLOCK_TILES, block),
        ("tiling.patches_per_group", tiling.patches_per_group, GROUP, ""),
        ("tiling.group_memory_mb", tiling.group_memory_mb, GROUP, ""),
        ("predict.stride", Some(predict.stride), STRIDE_PX, " px"),
        ("predict.dense_map_mb", predict.dense_map_mb, MAP_MB, " MB"),
    ];
    for (key, value, range, unit) in sides {
        if let Some(value) = value.filter(|value| !range.contains(value)) {
            return Some(Violation::new(key, value.to_string(), in_words(&range, unit)));
        }
    }
    let counts =
        [("predict.batch", predict.batch, BATCH), ("predict.threads", predict.threads, THREADS)];
    let outside = counts.into_iter().find_map(|(key, value, range)| {
        let value = value.filter(|value| !range.contains(value))?;
        Some(Violation::new(key, value.to_string(), in_words(&range, ", or nothing")))
    });
    let stride = study.strides.iter().find(|stride| !STRIDE_PX.contains(stride));
    let strides = stride.map(|stride| {
        Violation::new("study.strides", stride.to_string(), in_words(&STRIDE_PX, " px"))
    });
    outside.or(strides)
}

/// A range in words, such as "at least 1 and at most 4096 px".
pub(crate) fn in_words<N: std::fmt::Display>(range: &RangeInclusive<N>, unit: &str) -> String {
    format!("at least {} and at most {}{unit}", range.start(), range.end())
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ConfigError};
    use std::path::Path;

    #[test]
    fn every_number_has_a_least_and_a_largest() {
        for (key, least, most) in [
            ("tiling.tile", 8, 16_384),
            ("tiling.window", 8, 16_384),
            ("tiling.block", 1, 1024),
            ("tiling.patches_per_group", 1, 1_000_000),
            ("tiling.group_memory_mb", 1, 1_000_000),
            ("predict.stride", 1, 4096),
            ("predict.dense_map_mb", 1, 1_000_000),
            ("predict.batch", 1, 4096),
            ("predict.threads", 1, 1024),
            ("study.strides", 1, 4096),
            ("tissue.median", 0, 101),
            ("tissue.closing", 0, 101),
            ("predict.checkpoint_min", 0, 1_000_000),
        ] {
            let parse = |value: i64| {
                let value =
                    if key == "study.strides" { format!("[{value}]") } else { value.to_string() };
                Config::parse("", "test.toml", Path::new("/"), &[format!("{key}={value}")])
            };
            for good in [least | i64::from(key.starts_with("tissue")), most] {
                parse(good).unwrap_or_else(|error| panic!("{key} = {good}: {error}"));
            }
            for bad in [least - 1, most + 2, 4_294_967_295, i64::MAX] {
                let error: ConfigError = parse(bad).unwrap_err();
                let text = error.to_string();
                // Numbers that the type of the key does not hold are refused by the parser.
                let name = key.split('.').next_back().unwrap();
                let is_named = text.contains(name) && text.contains("at most");
                assert!(is_named || text.contains("--set"), "{key} = {bad}: {text}");
            }
        }
    }
}
