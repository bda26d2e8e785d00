//! Reads and writes `heatmaps/<slide>.h5`, the heatmap that `stitch` assembles from the
//! scores of a slide's groups. This is format version 2.
//!
//! | item | type and shape | meaning |
//! |---|---|---|
//! | `/score` | f32 [rows, cols] | positive class, NaN where not scored |
//! | `/classes` | f32 [rows, cols, C] | all classes; only with `stitch.all_classes` |
//! | `/score_xxh3`, `/classes_xxh3` | u64 `[N]` | hash of each chunk's stored bytes |
//!
//! Element (r, c) is the score of the window centred on working pixel x = c * stride,
//! y = r * stride. A working coordinate times `downsample` is the level-0 coordinate.

mod reader;
mod schema;
mod writer;

pub(crate) use reader::check_values;
pub use reader::{has_classes, read_heatmap, read_heatmap_class, read_heatmap_meta};
pub(crate) use schema::{CHUNK, CLASSES, SCORE};
pub use schema::{FORMAT, HeatmapMeta, VERSION};
pub use writer::HeatmapWriter;
