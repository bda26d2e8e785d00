//! Writing of a score file, in one step because the scores of a group are small.

use std::path::Path;

use ndarray::{ArrayView1, ArrayView2};

use super::content::{PartScores, Scores};
use super::range::impossible;
use super::schema::{
    COL, FORMAT, HOW, PART_FORMAT, ROW, SCORE, ScoresMeta, TOTAL, UNNORMALIZED, UNNORMALIZED_KIND,
};
use super::unnormalized::UnnormalizedPatch;
use crate::hdf5_file::{FormatError, StagedHdf5};

/// Writes the scores of one group.
///
/// `row` and `col` are lattice indices, `[M]`, and `score` is `[M, C]` for C classes. M may be 0.
///
/// # Errors
/// [`FormatError`] if the counts differ, an index is negative, a score is none that
/// the network can give, or the file cannot
/// be written. No file is left then.
pub fn write_scores(
    path: &Path,
    meta: &ScoresMeta,
    row: &[i32],
    col: &[i32],
    score: ArrayView2<'_, f32>,
) -> Result<(), FormatError> {
    stage(path, meta, FORMAT, row, col, score)?.commit()
}

/// Writes a part file.
///
/// # Errors
/// Those of [`write_scores`].
pub fn write_part(path: &Path, part: &PartScores) -> Result<(), FormatError> {
    let PartScores { scores: Scores { meta, row, col, score }, total, how } = part;
    let mut output = stage(path, meta, PART_FORMAT, row, col, score.view())?;
    output.attributes().put_u64(TOTAL, *total)?;
    if let Some(how) = how {
        let codes: Vec<u8> = how.iter().map(|how| how.code()).collect();
        output.write_dataset(HOW, ArrayView1::from(&codes))?;
    }
    output.commit()
}

fn stage(
    path: &Path,
    meta: &ScoresMeta,
    format: &'static str,
    row: &[i32],
    col: &[i32],
    score: ArrayView2<'_, f32>,
) -> Result<StagedHdf5, FormatError> {
    check_scores(path, meta, row, col, score)?;
    let mut output = StagedHdf5::create(path)?;
    meta.write_attributes(&output.attributes(), format)?;
    let group = meta.group.to_string();
    output.set_key(&[&meta.slide, &group, &meta.config_sha256, &meta.lineage.made_from]);
    output.write_dataset(ROW, ArrayView1::from(row))?;
    output.write_dataset(COL, ArrayView1::from(col))?;
    output.write_dataset(SCORE, score)?;
    if !meta.normalize.is_empty() {
        let patches = meta.unnormalized.iter();
        let line = |(index, patch): (&usize, &UnnormalizedPatch)| {
            format!("patch {index}: {}", patch.reason.replace('\0', "\u{fffd}"))
        };
        let lines: Vec<String> = patches.clone().map(line).collect();
        output.write_texts(UNNORMALIZED, &lines)?;
        let code = |(_, patch): (&usize, &UnnormalizedPatch)| {
            patch.kind.map_or(String::new(), |kind| kind.to_string())
        };
        let codes: Vec<String> = patches.map(code).collect();
        output.write_texts(UNNORMALIZED_KIND, &codes)?;
    }
    Ok(output)
}

/// Checks scores, on writing and on reading.
pub(crate) fn check_scores(
    path: &Path,
    meta: &ScoresMeta,
    row: &[i32],
    col: &[i32],
    score: ArrayView2<'_, f32>,
) -> Result<(), FormatError> {
    let classes = meta.classes.len();
    let refuse = |problem: String| Err(FormatError::invalid(path, problem));
    if row.len() != col.len() || score.dim() != (row.len(), classes) {
        return refuse(format!(
            "row has {}, col {} values, score is {:?}, expected M, M and [M, {classes}]",
            row.len(),
            col.len(),
            score.dim()
        ));
    }
    if let Some(at) = row.iter().zip(col).position(|(&r, &c)| r < 0 || c < 0) {
        return refuse(format!(
            "point {at} is row {}, col {}, expected at least 0",
            row[at], col[at]
        ));
    }
    let is_impossible = |&value: &f32| impossible(&meta.activation, value);
    let bad = score.indexed_iter().find_map(|(at, value)| Some((at, value, is_impossible(value)?)));
    if let Some(((point, class), value, expected)) = bad {
        return refuse(format!(
            "score of point {point} (row {}, col {}), class {class} is {value}, expected {expected}: score the group again; if that fails, check the model and its input range",
            row[point], col[point]
        ));
    }
    Ok(())
}
