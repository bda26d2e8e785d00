//! The documentation: links and paths lead somewhere, every page is reached from the README,
//! the glossary names types that exist, and `tumor` has one spelling.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::assert_none;

/// Files in which the other spelling of `tumor` is explained, accepted or tested.
const BOTH_SPELLINGS: [&str; 11] = [
    "CHANGELOG.md",
    "docs/glossary.md",
    "src/cli/study/options.rs",
    "src/cli/synth.rs",
    "src/model/card.rs",
    "src/model/wsinfer.rs",
    "src/spelling.rs",
    "src/study/detections_csv.rs",
    "src/truth/slide_list.rs",
    "src/truth/tests.rs",
    "tests/architecture/docs.rs",
];

/// The file that the worked example of CONTRIBUTING.md adds.
const PATH_OF_THE_EXAMPLE: &str = "src/export/asc.rs";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below `folder` whose names end with one of `suffixes`, relative to the root.
fn files(folder: &str, suffixes: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if suffixes.iter().any(|suffix| name.ends_with(suffix)) {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The pages: those at the root, and all of docs/.
fn pages() -> BTreeMap<PathBuf, String> {
    let at_root = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    let at_root = at_root.filter(|path| path.extension().is_some_and(|suffix| suffix == "md"));
    let at_root = at_root.map(|path| path.strip_prefix(root()).unwrap().to_owned());
    let all = at_root.chain(files("docs", &[".md"])).chain(files("tests", &[".md"]));
    all.map(|page| (page.clone(), fs::read_to_string(root().join(page)).unwrap())).collect()
}

/// The text without blocks and spans of code.
fn prose(text: &str) -> String {
    let mut inside = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence && !line.starts_with("    ")
    });
    let lines: Vec<&str> = lines.collect();
    let joined = lines.join("\n");
    joined.split('`').step_by(2).collect::<Vec<_>>().join("")
}

/// The targets of the links of a page.
fn links(text: &str) -> Vec<String> {
    let text = prose(text);
    let after = text.split("](").skip(1);
    after.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned()).collect()
}

/// The anchors of a page, as GitHub makes them of its headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut inside = false;
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = BTreeSet::new();
    for line in text.lines() {
        inside ^= line.trim_start().starts_with("```");
        let Some(heading) = line.strip_prefix('#').filter(|_| !inside) else { continue };
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let anchor = kept.collect::<String>().replace(' ', "-");
        let before = seen.entry(anchor.clone()).or_default();
        anchors.insert(if *before == 0 { anchor } else { format!("{anchor}-{before}") });
        *before += 1;
    }
    anchors
}

/// `target` as seen from `page`, without `.` and `..`.
fn resolved(page: &Path, target: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in page.parent().unwrap().join(target).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    path
}

