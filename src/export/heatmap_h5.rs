//! Reads and writes `heatmaps/<slide>.h5`, the heatmap that `stitch` assembles from the
//! scores of a slide's groups. This is format version 1.
//!
//! | item | type and shape | meaning |
//! |---|---|---|
//! | `/score` | f32 [rows, cols] | positive class, NaN where not scored |
//! | `/classes` | f32 [rows, cols, C] | all classes; only with `stitch.all_classes` |
//!
//! Element (r, c) is the score of the window centred on working pixel x = c * stride,
//! y = r * stride. A working coordinate times `downsample` is the level-0 coordinate.

use std::path::Path;

use hdf5::Dataset;
use ndarray::{Array2, ArrayView2, Ix2, s};

use crate::hdf5_file::{
    self, Attributes, FormatError, StagedHdf5, check_dataset, check_header, put_header, read_all,
};
use crate::number::GroupNumber;
use crate::scores::{CascadeMeta, DenseMeta, PrecisionMeta};
use crate::staged::StagedFile;

/// The `format` attribute.
pub const FORMAT: &str = "slidegrid-heatmap";
/// The version that this program writes, and the newest that it reads.
pub const VERSION: i64 = 1;

pub(super) const SCORE: &str = "score";
pub(super) const CLASSES: &str = "classes";
/// Side of a compressed chunk, points; a chunk is 256 KiB of scores.
pub(super) const CHUNK: usize = 256;

/// The root attributes of a heatmap file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeatmapMeta {
    /// The slide's name.
    pub slide: String,
    /// Distance between lattice points, working px; attribute `stride`.
    pub stride_px: u32,
    /// Side of the network's window, working px; attribute `window`.
    pub window_px: u32,
    /// Level-0 px per working px.
    pub downsample: f64,
    /// Micrometres per working px along x; NaN in the file when unknown.
    pub mpp_x: Option<f64>,
    /// Micrometres per working px along y; NaN in the file when unknown.
    pub mpp_y: Option<f64>,
    /// Width of the working plane, px.
    pub width_px: u32,
    /// Height of the working plane, px.
    pub height_px: u32,
    /// Width of the slide at level 0, px.
    pub level0_width_px: u32,
    /// Height of the slide at level 0, px.
    pub level0_height_px: u32,
    /// Groups whose scores were missing when the heatmap was made.
    pub missing_groups: Vec<GroupNumber>,
    /// Class names, in the order of the model's outputs.
    pub classes: Vec<String>,
    /// The class that `score` shows, an index into `classes`.
    pub positive: u32,
    /// `window`, `dense` or `cascade`.
    pub method: String,
    /// The engine that ran the network.
    pub engine: String,
    /// The number type in which the network ran.
    pub precision: String,
    /// How far the scores lie from those in f32, over all groups; `None` when the network
    /// ran in f32.
    pub deviation: Option<PrecisionMeta>,
    /// SHA-256 of the model file, in hex.
    pub model_sha256: String,
    /// SHA-256 of the run's configuration, in hex.
    pub config_sha256: String,
    /// Number of windows scored, over all groups.
    pub windows: u64,
    /// The method of colour normalization; empty when colours were not normalized.
    pub normalize: String,
    /// Number of patches whose stains could not be estimated, over all groups.
    pub unnormalized_patches: u64,
    /// The measured errors of the method `dense`, over all groups. Set on reading; written
    /// by [`HeatmapWriter::write_method_errors`].
    pub dense: Option<DenseMeta>,
    /// The measured errors of the method `cascade`, over all groups. Set on reading;
    /// written by [`HeatmapWriter::write_method_errors`].
    pub cascade: Option<CascadeMeta>,
    /// Name and version of the program that wrote the file. Set on reading.
    pub writer: String,
}

impl HeatmapMeta {
    /// Why the heatmap is partial although no group is missing: the reason why the
    /// cascade's audit does not hold. `None` when there is no such reason.
    pub fn fault(&self) -> Option<String> {
        self.cascade.as_ref().and_then(CascadeMeta::fault)
    }

    /// (rows, columns) of the heatmap: the number of lattice points of the working plane.
    pub fn shape(&self) -> (usize, usize) {
        let points = |px: u32| px.div_ceil(self.stride_px.max(1)) as usize;
        (points(self.height_px), points(self.width_px))
    }

