//! Makes job scripts from templates.
//!
//! A template is a shell script with `{{names}}`. A line whose name has no value is left out. A
//! line whose name has several values is repeated for each.

use crate::config::{Resources, Stage};

/// A job to make a script for.
#[derive(Debug, Clone)]
pub struct Job {
    /// The stage of the job.
    pub stage: Stage,
    /// Name of the job, made of characters that every scheduler takes.
    pub name: String,
    /// Number of tasks of the array; `None` for a single job.
    pub tasks: Option<u32>,
    /// The resources to request.
    pub resources: Resources,
    /// Absolute path of the run directory, in which the job starts.
    pub run: String,
    /// Path of the log file, without the scheduler's numbers and the suffix.
    pub log: String,
    /// Path of the script, which its head names.
    pub script: String,
    /// A sentence about the job, for the head of the script.
    pub about: String,
    /// Lines before the command, for set-up and environment.
    pub setup: Vec<String>,
    /// The command, quoted for the shell; [`INDEX`] stands for the array index.
    pub command: String,
}

/// Stands for the array index in the command of a job. No argument holds a NUL, so that no name
/// of a slide is taken for the index.
pub const INDEX: &str = "\0index\0";

/// The names in a template, with their values.
pub(crate) type Values = Vec<(&'static str, Vec<String>)>;

/// The values that the template of every scheduler may use.
///
/// `resumable` is a template that runs the program so that a signal makes it save its work and
/// queue itself again. Without it, or without requeues, the program takes the place of the shell.
pub(crate) fn common_values(job: &Job, index: &str, resumable: Option<&str>) -> Values {
    let resources = &job.resources;
    let command = job.command.replace(INDEX, index);
    let program = match resumable.filter(|_| resources.requeues > 0) {
        None => vec![format!("exec {command}")],
        Some(template) => {
            let requeues = resources.requeues.to_string();
            let values = vec![("command", vec![command]), ("requeues", vec![requeues])];
            render(template, &values).lines().map(ToOwned::to_owned).collect()
        }
    };
    let one = |value: String| vec![value];
    let optional = |value: Option<String>| value.into_iter().collect::<Vec<_>>();
    vec![
        ("name", one(job.name.clone())),
        ("about", one(job.about.clone())),
        ("script", one(job.script.clone())),
        ("run", one(job.run.clone())),
        ("tasks", optional(job.tasks.map(|tasks| tasks.to_string()))),
        ("queue", optional(resources.queue.clone())),
        ("account", optional(resources.account.clone())),
        ("cpus", one(resources.cpus.to_string())),
        ("memory_mb", optional(resources.memory_mb.map(|mb| mb.to_string()))),
        ("extra", resources.extra.clone()),
        ("setup", job.setup.clone()),
        ("program", program),
    ]
}

/// Fills in a template, line by line.
pub(crate) fn render(template: &str, values: &Values) -> String {
    let mut script = String::new();
    for line in template.lines() {
        for filled in fill(line, values) {
            script.push_str(&filled);
            script.push('\n');
        }
    }
    script
}

/// Fills in a line from its start on, so that what looks like a name within a value stays.
fn fill(line: &str, values: &Values) -> Vec<String> {
    let holes = values.iter().filter_map(|(name, value)| {
        let hole = format!("{{{{{name}}}}}");
        Some((line.find(&hole)?, hole.len(), value))
    });
    let Some((at, length, value)) = holes.min_by_key(|&(at, ..)| at) else {
        return vec![line.to_owned()];
    };
    let (before, rests) = (&line[..at], fill(&line[at + length..], values));
    let lines = value
        .iter()
        .flat_map(|value| rests.iter().map(move |rest| format!("{before}{value}{rest}")));
    lines.collect()
}

/// A slide's name as part of the names of jobs and files: characters other than letters, digits,
/// `.`, `_` and `-` become `_`.
pub(crate) fn plain_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    name.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_without_a_value_are_left_out_and_lists_repeat_their_line() {
        let values: Values = vec![
            ("a", vec!["1".into()]),
            ("none", vec![]),
            ("many", vec!["x".into(), "{{a}} y".into()]),
        ];
        let template = "head {{a}}\n#Q {{none}}\n#E {{many}}\nend\n";
        assert_eq!(render(template, &values), "head 1\n#E x\n#E {{a}} y\nend\n");
    }

    #[test]
    fn values_are_not_filled_in() {
        let values: Values = vec![("a", vec!["{{b}}{{a}}".into()]), ("b", vec!["1".into()])];
        assert_eq!(
            render("{{a}} {{b}} {{b}}{{a}} {{c}}", &values),
            "{{b}}{{a}} 1 1{{b}}{{a}} {{c}}\n"
        );
    }

    #[test]
    fn names_of_jobs_have_no_special_characters() {
        assert_eq!(plain_name("a b/ü%.x-1"), "a_b___.x-1");
    }
}
