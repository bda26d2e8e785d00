//! Loading a model from the path of its card or its ONNX file.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::card::{CardError, Layout, ModelCard};
use super::check::{Mismatch, check_card, input_of, output_of};
use super::external::{self, ExternalProblem};
use super::graph::{Dim, Dtype, GraphError, GraphFacts, TensorFacts};
use super::wsinfer::card_from_json;
use crate::regular_file::{self, SETTINGS_BYTES};

/// A network: its card, its ONNX file and the facts of its graph. Card and graph agree.
#[derive(Debug, Clone)]
pub struct Model {
    /// The card.
    pub card: ModelCard,
    /// The ONNX file.
    pub path: PathBuf,
    /// SHA-256 of the ONNX file, lower-case hexadecimal; weights kept in other
    /// files are hashed after it, in the order of their names
    /// (`cat net.onnx net.onnx.data | sha256sum`).
    pub sha256: String,
    /// The ONNX file's bytes.
    pub bytes: Vec<u8>,
    /// The facts of the graph.
    pub graph: GraphFacts,
}

/// A model cannot be used.
#[derive(Debug, Error)]
pub enum ModelError {
    /// A file cannot be read.
    #[error("{}: cannot read {what}: {source}{}", path.display(), match named_by {
        Some(card) => format!("; put it there, or correct `file` in {}, which names it", card.display()),
        None => "; give the right path as [model] card".to_owned(),
    })]
    Read {
        /// The file.
        path: PathBuf,
        /// What the file holds, such as `the model card`.
        what: &'static str,
        /// The file that names it, if one does.
        named_by: Option<PathBuf>,
        /// The system's error.
        source: io::Error,
    },
    /// The card is invalid.
    #[error("{}: {source}", path.display())]
    Card {
        /// The card.
        path: PathBuf,
        /// What is wrong.
        source: CardError,
    },
    /// An ONNX file has no card beside it.
    #[error("{}: no model card beside it (looked for {}); write one that states what the graph lacks: window, mpp, mean, std, classes", path.display(), looked_for.join(", "))]
    NoCard {
        /// The ONNX file.
        path: PathBuf,
        /// File names that were tried.
        looked_for: Vec<String>,
    },
    /// A WSInfer configuration has no ONNX file beside it.
    #[error("{}: no ONNX file beside this WSInfer configuration (looked for {}); its weights are TorchScript: load them with torch.jit.load, export with torch.onnx.export(network, torch.zeros(1, 3, {window}, {window}), \"model.onnx\", dynamic_axes={{0: {{0: \"N\"}}}}) and put the file there", path.display(), looked_for.join(", "))]
    NoOnnx {
        /// The configuration.
        path: PathBuf,
        /// File names that were tried.
        looked_for: Vec<String>,
        /// Side of the window for the export, px.
        window: u32,
    },
    /// The weights are not those that the card was written for.
    #[error("{}: sha256 is {found}, {} says {expected}; if the new weights are meant, put their sha256 into the card", path.display(), card.display())]
    Digest {
        /// The ONNX file.
        path: PathBuf,
        /// The card.
        card: PathBuf,
        /// The file's digest.
        found: String,
        /// The card's digest.
        expected: String,
    },
    /// The file is not an ONNX model.
    #[error("{}: {source}", path.display())]
    Graph {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: GraphError,
    },
    /// Weights in another file are not where the network says.
    #[error("{}: its weights {tensor} are in {location}, {problem}", path.display())]
    External {
        /// The ONNX file.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// The file with the weights, as the network names it.
        location: String,
        /// What was found, and what was expected.
        problem: String,
    },
    /// Card and graph contradict each other.
    #[error("{} and {}: {source}", card.display(), path.display())]
    Mismatch {
        /// The card.
        card: PathBuf,
        /// The ONNX file.
        path: PathBuf,
        /// The contradiction.
        source: Box<Mismatch>,
    },
}

impl Model {
    /// Loads a model from its card (`.toml`), a WSInfer `config.json`, or an
    /// ONNX file with either beside it.
    ///
    /// # Errors
    /// [`ModelError`] naming the file and what to do.
    pub fn load(path: &Path) -> Result<Self, ModelError> {
        Self::load_with(path, None)
    }

