//! Which files know no files, and no libraries or modules that do.

use std::collections::BTreeSet;

use super::names::Graph;
use super::source::Source;

/// Crates without I/O that the maths uses.
const CRATES: [&str; 11] = [
    "colorous",
    "font8x8",
    "libdeflater",
    "ndarray",
    "rand",
    "rand_chacha",
    "serde",
    "serde_json",
    "sha2",
    "smartcore",
    "thiserror",
];

/// Modules of the standard library that reach nothing outside the program.
const STD: [&str; 14] = [
    "array",
    "borrow",
    "cmp",
    "collections",
    "error",
    "fmt",
    "hash",
    "iter",
    "mem",
    "num",
    "ops",
    "slice",
    "str",
    "sync",
];

/// Macros that read or write.
const MACROS: [&str; 8] = [
    "print!",
    "println!",
    "eprint!",
    "eprintln!",
    "dbg!",
    "include!",
    "include_bytes!",
    "include_str!",
];

/// How a file does I/O itself, if it does: paths into crates and modules not known to
/// be without it, and macros.
pub(crate) fn own_impurities(graph: &Graph, file: usize) -> Vec<&str> {
    graph.foreign[file].iter().map(String::as_str).filter(|path| !is_pure(path)).collect()
}

fn is_pure(path: &str) -> bool {
    if path.ends_with('!') {
        return !MACROS.contains(&path);
    }
    let mut segments = path.split("::");
    let (first, second) = (segments.next().unwrap_or_default(), segments.next());
    match first {
        "std" | "core" | "alloc" => second.is_some_and(|second| {
            // `std::f64::consts` and macros such as `std::is_x86_feature_detected`.
            STD.contains(&second) || is_number(second) || second.starts_with("is_x86")
        }),
        // Lints in attributes.
        "clippy" | "rustfmt" => true,
        // A type of the prelude, a parameter or a primitive type.
        _ if first.starts_with(char::is_uppercase) || is_number(first) => true,
        "str" | "char" | "bool" => true,
        _ => CRATES.contains(&first),
    }
}

fn is_number(name: &str) -> bool {
    let width = name.trim_start_matches(['u', 'i', 'f']);
    name.len() == width.len() + 1 && (width == "size" || width.parse::<u8>().is_ok())
}

/// Impurities of a file and of all it imports, each with the way that leads there.
pub(crate) fn impurities(source: &Source, graph: &Graph, file: usize) -> BTreeSet<String> {
    let before = graph.reached(file);
    let mut found = BTreeSet::new();
    for target in before.keys().copied().filter(|&target| target != file).chain([file]) {
        let mut way = vec![source.files[target].name.as_str()];
        let mut at = target;
        while at != file {
            at = before[&at];
            way.push(&source.files[at].name);
        }
        way.reverse();
        for path in own_impurities(graph, target) {
            found.insert(format!("src/{} uses {path}", way.join(" -> ")));
        }
    }
    found
}
