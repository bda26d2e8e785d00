//! Every command is mentioned in the documentation.

use std::path::Path;

use clap::CommandFactory;

use super::Cli;

/// The paths of all commands below `command`, such as `study auc`.
fn paths(command: &clap::Command, above: &str) -> Vec<String> {
    let mut found = Vec::new();
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        let path = format!("{above}{}", command.get_name());
        found.extend(paths(command, &format!("{path} ")));
        found.push(path);
    }
    found
}

#[test]
fn every_command_is_mentioned() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = std::fs::read_to_string(root.join("README.md")).unwrap();
    for entry in std::fs::read_dir(root.join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|suffix| suffix == "md") {
            text += &std::fs::read_to_string(path).unwrap();
        }
    }
    // Line breaks fall anywhere.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let commands = paths(&Cli::command(), "");
    assert!(commands.len() >= 30, "{commands:?}");
    let mentioned = |command: &String| {
        [format!("slidegrid {command}"), format!("`{command}`"), format!("`{command} ")]
            .iter()
            .any(|words| text.contains(words.as_str()))
    };
    let missing: Vec<_> = commands.iter().filter(|command| !mentioned(command)).collect();
    assert!(missing.is_empty(), "not in the documentation: {missing:?}");
}
