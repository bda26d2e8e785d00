//! A slide that is not read any more after a signal, or once it is given up.

use std::path::Path;
use std::sync::OnceLock;

use super::error::SplitError;
use super::interrupted::check_interrupt;

use crate::interrupt::Interrupt;
use crate::slide::{Level, Region, RegionError, Resolution, Slide};

/// A slide whose reads fail as soon as a signal has come, or one of them has failed with
/// [`RegionError::GivenUp`], so that long loops over its pixels end at their next read.
pub(super) struct StoppingSlide<'s> {
    slide: &'s dyn Slide,
    interrupt: &'s Interrupt,
    given_up: OnceLock<RegionError>,
}

impl<'s> StoppingSlide<'s> {
    pub(super) fn new(slide: &'s dyn Slide, interrupt: &'s Interrupt) -> Self {
        Self { slide, interrupt, given_up: OnceLock::new() }
    }

    /// # Errors
    /// [`SplitError`] if a signal has come, or the slide is given up.
    pub(super) fn check(&self) -> Result<(), SplitError> {
        check_interrupt(self.interrupt)?;
        match self.given_up.get() {
            Some(error) => Err(SplitError::GivenUp(error.clone())),
            None => Ok(()),
        }
    }
}

impl Slide for StoppingSlide<'_> {
    fn path(&self) -> &Path {
        self.slide.path()
    }

    fn reader(&self) -> String {
        self.slide.reader()
    }

    fn levels(&self) -> &[Level] {
        self.slide.levels()
    }

    fn resolution(&self) -> &Resolution {
        self.slide.resolution()
    }

    fn bounds_px(&self) -> Option<[u32; 2]> {
        self.slide.bounds_px()
    }

    fn read_region(&self, level: usize, region: Region, out: &mut [u8]) -> Result<(), RegionError> {
        if let Some(signal) = self.interrupt.requested() {
            return Err(RegionError::Stopped { path: self.path().to_owned(), signal });
        }
        if let Some(error) = self.given_up.get() {
            return Err(error.clone());
        }
        let read = self.slide.read_region(level, region, out);
        if let Err(error @ RegionError::GivenUp { .. }) = &read {
            self.given_up.get_or_init(|| error.clone());
        }
        read
    }

    fn icc_profile(&self) -> Option<Vec<u8>> {
        self.slide.icc_profile()
    }
}
