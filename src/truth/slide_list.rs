//! Reads a list of slides with their kinds, such as CAMELYON16's `reference.csv`: which
//! slides a study has, and which of them have tumor.

use std::path::Path;

use super::TruthError;
use crate::spelling::is_same_ignoring_case;
use crate::text_file::{delimiter, read_text};

/// A slide of the list and its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SlideKind {
    /// The slide's name: the stem of its file.
    pub name: String,
    /// Whether the slide has tumor.
    pub is_tumor: bool,
}

/// Headers of the column that names the slide.
const NAME_HEADERS: [&str; 5] = ["image", "slide", "slide_name", "name", "slide_id"];
/// Headers of the column that states the kind.
const KIND_HEADERS: [&str; 6] = ["type", "truth", "is_tumor", "tumor", "label", "class"];

/// Reads a list of slides from a CSV file. The columns are named `image` (or `slide`,
/// `name`) and `type` (or `truth`, `label`); without a header they are the first two. A
/// kind is `Tumor`, `Normal`, 1 or 0.
///
/// # Errors
/// [`TruthError`] naming the line that has no kind, no name or a name listed twice.
pub(crate) fn read_slide_list(path: &Path) -> Result<Vec<SlideKind>, TruthError> {
    let invalid = |problem: String| TruthError::invalid(path, problem);
    let text =
        read_text(path).map_err(|e| invalid(format!("cannot read the list of slides: {e}")))?;
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(&text))
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let (mut name_at, mut kind_at) = (0, 1);
    let mut slides = Vec::new();
    for (index, row) in reader.records().enumerate() {
        let row = row.map_err(|e| invalid(format!("not a list of slides: {e}")))?;
        let column = |names: &[&str]| {
            row.iter().position(|cell| names.iter().any(|name| is_same_ignoring_case(name, cell)))
        };
        if let (0, Some(name), Some(kind)) = (index, column(&NAME_HEADERS), column(&KIND_HEADERS)) {
            (name_at, kind_at) = (name, kind);
            continue;
        }
        let cell = |at: usize| row.get(at).unwrap_or_default();
        let kind = is_tumor(cell(kind_at)).ok_or_else(|| {
            invalid(format!(
                "line {}: {:?} is neither Tumor nor Normal (nor 1 or 0); expected columns image and type",
                index + 1,
                cell(kind_at)
            ))
        })?;
        let name = cell(name_at);
        let stem = Path::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or(name);
        // Only the suffixes of slides are removed: the name "a.b", of a slide a.b.svs,
        // keeps its dot.
        let name = if crate::slide::is_slide_name(Path::new(name)) { stem } else { name };
        if name.is_empty() || slides.iter().any(|known: &SlideKind| known.name == name) {
            let problem = format!("line {}: slide {name:?} is empty or listed twice", index + 1);
            return Err(invalid(problem));
        }
        slides.push(SlideKind { name: name.to_owned(), is_tumor: kind });
    }
    Ok(slides)
}

/// Whether a word for a kind of slide means one with tumor; `None` for a word that is neither.
pub(crate) fn is_tumor(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "tumor" | "tumour" | "1" | "1.0" | "true" | "positive" => Some(true),
        "normal" | "0" | "0.0" | "false" | "negative" => Some(false),
        _ => None,
    }
}
