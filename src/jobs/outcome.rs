//! How a task says that it has ended: the last line of its log.
//!
//! The line is for programs. It carries what the scheduler does not know: the kind of
//! failure, and of which slide and group. A task that is killed writes none.

use serde::{Deserialize, Serialize};

use super::work::WorkItem;
use crate::config::Stage;
use crate::number::GroupNumber;

/// The variable that has a task write its outcome; job scripts set it.
pub const VARIABLE: &str = "SLIDEGRID_OUTCOME";

/// How the line begins.
const PREFIX: &str = "slidegrid-outcome: ";

/// Items named in a line, so that it stays within what is read of a log.
const MOST_ITEMS: usize = 40;

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// What it was to do.
    pub stage: Stage,
    /// Its exit code.
    pub exit: u8,
    /// What that means.
    pub kind: OutcomeKind,
    /// What it left undone, and why; the first of them when there are many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Undone>,
}

/// Kinds of ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutcomeKind {
    /// All of it is done.
    Done,
    /// Part of it is done.
    Partial,
    /// A signal asked for an end; what was scored is saved.
    Interrupted,
    /// The command line makes no sense.
    Usage,
    /// The configuration or model does not.
    Configuration,
    /// The input cannot be used, or the output not be written.
    Input,
    /// A file of the run is damaged, and was set aside.
    Damaged,
    /// There was not enough memory.
    Memory,
    /// The disk, or the user's share of it, is full.
    DiskFull,
    /// A mistake in the program.
    Bug,
}

/// Something that a task left undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// The slide.
    pub slide: String,
    /// The group, of `predict`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupNumber>,
    /// Why.
    pub kind: OutcomeKind,
    /// Windows that are scored and saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved_windows: Option<u64>,
    /// Windows of the group, where some are saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<u64>,
}

impl Outcome {
    /// The line.
    pub fn line(&self) -> String {
        let mut short = self.clone();
        short.items.truncate(MOST_ITEMS);
        format!("{PREFIX}{}", serde_json::to_string(&short).expect("an outcome is plain data"))
    }

    /// Why an item was left undone.
    pub fn kind_of(&self, item: &WorkItem) -> OutcomeKind {
        let found = self.items.iter().find(|undone| {
            undone.slide == item.slide() && (undone.group.is_none() || undone.group == item.group())
        });
        found.map_or(self.kind, |undone| undone.kind)
    }

    /// The last outcome in the end of a log, and what was printed after it; all of the
    /// text when there is none.
    pub fn find(text: &str) -> (Option<Self>, &str) {
        let Some(at) = text.rfind(PREFIX) else { return (None, text) };
        let rest = &text[at + PREFIX.len()..];
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        // One of another version, or cut short: no outcome.
        serde_json::from_str(line).map_or((None, text), |outcome| (Some(outcome), after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_found_and_says_why() {
        let group = |k: u32| GroupNumber::try_from(k).unwrap();
        let undone = |k, kind| Undone {
            slide: "a".into(),
            group: Some(group(k)),
            kind,
            saved_windows: Some(5),
            windows: Some(9),
        };
        let outcome = Outcome {
            stage: Stage::Predict,
            exit: 5,
            kind: OutcomeKind::Partial,
            items: vec![undone(3, OutcomeKind::Interrupted)],
        };
        let line = outcome.line();
        assert_eq!(
            line,
            r#"slidegrid-outcome: {"stage":"predict","exit":5,"kind":"partial","items":[{"slide":"a","group":3,"kind":"interrupted","saved_windows":5,"windows":9}]}"#
        );
        let log = format!("x\nslidegrid-outcome: {{}}\n{line}\nslurmstepd: error\n");
        let (found, after) = Outcome::find(&log);
        assert_eq!((found.as_ref(), after), (Some(&outcome), "slurmstepd: error\n"));
        let item = |k| WorkItem::Predict("a".into(), group(k));
        let found = found.unwrap();
        assert_eq!(found.kind_of(&item(3)), OutcomeKind::Interrupted);
        assert_eq!(found.kind_of(&item(4)), OutcomeKind::Partial);
        for log in ["", "x\n", "slidegrid-outcome: {\"stage\":\"pre"] {
            assert_eq!(Outcome::find(log), (None, log));
        }
        let many = Outcome { items: vec![undone(3, OutcomeKind::Input); 5000], ..outcome };
        assert!(many.line().len() < 6000);
    }
}
