//! Heatmaps: the scores of a slide as a map, and pictures of them. `stitch` makes them from
//! the scores of `predict`. The module does no I/O.
//!
//! Point `(r, c)` of a heatmap of stride s is the pixel `x = c * s`, `y = r * s` of the
//! working plane. A picture shows the point as a cell centred on that pixel:
//! `[c*s - s/2, c*s + s/2) x [r*s - s/2, r*s + s/2)`.

mod assemble;
mod canvas;
pub(crate) mod legacy;
pub(crate) mod mask_picture;
mod preview_picture;
pub(crate) mod render;
mod resample;
mod small_picture;

pub use assemble::{ClassHeatmap, Heatmap, HeatmapError};
pub use canvas::RgbPicture;
pub(crate) use legacy::{LegacyDimensions, LegacyError};
pub(crate) use mask_picture::{MaskPicture, render_mask};
pub(crate) use preview_picture::{Swatches, TilePair, render_preview};
pub use render::{HeatmapPicture, MissingTiles, PlaneThumbnail, RenderError, render_heatmap};
pub(crate) use small_picture::render_small;
