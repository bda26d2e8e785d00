//! Who may import whom, as the front page of the library says it.

use std::collections::{BTreeMap, BTreeSet};

use super::names::Graph;
use super::source::Source;

/// The line of the front page ahead of the list.
const HEADING: &str = "//! ## Who imports whom";

/// Lines that are indented more go on with the imports of the line before.
const CONTINUED: usize = 8;

/// For each module at the top of the crate those it imports.
pub(crate) type Arrows = BTreeMap<String, BTreeSet<String>>;

/// The module that only names items of the others, for programs and tests. Its imports are
/// no arrows; a path that leads through the module counts for the module where it ends.
const RE_EXPORTS: &str = "internal";

/// A group of modules of the list.
#[derive(Debug, PartialEq)]
pub(crate) struct Group {
    pub(crate) title: String,
    /// Modules from the ground up, each with those it imports.
    pub(crate) rows: Vec<(String, Vec<String>)>,
}

/// Reads the list from the text of `lib.rs`: in the first fenced block below
/// [`HEADING`] titles at the margin, below each its modules, indented, and behind
/// `<-` what a module imports, on more deeply indented lines if need be. `*` stands
/// for all modules above.
pub(crate) fn read(text: &str) -> Result<Vec<Group>, String> {
    let mut lines = text.lines().skip_while(|line| *line != HEADING);
    lines.next().ok_or_else(|| format!("src/lib.rs has no line {HEADING:?}"))?;
    let fence = |line: &&str| !line.starts_with("//! ```");
    let block = lines.skip_while(fence).skip(1).take_while(fence);
    let mut groups: Vec<Group> = Vec::new();
    for line in block.map(|line| line.trim_start_matches("//!")) {
        let indent = line.len() - line.trim_start().len();
        let names = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let (module, imports) = line.split_once("<-").unwrap_or((line, ""));
        let last = groups.last_mut();
        match (indent, last) {
            _ if line.trim().is_empty() => {}
            (1, _) => groups.push(Group { title: line.trim().to_owned(), rows: Vec::new() }),
            (2..=CONTINUED, Some(group)) if !module.trim().is_empty() => {
                group.rows.push((module.trim().to_owned(), names(imports)));
            }
            (_, Some(Group { rows, .. })) if !rows.is_empty() => {
                let more = if imports.is_empty() { module } else { imports };
                rows.last_mut().unwrap().1.extend(names(more));
            }
            _ => return Err(format!("cannot read this line of the front page: {line:?}")),
        }
    }
    if groups.is_empty() { Err("the front page lists no modules".to_owned()) } else { Ok(groups) }
}

/// The arrows a list draws.
///
/// # Errors
/// When a module imports one that does not stand above it: arrows point up the list,
/// so they never run in a circle.
pub(crate) fn arrows(groups: &[Group]) -> Result<Arrows, String> {
    let mut arrows = Arrows::new();
    for (module, imports) in groups.iter().flat_map(|group| &group.rows) {
        let mut targets = BTreeSet::new();
        for import in imports {
            if import == "*" {
                targets.extend(arrows.keys().cloned());
            } else if arrows.contains_key(import) {
                targets.insert(import.clone());
            } else {
                return Err(format!("{module} imports {import}, which does not stand above it"));
            }
        }
        if arrows.insert(module.clone(), targets).is_some() {
            return Err(format!("{module} stands twice in the list"));
        }
    }
    Ok(arrows)
}

/// Where the list and the source differ; `list` says whose imports are `*`, for those
/// the source may import less.
pub(crate) fn differences(list: &[Group], stated: &Arrows, found: &FoundArrows) -> Vec<String> {
    let rows = || list.iter().flat_map(|group| &group.rows);
    let all = |module: &String| rows().any(|(name, imports)| name == module && imports == &["*"]);
    let none = BTreeSet::new();
    let mut differences = Vec::new();
    for (module, targets) in found {
        let Some(allowed) = stated.get(module) else {
            differences.push(format!("{module} is not in the list"));
            continue;
        };
        for (target, example) in targets {
            if !allowed.contains(target) {
                differences.push(format!("{module} imports {target}, not in the list: {example}"));
            }
        }
    }
    for (module, allowed) in stated {
        let Some(targets) = found.get(module) else {
            differences.push(format!("{module} is in the list, not in the source"));
            continue;
        };
        let idle = if all(module) { &none } else { allowed };
        for target in idle.iter().filter(|target| !targets.contains_key(*target)) {
            differences.push(format!("{module} does not import {target}, though listed"));
        }
    }
    differences
}

/// For each module at the top those it imports, each with one import that says so.
pub(crate) type FoundArrows = BTreeMap<String, BTreeMap<String, String>>;

/// The arrows of a crate. The root's own imports are no arrows.
pub(crate) fn arrows_of(source: &Source, graph: &Graph) -> FoundArrows {
    let modules = source.modules[0].children.keys().filter(|name| *name != RE_EXPORTS);
    let mut arrows: FoundArrows = modules.map(|name| (name.clone(), BTreeMap::new())).collect();
    let top = |file: usize| source.top(file).unwrap_or("lib").to_owned();
    for (file, imports) in graph.imports.iter().enumerate() {
        let Some(from) = source.top(file).filter(|top| *top != RE_EXPORTS) else { continue };
        for (&target, path) in
            imports.iter().filter(|(target, _)| source.top(**target) != Some(from))
        {
            let example = format!("src/{} by {path}", source.files[file].name);
            arrows.entry(from.to_owned()).or_default().entry(top(target)).or_insert(example);
        }
    }
    arrows
}

/// The list as it stands in the source, ready for the front page: without groups, from
/// the ground up as far as there is no circle.
pub(crate) fn list(arrows: &FoundArrows) -> String {
    let mut left: BTreeMap<_, _> = arrows.iter().collect();
    let mut text = String::new();
    while !left.is_empty() {
        let ready: Vec<_> = left
            .iter()
            .filter(|(_, imports)| imports.keys().all(|target| !left.contains_key(target)))
            .map(|(module, _)| (*module).clone())
            .collect();
        let next = if ready.is_empty() {
            text.push_str("in a circle, or above one:\n");
            left.keys().map(|module| (*module).clone()).collect()
        } else {
            ready
        };
        for module in next {
            let imports: Vec<_> = left[&module].keys().map(String::as_str).collect();
            text.push_str(&row(&module, &imports));
            left.remove(&module);
        }
    }
    text
}

/// A row of the list, wrapped.
fn row(module: &str, imports: &[&str]) -> String {
    let mut line = format!("    {module:<16}");
    if !imports.is_empty() {
        line.push_str("<-");
    }
    let mut text = String::new();
    for import in imports {
        if line.len() + 1 + import.len() > 92 {
            text.push_str(&format!("{line}\n"));
            line = " ".repeat(22);
        }
        line.push_str(&format!(" {import}"));
    }
    format!("{text}{}\n", line.trim_end())
}
