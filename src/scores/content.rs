//! What score files and part files hold.

use ndarray::Array2;

use super::schema::ScoresMeta;
use super::scored_by::ScoredBy;

/// The scores of one group.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// The root attributes.
    pub meta: ScoresMeta,
    /// Lattice row of each point, `[M]`.
    pub row: Vec<i32>,
    /// Lattice column of each point, `[M]`.
    pub col: Vec<i32>,
    /// The model's output, `[M, C]`; never NaN.
    pub score: Array2<f32>,
}

/// What a part file holds: the scores that an interrupted task has of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct PartScores {
    /// The scores so far.
    pub scores: Scores,
    /// Number of windows of the whole group.
    pub total: u64,
    /// How a cascade scored each of these windows, `[M]`. `None` for other methods, and in part
    /// files of earlier versions.
    pub how: Option<Vec<ScoredBy>>,
}
