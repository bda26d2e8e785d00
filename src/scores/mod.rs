//! Score files, `scores/<slide>/t<k>.h5`: the network's output for the lattice points of one
//! group. `predict` writes them and `stitch` reads them. The part file `t<k>.part.h5` holds the
//! scores that an interrupted task has saved.

pub(crate) mod audit;
pub(crate) mod content;
mod method_meta;
mod precision_meta;
mod range;
pub(crate) mod reader;
mod schema;
pub(crate) mod scored_by;
mod unnormalized;
pub(crate) mod writer;

pub(crate) use audit::{missed_bound, points_to_draw};
pub(crate) use content::PartScores;
pub use content::Scores;
pub use method_meta::{CascadeMeta, DenseMeta, Screen};
pub use precision_meta::PrecisionMeta;
pub(crate) use range::impossible;
pub(crate) use reader::{read_part, read_part_meta, read_scores_notes};
pub use reader::{read_scores, read_scores_meta};
pub use schema::{FORMAT, PART_FORMAT, ScoresMeta, VERSION};
pub(crate) use scored_by::ScoredBy;
pub use unnormalized::{ColourFailure, UnknownKind, UnnormalizedKind, UnnormalizedPatch};
pub(crate) use writer::write_part;
pub use writer::write_scores;
