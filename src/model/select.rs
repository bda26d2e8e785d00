//! The choice of an engine, from the user's request and the libraries that are installed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::engine::Engine;
use super::engine_error::EngineError;
use super::library_search::{FoundLibraries, LibraryKind, find, find_of_shell};
use super::onnxruntime::OrtEngine;
use super::openvino::{NotOpen, OpenVinoEngine};
use super::precision::Precision;
use super::tract::TractEngine;
use super::{openvino_library, ort_library};

/// The engine that the user requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineChoice {
    /// onnxruntime where it is installed, otherwise tract.
    #[default]
    Auto,
    /// tract, which is compiled in.
    Tract,
    /// onnxruntime, which is loaded at run time.
    Ort,
    /// OpenVINO, which is loaded at run time and never chosen by `auto`.
    OpenVino,
}

impl EngineChoice {
    /// The name in configurations and on command lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Tract => "tract",
            Self::Ort => "ort",
            Self::OpenVino => "openvino",
        }
    }
}

impl fmt::Display for EngineChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for EngineChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "tract" => Ok(Self::Tract),
            "ort" | "onnxruntime" => Ok(Self::Ort),
            "openvino" => Ok(Self::OpenVino),
            other => Err(format!("engine {other:?} is not one of auto, tract, ort, openvino")),
        }
    }
}

/// The engine, the precision and the libraries that the user requests.
#[derive(Debug, Clone, Copy, Default)]
pub struct EngineRequest<'w> {
    /// The engine.
    pub engine: EngineChoice,
    /// The precision to compute in.
    pub precision: Precision,
    /// The library given by `--ort-library`.
    pub ort_library: Option<&'w Path>,
    /// The library given by `--openvino-library`.
    pub openvino_library: Option<&'w Path>,
}

/// The engine that was chosen.
#[derive(Debug, Clone)]
pub struct SelectedEngine {
    /// The engine.
    pub engine: Arc<dyn Engine>,
    /// The same engine in f32, if `engine` computes in a lower precision.
    pub reference: Option<Arc<dyn Engine>>,
    /// A line for the log: which engine was chosen, and why.
    pub reason: String,
}

/// Chooses an engine and opens its library.
///
/// A library that the user names, by a flag or a variable, must work. `auto` passes over
/// a library that was merely found and does not work, and [`SelectedEngine::reason`] says
/// so. `auto` chooses neither OpenVINO nor a precision below f32.
///
/// # Errors
/// [`EngineError`] when the engine is not available, or not in that precision.
pub fn select(wanted: &EngineRequest<'_>) -> Result<SelectedEngine, EngineError> {
    let EngineRequest { engine, precision, .. } = *wanted;
    if precision != Precision::F32 && engine != EngineChoice::OpenVino {
        return Err(EngineError::Precision { engine: engine.name(), precision });
    }
    match engine {
        EngineChoice::Tract => Ok(tract("requested".to_owned())),
        EngineChoice::OpenVino => openvino(wanted.openvino_library, precision),
        EngineChoice::Auto | EngineChoice::Ort => onnxruntime(engine, wanted.ort_library),
    }
}

/// The library of the engine that [`select`] would choose in this shell, with the variable that
/// names the library to another process. `None` for an engine without a library, and for a library
/// in a folder of the system, where each machine has its own.
pub(crate) fn library_of_shell(wanted: &EngineRequest<'_>) -> Option<(&'static str, PathBuf)> {
    let env = |name: &str| std::env::var(name).ok();
    let (kind, library) = match wanted.engine {
        EngineChoice::Tract => return None,
        EngineChoice::Auto | EngineChoice::Ort => {
            let works = |library: &Path| ort_library::probe(library).is_ok();
            let kind = &ort_library::KIND;
            (kind, find_of_shell(kind, wanted.ort_library, &env, &works)?)
        }
        EngineChoice::OpenVino => {
            let works = |library: &Path| openvino_library::probe(library).is_ok();
            let kind = &openvino_library::KIND;
            (kind, find_of_shell(kind, wanted.openvino_library, &env, &works)?)
        }
    };
    Some((kind.variables[0], library))
}

fn tract(why: String) -> SelectedEngine {
    let engine = TractEngine::new();
    SelectedEngine {
        reason: format!("engine tract {}: {why}", engine.version()),
        reference: None,
        engine: Arc::new(engine),
    }
}

fn onnxruntime(
    choice: EngineChoice,
    library: Option<&Path>,
) -> Result<SelectedEngine, EngineError> {
    let selected = |(engine, place): (OrtEngine, String)| SelectedEngine {
        reason: format!("engine onnxruntime {}: {place}", engine.version()),
        reference: None,
        engine: Arc::new(engine),
    };
    match first_that_opens(&ort_library::KIND, library, &OrtEngine::open) {
        Ok(opened) => Ok(selected(opened)),
        Err(Unopened::Named { library, named_by, why: detail }) => {
            Err(EngineError::OrtLibrary { library, named_by, detail })
        }
        Err(Unopened::NoneOf(problems)) => {
            let detail = not_found(&problems);
            if choice == EngineChoice::Ort {
                return Err(EngineError::NoOrt { detail });
            }
            Ok(tract(format!("compiled in; onnxruntime, 1.5 to 5 times as fast, {detail}")))
        }
    }
}

