//! Reads all bytes of an HDF5 file of a run and compares them with their checksums.

use std::fs::File;
use std::path::Path;

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::check::Check;
use super::findings::Findings;
use crate::hdf5_file::{DataPart, FormatError, list_data};

/// Whether the file has checksums, all of which were compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checksums {
    /// All data and metadata are what was written.
    Compared,
    /// The file is of version 1 or of another program.
    None,
}

/// Compares all bytes of the file with their checksums, on all workers, and counts it.
///
/// # Errors
/// [`FormatError`] for the first part, in the order of the file, that differs.
pub(super) fn check(
    check: &Check<'_>,
    path: &Path,
    findings: &mut Findings,
) -> Result<Checksums, FormatError> {
    findings.count(path);
    let data = list_data(path)?;
    if data.version.is_none_or(|version| version < 2) {
        findings.without_checksums += 1;
        return Ok(Checksums::None);
    }
    let file = File::open(path).map_err(|e| FormatError::io(path, "open", e))?;
    let compare = |buffer: &mut Vec<u8>, part: &DataPart| {
        if check.workers.interrupt.requested().is_some() {
            return Ok(());
        }
        check.read.advance(part.bytes);
        part.check(path, &file, buffer)
    };
    let compared: Vec<Result<(), FormatError>> =
        check.workers.pool.install(|| data.parts.par_iter().map_init(Vec::new, compare).collect());
    compared.into_iter().collect::<Result<(), _>>()?;
    Ok(Checksums::Compared)
}