    fn check(&self, path: &Path) -> Result<(), FormatError> {
        let (rows, cols) = self.shape();
        if self.stride_px == 0 || rows == 0 || cols == 0 {
            let problem = format!(
                "stride {}, plane {} x {} px, expected each at least 1",
                self.stride_px, self.width_px, self.height_px
            );
            return Err(FormatError::invalid(path, problem));
        }
        if self.positive as usize >= self.classes.len() {
            let problem = format!(
                "positive class is {}, expected less than {} classes",
                self.positive,
                self.classes.len()
            );
            return Err(FormatError::invalid(path, problem));
        }
        Ok(())
    }

    fn put(&self, attributes: &Attributes<'_>) -> Result<(), FormatError> {
        put_header(attributes, FORMAT, VERSION)?;
        for (name, value) in [
            ("slide", &self.slide),
            ("method", &self.method),
            ("engine", &self.engine),
            ("precision", &self.precision),
            ("model_sha256", &self.model_sha256),
            ("config_sha256", &self.config_sha256),
        ] {
            attributes.put_str(name, value)?;
        }
        for (name, value) in [
            ("stride", self.stride_px),
            ("window", self.window_px),
            ("width", self.width_px),
            ("height", self.height_px),
            ("level0_width", self.level0_width_px),
            ("level0_height", self.level0_height_px),
            ("positive", self.positive),
        ] {
            attributes.put_i64(name, i64::from(value))?;
        }
        attributes.put_f64("downsample", self.downsample)?;
        attributes.put_f64_or_nan("mpp_x", self.mpp_x)?;
        attributes.put_f64_or_nan("mpp_y", self.mpp_y)?;
        let missing: Vec<i64> =
            self.missing_groups.iter().map(|group| i64::from(group.get())).collect();
        attributes.put_i64s("missing_groups", &missing)?;
        attributes.put_strs("classes", &self.classes)?;
        if !self.normalize.is_empty() {
            attributes.put_str("normalize", &self.normalize)?;
            attributes.put_u64("unnormalized_patches", self.unnormalized_patches)?;
        }
        if let Some(deviation) = &self.deviation {
            deviation.put(attributes)?;
        }
        attributes.put_u64("windows", self.windows)
    }

    pub(super) fn get(attributes: &Attributes<'_>) -> Result<Self, FormatError> {
        let writer = check_header(attributes, FORMAT, VERSION)?;
        let normalized = attributes.contains("normalize")?;
        let unnormalized = if normalized { attributes.u64("unnormalized_patches")? } else { 0 };
        let meta = Self {
            normalize: if normalized { attributes.str("normalize")? } else { String::new() },
            unnormalized_patches: unnormalized,
            slide: attributes.str("slide")?,
            stride_px: attributes.u32("stride", 1)?,
            window_px: attributes.u32("window", 1)?,
            downsample: attributes.positive("downsample")?,
            mpp_x: attributes.f64_or_nan("mpp_x")?,
            mpp_y: attributes.f64_or_nan("mpp_y")?,
            width_px: attributes.u32("width", 1)?,
            height_px: attributes.u32("height", 1)?,
            level0_width_px: attributes.u32("level0_width", 1)?,
            level0_height_px: attributes.u32("level0_height", 1)?,
            missing_groups: missing_groups(attributes)?,
            classes: attributes.strs("classes")?,
            positive: attributes.u32("positive", 0)?,
            method: attributes.str("method")?,
            engine: attributes.str("engine")?,
            precision: attributes.str("precision")?,
            deviation: PrecisionMeta::get(attributes)?,
            model_sha256: attributes.str("model_sha256")?,
            config_sha256: attributes.str("config_sha256")?,
            windows: attributes.u64("windows")?,
            dense: DenseMeta::get(attributes)?,
            cascade: CascadeMeta::get(attributes)?,
            writer,
        };
        meta.check(attributes.path())?;
        Ok(meta)
    }
}

fn missing_groups(attributes: &Attributes<'_>) -> Result<Vec<GroupNumber>, FormatError> {
    let groups = attributes.i64s("missing_groups")?.into_iter().map(GroupNumber::try_from);
    groups.collect::<Result<_, _>>().map_err(|e| {
        FormatError::invalid(attributes.path(), format!("attribute missing_groups: {e}"))
    })
}

