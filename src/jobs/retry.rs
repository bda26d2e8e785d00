//! Plans the next try of everything that is missing: what it requests depends on how the last try
//! ended.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::raised::Raised;
use super::reason::{Reason, Remedy};
use super::state::{MissingItemState, RunState};
use super::work::{Request, WorkItem};
use crate::config::{ClusterKeys, Resources, Stage};
use crate::number::{GroupNumber, ranges};

/// The next try of an item.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Retry {
    /// The item.
    pub item: WorkItem,
    /// Why the last try left the item undone. `None` if there was no try, or if it is forgotten.
    pub reason: Option<Reason>,
    /// Log of the last try, if there is one.
    pub log: Option<PathBuf>,
    /// Request of the last try.
    pub had: Request,
    /// Request of the next try.
    pub request: Request,
    /// Whether the last try had as much as may be requested of what it ran out of.
    pub at_limit: bool,
}

/// Factors on the configured requests, given on the command line for all tries.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Factors {
    /// Factor on the memory.
    pub memory: Option<f64>,
    /// Factor on the time.
    pub time: Option<f64>,
}

/// Plans a try of every item that is missing and that is neither queued nor running. The requests
/// are recorded in `raised`.
///
/// `largest` returns the most that a task of a stage may request.
pub(crate) fn plan_retries(
    state: &RunState,
    keys: &ClusterKeys,
    raised: &mut Raised,
    factors: Factors,
    largest: &dyn Fn(Stage) -> Request,
) -> Vec<Retry> {
    let mut retries = Vec::new();
    for item in state.listing.missing() {
        let (reason, log) = match state.item_state(&item) {
            MissingItemState::Running
            | MissingItemState::Queued
            | MissingItemState::Stuck { .. } => continue,
            MissingItemState::Failed(failed) => {
                (Some(failed.reason), failed.log.filter(|log| log.exists()))
            }
            MissingItemState::Open => (None, None),
        };
        let had = state.attempt(&item).map_or(Request::NONE, |attempt| attempt.request);
        let configured = keys.resources(item.stage());
        let grows =
            matches!(reason.map(Reason::remedy), Some(Remedy::MoreMemory | Remedy::MoreTime));
        let largest = if grows { largest(item.stage()) } else { Request::NONE };
        let last = LastTry { reason, had, largest };
        let request = next_request(last, raised.get(&item), &configured, factors);
        let at_limit = last.is_at_limit(factors);
        raised.set(item.clone(), request);
        retries.push(Retry { item, reason, log, had, request, at_limit });
    }
    retries
}

/// How an item was last tried.
#[derive(Debug, Clone, Copy)]
struct LastTry {
    /// Why the try left the item undone.
    reason: Option<Reason>,
    /// Request of the try.
    had: Request,
    /// The most that a try may request.
    largest: Request,
}

impl LastTry {
    /// Whether the try had as much as may be requested of what it ran out of. Factors of the
    /// command line count instead.
    fn is_at_limit(&self, factors: Factors) -> bool {
        let is_most =
            |had: Option<u32>, most: Option<u32>| had.is_some() && had >= most && most.is_some();
        match self.reason.map(Reason::remedy) {
            Some(Remedy::MoreMemory) if factors.memory.is_none() => {
                is_most(self.had.memory_mb, self.largest.memory_mb)
            }
            Some(Remedy::MoreTime) if factors.time.is_none() => {
                is_most(self.had.time_min, self.largest.time_min)
            }
            _ => false,
        }
    }
}

/// The request of the next try: more of what the last try ran out of, and never less than
/// `before`. `configured` holds the resources of the stage.
fn next_request(
    LastTry { reason, had, largest }: LastTry,
    before: Request,
    configured: &Resources,
    factors: Factors,
) -> Request {
    let remedy = reason.map(Reason::remedy);
    let memory = had.memory_mb.filter(|_| remedy == Some(Remedy::MoreMemory));
    let time = had.time_min.filter(|_| remedy == Some(Remedy::MoreTime));
    Request {
        memory_mb: match factors.memory {
            Some(factor) => times(configured.memory_mb, factor),
            None => before.memory_mb.max(twice(memory, largest.memory_mb)),
        },
        time_min: match factors.time {
            Some(factor) => times(configured.time_min, factor),
            None => before.time_min.max(twice(time, largest.time_min)),
        },
    }
}

