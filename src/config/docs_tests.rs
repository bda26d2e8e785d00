//! Every key of the configuration has a row in the documentation, and every row is a key.

use std::collections::BTreeSet;
use std::path::Path;

use super::Config;

/// The sections with a table of their own in docs/configuration.md.
const SECTIONS: [&str; 8] =
    ["slides", "tissue", "tiling", "model", "normalize", "predict", "stitch", "study"];

/// Names of sections of `[cluster]`, which have keys of their own.
const STAGES: [&str; 6] = ["split", "calibrate", "master", "predict", "stitch", "study"];

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// The keys of a section, from serde's message about one that does not exist: unknown field
/// `no_such_key`, expected one of `stride`, `method`.
fn keys(section: &str) -> BTreeSet<String> {
    let text = format!("{section}\nno_such_key = 1\n");
    let error = toml::from_str::<Config>(&text).unwrap_err();
    let message = error.message();
    assert!(message.starts_with("unknown field `no_such_key`, expected"), "{message}");
    message.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

/// The text below the heading `## [section]`.
fn section<'p>(page: &'p str, name: &str) -> &'p str {
    let heading = format!("\n## [{name}]\n");
    let start = page.find(&heading).unwrap_or_else(|| panic!("no heading [{name}]"));
    let text = &page[start + heading.len()..];
    text.find("\n## ").map_or(text, |end| &text[..end])
}

/// The names in backticks in the first column of the tables of a text.
fn rows(text: &str) -> BTreeSet<String> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let first = rows.filter_map(|row| row.split('|').nth(1));
    first.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn every_key_has_a_row_and_every_row_is_a_key() {
    let page = page("configuration.md");
    for name in SECTIONS {
        let keys = keys(&format!("[{name}]"));
        assert!(keys.len() >= 2, "{name}: {keys:?}");
        assert_eq!(rows(section(&page, name)), keys, "[{name}] in docs/configuration.md");
    }
}

#[test]
fn every_section_is_documented() {
    let page = page("configuration.md");
    let sections = keys("");
    let expected: BTreeSet<String> =
        SECTIONS.iter().chain(&["cluster"]).map(|&s| s.into()).collect();
    assert_eq!(sections, expected);
    for name in sections {
        section(&page, &name);
    }
}

#[test]
fn every_key_of_cluster_has_a_row_and_every_row_is_a_key() {
    let text = page("cluster.md");
    let text = section(&text, "cluster");
    let (stages, keys): (BTreeSet<String>, BTreeSet<String>) =
        keys("[cluster]").into_iter().partition(|key| STAGES.contains(&key.as_str()));
    assert_eq!(rows(text), keys, "[cluster] in docs/cluster.md");
    for stage in stages {
        assert!(text.contains(&format!("`[cluster.{stage}]`")), "[cluster.{stage}]");
        for key in self::keys(&format!("[cluster.{stage}]")) {
            assert!(text.contains(&format!("`{key}`")), "cluster.{stage}.{key}");
        }
    }
}
