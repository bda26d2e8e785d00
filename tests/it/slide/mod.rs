//! Slides: readers, working plane, thumbnails. Real slides are those of
//! [`crate::common::needs::shared_data`].

mod contract;
mod kinds;
mod plane;
mod readers;
mod support;
pub(crate) mod tiff;
mod tiled_jpeg;
