//! House rules, held from the imports themselves: who imports whom, without circles; no
//! I/O in the maths; files small enough to know.
//!
//! `cargo test --test architecture -- --ignored --nocapture module_picture` prints the
//! modules and who imports whom, of this source or of that in the folder
//! `SLIDEGRID_SRC`.

mod docs;
mod front_page;
mod names;
mod planted;
mod purity;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use names::Graph;
use source::{Files, Source, read_files};

/// Modules that know no files, nor libraries or modules that do.
const PURE: [&str; 5] = ["geometry", "heatmap", "metrics", "normalize", "tissue"];

/// Files of other modules that are held to the same.
const PURE_FILES: [&str; 6] = [
    "model/dense/axis.rs",
    "predict/calibration.rs",
    "predict/draw.rs",
    "report/layers.rs",
    "report/names.rs",
    "scores/audit.rs",
];

/// Files that do no I/O themselves; what they import may.
const WITHOUT_IO: &str = "report/page/";

/// Most lines of a file, tests not counted.
const MOST_LINES: usize = 400;

fn folder() -> PathBuf {
    let stated = std::env::var_os("SLIDEGRID_SRC").map(PathBuf::from);
    stated.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

static LIBRARY: LazyLock<(Files, Source, Graph)> = LazyLock::new(|| {
    let files = read_files(&folder());
    let source = Source::parse(&files, "lib.rs");
    let graph = Graph::new(&source);
    (files, source, graph)
});

fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn every_path_is_understood() {
    let (_, _, graph) = &*LIBRARY;
    let unresolved: Vec<_> = graph.unresolved.iter().cloned().collect();
    assert_none("paths of the crate that name nothing the parser found", &unresolved);
}

#[test]
fn imports_do_not_run_in_circles() {
    let (_, source, graph) = &*LIBRARY;
    assert_none("files that import each other", &circles(source, graph));
}

/// Circles, each with the imports that make it one.
fn circles(source: &Source, graph: &Graph) -> Vec<String> {
    let name = |file: &usize| &source.files[*file].name;
    let described = |circle: &BTreeSet<usize>| {
        let edges = circle.iter().flat_map(|file| {
            let inside = graph.imports[*file].iter().filter(|(target, _)| circle.contains(target));
            inside.map(move |(target, path)| {
                format!("\n    {} imports {} by {path}", name(file), name(target))
            })
        });
        format!("{} files:{}", circle.len(), edges.collect::<String>())
    };
    graph.circles().iter().map(described).collect()
}

#[test]
fn modules_import_what_the_front_page_says() {
    let (files, source, graph) = &*LIBRARY;
    let list = front_page::read(&files["lib.rs"]).unwrap();
    let stated = front_page::arrows(&list).unwrap();
    let found = front_page::arrows_of(source, graph);
    assert_none(
        "src/lib.rs and the imports differ",
        &front_page::differences(&list, &stated, &found),
    );
}

#[test]
fn the_maths_does_no_io() {
    let (_, source, graph) = &*LIBRARY;
    let mut found = BTreeSet::new();
    for module in PURE {
        let files = source.files_of(module);
        assert!(!files.is_empty(), "no module {module}: was it moved?");
        found.extend(files.into_iter().flat_map(|file| purity::impurities(source, graph, file)));
    }
    for name in PURE_FILES {
        let file = source.file(name).unwrap_or_else(|| panic!("no src/{name}: was it moved?"));
        found.extend(purity::impurities(source, graph, file));
    }
    assert_none("I/O in the maths", &found.into_iter().collect::<Vec<_>>());
}

#[test]
fn the_report_page_does_no_io_itself() {
    let (_, source, graph) = &*LIBRARY;
    let in_page = |file: &usize| source.files[*file].name.starts_with(WITHOUT_IO);
    let files: Vec<usize> = (0..source.files.len()).filter(in_page).collect();
    assert!(!files.is_empty(), "no files in src/{WITHOUT_IO}: were they moved?");
    let mut found = Vec::new();
    for file in files {
        // The page's scripts and style are compiled in.
        let own = purity::own_impurities(graph, file).into_iter();
        for path in own.filter(|path| *path != "include_str!") {
            found.push(format!("src/{} uses {path}", source.files[file].name));
        }
    }
    assert_none("I/O in the page", &found);
}

/// Crates and modules by which a command would do itself what a room below owns.
const NOT_IN_COMMANDS: [&str; 4] = ["libc", "ndarray", "std::fs", "tempfile"];

#[test]
fn commands_call_rooms_and_do_no_work_of_their_own() {
    let (_, source, graph) = &*LIBRARY;
    let in_cli = |file: &usize| source.files[*file].name.starts_with("cli/");
    let files: Vec<usize> = (0..source.files.len()).filter(in_cli).collect();
    assert!(!files.is_empty(), "no files in src/cli: were they moved?");
    let mut found = Vec::new();
    for file in files {
        let is_work = |path: &&String| NOT_IN_COMMANDS.iter().any(|work| path.starts_with(work));
        let paths = graph.foreign[file].iter().filter(is_work);
        found.extend(paths.map(|path| format!("src/{} uses {path}", source.files[file].name)));
    }
    assert_none("work in the commands", &found);
}

/// Calls of `note` with a text that begins with `warning`. Quiet commands show no notes.
fn noted_warnings(text: &str) -> Vec<String> {
    let calls = text.split(".note(").skip(1);
    let texts = calls.map(|call| call.trim_start().trim_start_matches("&format!(").trim_start());
    let warnings = texts.filter(|text| text.starts_with("\"warning"));
    warnings.map(|text| text.lines().next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn warnings_are_shown_by_quiet_commands_too() {
    let (files, _, _) = &*LIBRARY;
    let found = files.iter().flat_map(|(name, text)| {
        noted_warnings(text).into_iter().map(move |line| format!("src/{name}: {line}"))
    });
    assert_none("warnings given as notes", &found.collect::<Vec<_>>());
    assert_eq!(noted_warnings("p.note(&format!(\n  \"warning: {x}\")); p.note(\"a\")").len(), 1);
    assert_eq!(noted_warnings("p.note(\"warning\")").len(), 1);
}

/// Structs, enums, traits, unions and aliases that a file defines, tests included. Indented
/// aliases are left out: most of them are the types of a trait, such as `Err`.
fn types_defined(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in text.lines() {
        let bare = line.trim_start();
        let bare = bare.strip_prefix("pub").map_or(bare, |rest| match rest.strip_prefix('(') {
            Some(scoped) => scoped.split_once(')').map_or(rest, |(_, rest)| rest),
            None => rest,
        });
        let mut words = bare.split_whitespace();
        let is_type = match words.next() {
            Some("struct" | "enum" | "trait" | "union") => true,
            Some("type") => !line.starts_with(' '),
            _ => false,
        };
        let name = words.next().filter(|_| is_type);
        let name = name.and_then(|name| name.split(|c: char| !c.is_alphanumeric()).next());
        found.extend(name.filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase())));
    }
    found
}

#[test]
fn a_name_of_a_type_means_one_thing() {
    let (files, _, _) = &*LIBRARY;
    let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (file, text) in files {
        for name in types_defined(text) {
            places.entry(name).or_default().push(format!("src/{file}"));
        }
    }
    let several = places.iter().filter(|(_, files)| files.len() > 1);
    let described = several.map(|(name, files)| format!("{name}: {}", files.join(", ")));
    assert_none("types of one name", &described.collect::<Vec<_>>());
    let planted =
        "pub(crate) struct A<'a> {\n    type B = C;\n  pub enum D {\ntype E = F;\nstruct G(H);";
    assert_eq!(types_defined(planted), ["A", "D", "E", "G"]);
    assert_eq!(types_defined("// a struct B\nlet x = enumerate;\npublish struct C"), [""; 0]);
}

#[test]
fn files_stay_small_enough_to_know() {
    let (_, source, _) = &*LIBRARY;
    let long = source.files.iter().filter(|file| file.lines > MOST_LINES);
    let described =
        long.map(|file| format!("src/{}: {} lines without tests", file.name, file.lines));
    assert_none(
        &format!("files of more than {MOST_LINES} lines: part them"),
        &described.collect::<Vec<_>>(),
    );
}

#[test]
#[ignore = "prints: give --nocapture"]
fn module_picture() {
    let (_, source, graph) = &*LIBRARY;
    let arrows = front_page::arrows_of(source, graph);
    let lines: usize = source.files.iter().map(|file| file.lines).sum();
    println!("{}", front_page::list(&arrows));
    println!("files                    {}", source.files.len());
    println!("lines without tests      {lines}");
    println!("modules at the top       {}", arrows.len());
    println!(
        "arrows between them      {}",
        arrows.values().map(|imports| imports.len()).sum::<usize>()
    );
    println!("circles between files    {}", graph.circles().len());
    println!(
        "files in circles         {}",
        graph.circles().iter().map(BTreeSet::len).sum::<usize>()
    );
}
