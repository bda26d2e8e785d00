//! `scores/<slide>/calibration.json`: a calibration that the tasks of a slide share. The file
//! names what it was fitted to, and has a checksum.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use crate::patches::PatchesMeta;
use crate::staged::{self, StageError};

/// What the calibration at `path` holds, if it was fitted to these patches and is what was
/// written. Another one is fitted anew at little cost.
///
/// # Errors
/// [`StageError`] if the file may be there and cannot be read.
pub(super) fn read<T: DeserializeOwned>(
    path: &Path,
    patches: &PatchesMeta,
) -> Result<Option<T>, StageError> {
    let bytes = staged::read_if_there(path)?;
    Ok(bytes.and_then(|bytes| parse(&bytes, patches)))
}

fn parse<T: DeserializeOwned>(bytes: &[u8], patches: &PatchesMeta) -> Option<T> {
    let mut file: Value = serde_json::from_slice(bytes).ok()?;
    let calibrated = file.get_mut("calibrated").map(Value::take)?;
    let expected = head(&calibrated, patches);
    file.as_object_mut()?.remove("calibrated");
    (file == expected).then(|| serde_json::from_value(calibrated).ok())?
}

/// Whether the file at `path` is a calibration that was fitted to these patches, and is as it was
/// written. Those of an earlier version have no checksum, and are not.
///
/// # Errors
/// [`StageError`] if the file may be there and cannot be read.
pub(crate) fn is_calibration_of(path: &Path, patches: &PatchesMeta) -> Result<bool, StageError> {
    Ok(read::<Value>(path, patches)?.is_some())
}

/// Writes a calibration that was fitted to these patches.
pub(super) fn write<T: Serialize>(
    path: &Path,
    patches: &PatchesMeta,
    calibrated: &T,
) -> Result<(), StageError> {
    let calibrated = serde_json::to_value(calibrated).expect("a calibration is plain data");
    let mut file = head(&calibrated, patches);
    file["calibrated"] = calibrated;
    staged::write(path, format!("{file:#}\n").as_bytes())
}

/// The hash of a calibration, 16 hexadecimal digits.
pub(super) fn id<T: Serialize>(calibrated: &T) -> String {
    hash(&serde_json::to_value(calibrated).expect("a calibration is plain data"))
}

fn hash(calibrated: &Value) -> String {
    format!("{:016x}", xxh3_64(calibrated.to_string().as_bytes()))
}

/// All but the calibration itself.
fn head(calibrated: &Value, patches: &PatchesMeta) -> Value {
    let made_from = &patches.lineage.id;
    json!({"slide": patches.slide, "made_from": made_from, "xxh3": hash(calibrated)})
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::geometry::{BlockPlan, Tiling, WorkingPlane};

    fn patches(slide: &str, id: &str) -> PatchesMeta {
        let plane = WorkingPlane {
            level0_width_px: 8,
            level0_height_px: 8,
            downsample: 1.0,
            width_px: 8,
            height_px: 8,
            mpp_x: None,
            mpp_y: None,
        };
        let plan = BlockPlan::new(Tiling::new(8, 1, 8).unwrap(), Array2::ones((1, 1)));
        let mut meta = PatchesMeta::planned(slide, &plane, &plan, 1);
        meta.lineage.id = id.to_owned();
        meta
    }

    #[test]
    fn a_calibration_is_that_of_its_slide_and_every_digit_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calibration.json");
        let values = vec![0.1_f64, 1.0 / 3.0, 6.02e23];
        write(&path, &patches("a", "1"), &values).unwrap();
        let read = |slide, id| read::<Vec<f64>>(&path, &patches(slide, id)).unwrap();
        assert_eq!(read("a", "1"), Some(values.clone()));
        assert_eq!((read("b", "1"), read("a", "2")), (None, None));
        let whole = std::fs::read(&path).unwrap();
        for at in (0..whole.len()).filter(|&at| whole[at].is_ascii_digit()) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, &damaged).unwrap();
            // The last digits of a number may not change its value.
            assert!(read("a", "1").is_none_or(|found| found == values), "byte {at}");
        }
        std::fs::write(&path, serde_json::to_vec(&values).unwrap()).unwrap();
        assert_eq!(read("a", "1"), None);
    }

    #[test]
    fn numbers_survive_the_round_trip() {
        let mut state = 1_u64;
        for _ in 0..20_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            for value in [f64::from_bits(state), (state as f64) / (u64::MAX as f64)] {
                if value.is_finite() {
                    let text = serde_json::to_string(&value).unwrap();
                    let found: f64 = serde_json::from_str(&text).unwrap();
                    assert_eq!(found.to_bits(), value.to_bits(), "{text}");
                }
            }
        }
    }
}
