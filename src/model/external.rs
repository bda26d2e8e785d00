//! Weights that a network keeps in other files.
//!
//! ONNX files of more than 2 GB, and many smaller ones, name files with the weights. The engines
//! open these files by themselves, so what the network says of them is checked first: they lie in
//! the network's folder, as ONNX demands, they are regular files, and they hold what the
//! network takes from them.

use std::io;
use std::ops::Range;
use std::path::{Component, Path};

use super::weights::ExternalTensor;
use crate::regular_file;

/// Why weights in another file cannot be used.
pub(super) enum ExternalProblem {
    /// The file cannot be opened.
    Read(io::Error),
    /// A tensor is not where the network says.
    Place {
        /// Name of the tensor.
        tensor: String,
        /// What was found, and what was expected.
        problem: String,
    },
}

/// Checks the weights in the file `location` of the network at `onnx`.
///
/// # Errors
/// [`ExternalProblem`], naming the tensor and what is wrong about it.
pub(super) fn check(
    onnx: &Path,
    location: &str,
    tensors: &[ExternalTensor],
) -> Result<(), ExternalProblem> {
    let tensors = tensors.iter().filter(|tensor| tensor.file == location);
    let misplaced = |tensor: &ExternalTensor, problem: String| ExternalProblem::Place {
        tensor: tensor.name.clone(),
        problem,
    };
    let is_inside =
        Path::new(location).components().all(|part| matches!(part, Component::Normal(_)));
    if let Some(tensor) = tensors.clone().find(|_| !is_inside || location.is_empty()) {
        let problem = "expected a file in the network's own folder; put the weights there and save the network with their name alone";
        return Err(misplaced(tensor, problem.to_owned()));
    }
    let path = onnx.parent().unwrap_or_else(|| Path::new("")).join(location);
    let file = regular_file::open(&path).map_err(ExternalProblem::Read)?;
    let bytes = file.metadata().map_err(ExternalProblem::Read)?.len();
    for tensor in tensors {
        tensor.place(bytes).map_err(|problem| misplaced(tensor, problem))?;
    }
    Ok(())
}

impl ExternalTensor {
    /// The bytes of the tensor in a file of `file_bytes`; the error says what is wrong.
    pub(super) fn place(&self, file_bytes: u64) -> Result<Range<usize>, String> {
        let number = |key: &str, text: &str| {
            text.parse::<u64>()
                .map_err(|_| format!("{key} {text:?}, expected a number of bytes; export it again"))
        };
        let offset = number("offset", &self.offset)?;
        let rest = file_bytes.saturating_sub(offset);
        let length = match &self.length {
            Some(text) => number("length", text)?,
            None => self.shape_bytes.unwrap_or(rest),
        };
        if offset > file_bytes || length > rest {
            return Err(format!(
                "bytes {offset} to {}, and the file has {file_bytes}; was it cut short, or is it another network's?",
                offset.saturating_add(length)
            ));
        }
        if let Some(expected) = self.shape_bytes.filter(|expected| *expected != length) {
            return Err(format!(
                "{length} bytes, and its shape takes {expected}; export the network again"
            ));
        }
        let byte = |number: u64| usize::try_from(number).map_err(|e| format!("byte {number}: {e}"));
        Ok(byte(offset)?..byte(offset + length)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_lies_within_its_file() {
        let tensor = |offset: &str, length: Option<&str>, shape_bytes| ExternalTensor {
            name: "w".into(),
            file: "w.bin".into(),
            offset: offset.into(),
            length: length.map(Into::into),
            shape_bytes,
            is_used: true,
            is_strict: true,
            data_type: 1,
        };
        for good in [
            tensor("0", Some("100"), Some(100)),
            tensor("60", Some("40"), None),
            tensor("60", None, Some(40)),
            tensor("100", Some("0"), Some(0)),
            tensor("5", None, None),
        ] {
            assert!(good.place(100).is_ok(), "{good:?}");
        }
        let max = u64::MAX.to_string();
        for (bad, word) in [
            (tensor("0", Some("101"), Some(101)), "the file has 100"),
            (tensor("61", None, Some(40)), "bytes 61 to 101"),
            (tensor("101", Some("0"), None), "the file has 100"),
            (tensor(&max, Some(&max), None), "the file has 100"),
            (tensor("0", Some("40"), Some(44)), "its shape takes 44"),
            (tensor("-1", None, None), "offset \"-1\""),
            (tensor("0", Some("1e3"), None), "length \"1e3\""),
        ] {
            let problem = bad.place(100).unwrap_err();
            assert!(problem.contains(word), "{problem}");
        }
    }
}
