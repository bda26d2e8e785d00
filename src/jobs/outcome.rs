//! How a task ended, as its program writes it: one line in the task's log.
//!
//! The line is for programs. It carries what the scheduler does not know: the kind of a
//! failure, for each slide and group that is not done. A task that is killed writes none.

use serde::{Deserialize, Serialize};

use super::work::WorkItem;
use crate::number::GroupNumber;

/// The variable that makes a command write its outcome. The job scripts set it.
pub const VARIABLE: &str = "SLIDEGRID_OUTCOME";

/// The start of the line.
const PREFIX: &str = "slidegrid-outcome: ";

/// Items named in a line at most, so that the line fits into what is read of a log.
const MOST_ITEMS: usize = 40;

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The exit code.
    pub exit: u8,
    /// The meaning of the exit code. It holds for every undone item that is not listed.
    pub kind: OutcomeKind,
    /// What is not done, and why: the first items if there are many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Undone>,
}

/// The ways in which a command, or its work on one item, ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeKind {
    /// All of the work is done.
    Done,
    /// A part of the work is done.
    Partial,
    /// A signal asked the program to stop. The scores so far are saved.
    Interrupted,
    /// The arguments are invalid.
    Usage,
    /// The configuration or the model is invalid.
    Configuration,
    /// The library of the engine is not there, or cannot be used.
    NoEngine,
    /// The input cannot be used, or the output cannot be written.
    Input,
    /// A file of the run is damaged, and was set aside.
    Damaged,
    /// There was not enough memory.
    Memory,
    /// The disk, or the user's share of it, is full.
    DiskFull,
    /// The program has a bug.
    Bug,
}

/// An item that a command left undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// Name of the slide.
    pub slide: String,
    /// Number of the group, for `predict`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupNumber>,
    /// Why the item is not done.
    pub kind: OutcomeKind,
}

impl Outcome {
    /// The line for the log, without a line feed.
    pub(crate) fn line(&self) -> String {
        let mut short = self.clone();
        short.items.truncate(MOST_ITEMS);
        format!("{PREFIX}{}", serde_json::to_string(&short).expect("an outcome is plain data"))
    }

    /// Why an item is not done.
    pub(crate) fn kind_of(&self, item: &WorkItem) -> OutcomeKind {
        let found = self.items.iter().find(|undone| {
            Some(undone.slide.as_str()) == item.slide()
                && (undone.group.is_none() || undone.group == item.group())
        });
        found.map_or(self.kind, |undone| undone.kind)
    }

    /// The last outcome in the end of a log, and the text after it. Without an outcome the
    /// result is the whole text.
    pub fn find(text: &str) -> (Option<Self>, &str) {
        let Some(at) = text.rfind(PREFIX) else { return (None, text) };
        let rest = &text[at + PREFIX.len()..];
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        // A line of another version, or one that was cut short, is no outcome.
        serde_json::from_str(line).map_or((None, text), |outcome| (Some(outcome), after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_found_and_names_the_kind_of_each_item() {
        let group = |k: u32| GroupNumber::try_from(k).unwrap();
        let undone = |k, kind| Undone { slide: "a".into(), group: Some(group(k)), kind };
        let outcome = Outcome {
            exit: 5,
            kind: OutcomeKind::Partial,
            items: vec![undone(3, OutcomeKind::Interrupted)],
        };
        let line = outcome.line();
        assert_eq!(
            line,
            r#"slidegrid-outcome: {"exit":5,"kind":"partial","items":[{"slide":"a","group":3,"kind":"interrupted"}]}"#
        );
        let log = format!("x\nslidegrid-outcome: {{}}\n{line}\nslurmstepd: error\n");
        let (found, after) = Outcome::find(&log);
        assert_eq!((found.as_ref(), after), (Some(&outcome), "slurmstepd: error\n"));
        let item = |k| WorkItem::Predict("a".into(), group(k));
        let found = found.unwrap();
        assert_eq!(found.kind_of(&item(3)), OutcomeKind::Interrupted);
        assert_eq!(found.kind_of(&item(4)), OutcomeKind::Partial);
        for log in ["", "x\n", "slidegrid-outcome: {\"exit\":5,\"kin"] {
            assert_eq!(Outcome::find(log), (None, log));
        }
        let many = Outcome { items: vec![undone(3, OutcomeKind::Input); 5000], ..outcome };
        assert!(many.line().len() < 6000);
    }
}
