//! Everything that can be wrong: the exit code fits, a message names the file and what to do,
//! nothing is half-written, and the rest of the work is done.

mod files;
mod limits;
mod networks;
mod original_code;
mod repeated;
mod settings;
mod slides;
mod system;
pub(crate) mod tiff;
