//! Synthetic whole-slide images of lymph nodes with and without metastases,
//! and the truth about them: something to try everything on, without patients.
//!
//! ```text
//! cohort --> anatomy (where is what) --> render (pixels of a tile) --> pyramid --> crate::bigtiff
//!               |--> lesions --> asap_xml, reference.csv
//!               `--> tissue_map (where tissue and fat are)
//! ```
//!
//! Every value follows from the seed and a position, never from the order of
//! drawing: the files are the same, byte for byte, with any number of threads.
//! Lengths are micrometres unless a name ends in `_px`.
//!
//! The pictures are made so that colour does not give tumour away (its mean
//! colours lie among those of normal tissue); nuclear texture does. They are no
//! substitute for real slides when accuracy is the question.

mod anatomy;
mod asap_xml;
mod canvas;
mod cells;
mod cohort;
mod lesions;
mod models;
mod noise;
mod outline;
mod piece;
mod pyramid;
mod render;
mod stain;
mod swatch;
mod tissue_map;
mod vessels;

pub use cohort::{Cohort, Made, SynthError, make};
pub use lesions::LesionClass;
pub use swatch::tissue;
