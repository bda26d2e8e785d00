//! Reading of a score file.

use std::collections::BTreeMap;
use std::path::Path;

use ndarray::{Ix1, Ix2};

use super::content::{PartScores, Scores};
use super::schema::{
    COL, FORMAT, HOW, PART_FORMAT, ROW, SCORE, ScoresMeta, TOTAL, UNNORMALIZED, UNNORMALIZED_KIND,
};
use super::scored_by::ScoredBy;
use super::unnormalized::UnnormalizedPatch;
use super::writer::check_scores;
use crate::hdf5_file::{
    self, Attributes, FormatError, check_dataset, link_exists, read_all, read_texts,
};

/// Reads only the attributes of `path`.
///
/// # Errors
/// [`FormatError`] if the file is missing, damaged, of another format or of a newer version.
pub fn read_scores_meta(path: &Path) -> Result<ScoresMeta, FormatError> {
    let file = hdf5_file::open(path)?;
    ScoresMeta::read_attributes(&Attributes::new(path, &file), FORMAT)
}

/// Reads the attributes of `path` and the patches whose stains could not be measured.
///
/// # Errors
/// [`FormatError`] if the file is missing, damaged, of another format or of a newer version.
pub(crate) fn read_scores_notes(path: &Path) -> Result<ScoresMeta, FormatError> {
    let file = hdf5_file::open(path)?;
    let mut meta = ScoresMeta::read_attributes(&Attributes::new(path, &file), FORMAT)?;
    meta.unnormalized = read_unnormalized(path, &file, &meta)?;
    Ok(meta)
}

/// Reads the scores of `path` and checks their number.
///
/// # Errors
/// [`FormatError`] if the file is missing, damaged, of another format or of a newer version, or
/// if its counts differ.
pub fn read_scores(path: &Path) -> Result<Scores, FormatError> {
    read_points(path, &hdf5_file::open(path)?, FORMAT)
}

/// Reads a part file.
///
/// # Errors
/// Those of [`read_scores`].
pub fn read_part(path: &Path) -> Result<PartScores, FormatError> {
    // One opened file throughout: another task may replace the file in the meantime.
    let file = hdf5_file::open(path)?;
    let scores = read_points(path, &file, PART_FORMAT)?;
    let total = Attributes::new(path, &file).u64(TOTAL)?;
    let how = read_how(path, &file, scores.row.len())?;
    Ok(PartScores { scores, total, how })
}

/// How a cascade scored each of `points` windows of a part file.
fn read_how(
    path: &Path,
    file: &hdf5::File,
    points: usize,
) -> Result<Option<Vec<ScoredBy>>, FormatError> {
    if !link_exists(path, file, HOW)? {
        return Ok(None);
    }
    let codes = check_dataset::<u8>(path, file, HOW, &[Some(points)])?;
    let codes = read_all::<u8, Ix1>(path, &codes)?;
    let how = codes.iter().map(|&code| {
        ScoredBy::from_code(code).ok_or_else(|| {
            FormatError::invalid(path, format!("/{HOW} has {code}, expected 1 to 5"))
        })
    });
    how.collect::<Result<_, _>>().map(Some)
}

/// Reads only the attributes of a part file, and the number of windows of its whole group.
///
/// # Errors
/// [`FormatError`] if the file is missing, damaged, of another format or of a newer version.
pub(crate) fn read_part_meta(path: &Path) -> Result<(ScoresMeta, u64), FormatError> {
    let file = hdf5_file::open(path)?;
    let attributes = Attributes::new(path, &file);
    let meta = ScoresMeta::read_attributes(&attributes, PART_FORMAT)?;
    Ok((meta, attributes.u64(TOTAL)?))
}

/// The patches whose stains could not be measured, by index, with the reasons.
fn read_unnormalized(
    path: &Path,
    file: &hdf5::File,
    meta: &ScoresMeta,
) -> Result<BTreeMap<usize, UnnormalizedPatch>, FormatError> {
    if meta.unnormalized_patches == 0 {
        return Ok(BTreeMap::new());
    }
    let count = usize::try_from(meta.unnormalized_patches).ok();
    let texts = |name: &str| read_texts(path, file, name, count);
    let mut patches = Vec::new();
    for line in texts(UNNORMALIZED)? {
        let parts = line.strip_prefix("patch ").and_then(|rest| rest.split_once(": "));
        let patch = parts.and_then(|(index, reason)| {
            let patch = UnnormalizedPatch { reason: reason.to_owned(), kind: None };
            Some((index.parse().ok()?, patch))
        });
        patches.push(patch.ok_or_else(|| {
            let problem = format!("/{UNNORMALIZED} has {line:?}, expected \"patch N: reason\"");
            FormatError::invalid(path, problem)
        })?);
    }
    if link_exists(path, file, UNNORMALIZED_KIND)? {
        for ((_, patch), kind) in patches.iter_mut().zip(texts(UNNORMALIZED_KIND)?) {
            patch.kind = kind.parse().ok();
        }
    }
    Ok(patches.into_iter().collect())
}

fn read_points(
    path: &Path,
    file: &hdf5::File,
    format: &'static str,
) -> Result<Scores, FormatError> {
    let mut meta = ScoresMeta::read_attributes(&Attributes::new(path, file), format)?;
    meta.unnormalized = read_unnormalized(path, file, &meta)?;
    let row = check_dataset::<i32>(path, file, ROW, &[None])?;
    let points = row.size();
    let col = check_dataset::<i32>(path, file, COL, &[Some(points)])?;
    if meta.windows != points as u64 {
        let problem = format!("windows is {}, expected {points}, the length of /row", meta.windows);
        return Err(FormatError::invalid(path, problem));
    }
    let classes = Some(meta.classes.len());
    let score = check_dataset::<f32>(path, file, SCORE, &[Some(points), classes])?;
    let row = read_all::<i32, Ix1>(path, &row)?.to_vec();
    let col = read_all::<i32, Ix1>(path, &col)?.to_vec();
    let score = read_all::<f32, Ix2>(path, &score)?;
    check_scores(path, &meta, &row, &col, score.view())?;
    Ok(Scores { meta, row, col, score })
}
