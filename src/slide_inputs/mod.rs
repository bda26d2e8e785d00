//! The slides that a command works on, as users name them: files, folders, lists of files, and a
//! table with settings of single slides.

mod error;
mod expand;
mod folder;
mod given;
mod manifest;
mod series;

pub(crate) use error::InputsError;
pub(crate) use expand::expand;
pub(crate) use given::{GivenMpp, GivenSlides};
pub(crate) use manifest::Manifest;
