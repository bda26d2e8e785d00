//! Slides: pictures too large for memory, read region by region. The flow begins here.
//!
//! [`open()`] chooses the reader for a file: OpenSlide for whole-slide formats, and plain
//! decoding for PNG, JPEG and TIFF files that OpenSlide does not know. All readers
//! implement [`Slide`], so that no other module needs to know the formats.
//! [`PlaneReader`] reads a slide at a model's resolution, [`tile_thumbnail`] and
//! [`overview()`] make small pictures of a slide, and [`resolution`] decides its
//! resolution.

mod dicom;
mod error;
mod flat_image;
mod flat_tiff;
mod icc;
pub mod memory;
mod names;
mod ome;
pub(crate) mod open;
pub(crate) mod openslide;
mod overview;
mod plane_reader;
mod raster;
mod region;
mod region_reader;
mod resample;
pub mod resolution;
mod resolution_tags;
mod thumbnail;
mod tiff_check;
mod tiff_file;
mod tiff_jpeg_tiles;
mod tiff_pages;
mod tiled_jpeg;

pub(crate) use dicom::{DicomFile, DicomSeries, dicom_file};
pub use error::{RegionError, SlideError};
pub(crate) use icc::{IccOutcome, through_icc};
pub(crate) use names::{is_picture_name, is_slide_name};
pub use open::open;
pub(crate) use open::open_watched;
pub use openslide::OpenSlideMissing;
pub(crate) use openslide::{library_of_shell as openslide_of_shell, version as openslide_version};
pub use overview::{Overview, overview};
pub use plane_reader::PlaneReader;
pub use region::Region;
pub use region_reader::{Level, Slide};
pub use resolution::{MppSource, Resolution, ResolutionError, SlideMpp, slide_mpp};
pub(crate) use thumbnail::tissue_picture;
pub use thumbnail::{FailedTiles, TileThumbnail, tile_thumbnail};
