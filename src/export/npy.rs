//! Reads and writes NumPy's `.npy` files of the array types that the original NCRF code
//! exchanges: little-endian float32 of 2 or 3 axes and int64 of 1 axis, in C order.
//!
//! The format is that of `numpy.lib.format`. Versions 1.0 and 2.0 are read; version 1.0
//! is written.

use std::io::Read;
use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2, ArrayView, Dimension};
use thiserror::Error;

use crate::regular_file;
use crate::staged::{self, StageError};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
const F32: &str = "<f4";
const I64: &str = "<i8";
/// Length limit of a header, bytes. Headers of plain arrays are far shorter.
const LONGEST_HEADER: usize = 1 << 16;

/// Longest header with what stands before it: the magic, the version and a length.
const LONGEST_HEAD: u64 = LONGEST_HEADER as u64 + 12;

/// The reason why a `.npy` file could not be read or written.
#[derive(Debug, Error)]
pub enum NpyError {
    /// The file cannot be read.
    #[error("{}: cannot read it: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The file is damaged or is not a `.npy` file.
    #[error("{}: not a readable .npy file: {what}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The file is sound and holds another kind of array than expected.
    #[error(
        "{}: holds {found}, expected {expected}; save it again with np.save(path, np.ascontiguousarray(a, dtype=\"{dtype}\"))",
        path.display()
    )]
    Kind {
        /// The file.
        path: PathBuf,
        /// Type, order and shape of the array in the file.
        found: String,
        /// The expected type, order and number of axes.
        expected: String,
        /// The expected NumPy type.
        dtype: &'static str,
    },
}

/// Reads a float32 array of two axes.
///
/// # Errors
/// [`NpyError`] naming the file, and what it holds if that is another array.
pub(crate) fn read_f32_2d(path: &Path) -> Result<Array2<f32>, NpyError> {
    let (shape, bytes) = read(path, F32, 2)?;
    let values = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    check_shape(path, Array2::from_shape_vec((shape[0], shape[1]), values.collect()))
}

/// Reads an int64 array of one axis.
///
/// # Errors
/// [`NpyError`] naming the file, and what it holds if that is another array.
pub(crate) fn read_i64_1d(path: &Path) -> Result<Array1<i64>, NpyError> {
    let (_, bytes) = read(path, I64, 1)?;
    let values = bytes
        .chunks_exact(8)
        .map(|b| i64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]));
    Ok(Array1::from_iter(values))
}

/// Writes a float32 array in C order.
///
/// # Errors
/// `NpyError::Stage` when the file cannot be written; an earlier file stays unchanged.
pub fn write_f32<D: Dimension>(
    target: &Path,
    array: ArrayView<'_, f32, D>,
) -> Result<(), NpyError> {
    write(target, F32, array.shape(), array.iter().flat_map(|v| v.to_le_bytes()))
}

/// Writes an int64 array in C order.
///
/// # Errors
/// `NpyError::Stage` when the file cannot be written; an earlier file stays unchanged.
pub fn write_i64<D: Dimension>(
    target: &Path,
    array: ArrayView<'_, i64, D>,
) -> Result<(), NpyError> {
    write(target, I64, array.shape(), array.iter().flat_map(|v| v.to_le_bytes()))
}

fn write(
    target: &Path,
    dtype: &str,
    shape: &[usize],
    bytes: impl Iterator<Item = u8>,
) -> Result<(), NpyError> {
    let axes: String = shape.iter().map(|n| format!("{n}, ")).collect();
    let axes = if shape.len() == 1 { axes.trim_end() } else { axes.trim_end_matches(", ") };
    let mut header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({axes}), }}");
    // Magic, version and length are 10 bytes, and the data start at a multiple of 64.
    let padding = 63 - (header.len() + 10) % 64;
    header.extend(std::iter::repeat_n(' ', padding));
    header.push('\n');
    let length = u16::try_from(header.len()).expect("a header of a few axes is short");
    let mut file = MAGIC.to_vec();
    file.extend([1, 0]);
    file.extend(length.to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(bytes);
    Ok(staged::write(target, &file)?)
}