/// Writer of a heatmap file. A writer that is dropped before [`HeatmapWriter::finish`]
/// leaves no file behind.
#[derive(Debug)]
pub struct HeatmapWriter {
    // The datasets stand first because they must be dropped before the file.
    score: Dataset,
    classes: Option<Dataset>,
    /// For each class, whether its plane of `classes` is written.
    planes: Vec<bool>,
    shape: (usize, usize),
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
        check_shape(path, SCORE, score, meta.shape())?;
        let mut output = StagedHdf5::create(path)?;
        meta.put(&output.attributes())?;
        let (rows, cols) = meta.shape();
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
        output.written().plane(SCORE, score, (CHUNK, None));
        let planes = vec![false; meta.classes.len()];
        Ok(Self { score: dataset, classes: None, planes, shape: meta.shape(), output })
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
        dense.map_or(Ok(()), |dense| dense.put(&attributes))?;
        let Some(cascade) = cascade else { return Ok(()) };
        cascade.put(&attributes)?;
        match cascade.fault() {
            None => Ok(()),
            Some(fault) => attributes.put_str("partial", &fault),
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
        check_shape(&path, CLASSES, score, self.shape)?;
        let failed = |e: hdf5::Error| FormatError::hdf5(&path, "write /classes", &e);
        if self.classes.is_none() {
            self.classes = Some(self.create_classes().map_err(failed)?);
        }
        if let Some(dataset) = &self.classes {
            dataset
                .write_slice(score.as_standard_layout().view(), s![.., .., class])
                .map_err(failed)?;
        }
        self.output.written().plane(CLASSES, score, (CHUNK, Some(class)));
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
    pub fn close(self) -> Result<StagedFile, FormatError> {
        let missing = self.planes.iter().position(|written| !written);
        if let (Some(_), Some(class)) = (&self.classes, missing) {
            let problem = format!("class {class} was never written, expected all or none");
            return Err(FormatError::invalid(self.output.target(), problem));
        }
        self.output.flush()?;
        let Self { score, classes, output, .. } = self;
        drop((score, classes));
        output.close()
    }

    fn create_classes(&self) -> hdf5::Result<Dataset> {
        let (rows, cols) = self.shape;
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

/// Reads the attributes of a heatmap file, without its scores.
///
/// # Errors
/// [`FormatError`] when the file is missing or damaged, is not a heatmap, or has a newer
/// format version.
pub fn read_heatmap_meta(path: &Path) -> Result<HeatmapMeta, FormatError> {
    let file = hdf5_file::open(path)?;
    HeatmapMeta::get(&Attributes::new(path, &file))
}

/// Whether the file holds all classes, or the positive one alone.
///
/// # Errors
/// [`FormatError`] when the file is missing or damaged.
pub fn has_classes(path: &Path) -> Result<bool, FormatError> {
    hdf5_file::link_exists(path, &*hdf5_file::open(path)?, CLASSES)
}

/// Reads the attributes and the heatmap of the positive class, `[row, col]`, NaN where not
/// scored.
///
/// # Errors
/// [`FormatError`] when the file is missing or damaged, is not a heatmap, has a newer
/// format version, or has a dataset whose shape disagrees with the attributes.
pub fn read_heatmap(path: &Path) -> Result<(HeatmapMeta, Array2<f32>), FormatError> {
    let file = hdf5_file::open(path)?;
    let meta = HeatmapMeta::get(&Attributes::new(path, &file))?;
    let (rows, cols) = meta.shape();
    let score = check_dataset::<f32>(path, &file, SCORE, &[Some(rows), Some(cols)])?;
    let score = read_all::<f32, Ix2>(path, &score)?;
    Ok((meta, score))
}

/// Reads the heatmap of one class, `[row, col]`, NaN where not scored.
///
/// # Errors
/// The same as those of [`read_heatmap`]; also when the file holds the positive class
/// alone or has no class of this number.
pub fn read_heatmap_class(path: &Path, class: usize) -> Result<Array2<f32>, FormatError> {
    let file = hdf5_file::open(path)?;
    let meta = HeatmapMeta::get(&Attributes::new(path, &file))?;
    let (rows, cols) = meta.shape();
    let shape = [Some(rows), Some(cols), Some(meta.classes.len())];
    let classes = check_dataset::<f32>(path, &file, CLASSES, &shape)?;
    if class >= meta.classes.len() {
        let problem = format!("class {class}, expected less than {}", meta.classes.len());
        return Err(FormatError::invalid(path, problem));
    }
    classes
        .read_slice_2d::<f32, _>(s![.., .., class])
        .map_err(|e| FormatError::hdf5(path, "read /classes", &e))
}

fn check_shape(
    path: &Path,
    name: &str,
    found: ArrayView2<'_, f32>,
    expected: (usize, usize),
) -> Result<(), FormatError> {
    if found.dim() == expected {
        return Ok(());
    }
    let problem = format!("{name} is {:?}, expected {expected:?} (rows, cols)", found.dim());
    Err(FormatError::invalid(path, problem))
}
