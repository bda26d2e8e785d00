//! Removes the results of slides, so that they are made again.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::error::StagesError;
use crate::config::{Method, RunConfig};
use crate::damage;
use crate::export::ExportFormat;
use crate::run_dir::RunDir;

/// Writes the method of the slides to `run.toml`; without `method` the slides use the method of
/// the run. This happens before anything is removed, so that scores of another method that
/// remain are rejected and never mixed with new ones.
///
/// # Errors
/// [`StagesError`] for a method that single slides cannot have, or if `run.toml` cannot be written.
pub(crate) fn set_method(
    run: &RunDir,
    config: &mut RunConfig,
    slides: &[String],
    method: Option<Method>,
) -> Result<(), StagesError> {
    let of_run = config.config.predict.method;
    let method = method.unwrap_or(of_run);
    if method != of_run && method != Method::Window {
        let (method, of_run) = (method.name(), of_run.name());
        return Err(StagesError::SlideMethod { method, of_run });
    }
    let old: BTreeMap<String, Method> = config.config.slides.method_of.clone();
    let method_of = &mut config.config.slides.method_of;
    for name in slides {
        if method == of_run {
            method_of.remove(name);
        } else {
            method_of.insert(name.clone(), method);
        }
    }
    if *method_of != old {
        config.write(run.root())?;
    }
    Ok(())
}

/// Removes the scores of a slide and all files made from them. The heatmap goes first, because
/// its existence means that the slide is complete.
///
/// # Errors
/// [`StagesError::Remove`] if a file or folder stays.
pub(crate) fn remove_results(run: &RunDir, name: &str) -> Result<(), StagesError> {
    let folder = run.heatmaps();
    let pictures = ["h5", "png", "npy"].map(|suffix| run.heatmap(name, suffix));
    let exports = ExportFormat::ALL.map(|format| format.path(&folder, name));
    let others = [
        // The folder with the tiles of a DeepZoom export.
        folder.join(format!("{name}_files")),
        run.scores_of(name),
        run.failure("stitch", name),
        run.stitch_record(name),
    ];
    for path in pictures.into_iter().chain(exports).chain(others) {
        remove(&path)?;
    }
    damage::clear(&run.heatmap(name, "h5"));
    Ok(())
}

/// Removes the patches of a slide and what is known of its split.
///
/// # Errors
/// [`StagesError::Remove`] if a file stays.
pub(crate) fn remove_patches(run: &RunDir, name: &str) -> Result<(), StagesError> {
    let files = [run.patches(name), run.split_outcome(name), run.mask_png(name)];
    files.iter().try_for_each(|file| remove(file))?;
    damage::clear(&run.patches(name));
    Ok(())
}

/// Removes a file or folder if it exists.
fn remove(path: &Path) -> Result<(), StagesError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(StagesError::Remove { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
