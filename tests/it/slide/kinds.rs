//! Pictures stored in every way that writers choose show what other libraries show, or are
//! refused by name. The files are made by `tests/reference/slide_kinds.py`.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use slidegrid::slide::{self, slide_mpp};

use crate::common::{needs, reference};
use crate::slide::contract;

#[derive(Deserialize)]
struct Kind {
    name: String,
    rgb: Option<String>,
    #[serde(default)]
    size: [u32; 2],
    #[serde(default)]
    tolerance: u8,
    mpp: Option<f64>,
    #[serde(default)]
    refused: Vec<String>,
}

#[test]
fn pictures_of_every_kind_are_right_or_refused_by_name() {
    needs::openslide();
    let folder = tempfile::tempdir().unwrap();
    let printed = reference::printed("slide_kinds.py", [folder.path()]);
    let kinds: Vec<Kind> = serde_json::from_str(&printed).unwrap();
    assert!(kinds.len() > 50);
    let wrong: Vec<String> =
        kinds.iter().filter_map(|kind| verdict(folder.path(), kind).err()).collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn verdict(folder: &Path, kind: &Kind) -> Result<(), String> {
    let name = &kind.name;
    let slide = match slide::open(&folder.join(name)) {
        Ok(slide) => slide,
        Err(error) => {
            let message = error.to_string();
            let refused = !kind.refused.is_empty();
            let named = kind.refused.iter().all(|word| message.contains(word));
            return if refused && named { Ok(()) } else { Err(format!("{name}: {message}")) };
        }
    };
    let Some(rgb) = &kind.rgb else { return Err(format!("{name} is not refused")) };
    let expected = fs::read(folder.join(rgb)).unwrap();
    let level = slide.levels()[0];
    let [rows, cols] = kind.size;
    if [level.height_px, level.width_px] != kind.size {
        return Err(format!("{name} is {} x {} px", level.width_px, level.height_px));
    }
    let shown = contract::read(&*slide, 0, 0, 0, cols, rows);
    let difference = shown.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max();
    if difference.is_none_or(|difference| difference > kind.tolerance) {
        return Err(format!("{name} differs by {difference:?}"));
    }
    let mpp = slide_mpp(slide.path(), slide.resolution(), None).map(|mpp| mpp.mean());
    let stated = kind.mpp.is_none_or(|expected| {
        mpp.as_ref().is_ok_and(|mpp| (mpp - expected).abs() < 1e-3 * expected)
    });
    if stated { Ok(()) } else { Err(format!("{name}: {mpp:?}")) }
}
