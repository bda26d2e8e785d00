//! Reads a heatmap file in bands of columns, all classes at once, so that a table can be
//! written without the whole heatmap in memory.

use std::ops::Range;
use std::path::{Path, PathBuf};

use hdf5::Dataset;
use ndarray::{Array2, Array3, Axis, s};

use crate::hdf5_file::{self, Attributes, FormatError, check_chunks, check_dataset};
use crate::heatmap_h5::{CHUNK, CLASSES, HeatmapMeta, SCORE};

/// A heatmap file, open for reading in bands.
pub(super) struct Bands {
    path: PathBuf,
    meta: HeatmapMeta,
    score: Dataset,
    classes: Option<Dataset>,
}

impl Bands {
    /// Opens a file and checks its attributes and the shapes of its datasets.
    pub(super) fn open(path: &Path) -> Result<Self, FormatError> {
        let file = hdf5_file::open(path)?;
        let meta = HeatmapMeta::read_attributes(&Attributes::new(path, &file))?;
        let (rows, cols) = meta.shape();
        let shape = [Some(rows), Some(cols), Some(meta.classes.len())];
        let score = check_dataset::<f32>(path, &file, SCORE, &shape[..2])?;
        check_chunks(path, &file, SCORE, None)?;
        let classes = match hdf5_file::link_exists(path, &file, CLASSES)? {
            true => {
                check_chunks(path, &file, CLASSES, None)?;
                Some(check_dataset::<f32>(path, &file, CLASSES, &shape)?)
            }
            false => None,
        };
        Ok(Self { path: path.to_owned(), meta, score, classes })
    }

    pub(super) fn meta(&self) -> &HeatmapMeta {
        &self.meta
    }

    /// Indices of the classes that [`Bands::read`] returns, in the same order: all
    /// classes if the file holds them, else the positive class alone.
    pub(super) fn classes(&self) -> Vec<usize> {
        match self.classes {
            Some(_) => (0..self.meta.classes.len()).collect(),
            None => vec![self.meta.positive as usize],
        }
    }

    /// The position of the positive class among [`Self::classes`].
    pub(super) fn positive(&self) -> usize {
        match self.classes {
            Some(_) => self.meta.positive as usize,
            None => 0,
        }
    }

    /// The columns of each band, from left to right. A band is as wide as a stored chunk.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (_, cols) = self.meta.shape();
        (0..cols).step_by(CHUNK).map(move |first| first..(first + CHUNK).min(cols))
    }

    /// Reads the scores of `columns`, `[row, column of the range, class]`.
    pub(super) fn read(&self, columns: Range<usize>) -> Result<Array3<f32>, FormatError> {
        let failed = |e: hdf5::Error| FormatError::hdf5(&self.path, "read its scores", &e);
        match &self.classes {
            Some(classes) => {
                let band: Array3<f32> = classes.read_slice(s![.., columns, ..]).map_err(failed)?;
                for class in band.axis_iter(Axis(2)) {
                    self.meta.check_scores(&self.path, 0, class)?;
                }
                Ok(band)
            }
            None => {
                let band: Array2<f32> =
                    self.score.read_slice_2d(s![.., columns]).map_err(failed)?;
                self.meta.check_scores(&self.path, 0, band.view())?;
                Ok(band.insert_axis(Axis(2)))
            }
        }
    }
}