fn openvino(library: Option<&Path>, precision: Precision) -> Result<SelectedEngine, EngineError> {
    let open = |library: &Path| OpenVinoEngine::open(library, precision);
    let (engine, place) = match first_that_opens(&openvino_library::KIND, library, &open) {
        Ok(opened) => opened,
        Err(Unopened::Named { why: NotOpen::NoBf16(version, unsupported), .. }) => {
            return Err(EngineError::NoBf16 { version, unsupported });
        }
        Err(Unopened::Named { library, named_by, why: NotOpen::Library(detail) }) => {
            return Err(EngineError::OpenVinoLibrary { library, named_by, detail });
        }
        Err(Unopened::NoneOf(problems)) => {
            let mut failures = Vec::new();
            for Unusable { library, why } in problems {
                match why {
                    NotOpen::Library(why) => failures.push(Unusable { library, why }),
                    NotOpen::NoBf16(version, unsupported) => {
                        return Err(EngineError::NoBf16 { version, unsupported });
                    }
                }
            }
            return Err(EngineError::NoOpenVino { detail: not_found(&failures) });
        }
    };
    let reason = format!("engine OpenVINO {} in {precision}: {place}", engine.version());
    let reference =
        (precision != Precision::F32).then(|| -> Arc<dyn Engine> { Arc::new(engine.in_f32()) });
    Ok(SelectedEngine { engine: Arc::new(engine), reference, reason })
}

/// Why no library of a kind could be opened.
enum Unopened<E> {
    /// The library that the user named does not open.
    Named { library: PathBuf, named_by: String, why: E },
    /// None of the libraries that were found opens; there may be none.
    NoneOf(Vec<Unusable<E>>),
}

/// A library that was found and does not open.
struct Unusable<E> {
    library: PathBuf,
    why: E,
}

/// Opens the library that the user named, otherwise the first found that opens. Returns
/// the engine, and the library with how it was named or found.
fn first_that_opens<T, E>(
    kind: &LibraryKind,
    flag: Option<&Path>,
    open: &dyn Fn(&Path) -> Result<T, E>,
) -> Result<(T, String), Unopened<E>> {
    match find(kind, flag, &|name| std::env::var(name).ok()) {
        FoundLibraries::Named { library, named_by } => match open(&library) {
            Ok(engine) => Ok((engine, format!("{} ({named_by})", library.display()))),
            Err(why) => Err(Unopened::Named { library, named_by, why }),
        },
        FoundLibraries::Candidates(candidates) => {
            let mut problems = Vec::new();
            for (library, place) in candidates {
                match open(&library) {
                    Ok(engine) => return Ok((engine, format!("{} ({place})", library.display()))),
                    Err(why) => problems.push(Unusable { library, why }),
                }
            }
            Err(Unopened::NoneOf(problems))
        }
    }
}

fn not_found(problems: &[Unusable<String>]) -> String {
    if problems.is_empty() {
        return "not found in an active Python environment or among the system's libraries"
            .to_owned();
    }
    let listed =
        problems.iter().map(|Unusable { library, why }| format!("{}: {why}", library.display()));
    listed.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_engines_are_parsed() {
        for engine in
            [EngineChoice::Auto, EngineChoice::Tract, EngineChoice::Ort, EngineChoice::OpenVino]
        {
            assert_eq!(engine.name().parse(), Ok(engine));
        }
        let refused = "gpu".parse::<EngineChoice>().unwrap_err();
        assert!(refused.contains("auto, tract, ort, openvino"));
    }

    #[test]
    fn a_named_library_must_work() {
        let missing = Path::new("/nonexistent/library.so");
        let wanted = EngineRequest {
            ort_library: Some(missing),
            openvino_library: Some(missing),
            ..EngineRequest::default()
        };
        for (engine, flag) in [
            (EngineChoice::Auto, "--ort-library"),
            (EngineChoice::Ort, "--ort-library"),
            (EngineChoice::OpenVino, "--openvino-library"),
        ] {
            let message = select(&EngineRequest { engine, ..wanted }).unwrap_err().to_string();
            assert!(
                message.contains("/nonexistent/library.so") && message.contains(flag),
                "{message}"
            );
        }
        let tract = select(&EngineRequest { engine: EngineChoice::Tract, ..wanted }).unwrap();
        assert!(
            tract.reason.contains("tract 0.") && tract.reason.contains("requested"),
            "{}",
            tract.reason
        );
    }

    #[test]
    fn auto_says_which_engine_it_chose_and_why() {
        let selected = select(&EngineRequest::default()).unwrap();
        // The choice depends on the machine.
        let found = selected.engine.name() == "ort";
        let chosen = if found { "engine onnxruntime 1." } else { "engine tract 0." };
        assert!(selected.reason.starts_with(chosen), "{}", selected.reason);
        let why = if found { "libonnxruntime" } else { "onnxruntime, 1.5 to 5 times as fast, " };
        assert!(selected.reason.contains(why), "{}", selected.reason);
    }

    #[test]
    fn only_openvino_computes_in_bf16() {
        for engine in [EngineChoice::Auto, EngineChoice::Tract, EngineChoice::Ort] {
            let wanted =
                EngineRequest { engine, precision: Precision::Bf16, ..EngineRequest::default() };
            let message = select(&wanted).unwrap_err().to_string();
            assert!(message.contains("--engine openvino"), "{message}");
        }
    }
}
