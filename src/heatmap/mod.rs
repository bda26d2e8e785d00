//! Scores as maps and pictures. Pure: no I/O.
//!
//! Point `(r, c)` of a heatmap of stride s belongs to pixel `(c * s, r * s)` of
//! the working plane; drawn as a cell it is centred there:
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
pub use render::{HeatmapPicture, PlaneThumbnail, RenderError, render_heatmap};
pub use small_picture::render_small;