/// Twice of what a try ran out of, at most `largest`, or the largest number that a script can hold.
fn twice(ran_out_of: Option<u32>, largest: Option<u32>) -> Option<u32> {
    let largest = largest.unwrap_or(u32::MAX);
    ran_out_of.map(|value| value.saturating_mul(2).min(largest).max(value))
}

/// The configured value times a factor; `None`, which means as configured, for a factor of 1.
fn times(value: Option<u32>, factor: f64) -> Option<u32> {
    let value = value.filter(|_| factor > 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped first")]
    value.map(|value| (f64::from(value) * factor).ceil().clamp(1.0, f64::from(u32::MAX)) as u32)
}

/// One line for all tries of a slide with the same reason and request: the items, the reason, the
/// request, and the log of the first.
pub(crate) fn describe(retries: &[Retry]) -> Vec<String> {
    type LineKey<'a> = (&'static str, Option<&'a str>, Option<Reason>, Request, Request);
    let mut together: BTreeMap<(u8, LineKey), Vec<&Retry>> = BTreeMap::new();
    for retry in retries {
        let stage = retry.item.stage();
        let order = match &retry.item {
            WorkItem::Split(_) => 0,
            WorkItem::Calibrate => 1,
            WorkItem::Predict(..) => 2,
            WorkItem::Stitch(_) => 3,
        };
        let key = (stage.name(), retry.item.slide(), retry.reason, retry.request, retry.had);
        together.entry((order, key)).or_default().push(retry);
    }
    together.values().map(|together| line(together)).collect()
}

fn line(together: &[&Retry]) -> String {
    let first = together[0];
    let stage = first.item.stage().name();
    let work = first.item.slide().map_or(stage.to_owned(), |slide| format!("{stage} {slide}"));
    let groups: Vec<GroupNumber> = together.iter().filter_map(|r| r.item.group()).collect();
    let what = match groups.as_slice() {
        [] => work,
        groups => format!("{work} t{}", ranges(groups)),
    };
    let log = first.log.as_ref().map_or(String::new(), |log| format!(" [{}]", log.display()));
    let why = first.reason.map_or("no earlier try is known".to_owned(), Reason::describe);
    format!("{what}: {why}; {}{log}", request_in_words(first))
}

/// The request in words, compared with the last one.
fn request_in_words(retry: &Retry) -> String {
    let (had, request) = (retry.had, retry.request);
    let mut parts = Vec::new();
    for (unit, had, now) in
        [("MB", had.memory_mb, request.memory_mb), ("minutes", had.time_min, request.time_min)]
    {
        match (had, now) {
            (Some(had), Some(now)) if now > had => {
                parts.push(format!("{now} {unit} instead of {had}"));
            }
            (_, Some(now)) => parts.push(format!("{now} {unit}")),
            (_, None) => {}
        }
    }
    let remedy = retry.reason.map(Reason::remedy);
    let unset = match remedy {
        Some(Remedy::MoreMemory) if request.memory_mb.is_none() => Some("memory_mb"),
        Some(Remedy::MoreTime) if request.time_min.is_none() => Some("time_min"),
        _ => None,
    };
    if retry.at_limit {
        return "the same request, the largest that the queue allows: another [cluster] queue may allow more".into();
    }
    if let Some(key) = unset {
        parts.push(format!("the same request, since [cluster] {key} does not say how much it had"));
    } else if parts.is_empty() && remedy == Some(Remedy::None) {
        parts.push("the same request, which only helps if that was put right".into());
    } else if parts.is_empty() {
        parts.push("the same request".into());
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(memory_mb: Option<u32>, time_min: Option<u32>) -> Request {
        Request { memory_mb, time_min }
    }

    fn configured() -> Resources {
        Resources { memory_mb: Some(1000), time_min: Some(60), ..Resources::default() }
    }

    fn next(reason: Reason, had: Request, before: Request) -> Request {
        next_request(
            LastTry { reason: Some(reason), had, largest: Request::NONE },
            before,
            &configured(),
            Factors::default(),
        )
    }

    #[test]
    fn a_try_that_ran_out_of_something_is_followed_by_one_with_twice_as_much() {
        let plain = request(Some(1000), Some(60));
        let more = request(Some(2000), None);
        assert_eq!(next(Reason::Memory, plain, Request::NONE), more);
        // Requested already, but not tried since.
        assert_eq!(next(Reason::Memory, plain, more), more);
        let had = request(Some(2000), Some(60));
        assert_eq!(next(Reason::Memory, had, more), request(Some(4000), None));
        // An item that once needed more still needs more when a node is lost.
        assert_eq!(next(Reason::NodeLoss, had, more), more);
        assert_eq!(next(Reason::TimeLimit, had, more), request(Some(2000), Some(120)));
        assert_eq!(next(Reason::Memory, Request::NONE, Request::NONE), Request::NONE);
        for reason in [Reason::ExitCode(4), Reason::Killed, Reason::Damaged, Reason::Interrupted] {
            assert_eq!(next(reason, plain, Request::NONE), Request::NONE);
        }
    }

    #[test]
    fn a_request_grows_to_what_the_queue_allows_and_stays() {
        let largest = request(Some(3000), Some(90));
        let next = |reason, had, before| {
            let last = LastTry { reason: Some(reason), had, largest };
            let factors = Factors::default();
            (next_request(last, before, &configured(), factors), last.is_at_limit(factors))
        };
        let had = request(Some(2000), Some(60));
        assert_eq!(next(Reason::Memory, had, Request::NONE), (request(Some(3000), None), false));
        assert_eq!(next(Reason::TimeLimit, had, Request::NONE), (request(None, Some(90)), false));
        let most = request(Some(3000), Some(60));
        assert_eq!(next(Reason::Memory, most, most), (most, true));
        // What was configured above the limit is not lowered.
        let above = request(Some(5000), Some(60));
        assert_eq!(next(Reason::Memory, above, Request::NONE), (request(Some(5000), None), true));
        let item = WorkItem::Stitch("a".into());
        let reason = Some(Reason::Memory);
        let retry = Retry { item, reason, log: None, had: most, request: most, at_limit: true };
        let line = "stitch a: memory; the same request, the largest that the queue allows";
        assert!(describe(&[retry])[0].starts_with(line));
    }

    #[test]
    fn factors_of_the_command_line_replace_what_was_learned() {
        let had = request(Some(1000), Some(60));
        let memory = |factor, before| {
            let factors = Factors { memory: Some(factor), time: None };
            let last =
                LastTry { reason: Some(Reason::Memory), had, largest: request(Some(1100), None) };
            next_request(last, before, &configured(), factors).memory_mb
        };
        let before = request(Some(4000), None);
        assert_eq!(memory(1.5, Request::NONE), Some(1500));
        assert_eq!(memory(1.5, before), Some(1500));
        assert_eq!(memory(1.0, before), None);
    }

    #[test]
    fn tries_with_the_same_reason_and_request_share_a_line() {
        let group = |k: u32| WorkItem::Predict("a".into(), GroupNumber::try_from(k).unwrap());
        let retry = |item, reason: Option<Reason>, had| {
            let request = reason.map_or(Request::NONE, |reason| next(reason, had, Request::NONE));
            Retry { item, reason, log: None, had, request, at_limit: false }
        };
        let had = request(Some(1000), Some(60));
        let mut list = [1, 2, 5].map(|k| retry(group(k), Some(Reason::Memory), had)).to_vec();
        list.push(retry(group(4), None, Request::NONE));
        let stitch = WorkItem::Stitch("a".into());
        list.push(retry(stitch, Some(Reason::ExitCode(3)), Request::NONE));
        list.push(retry(WorkItem::Split("b".into()), Some(Reason::Damaged), Request::NONE));
        list.push(retry(WorkItem::Calibrate, Some(Reason::TimeLimit), had));
        assert_eq!(
            describe(&list),
            [
                "split b: damaged file; the same request",
                "calibrate: time limit; 120 minutes instead of 60",
                "predict a t4: no earlier try is known; the same request",
                "predict a t1-2,5: memory; 2000 MB instead of 1000",
                "stitch a: exit code 3; the same request, which only helps if that was put right",
            ]
        );
    }
}