/// Reads the shape and the data of a file that holds an array of type `dtype` and `axes`
/// axes.
fn read(path: &Path, dtype: &'static str, axes: usize) -> Result<(Vec<usize>, Vec<u8>), NpyError> {
    let io = |source| NpyError::Read { path: path.to_owned(), source };
    let invalid = |what: String| NpyError::Format { path: path.to_owned(), what };
    let mut file = regular_file::open(path).map_err(io)?;
    let file_bytes = file.metadata().map_err(io)?.len();
    // The header first: the file has as many data as the header says, and no more is read.
    let mut content = Vec::new();
    (&mut file).take(LONGEST_HEAD).read_to_end(&mut content).map_err(io)?;
    let (header, start) = split(&content).map_err(&invalid)?;
    let header_bytes = (content.len() - start.len()) as u64;
    let found = Header::parse(header).map_err(&invalid)?;
    if found.dtype != dtype || found.fortran_order || found.shape.len() != axes {
        return Err(NpyError::Kind {
            path: path.to_owned(),
            found: found.to_string(),
            expected: format!("{dtype} of {axes} axes in C order"),
            dtype,
        });
    }
    let item = if dtype == F32 { 4 } else { 8 };
    let expected = found.shape.iter().try_fold(item, |all: usize, &n| all.checked_mul(n));
    let data_bytes = file_bytes.saturating_sub(header_bytes);
    let Some(length) = expected.filter(|&bytes| bytes as u64 == data_bytes) else {
        return Err(invalid(format!(
            "{data_bytes} bytes of data for {found}; the file is cut short or damaged, copy or make it again"
        )));
    };
    let mut data = start.to_vec();
    data.reserve_exact(length.saturating_sub(data.len()));
    file.read_to_end(&mut data).map_err(io)?;
    Ok((found.shape, data))
}

/// Splits the content of a file into the header's text and the data.
fn split(content: &[u8]) -> Result<(&str, &[u8]), String> {
    let rest = content.strip_prefix(MAGIC).ok_or("it does not begin with \\x93NUMPY")?;
    let (length, rest) = match *rest {
        [1, 0, a, b, ref rest @ ..] => (usize::from(u16::from_le_bytes([a, b])), rest),
        [2, 0, a, b, c, d, ref rest @ ..] => (u32::from_le_bytes([a, b, c, d]) as usize, rest),
        [major @ (1 | 2), 0, ..] => return Err(format!("version {major}.0 file cut short")),
        [major, minor, ..] => {
            return Err(format!("version {major}.{minor}, expected 1.0 or 2.0"));
        }
        _ => return Err("it is cut short".to_owned()),
    };
    if length > LONGEST_HEADER || length > rest.len() {
        return Err(format!(
            "its header states a length of {length} bytes, expected at most {}",
            rest.len().min(LONGEST_HEADER)
        ));
    }
    let (header, data) = rest.split_at(length);
    let header = std::str::from_utf8(header).map_err(|_| "its header is not UTF-8 text")?;
    Ok((header, data))
}

/// The dictionary in the header.
struct Header {
    dtype: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl Header {
    fn parse(text: &str) -> Result<Self, String> {
        let value = |key: &str| {
            let quoted = [format!("'{key}':"), format!("\"{key}\":")];
            let start = quoted.iter().find_map(|q| text.find(q).map(|i| i + q.len()));
            start.map(|at| text[at..].trim_start()).ok_or(format!("its header has no {key}"))
        };
        let descr = value("descr")?;
        let dtype = match descr.strip_prefix(['\'', '"']).and_then(|d| d.split(['\'', '"']).next())
        {
            Some(dtype) => dtype.to_owned(),
            None => return Err("its elements are records, expected plain numbers".to_owned()),
        };
        let order = value("fortran_order")?;
        let fortran_order = match (order.starts_with("True"), order.starts_with("False")) {
            (true, _) => true,
            (_, true) => false,
            _ => return Err("its fortran_order is neither True nor False".to_owned()),
        };
        let shape = value("shape")?
            .strip_prefix('(')
            .and_then(|s| s.split_once(')'))
            .ok_or("its shape is not a tuple")?
            .0
            .split(',')
            .map(str::trim)
            .filter(|n| !n.is_empty())
            .map(|n| n.parse().map_err(|_| format!("its shape holds {n:?}, expected a number")))
            .collect::<Result<_, String>>()?;
        Ok(Self { dtype, fortran_order, shape })
    }
}

impl std::fmt::Display for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let order = if self.fortran_order { "Fortran" } else { "C" };
        write!(f, "{} of shape {:?} in {order} order", self.dtype, self.shape)
    }
}

fn check_shape<A>(path: &Path, array: Result<A, ndarray::ShapeError>) -> Result<A, NpyError> {
    array.map_err(|e| NpyError::Format { path: path.to_owned(), what: e.to_string() })
}

#[cfg(test)]
#[path = "npy_tests.rs"]
mod tests;
