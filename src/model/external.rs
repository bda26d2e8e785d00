//! Weights that a network keeps in other files.
//!
//! ONNX files of more than 2 GB, and many smaller ones, name files with the weights. The engines
//! open these files by themselves, so what the network says of them is checked first: they lie in
//! the network's folder, as ONNX demands, they are regular files, and they hold what the
//! network takes from them.

use std::io;
use std::path::{Component, Path};

use super::graph::ExternalWeights;
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
    tensors: &[ExternalWeights],
) -> Result<(), ExternalProblem> {
    let tensors = tensors.iter().filter(|tensor| tensor.location == location);
    let misplaced = |tensor: &ExternalWeights, problem: String| ExternalProblem::Place {
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
        check_place(tensor, bytes).map_err(|problem| misplaced(tensor, problem))?;
    }
    Ok(())
}

/// Checks that a file of so many bytes holds a tensor; the error says what is wrong.
fn check_place(tensor: &ExternalWeights, file_bytes: u64) -> Result<(), String> {
    let number = |key: &str, text: &str| {
        text.parse::<u64>()
            .map_err(|_| format!("{key} {text:?}, expected a number of bytes; export it again"))
    };
    let offset = number("offset", &tensor.offset)?;
    let rest = file_bytes.saturating_sub(offset);
    let length = match &tensor.length {
        Some(text) => number("length", text)?,
        None => tensor.shape_bytes.unwrap_or(rest),
    };
    if offset > file_bytes || length > rest {
        return Err(format!(
            "bytes {offset} to {}, and the file has {file_bytes}; was it cut short, or is it another network's?",
            offset.saturating_add(length)
        ));
    }
    match tensor.shape_bytes {
        Some(expected) if expected != length => {
            Err(format!("{length} bytes, and its shape takes {expected}; export the network again"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_lies_within_its_file() {
        let tensor = |offset: &str, length: Option<&str>, shape_bytes| ExternalWeights {
            name: "w".into(),
            location: "w.bin".into(),
            offset: offset.into(),
            length: length.map(Into::into),
            shape_bytes,
        };
        for good in [
            tensor("0", Some("100"), Some(100)),
            tensor("60", Some("40"), None),
            tensor("60", None, Some(40)),
            tensor("100", Some("0"), Some(0)),
            tensor("5", None, None),
        ] {
            assert_eq!(check_place(&good, 100), Ok(()), "{good:?}");
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
            let problem = check_place(&bad, 100).unwrap_err();
            assert!(problem.contains(word), "{problem}");
        }
    }
}
