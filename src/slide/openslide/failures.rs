//! Counts the reads of a slide that fail, and gives up a slide of which too many do.
//!
//! After a failure OpenSlide has to open the slide anew. With a damaged directory every read of a
//! level fails, and the search for what can still be read would take hours.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::slide::RegionError;

/// Failed reads of a level, without one that succeeds, after which the slide is given up.
const OF_LEVEL: u64 = 64;

/// Failed reads of a slide after which it is given up, if they have taken [`TIME`].
const OF_SLIDE: u64 = 256;

/// Time in failed reads after which a slide is given up, if there are [`OF_SLIDE`].
const TIME: Duration = Duration::from_secs(120);

/// The failed reads of a slide.
#[derive(Debug)]
pub(super) struct Failures {
    levels: Vec<LevelFailures>,
    failed: AtomicU64,
    failed_us: AtomicU64,
}

#[derive(Debug, Default)]
struct LevelFailures {
    failed: AtomicU64,
    has_succeeded: AtomicBool,
}

impl Failures {
    pub(super) fn new(levels: usize) -> Self {
        let levels = (0..levels).map(|_| LevelFailures::default()).collect();
        Self { levels, failed: AtomicU64::new(0), failed_us: AtomicU64::new(0) }
    }

    /// # Errors
    /// [`RegionError::GivenUp`] if too many reads have failed.
    pub(super) fn check(&self, path: &Path, level: usize) -> Result<(), RegionError> {
        let given_up = |what, failed, took| {
            Err(RegionError::GivenUp { path: path.to_owned(), what, failed, took })
        };
        let of_level = &self.levels[level];
        let failed = of_level.failed.load(Ordering::Relaxed);
        if failed >= OF_LEVEL && !of_level.has_succeeded.load(Ordering::Relaxed) {
            return given_up(format!("level {level}"), failed, ", and none has succeeded".into());
        }
        let failed = self.failed.load(Ordering::Relaxed);
        let time = Duration::from_micros(self.failed_us.load(Ordering::Relaxed));
        if failed >= OF_SLIDE && time >= TIME {
            return given_up("the slide".into(), failed, format!(" and took {} s", time.as_secs()));
        }
        Ok(())
    }

    pub(super) fn note_success(&self, level: usize) {
        self.levels[level].has_succeeded.store(true, Ordering::Relaxed);
    }

    pub(super) fn note_failure(&self, level: usize, took: Duration) {
        self.levels[level].failed.fetch_add(1, Ordering::Relaxed);
        self.failed.fetch_add(1, Ordering::Relaxed);
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.failed_us.fetch_add(took_us, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures(failed: u64, took: Duration) -> Failures {
        let failures = Failures::new(2);
        (0..failed).for_each(|_| failures.note_failure(1, took));
        failures
    }

    fn is_given_up(failures: &Failures, level: usize) -> bool {
        failures.check(Path::new("a.svs"), level).is_err()
    }

    #[test]
    fn a_level_of_which_nothing_can_be_read_is_given_up() {
        let short = Duration::from_millis(1);
        assert!(!is_given_up(&failures(OF_LEVEL - 1, short), 1));
        let found = failures(OF_LEVEL, short);
        assert!(is_given_up(&found, 1) && !is_given_up(&found, 0));
        let message = found.check(Path::new("a.svs"), 1).unwrap_err().to_string();
        assert!(message.contains("a.svs: 64 reads of level 1 have failed, and none"), "{message}");
        found.note_success(1);
        assert!(!is_given_up(&found, 1));
    }

    #[test]
    fn a_slide_whose_failures_take_long_is_given_up() {
        let found = failures(OF_SLIDE, Duration::from_secs(1));
        found.note_success(1);
        assert!(is_given_up(&found, 0) && is_given_up(&found, 1));
        let few = failures(OF_SLIDE - 1, Duration::from_secs(60));
        few.note_success(1);
        assert!(!is_given_up(&few, 1));
    }
}
