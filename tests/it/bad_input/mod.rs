//! What the program does with everything that can be wrong: the exit code, a
//! message that names the file and what to do, nothing half-written, and the
//! rest of the work done.

mod again;
mod files;
mod original_code;
mod settings;
mod slides;
mod system;
pub(crate) mod tiff;
