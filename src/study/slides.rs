//! The slides of a study, by the list of slides, the folder of truth and the run's own labels.

use std::collections::BTreeMap;
use std::path::Path;

use super::steps::StepError;
use super::steps::truth::slides_of;
use crate::config::Slides;
use crate::progress;
use crate::truth::{self, SlideKind, TruthSources, read_slide_list};

/// What is known of the slides of a study before their heatmaps are read.
pub(crate) struct StudySlides<'a> {
    /// The list of slides that was given.
    pub list: Option<&'a Path>,
    /// Where the truth is.
    pub truth: &'a TruthSources,
    /// `[slides]` of the run.
    pub keys: &'a Slides,
    /// The slides of the run.
    pub names: &'a [String],
}

impl StudySlides<'_> {
    /// The slides of the study and their kinds. A list names them all. Without one, they are the
    /// slides that have a label or truth; a slide with truth and no label has tumor. Slides that
    /// are left out are named on stderr.
    ///
    /// # Errors
    /// [`StepError`] if a list or folder cannot be read, if a label is no kind, or if it contradicts
    /// the list.
    pub(crate) fn kinds(&self) -> Result<Vec<SlideKind>, StepError> {
        let folder = self.truth.folder.as_deref();
        let reference = folder.map(|folder| folder.join("reference.csv"));
        let reference = reference.filter(|_| self.list.is_none());
        let is_there = reference.as_deref().map_or(Ok(false), truth::is_file)?;
        let list = self.list.or(reference.as_deref().filter(|_| is_there));
        let labels = self.labels(list.is_some())?;
        let known = match (folder, list) {
            (Some(folder), _) => slides_of(folder, self.list)?,
            (None, Some(list)) => read_slide_list(list)?,
            (None, None) => Vec::new(),
        };
        match list {
            Some(list) => self.checked(known, list, &labels),
            None => Ok(self.labelled(known, &labels)),
        }
    }

    /// Whether each labelled slide has tumor. Where there is a list, labels of another kind are not
    /// needed.
    fn labels(&self, has_list: bool) -> Result<BTreeMap<&str, bool>, StepError> {
        let mut labels = BTreeMap::new();
        for (name, label) in &self.keys.label_of {
            match truth::is_tumor(label) {
                Some(is_tumor) => drop(labels.insert(name.as_str(), is_tumor)),
                None if has_list => {}
                None => {
                    let problem = format!(
                        "{name} has the label {label:?}, expected tumor or normal; correct it in the manifest, or give a list of slides with --slides"
                    );
                    return Err(StepError::content(Path::new("slides.label_of"), problem));
                }
            }
        }
        Ok(labels)
    }

    /// The slides of a list, whose kinds the labels must not contradict.
    fn checked(
        &self,
        listed: Vec<SlideKind>,
        list: &Path,
        labels: &BTreeMap<&str, bool>,
    ) -> Result<Vec<SlideKind>, StepError> {
        let word = |is_tumor: bool| if is_tumor { "tumor" } else { "normal" };
        let differs = |slide: &&SlideKind| {
            labels.get(slide.name.as_str()).is_some_and(|&label| label != slide.is_tumor)
        };
        if let Some(slide) = listed.iter().find(differs) {
            let problem = format!(
                "{} is {} in this list and {} by slides.label_of (the column label of a manifest); correct one of them",
                slide.name,
                word(slide.is_tumor),
                word(!slide.is_tumor)
            );
            return Err(StepError::content(list, problem));
        }
        let is_listed = |name: &&str| listed.iter().any(|slide| slide.name == **name);
        let own = labels.keys().copied().chain(self.keys.truth_of.keys().map(String::as_str));
        let unlisted: Vec<&str> = own.filter(|name| !is_listed(name)).collect();
        note_left_out(
            &unlisted,
            &format!("a label or truth in the run and no row in {}", list.display()),
        );
        Ok(listed)
    }

    /// The slides of the folder, and those of the run with labels or truth of their own.
    fn labelled(&self, found: Vec<SlideKind>, labels: &BTreeMap<&str, bool>) -> Vec<SlideKind> {
        let mut kinds: BTreeMap<String, bool> =
            found.into_iter().map(|slide| (slide.name, slide.is_tumor)).collect();
        let with_truth = self.keys.truth_of.keys().map(|name| (name.clone(), true));
        kinds.extend(with_truth);
        kinds.extend(labels.iter().map(|(&name, &is_tumor)| (name.to_owned(), is_tumor)));
        if !self.keys.truth_of.is_empty() || !labels.is_empty() {
            let others = self.names.iter().filter(|name| !kinds.contains_key(*name));
            let others: Vec<&str> = others.map(String::as_str).collect();
            note_left_out(&others, "neither label nor truth");
        }
        kinds.into_iter().map(|(name, is_tumor)| SlideKind { name, is_tumor }).collect()
    }
}

/// Says which slides are left out of the study.
fn note_left_out(names: &[&str], why: &str) {
    const NAMED: usize = 5;
    if names.is_empty() {
        return;
    }
    let mut shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    if names.len() > NAMED {
        shown += &format!(" and {} more", names.len() - NAMED);
    }
    let (slides, have, are) = match names.len() {
        1 => ("slide", "has", "is"),
        _ => ("slides", "have", "are"),
    };
    progress::tell(&format!(
        "note: {} {slides} ({shown}) {have} {why}, and {are} left out of the study",
        names.len()
    ));
}
