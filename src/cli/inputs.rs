//! The arguments that name slides: files, folders and lists of files.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;

use super::manifest::Manifest;
use super::{Exit, Failure};
use crate::config::Slides;
use crate::progress::Progress;
use crate::run_dir::{self, RunDir, slide_name};
use crate::slide::is_slide_name;

/// Suffixes of list files, which have one path per line; `#` starts a comment.
const LISTS: [&str; 3] = ["txt", "list", "lst"];

/// Settings of single slides.
#[derive(Debug, Args)]
pub(super) struct SlideOptions {
    /// Resolution of slides whose files state none, um per level-0 px. With NAME, the
    /// resolution of that slide, whatever its file states. The run remembers it.
    #[arg(long, value_name = "[NAME=]UM")]
    mpp: Vec<GivenMpp>,

    /// Table of slides (CSV) with the column slide and any of mpp, mask, tissue_method and
    /// tissue_threshold. The run remembers these settings.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

/// The slides that were named, and the settings of single slides.
#[derive(Debug)]
pub(super) struct GivenSlides {
    pub(super) slides: Vec<PathBuf>,
    /// The settings, as in `[slides]` of a configuration.
    pub(super) keys: Slides,
}

impl SlideOptions {
    /// The slides named on the command line and in the manifest, and their settings. Every name
    /// given with --mpp must be that of one of these slides or of a slide of the run.
    pub(super) fn collect(
        &self,
        run: &RunDir,
        named: &[PathBuf],
        progress: &Progress,
    ) -> Result<GivenSlides, Failure> {
        let mut slides = expand(named, progress)?;
        let mut keys = Slides::default();
        if let Some(file) = &self.manifest {
            let manifest = Manifest::read(file)?;
            slides.extend(manifest.slides);
            keys = manifest.keys;
        }
        let mut names: HashSet<String> =
            slides.iter().map(|slide| slide_name(slide)).collect::<Result<_, _>>()?;
        names.extend(run_dir::registered(run)?.into_iter().map(|record| record.name));
        for given in &self.mpp {
            let Some(name) = &given.name else {
                keys.mpp = Some(given.mpp);
                continue;
            };
            if !names.contains(name) {
                let problem =
                    format!("--mpp {name}={}: no slide of this run has that name", given.mpp);
                return Err(Failure::new(Exit::Usage, problem));
            }
            keys.mpp_of.insert(name.clone(), given.mpp);
        }
        Ok(GivenSlides { slides, keys })
    }
}

/// `0.25`, or `tumor_026=0.243`.
#[derive(Debug, Clone)]
struct GivenMpp {
    name: Option<String>,
    mpp: f64,
}

impl FromStr for GivenMpp {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, mpp) = match text.rsplit_once('=') {
            Some((name, mpp)) => (Some(name.to_owned()), mpp),
            None => (None, text),
        };
        match mpp.parse() {
            Ok(mpp) if mpp > 0.0 && f64::is_finite(mpp) => Ok(Self { name, mpp }),
            _ => Err("expected um per px above 0, such as 0.25, or NAME=0.25"),
        }
    }
}

/// The slides in the given order; those of a folder are sorted by name.
///
/// A file that does not exist is kept in the list. It becomes a failed slide and does not stop
/// the others.
pub(super) fn expand(given: &[PathBuf], progress: &Progress) -> Result<Vec<PathBuf>, Failure> {
    let mut slides = Vec::new();
    for path in given {
        if path.is_dir() {
            slides.extend(slides_in(path, progress)?);
        } else if LISTS.iter().any(|suffix| path.extension().is_some_and(|e| e == *suffix)) {
            slides.extend(listed(path)?);
        } else {
            slides.push(path.clone());
        }
    }
    Ok(slides)
}

fn slides_in(folder: &Path, progress: &Progress) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |e| input(format!("{}: cannot list the folder: {e}", folder.display()));
    let mut files = Vec::new();
    let mut ignored = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if is_slide_name(&path) && path.is_file() {
            files.push(path);
        } else if path.is_file() {
            ignored.push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
    }
    files.sort();
    ignored.sort();
    if !ignored.is_empty() {
        progress.note(&format!(
            "{}: {} files do not have a slide's suffix and are left out: {}",
            folder.display(),
            ignored.len(),
            ignored.join(", ")
        ));
    }
    if files.is_empty() {
        return Err(input(format!(
            "{}: no slides in this folder; expected files such as .svs, .tif, .ndpi, .mrxs",
            folder.display()
        )));
    }
    Ok(files)
}

fn listed(list: &Path) -> Result<Vec<PathBuf>, Failure> {
    let text = fs::read_to_string(list)
        .map_err(|e| input(format!("{}: cannot read the list of slides: {e}", list.display())))?;
    let base = list.parent().unwrap_or(Path::new("."));
    let slides: Vec<PathBuf> = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .map(|line| base.join(line))
        .collect();
    if slides.is_empty() {
        return Err(input(format!(
            "{}: the list names no slides; expected one path per line",
            list.display()
        )));
    }
    Ok(slides)
}

fn input(message: String) -> Failure {
    Failure::new(Exit::Input, message)
}
