//! What a second try asks for, by why the first one ended.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::arrays::Piece;
use super::plan::Growth;
use super::queue::{LastTry, tail};
use super::sched_state::{Reason, Remedy, TaskState, why};
use crate::config::Resources;
use crate::number::{GroupNumber, ranges};

/// A piece of work that is tried again.
#[derive(Debug, Clone, PartialEq)]
pub struct Again {
    /// What.
    pub piece: Piece,
    /// Why the last try left it undone; `None` when there was none, or nobody
    /// knows of it any more.
    pub reason: Option<Reason>,
    /// Its log, when there is one.
    pub log: Option<PathBuf>,
    /// What the last try had asked for.
    pub asked: Growth,
    /// What this one asks for.
    pub growth: Growth,
}

/// Factors that a person has given for everything that is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Factors {
    /// On the configured memory.
    pub memory: Option<f64>,
    /// On the configured time.
    pub time: Option<f64>,
}

/// Settles what a piece of work asks for now: more of what its last try ran
/// out of, and never less than `before`.
///
/// `configured`: what its stage asks for anyway.
pub fn again(
    piece: Piece,
    last: Option<&LastTry>,
    configured: &Resources,
    before: Growth,
    factors: Factors,
) -> Again {
    let (reason, log) = last.map_or((None, None), reason_of);
    let asked = last.map_or(Growth::NONE, |last| last.asked);
    let remedy = reason.map(Reason::remedy);
    let memory = asked.memory_mb.filter(|_| remedy == Some(Remedy::MoreMemory));
    let time = asked.time_min.filter(|_| remedy == Some(Remedy::MoreTime));
    let growth = Growth {
        memory_mb: match factors.memory {
            Some(factor) => times(configured.memory_mb, factor),
            None => before.memory_mb.max(twice(memory)),
        },
        time_min: match factors.time {
            Some(factor) => times(configured.time_min, factor),
            None => before.time_min.max(twice(time)),
        },
    };
    Again { piece, reason, log, asked, growth }
}

/// Schedulers forget and lag: the log tells then.
fn reason_of(last: &LastTry) -> (Option<Reason>, Option<PathBuf>) {
    let log = last.log.clone().filter(|log| log.exists());
    let said = || {
        let text = log.as_deref().map(tail)?;
        Some(why(&TaskState::Unknown(String::new()), &text))
    };
    let reason = match last.state {
        TaskState::Unknown(_) => said(),
        _ => last.reason().or_else(said),
    };
    (reason, log)
}

/// More of what a try ran out of. What was asked for since, and not tried yet,
/// is as much already.
fn twice(ran_out_of: Option<u32>) -> Option<u32> {
    ran_out_of.map(|value| value.saturating_mul(2))
}

/// `None`, as configured, for a factor of 1.
fn times(value: Option<u32>, factor: f64) -> Option<u32> {
    let value = value.filter(|_| factor > 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped first")]
    value.map(|value| (f64::from(value) * factor).ceil().clamp(1.0, f64::from(u32::MAX)) as u32)
}

/// A line for all that goes the same way: what, why, what it asks for, the log
/// of the first.
pub fn told(list: &[Again]) -> Vec<String> {
    type Key<'a> = (u8, &'a str, Option<Reason>, Growth, Growth);
    let mut together: BTreeMap<Key, Vec<&Again>> = BTreeMap::new();
    for again in list {
        let (stage, slide) = match &again.piece {
            Piece::Split(slide) => (0, slide),
            Piece::Group(slide, _) => (1, slide),
            Piece::Stitch(slide) => (2, slide),
        };
        let key = (stage, slide.as_str(), again.reason, again.growth, again.asked);
        together.entry(key).or_default().push(again);
    }
    together.values().map(|together| line(together)).collect()
}

fn line(together: &[&Again]) -> String {
    let first = together[0];
    let groups: Vec<GroupNumber> = together
        .iter()
        .filter_map(|again| match again.piece {
            Piece::Group(_, group) => Some(group),
            Piece::Split(_) | Piece::Stitch(_) => None,
        })
        .collect();
    let what = match &first.piece {
        Piece::Split(slide) => format!("split {slide}"),
        Piece::Group(slide, _) => format!("predict {slide} t{}", ranges(&groups)),
        Piece::Stitch(slide) => format!("stitch {slide}"),
    };
    let log = first.log.as_ref().map_or(String::new(), |log| format!(" [{}]", log.display()));
    let why = first.reason.map_or("no earlier try is known".to_owned(), Reason::told);
    format!("{what}: {why}; {}{log}", asks(first))
}

