//! Heatmaps: the scores of a slide as a map, and pictures of them. `stitch` makes them from
//! the scores of `predict`. The module does no I/O.
//!
//! Point `(r, c)` of a heatmap of stride s is the pixel `x = c * s`, `y = r * s` of the
//! working plane. A picture shows the point as a cell centred on that pixel:
//! `[c*s - s/2, c*s + s/2) x [r*s - s/2, r*s + s/2)`.

pub mod assemble;
mod canvas;
pub mod legacy;
pub mod mask_picture;
mod preview_picture;
pub mod render;
mod resample;
mod small_picture;

pub use assemble::{ClassHeatmap, Heatmap, HeatmapError};
pub use canvas::RgbPicture;
pub use legacy::{LegacyDimensions, LegacyError, PlacedHeatmap};
pub use mask_picture::{MaskPicture, render_mask};
pub use preview_picture::{Swatches, TilePair, render_preview};
pub use render::{HeatmapPicture, MissingTiles, PlaneThumbnail, RenderError, render_heatmap};
pub use small_picture::render_small;
