//! Synthetic whole-slide images of lymph nodes with and without metastases, and the truth
//! about them: data without patients, on which every stage can be tried.
//!
//! ```text
//! cohort --> anatomy (content at a point) --> render (pixels of a tile) --> pyramid --> crate::bigtiff
//!               |--> lesions --> asap_xml, reference.csv
//!               `--> tissue_map (tissue and fat)
//! ```
//!
//! Every value follows from the seed and a position, never from the order of drawing. The
//! files are therefore the same, byte for byte, with any number of threads. Lengths are
//! micrometres unless a name ends in `_px`.
//!
//! Tumor differs from normal tissue in the texture of its nuclei and not in colour: its mean
//! colours lie among those of normal tissue. The slides are no substitute for real ones when
//! the accuracy of a model is to be measured.

mod anatomy;
mod asap_xml;
mod canvas;
mod cells;
mod cohort;
mod lesions;
mod models;
mod node_section;
mod noise;
mod pyramid;
mod render;
mod stain;
mod swatch;
mod tissue_map;
mod vessels;
mod wavy_ellipse;

pub use cohort::{Cohort, SynthError, SyntheticSlide, make};
pub use lesions::LesionClass;
pub(crate) use swatch::tissue;
