//! `scores/<slide>/t<k>.h5`: what the network said, lattice point by lattice
//! point. One file per array task.

mod reader;
mod schema;
mod writer;

pub use reader::{Scores, read_scores, read_scores_meta};
pub use schema::{FORMAT, ScoresMeta, VERSION};
pub use writer::write_scores;
