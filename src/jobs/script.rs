//! Job scripts from templates.
//!
//! A template is a shell script with `{{names}}`. A line whose name has no
//! value is left out, one whose name has several is repeated for each.

use crate::config::{Resources, Stage};

/// A job to write down.
#[derive(Debug, Clone)]
pub struct Job {
    /// Which level it belongs to.
    pub stage: Stage,
    /// Its name, safe for every scheduler.
    pub name: String,
    /// Tasks of the array; none for a single job.
    pub tasks: Option<u32>,
    /// What is asked for.
    pub resources: Resources,
    /// Run directory, absolute: where it starts.
    pub run: String,
    /// Log file without the scheduler's numbers and the suffix.
    pub log: String,
    /// The script itself, for its head.
    pub script: String,
    /// A sentence about it, for its head.
    pub about: String,
    /// Lines before the command: set-up and environment.
    pub setup: Vec<String>,
    /// The command, quoted for the shell; `{index}` is the array index.
    pub command: String,
}

/// Names and values of a template.
pub type Values = Vec<(&'static str, Vec<String>)>;

/// What every scheduler's template may use.
///
/// `resumable` is how the program is run when a signal shall make it save its
/// work and be queued again; where that is not wanted it takes the shell's
/// place.
pub fn common_values(job: &Job, index: &str, resumable: Option<&str>) -> Values {
    let resources = &job.resources;
    let command = job.command.replace("{index}", index);
    let program = match resumable.filter(|_| resources.requeues > 0) {
        None => vec![format!("exec {command}")],
        Some(template) => {
            let requeues = resources.requeues.to_string();
            let values = vec![("command", vec![command]), ("requeues", vec![requeues])];
            render(template, &values).lines().map(ToOwned::to_owned).collect()
        }
    };
    let one = |value: String| vec![value];
    let maybe = |value: Option<String>| value.into_iter().collect::<Vec<_>>();
    vec![
        ("name", one(job.name.clone())),
        ("about", one(job.about.clone())),
        ("script", one(job.script.clone())),
        ("run", one(job.run.clone())),
        ("tasks", maybe(job.tasks.map(|tasks| tasks.to_string()))),
        ("queue", maybe(resources.queue.clone())),
        ("account", maybe(resources.account.clone())),
        ("cpus", one(resources.cpus.to_string())),
        ("memory_mb", maybe(resources.memory_mb.map(|mb| mb.to_string()))),
        ("extra", resources.extra.clone()),
        ("setup", job.setup.clone()),
        ("program", program),
    ]
}

/// Fills in a template.
pub fn render(template: &str, values: &Values) -> String {
    let mut script = String::new();
    for line in template.lines() {
        for filled in fill(line, values) {
            script.push_str(&filled);
            script.push('\n');
        }
    }
    script
}

fn fill(line: &str, values: &Values) -> Vec<String> {
    let mut lines = vec![line.to_owned()];
    for (name, value) in values {
        let hole = format!("{{{{{name}}}}}");
        if line.contains(&hole) {
            lines = lines
                .iter()
                .flat_map(|line| value.iter().map(|value| line.replacen(&hole, value, 1)))
                .collect();
        }
    }
    lines
}

/// A slide's name as part of job and file names: other characters than
/// letters, digits, `.`, `_` and `-` become `_`.
pub fn plain_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    name.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_lines_go_and_lists_repeat() {
        let values: Values = vec![
            ("a", vec!["1".into()]),
            ("none", vec![]),
            ("many", vec!["x".into(), "{{a}} y".into()]),
        ];
        let template = "head {{a}}\n#Q {{none}}\n#E {{many}}\nend\n";
        assert_eq!(render(template, &values), "head 1\n#E x\n#E {{a}} y\nend\n");
    }

    #[test]
    fn names_of_jobs_are_plain() {
        assert_eq!(plain_name("a b/ü%.x-1"), "a_b___.x-1");
    }
}
