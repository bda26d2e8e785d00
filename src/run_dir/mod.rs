//! The run directory: the paths of all its files, and the table of its slides.

mod listing;
mod paths;
mod slides_csv;

pub use listing::list_slides;
pub use paths::RunDir;
#[cfg(test)]
pub(crate) use slides_csv::register_files;
pub(crate) use slides_csv::registered;
pub use slides_csv::{
    NamedSlide, SlideRecord, SlideStatus, SlidesError, read_slides, refresh_slides, register,
    write_slides,
};