#[test]
fn links_lead_to_files_and_headings_that_exist() {
    let pages = pages();
    let mut broken = Vec::new();
    let mut checked = 0;
    for (page, text) in &pages {
        for link in links(text).into_iter().filter(|link| !link.contains("://")) {
            checked += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { page.clone() } else { resolved(page, file) };
            let has_anchor = || {
                let text = pages.get(&target);
                text.is_some_and(|text| anchors(text).contains(anchor))
            };
            if !root().join(&target).exists() || !(anchor.is_empty() || has_anchor()) {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(checked > 80, "{checked} links were found");
    assert_none("links that lead nowhere", &broken);
}

#[test]
fn every_page_is_reached_from_the_readme() {
    let pages = pages();
    let mut reached = BTreeSet::from([PathBuf::from("README.md")]);
    let mut open = vec![PathBuf::from("README.md")];
    while let Some(page) = open.pop() {
        for link in links(&pages[&page]) {
            let target = resolved(&page, link.split('#').next().unwrap());
            if pages.contains_key(&target) && reached.insert(target.clone()) {
                open.push(target);
            }
        }
    }
    // Pages beside the tests' data are for those who look at the data.
    let is_lost = |page: &&PathBuf| !page.starts_with("tests") && !reached.contains(*page);
    let lost: Vec<_> = pages.keys().filter(is_lost).collect();
    assert_none(
        "pages without a way to them",
        &lost.iter().map(|page| page.display().to_string()).collect::<Vec<_>>(),
    );
}

/// The paths in the repository that a text names, in order. A bare name of a Rust file
/// belongs to a folder that the same paragraph names before it.
fn named_paths(text: &str) -> Vec<NamedPath> {
    const TOP: [&str; 6] = ["src", "tests", "docs", "scripts", "benches", "configs"];
    let mut named = Vec::new();
    for paragraph in text.split("\n\n") {
        let mut folders: Vec<PathBuf> = Vec::new();
        for word in paragraph.split(|c: char| !(c.is_ascii_alphanumeric() || "_-./".contains(c))) {
            let word = word.trim_matches(['.', '/']);
            let mut parts = word.split('/');
            if parts.next().is_some_and(|top| TOP.contains(&top)) && parts.next().is_some() {
                let path = PathBuf::from(word);
                folders.push(match path.extension() {
                    Some(_) => path.parent().unwrap().to_owned(),
                    None => path.clone(),
                });
                // What ends so goes on with a wildcard.
                if !word.ends_with(['-', '_']) {
                    named.push(NamedPath {
                        word: word.to_owned(),
                        candidates: vec![path],
                        is_bare: false,
                    });
                }
            } else if word.len() > 3 && word.ends_with(".rs") {
                let candidates = folders.iter().map(|folder| folder.join(word));
                let candidates = candidates.chain([Path::new("src").join(word)]).collect();
                named.push(NamedPath { word: word.to_owned(), candidates, is_bare: true });
            }
        }
    }
    named
}

/// A path that a text names, and the files or folders that it may mean.
#[derive(Debug, PartialEq)]
struct NamedPath {
    word: String,
    candidates: Vec<PathBuf>,
    /// Whether the word is the name of a file without its folder.
    is_bare: bool,
}

#[test]
fn the_paths_that_pages_name_exist() {
    let mut missing = Vec::new();
    let mut checked = 0;
    for (page, text) in &pages() {
        let named = named_paths(text);
        // Only the design pages name files within a folder that they name before.
        let in_design = page.starts_with("docs/design");
        for NamedPath { word, candidates, is_bare } in named {
            if (is_bare && !in_design) || word == PATH_OF_THE_EXAMPLE {
                continue;
            }
            checked += 1;
            if !candidates.iter().any(|path| root().join(path).exists()) {
                missing.push(format!("{}: {word}", page.display()));
            }
        }
    }
    assert!(checked > 100, "{checked} paths were found");
    assert_none("paths that do not exist", &missing);
}

#[test]
fn the_glossary_names_types_and_modules_that_exist() {
    let text = fs::read_to_string(root().join("docs/glossary.md")).unwrap();
    let paths: Vec<&str> =
        text.split('`').skip(1).step_by(2).filter(|c| c.contains("::")).collect();
    assert!(paths.len() >= 10, "{paths:?}");
    let defined = |path: &str| {
        let (module, name) = path.split_once("::").unwrap();
        let sources = files(&format!("src/{module}"), &[".rs"]);
        let keywords = ["struct", "enum", "trait", "type", "mod"];
        sources.iter().any(|file| {
            let text = fs::read_to_string(root().join(file)).unwrap();
            text.split_inclusive(|c: char| !(c.is_alphanumeric() || c == '_'))
                .map(|word| word.trim_end_matches(|c: char| !(c.is_alphanumeric() || c == '_')))
                .collect::<Vec<_>>()
                .windows(2)
                .any(|pair| keywords.contains(&pair[0]) && pair[1] == name)
        })
    };
    let missing: Vec<_> = paths.into_iter().filter(|path| !defined(path)).collect();
    assert_none(
        "paths of the glossary that are not in src",
        &missing.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>(),
    );
}

#[test]
fn tumor_has_one_spelling() {
    let folders = ["src", "docs", "configs", "scripts", "tests/architecture"];
    let suffixes = [".rs", ".md", ".toml", ".py", ".js", ".html"];
    let inside = folders.iter().flat_map(|folder| files(folder, &suffixes));
    let mut found = Vec::new();
    let mut read = 0;
    for file in inside.chain(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(PathBuf::from)) {
        read += 1;
        let text = fs::read_to_string(root().join(&file)).unwrap().to_lowercase();
        let allowed = BOTH_SPELLINGS.iter().any(|allowed| Path::new(allowed) == file);
        if text.contains("tumour") && !allowed {
            found.push(file.display().to_string());
        }
    }
    assert!(read > 200, "{read} files were read");
    assert_none("files that spell `tumor` with a u", &found);
    let stale = BOTH_SPELLINGS.iter().filter(|file| {
        !fs::read_to_string(root().join(file)).unwrap().to_lowercase().contains("tumour")
    });
    assert_none("exceptions without need", &stale.map(|s| (*s).to_owned()).collect::<Vec<_>>());
}

#[test]
fn links_and_anchors_are_read_as_github_reads_them() {
    let text = "# One `two`: three (4)\n\n[a](b.md#c) `[no](x)` [d](e)\n\n    [no](y)\n\n```\n[no](z)\n# No\n```\n## Same\n## Same\n";
    assert_eq!(links(text), ["b.md#c", "e"]);
    let expected = ["one-two-three-4", "same", "same-1"].map(str::to_owned);
    assert_eq!(anchors(text), BTreeSet::from(expected));
    let from = |link| resolved(Path::new("docs/design/a.md"), link);
    assert_eq!(from("../../README.md"), Path::new("README.md"));
    assert_eq!(from("b.md"), Path::new("docs/design/b.md"));
}

#[test]
fn bare_file_names_belong_to_the_folders_of_their_paragraph() {
    let text = "`src/a/b.rs`, `c.rs`.\n\n`d.rs` and tests/it.";
    let found: Vec<_> = named_paths(text).into_iter().map(|named| named.candidates).collect();
    let path = |text: &str| PathBuf::from(text);
    let expected = [
        vec![path("src/a/b.rs")],
        vec![path("src/a/c.rs"), path("src/c.rs")],
        vec![path("src/d.rs")],
        vec![path("tests/it")],
    ];
    assert_eq!(found, expected);
}