/// What it asks for, against what it had.
fn asks(again: &Again) -> String {
    let (asked, growth) = (again.asked, again.growth);
    let mut parts = Vec::new();
    for (unit, had, now) in
        [("MB", asked.memory_mb, growth.memory_mb), ("minutes", asked.time_min, growth.time_min)]
    {
        match (had, now) {
            (Some(had), Some(now)) if now > had => {
                parts.push(format!("{now} {unit} instead of {had}"));
            }
            (_, Some(now)) => parts.push(format!("{now} {unit}")),
            (_, None) => {}
        }
    }
    let remedy = again.reason.map(Reason::remedy);
    let unset = match remedy {
        Some(Remedy::MoreMemory) if growth.memory_mb.is_none() => Some("memory_mb"),
        Some(Remedy::MoreTime) if growth.time_min.is_none() => Some("time_min"),
        _ => None,
    };
    if let Some(key) = unset {
        parts.push(format!("the same again, since [cluster] {key} does not say how much it had"));
    } else if parts.is_empty() && remedy == Some(Remedy::None) {
        parts.push("the same again, which only helps if that was put right".into());
    } else if parts.is_empty() {
        parts.push("the same again".into());
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(state: TaskState, memory_mb: Option<u32>, time_min: Option<u32>) -> LastTry {
        let asked = Growth { memory_mb, time_min };
        LastTry { job: "7".into(), index: Some(1), state, log: None, asked }
    }

    fn group(group: u32) -> Piece {
        Piece::Group("a".into(), GroupNumber::try_from(group).unwrap())
    }

    fn configured() -> Resources {
        Resources { memory_mb: Some(1000), time_min: Some(60), ..Resources::default() }
    }

    fn grown(last: &LastTry, before: Growth) -> Growth {
        again(group(1), Some(last), &configured(), before, Factors::default()).growth
    }

    #[test]
    fn what_ran_out_of_something_asks_for_twice_as_much() {
        let growth = |memory_mb, time_min| Growth { memory_mb, time_min };
        let memory = last(TaskState::Memory, Some(1000), Some(60));
        assert_eq!(grown(&memory, Growth::NONE), growth(Some(2000), None));
        // Asked for already, but not tried since.
        assert_eq!(grown(&memory, growth(Some(2000), None)), growth(Some(2000), None));
        let more = last(TaskState::Memory, Some(2000), Some(60));
        assert_eq!(grown(&more, growth(Some(2000), None)), growth(Some(4000), None));
        // What it once needed it still needs when a node is lost.
        let lost = last(TaskState::NodeLoss, Some(2000), Some(60));
        assert_eq!(grown(&lost, growth(Some(2000), None)), growth(Some(2000), None));
        let time = last(TaskState::TimeLimit, Some(2000), Some(60));
        assert_eq!(grown(&time, growth(Some(2000), None)), growth(Some(2000), Some(120)));
        assert_eq!(grown(&last(TaskState::Memory, None, None), Growth::NONE), Growth::NONE);
        for state in [TaskState::Failed(4), TaskState::Cancelled, TaskState::Signalled(9)] {
            assert_eq!(grown(&last(state, Some(1000), None), Growth::NONE), Growth::NONE);
        }
    }

    #[test]
    fn a_person_has_the_last_word() {
        let memory = last(TaskState::Memory, Some(1000), Some(60));
        let of = |factor, before| {
            let factors = Factors { memory: Some(factor), time: None };
            again(group(1), Some(&memory), &configured(), before, factors).growth.memory_mb
        };
        let before = Growth { memory_mb: Some(4000), time_min: None };
        assert_eq!(of(1.5, Growth::NONE), Some(1500));
        assert_eq!(of(1.5, before), Some(1500));
        assert_eq!(of(1.0, before), None);
    }

    #[test]
    fn the_log_tells_of_jobs_that_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("7_1.log");
        let mut last = last(TaskState::Unknown("forgotten".into()), Some(1000), Some(60));
        last.log = Some(log.clone());
        let of = |last: &LastTry| {
            again(group(1), Some(last), &configured(), Growth::NONE, Factors::default())
        };
        assert_eq!((of(&last).reason, of(&last).log), (None, None));
        std::fs::write(&log, "slurmstepd: error: *** JOB 9 CANCELLED DUE TO TIME LIMIT ***")
            .unwrap();
        assert_eq!(of(&last).reason, Some(Reason::TimeLimit));
        assert_eq!(of(&last).growth.time_min, Some(120));
        // Still running, says an accounting that lags.
        last.state = TaskState::Running;
        std::fs::write(&log, "memory allocation of 9 bytes failed").unwrap();
        assert_eq!(of(&last).growth.memory_mb, Some(2000));
    }

    #[test]
    fn what_goes_the_same_way_is_told_together() {
        let memory = last(TaskState::Memory, Some(1000), Some(60));
        let settled = |piece, last: Option<&LastTry>| {
            again(piece, last, &configured(), Growth::NONE, Factors::default())
        };
        let mut list: Vec<Again> =
            [1, 2, 5].map(|k| settled(group(k), Some(&memory))).into_iter().collect();
        list.push(settled(group(4), None));
        list.push(settled(
            Piece::Stitch("a".into()),
            Some(&last(TaskState::Failed(3), None, None)),
        ));
        assert_eq!(
            told(&list),
            [
                "predict a t4: no earlier try is known; the same again",
                "predict a t1-2,5: memory; 2000 MB instead of 1000",
                "stitch a: exit code 3; the same again, which only helps if that was put right",
            ]
        );
    }
}
