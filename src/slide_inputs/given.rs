//! The slides that a command line names, and the settings of single slides.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::error::InputsError;
use super::expand::{expand, require_existing};
use super::manifest::Manifest;
use crate::config::Slides;
use crate::progress::Progress;
use crate::run_dir::{self, NamedSlide, RunDir};

/// The slides that were named, and the settings of single slides.
#[derive(Debug)]
pub(crate) struct GivenSlides {
    pub(crate) slides: Vec<NamedSlide>,
    /// The settings, as in `[slides]` of a configuration.
    pub(crate) keys: Slides,
}

impl GivenSlides {
    /// The slides of `named` and of the manifest, and their settings. Every name in `mpp` must be
    /// that of one of these slides or of a slide of the run.
    ///
    /// # Errors
    /// [`InputsError`] if a folder, a list or the manifest cannot be used, or a name is unknown.
    pub(crate) fn collect(
        run: &RunDir,
        named: &[PathBuf],
        manifest: Option<&Path>,
        mpp: &[GivenMpp],
        progress: &Progress,
    ) -> Result<Self, InputsError> {
        require_existing(named)?;
        let registered = run_dir::registered(run)?.into_iter();
        let registered: Vec<NamedSlide> =
            registered.map(|record| NamedSlide { name: record.name, path: record.path }).collect();
        let manifest = manifest.map(|file| Manifest::read_for(file, &registered)).transpose()?;
        let Manifest { slides: in_manifest, mut keys } = manifest.unwrap_or_default();
        let known: Vec<NamedSlide> = in_manifest.iter().chain(&registered).cloned().collect();
        let mut slides = expand(named, &known, progress)?;
        slides.extend(in_manifest);
        let names: HashSet<String> =
            slides.iter().chain(&registered).map(|slide| slide.name.clone()).collect();
        for given in mpp {
            let Some(name) = &given.name else {
                keys.mpp = Some(given.mpp);
                continue;
            };
            if !names.contains(name) {
                return Err(InputsError::UnknownMpp { name: name.clone(), mpp: given.mpp });
            }
            keys.mpp_of.insert(name.clone(), given.mpp);
        }
        Ok(Self { slides, keys })
    }
}

/// `0.25`, or `tumor_026=0.243`.
#[derive(Debug, Clone)]
pub(crate) struct GivenMpp {
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
