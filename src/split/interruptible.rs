//! A slide that is not read any more after a signal.

use std::path::Path;

use crate::interrupt::Interrupt;
use crate::slide::{Level, Region, RegionError, Resolution, Slide};

/// A slide whose reads fail as soon as a signal has come, so that long loops over its pixels end
/// at their next read.
pub(super) struct InterruptibleSlide<'s> {
    pub(super) slide: &'s dyn Slide,
    pub(super) interrupt: &'s Interrupt,
}

impl Slide for InterruptibleSlide<'_> {
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
        self.slide.read_region(level, region, out)
    }

    fn icc_profile(&self) -> Option<Vec<u8>> {
        self.slide.icc_profile()
    }
}
