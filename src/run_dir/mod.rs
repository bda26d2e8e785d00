//! The run directory: the paths of all its files, and the table of its slides.

mod listing;
mod paths;
mod slides_csv;

pub use listing::list_slides;
pub use paths::RunDir;
pub use slides_csv::{SlideRecord, SlideStatus, SlidesError, read_slides, register, write_slides};
pub(crate) use slides_csv::{registered, slide_name};
