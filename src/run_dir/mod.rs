//! The run directory: the paths of all its files, and the table of its slides.

mod listing;
mod paths;
mod recorded;
mod slide_record;
mod slides_csv;

pub(crate) use listing::{list_slides, list_slides_with, patches_file_names};
pub use paths::RunDir;
pub(crate) use recorded::{
    FilesRecord, RecordedFile, RecordedFiles, forget_files, is_recorded, record_files,
    recorded_files,
};
pub use slide_record::{SlideRecord, SlideStatus};
#[cfg(test)]
pub(crate) use slides_csv::register_files;
pub(crate) use slides_csv::registered;
pub(crate) use slides_csv::{
    NamedSlide, SlidesError, read_rows, refresh_slides, register, remove_slides, reset_slides,
};
pub use slides_csv::{read_slides, write_slides};