    /// Like [`Model::load`], with `positive`, if given, in place of the card's positive class.
    ///
    /// # Errors
    /// [`ModelError`] naming the file and what to do.
    pub fn load_with(path: &Path, positive: Option<&str>) -> Result<Self, ModelError> {
        let is = |extension: &str| {
            path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
        };
        let card_path = if is("onnx") { card_beside(path)? } else { path.to_owned() };
        let mut card = read_card(&card_path, positive)?;
        if let Some(positive) = positive {
            card.positive = positive.to_owned();
            card = card
                .validated()
                .map_err(|source| ModelError::Card { path: card_path.clone(), source })?;
        }
        let path =
            if is("onnx") { path.to_owned() } else { folder_of(&card_path).join(&card.file) };
        Self::from_card(card, card_path, path)
    }

    fn from_card(card: ModelCard, card_path: PathBuf, path: PathBuf) -> Result<Self, ModelError> {
        let bytes = read(&path, "the network", Some(&card_path))?;
        let graph = GraphFacts::decode(&bytes)
            .map_err(|source| ModelError::Graph { path: path.clone(), source })?;
        let mut hasher = Sha256::new_with_prefix(&bytes);
        for file in &graph.external_files {
            let weights = folder_of(&path).join(file);
            external::check(&path, file, &graph.external_tensors).map_err(|error| match error {
                ExternalProblem::Read(source) => ModelError::Read {
                    path: weights.clone(),
                    what: "the network's weights",
                    named_by: Some(path.clone()),
                    source,
                },
                ExternalProblem::Place { tensor, problem } => ModelError::External {
                    path: path.clone(),
                    tensor,
                    location: file.clone(),
                    problem,
                },
            })?;
            let bytes = read(&weights, "the network's weights", Some(&path))?;
            let mut tensors = graph.external_tensors.iter().filter(|tensor| tensor.file == *file);
            if let Some((tensor, bad)) = tensors.find_map(|tensor| {
                // The place was checked above, in a file that may have changed since.
                let place = tensor.place(bytes.len() as u64).ok()?;
                Some((&tensor.name, tensor.bad_weight(&bytes[place])?))
            }) {
                let source = GraphError::not_finite(tensor, bad);
                return Err(ModelError::Graph { path: weights, source });
            }
            hasher.update(bytes);
        }
        let sha256: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if let Some(expected) = card.sha256.as_ref().filter(|expected| **expected != sha256) {
            let expected = expected.clone();
            return Err(ModelError::Digest { path, card: card_path, found: sha256, expected });
        }
        match check_card(&card, &graph) {
            Ok(()) => Ok(Self { card, path, sha256, bytes, graph }),
            Err(mismatch) => {
                Err(ModelError::Mismatch { card: card_path, path, source: Box::new(mismatch) })
            }
        }
    }

    /// The image input.
    ///
    /// # Panics
    /// Never for a loaded model: its card was checked against its graph.
    #[must_use]
    pub fn input(&self) -> &TensorFacts {
        input_of(&self.card, &self.graph).expect("a loaded model has one input")
    }

    /// The output that holds the class scores.
    ///
    /// # Panics
    /// Never for a loaded model: its card was checked against its graph.
    #[must_use]
    pub fn output(&self) -> &TensorFacts {
        output_of(&self.card, &self.graph).expect("a loaded model has a class output")
    }

    /// Shape of the input for `batch` windows, in the card's layout.
    #[must_use]
    pub fn input_shape(&self, batch: usize) -> [usize; 4] {
        let side = self.card.window_px as usize;
        match self.card.layout {
            Layout::Nchw => [batch, 3, side, side],
            Layout::Nhwc => [batch, side, side, 3],
        }
    }

    /// Numbers in one window: 3 x window x window.
    #[must_use]
    pub fn window_len(&self) -> usize {
        self.input_shape(1).iter().product()
    }

    /// The number of windows per run, if the graph fixes it.
    #[must_use]
    pub fn static_batch(&self) -> Option<usize> {
        self.input().dims.as_ref().and_then(|dims| dims.first()).and_then(Dim::fixed)
    }

    /// The operator that computes the class scores, such as "Gemm" or "Softmax"; `None` if the
    /// graph does not tell.
    pub(crate) fn last_operator(&self) -> Option<&str> {
        let output = super::check::output_of(&self.card, &self.graph).ok()?;
        self.graph.last_operators.get(&output.name).map(String::as_str)
    }

