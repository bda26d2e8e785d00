//! Writes heatmap files.

use std::path::Path;

use hdf5::Dataset;
use ndarray::{ArrayView2, s};

use super::schema::{CHUNK, CLASSES, HeatmapMeta, SCORE};
use crate::hdf5_file::{FormatError, StagedHdf5};
use crate::scores::{CascadeMeta, DenseMeta};
use crate::staged::StagedFile;

/// Writer of a heatmap file. A writer that is dropped before [`HeatmapWriter::finish`]
/// leaves no file behind.
#[derive(Debug)]
pub struct HeatmapWriter {
    // The datasets stand first because they must be dropped before the file.
    score: Dataset,
    classes: Option<Dataset>,
    /// For each class, whether its plane of `classes` is written.
    planes: Vec<bool>,
    rows: usize,
    cols: usize,
    /// Windows scored, over all groups.
    windows: u64,
    output: StagedHdf5,
}

impl HeatmapWriter {
    /// Creates the file with its attributes and `/score`.
    ///
    /// `score` holds the scores of the positive class, `[row, col]` of
    /// [`HeatmapMeta::shape`], NaN where not scored.
    ///
    /// # Errors
    /// [`FormatError`] when the shapes differ or the file cannot be written.
    pub fn create(
        path: &Path,
        meta: &HeatmapMeta,
        score: ArrayView2<'_, f32>,
    ) -> Result<Self, FormatError> {
        meta.check(path)?;
        let (rows, cols) = meta.shape();
        check_shape(path, SCORE, score, rows, cols)?;
        meta.check_scores(path, 0, score)?;
        let mut output = StagedHdf5::create(path)?;
        meta.write_attributes(&output.attributes())?;
        output.set_key(&[&meta.slide, &meta.config_sha256, &meta.scores_id]);
        let dataset = output
            .file()
            .new_dataset::<f32>()
            .obj_track_times(false)
            .chunk((rows.min(CHUNK), cols.min(CHUNK)))
            .shuffle()
            .deflate(1)
            .shape((rows, cols))
            .create(SCORE)
            .and_then(|dataset| dataset.write(score.as_standard_layout().view()).map(|()| dataset))
            .map_err(|e| FormatError::hdf5(path, "write /score", &e))?;
        output.written().plane(SCORE, score, CHUNK, None);
        let planes = vec![false; meta.classes.len()];
        Ok(Self {
            score: dataset,
            classes: None,
            planes,
            rows,
            cols,
            windows: meta.windows,
            output,
        })
    }

    /// Adds the measured errors of the methods `dense` and `cascade`, and the attribute
    /// `partial` when the cascade's audit does not hold.
    ///
    /// # Errors
    /// [`FormatError`] when an attribute cannot be written.
    pub fn write_method_errors(
        &mut self,
        dense: Option<&DenseMeta>,
        cascade: Option<&CascadeMeta>,
    ) -> Result<(), FormatError> {
        let attributes = self.output.attributes();
        dense.map_or(Ok(()), |dense| dense.write_attributes(&attributes))?;
        let Some(cascade) = cascade else { return Ok(()) };
        cascade.write_attributes(&attributes)?;
        match cascade.audit_failure(self.windows) {
            None => Ok(()),
            Some(failure) => attributes.put_str("partial", &failure),
        }
    }

    /// Adds the plane of one class to `/classes`. A file holds the planes of all classes
    /// or of none.
    ///
    /// `score` holds the scores of class `class`, `[rows, cols]`, NaN where not scored.
    ///
    /// # Errors
    /// [`FormatError`] when there is no such class, or when the class was written before
    /// or cannot be written.
    pub fn write_class(
        &mut self,
        class: usize,
        score: ArrayView2<'_, f32>,
    ) -> Result<(), FormatError> {
        let path = self.output.target().to_owned();
        if class >= self.planes.len() || self.planes[class] {
            let problem = format!(
                "class {class} was written before or does not exist, expected each of {} once",
                self.planes.len()
            );
            return Err(FormatError::invalid(&path, problem));
        }
        check_shape(&path, CLASSES, score, self.rows, self.cols)?;
        let failed = |e: hdf5::Error| FormatError::hdf5(&path, "write /classes", &e);
        if self.classes.is_none() {
            self.classes = Some(self.create_classes().map_err(failed)?);
        }
        if let Some(dataset) = &self.classes {
            dataset
                .write_slice(score.as_standard_layout().view(), s![.., .., class])
                .map_err(failed)?;
        }
        self.output.written().plane(CLASSES, score, CHUNK, Some(class));
        self.planes[class] = true;
        Ok(())
    }

    /// Checks that `/classes` is whole or absent and moves the file to its final name.
    ///
    /// # Errors
    /// [`FormatError`] when `/classes` lacks a class or the file cannot be written; no
    /// file is left behind.
    pub fn finish(self) -> Result<(), FormatError> {
        Ok(self.close()?.commit()?)
    }

    /// Checks that `/classes` is whole or absent and closes the file. The file can be read
    /// under its temporary name until it is committed.
    ///
    /// # Errors
    /// The same as those of [`HeatmapWriter::finish`].
    pub(crate) fn close(self) -> Result<StagedFile, FormatError> {
        let missing = self.planes.iter().position(|written| !written);
        if let (Some(_), Some(class)) = (&self.classes, missing) {
            let problem = format!("class {class} was never written, expected all or none");
            return Err(FormatError::invalid(self.output.target(), problem));
        }
        let Self { score, classes, mut output, .. } = self;
        output.hash_chunks(SCORE, &score)?;
        if let Some(classes) = &classes {
            output.hash_chunks(CLASSES, classes)?;
        }
        output.flush()?;
        drop((score, classes));
        output.close()
    }

    fn create_classes(&self) -> hdf5::Result<Dataset> {
        let (rows, cols) = (self.rows, self.cols);
        self.output
            .file()
            .new_dataset::<f32>()
            .obj_track_times(false)
            .chunk((rows.min(CHUNK), cols.min(CHUNK), 1))
            .shuffle()
            .deflate(1)
            .shape((rows, cols, self.planes.len()))
            .create(CLASSES)
    }
}

fn check_shape(
    path: &Path,
    name: &str,
    found: ArrayView2<'_, f32>,
    rows: usize,
    cols: usize,
) -> Result<(), FormatError> {
    let expected = (rows, cols);
    if found.dim() == expected {
        return Ok(());
    }
    let problem = format!("{name} is {:?}, expected {expected:?} (rows, cols)", found.dim());
    Err(FormatError::invalid(path, problem))
}