    /// `f16` or `f32`: the type of the network's input, as the scores record it.
    #[must_use]
    pub fn precision(&self) -> &'static str {
        match self.input().dtype {
            Dtype::F16 => "f16",
            _ => "f32",
        }
    }
}

/// Largest ONNX file: protobuf, its encoding, has no larger ones. Larger networks keep their
/// weights in other files.
const ONNX_BYTES: u64 = 1 << 31;

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or_else(|| Path::new(""))
}

fn read(path: &Path, what: &'static str, named_by: Option<&Path>) -> Result<Vec<u8>, ModelError> {
    // Other files with weights may be larger than an ONNX file can be.
    let most_bytes = match named_by {
        Some(onnx) if onnx.extension().is_some_and(|found| found == "onnx") => u64::MAX - 1,
        Some(_) => ONNX_BYTES,
        None => SETTINGS_BYTES,
    };
    regular_file::read(path, most_bytes).map_err(|source| ModelError::Read {
        path: path.to_owned(),
        what,
        named_by: named_by.map(Path::to_owned),
        source,
    })
}

/// The first of `names` that is a file in the folder of `path`.
fn beside(path: &Path, names: &[String]) -> Option<PathBuf> {
    names.iter().map(|name| folder_of(path).join(name)).find(|candidate| candidate.is_file())
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn card_beside(onnx: &Path) -> Result<PathBuf, ModelError> {
    let names = [format!("{}.toml", stem(onnx)), "model.toml".into(), "config.json".into()];
    beside(onnx, &names)
        .ok_or_else(|| ModelError::NoCard { path: onnx.to_owned(), looked_for: names.to_vec() })
}

fn read_card(path: &Path, positive: Option<&str>) -> Result<ModelCard, ModelError> {
    let invalid = |source| ModelError::Card { path: path.to_owned(), source };
    let bytes = read(path, "the model card", None)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        let detail =
            "not text: expected a model.toml, a WSInfer config.json or an .onnx file".to_owned();
        invalid(CardError::Syntax { detail })
    })?;
    if path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("json")) {
        return ModelCard::from_toml(&text).map_err(invalid);
    }
    let names = [format!("{}.onnx", stem(path)), "model.onnx".into()];
    let card = card_from_json(&text, "", positive).map_err(invalid)?;
    let file = beside(path, &names).ok_or_else(|| ModelError::NoOnnx {
        path: path.to_owned(),
        looked_for: names.to_vec(),
        window: card.window_px,
    })?;
    Ok(ModelCard {
        file: file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        ..card
    })
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use tract_onnx::pb;

    use super::*;

    /// A network whose first weights are in another file, as PyTorch exports large ones.
    #[test]
    fn weights_in_another_file_are_looked_at_too() {
        let folder = tempfile::tempdir().unwrap();
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models");
        let bytes = std::fs::read(models.join("padded.onnx")).unwrap();
        let mut network = pb::ModelProto::decode(bytes.as_slice()).unwrap();
        let graph = network.graph.as_mut().unwrap();
        let weights = graph.initializer.iter_mut().find(|t| t.data_type == 1).unwrap();
        let mut data = std::mem::take(&mut weights.raw_data);
        let entry = |key: &str, value: &str| pb::StringStringEntryProto {
            key: key.to_owned(),
            value: value.to_owned(),
        };
        weights.external_data = vec![entry("location", "padded.data")];
        weights.data_location = Some(1);
        let name = weights.name.clone();
        std::fs::write(folder.path().join("padded.onnx"), network.encode_to_vec()).unwrap();
        let card = std::fs::read_to_string(models.join("padded.toml")).unwrap();
        let card: Vec<&str> = card.lines().filter(|line| !line.starts_with("sha256")).collect();
        let path = folder.path().join("padded.toml");
        std::fs::write(&path, card.join("\n")).unwrap();
        let file = folder.path().join("padded.data");
        std::fs::write(&file, &data).unwrap();
        Model::load(&path).unwrap();
        data[4..8].copy_from_slice(&f32::NAN.to_le_bytes());
        std::fs::write(&file, &data).unwrap();
        let error = Model::load(&path).unwrap_err().to_string();
        let words = format!("padded.data: value 1 of the weights {name} is NaN");
        assert!(error.contains(&words), "{error}");
    }
}
