//! The rules themselves, tried on small sources that break them.

use super::names::Graph;
use super::source::{Files, Source};
use super::{circles, front_page, purity};

fn planted(files: &[(&str, &str)]) -> (Source, Graph) {
    let files: Files =
        files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let source = Source::parse(&files, "lib.rs");
    let graph = Graph::new(&source);
    (source, graph)
}

/// All imports between files, as `from > to`.
fn imports(files: &[(&str, &str)]) -> Vec<String> {
    let (source, graph) = planted(files);
    assert!(graph.unresolved.is_empty(), "{:?}", graph.unresolved);
    let name = |file: usize| source.files[file].name.trim_end_matches(".rs");
    let mut edges: Vec<String> = graph
        .imports
        .iter()
        .enumerate()
        .flat_map(|(from, targets)| targets.keys().map(move |to| (from, *to)))
        .map(|(from, to)| format!("{} > {}", name(from), name(to)))
        .collect();
    edges.sort();
    edges
}

const TWO: &str = "mod a; mod b;";

#[test]
fn every_way_to_write_an_import_is_found() {
    for text in [
        "use crate::b::B;",
        "use super::b::B;",
        "use crate::{b::{B}};",
        "use crate::b; fn f(_: b::B) {}",
        "use crate::b::{self}; fn f(_: b::B) {}",
        "use super::{b as c}; fn f(_: c::B) {}",
        "use crate::b::*;",
        "fn f() -> crate::b::B { loop {} }",
        "fn f() { let _ = super::b::B; }",
        "fn f() { use crate::b::B; }",
        "fn f() { println!(\"{:?}\", [(crate::b::B, 1)]); }",
        "struct S { b: Vec<Option<crate::b::B>> }",
        "impl crate::b::B { fn f(self) {} }",
        "mod inner { use super::super::b::B; }",
        "mod inner { pub use crate::b::B; } use self::inner::B as C;",
        "macro_rules! m { () => { $crate::b::B } }",
        "#[derive(crate::b::B)] struct S;",
        "#[cfg(not(test))] use crate::b::B;",
        "#[cfg(any(test, unix))] use crate::b::B;",
    ] {
        let found = imports(&[("lib.rs", TWO), ("a.rs", text), ("b.rs", "pub struct B;")]);
        assert_eq!(found, ["a > b"], "{text}");
    }
}

#[test]
fn what_is_no_import_is_none() {
    for text in [
        "",
        "// crate::b::B",
        "/// See [`crate::b::B`].\nfn f() {}",
        "fn f() -> &'static str { \"crate::b::B\" }",
        "use std::b::B;",
        "use ::b::B;",
        "mod b { pub struct B; } use b::B; use self::b::B as C;",
        "pub(in crate::a) fn f() {}",
        "#[cfg(test)] use crate::b::B;",
        "#[cfg(test)] mod tests { use crate::b::B; }",
        "#[cfg(all(test, unix))] mod tests { use crate::b::B; }",
        "fn f() { #[cfg(test)] let b = crate::b::B; }",
        "struct S; impl S { #[cfg(test)] fn f() -> crate::b::B {} }",
    ] {
        let found = imports(&[("lib.rs", TWO), ("a.rs", text), ("b.rs", "pub struct B;")]);
        assert!(found.is_empty(), "{text}: {found:?}");
    }
}

#[test]
fn a_name_is_followed_to_the_file_that_defines_it() {
    let through = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::{C, d};\nfn f() { d::g(); }"),
        ("b/mod.rs", "mod c; pub mod d; pub use c::C;"),
        ("b/c.rs", "pub struct C;"),
        ("b/d.rs", "pub use e::g; mod e;"),
        ("b/d/e.rs", "pub fn g() {}"),
    ];
    let expected = ["a > b/c", "a > b/d/e", "b/d > b/d/e", "b/mod > b/c"];
    assert_eq!(imports(&through), expected);
    let one_name_two_things = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::c;\nfn f() { c(); }"),
        ("b/mod.rs", "mod c; pub use c::c;"),
        ("b/c.rs", "pub fn c() {}"),
    ];
    assert_eq!(imports(&one_name_two_things), ["a > b/c", "b/mod > b/c"]);
    let behind_a_module = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::c::C;"),
        ("b/mod.rs", "pub mod c; pub fn c() -> c::C { c::C }"),
        ("b/c.rs", "pub struct C;"),
    ];
    assert_eq!(imports(&behind_a_module), ["a > b/c", "b/mod > b/c"]);
    let elsewhere = [
        ("lib.rs", "#[path = \"x/y.rs\"] mod a; mod b;"),
        ("x/y.rs", "use crate::b::made;"),
        ("b.rs", "make! { made }"),
    ];
    assert_eq!(imports(&elsewhere), ["x/y > b"]);
}

#[test]
fn a_path_that_names_nothing_is_reported() {
    let files = [("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b::Gone;"), ("b.rs", "")];
    let (_, graph) = planted(&files);
    assert_eq!(Vec::from_iter(graph.unresolved), ["src/a.rs: crate::b::Gone"]);
}

#[test]
fn circles_are_found() {
    let siblings = [
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "use crate::c::C; pub struct B;"),
        ("c.rs", "fn f() { super::a::A; } pub struct C;"),
    ];
    let (source, graph) = planted(&siblings);
    let found = circles(&source, &graph);
    assert_eq!(found.len(), 1);
    for edge in ["a.rs imports b.rs by crate::b::B", "c.rs imports a.rs by super::a::A"] {
        assert!(found[0].contains(edge), "{}", found[0]);
    }
    let mut files = siblings;
    files[3].1 = "pub struct C;";
    let (source, graph) = planted(&files);
    assert!(circles(&source, &graph).is_empty());
}

#[test]
fn a_parent_that_defines_what_its_children_need_is_a_circle() {
    let parent = |child: &'static str, own: &'static str| {
        let files = [
            ("lib.rs", "mod a;"),
            ("a/mod.rs", own),
            ("a/child.rs", child),
            ("a/shared.rs", "pub struct Shared;"),
        ];
        let (source, graph) = planted(&files);
        circles(&source, &graph).len()
    };
    let child = "use super::Shared; pub fn f() {}";
    assert_eq!(parent(child, "mod child; mod shared; pub use child::f; pub struct Shared;"), 1);
    assert_eq!(
        parent(child, "mod child; mod shared; pub use child::f; pub use shared::Shared;"),
        0
    );
}

#[test]
fn io_is_found_behind_other_modules() {
    let io = |maths: &str, helper: &str| {
        let files =
            [("lib.rs", "mod maths; mod helper;"), ("maths.rs", maths), ("helper.rs", helper)];
        let (source, graph) = planted(&files);
        Vec::from_iter(purity::impurities(&source, &graph, source.file("maths.rs").unwrap()))
    };
    for own in [
        "use std::fs;",
        "use std::{fmt, io::Read};",
        "fn f() { std::fs::read(\"x\"); }",
        "use std::path::Path;",
        "use hdf5::File;",
        "fn f() { image::open(\"x\"); }",
        "fn f() { println!(); }",
        "fn f() { ::std::process::exit(1) }",
    ] {
        assert_eq!(io(own, "").len(), 1, "{own}");
    }
    let pure = "use std::fmt; use ndarray::Array2; fn f() -> f64 { f64::from(u8::MAX) }";
    assert!(io(pure, "").is_empty(), "{:?}", io(pure, ""));
    let behind = io("use crate::helper::help;", "use std::env; pub fn help() {}");
    assert_eq!(behind, ["src/maths.rs -> helper.rs uses std::env"]);
}

#[test]
fn lines_for_tests_do_not_count() {
    let text = "\
//! A file.

fn f() {}

/// Eight lines with its comment.
#[cfg(test)]
mod tests {
    #[test]
    fn g() {
        assert!(true);
    }
}
";
    let (source, _) = planted(&[("lib.rs", "mod a; #[cfg(test)] mod b;"), ("a.rs", text)]);
    assert_eq!(source.file("a.rs").map(|file| source.files[file].lines), Some(4));
    assert_eq!(source.file("b.rs"), None);
}

const PAGE: &str = "\
//! ## Who imports whom
//!
//! ```text
//! maths
//!    a
//!    b  <- a
//! rest
//!    c  <- a
//!          b
//!    d  <- *
//! ```
";

const FOUR: [(&str, &str); 5] = [
    ("lib.rs", "mod a; mod b; mod c; mod d;"),
    ("a.rs", "pub struct A;"),
    ("b.rs", "use crate::a::A; pub struct B;"),
    ("c.rs", "use crate::{a::A, b::B}; pub struct C;"),
    ("d.rs", "use crate::a::A;"),
];

fn differences(files: &[(&str, &str)], page: &str) -> Vec<String> {
    let list = front_page::read(page).unwrap();
    let (source, graph) = planted(files);
    let found = front_page::arrows_of(&source, &graph);
    front_page::differences(&list, &front_page::arrows(&list).unwrap(), &found)
}

#[test]
fn the_front_page_and_the_imports_are_compared_both_ways() {
    let list = front_page::read(PAGE).unwrap();
    let titles: Vec<_> = list.iter().map(|group| group.title.as_str()).collect();
    assert_eq!(titles, ["maths", "rest"]);
    assert_eq!(differences(&FOUR, PAGE), [""; 0]);
    let found = differences(&FOUR, &PAGE.replace("b  <- a", "b"));
    assert_eq!(found, ["b imports a, not in the list: src/b.rs by crate::a::A"]);
    let mut files = FOUR;
    files[3].1 = "use crate::b::B; pub struct C;";
    assert_eq!(differences(&files, PAGE), ["c does not import a, though listed"]);
    files[0].1 = "mod a; mod b; mod c;";
    assert_eq!(differences(&files, PAGE)[1], "d is in the list, not in the source");
    let found = differences(&FOUR, &PAGE.replace("//!    d  <- *\n", ""));
    assert_eq!(found, ["d is not in the list"]);
    let mut files = FOUR.to_vec();
    files[0].1 = "mod a; mod b; mod c; mod d; pub mod internal;";
    files.push(("internal.rs", "pub mod d { pub use crate::d::D; } pub use crate::c::C;"));
    assert_eq!(differences(&files, PAGE), [""; 0]);
    files[1].1 = "use crate::internal::C; pub struct A;";
    let found = differences(&files, PAGE);
    assert_eq!(found, ["a imports c, not in the list: src/a.rs by crate::internal::C"]);
}

#[test]
fn arrows_of_the_front_page_point_up() {
    let error = |page: &str| front_page::read(page).and_then(|list| front_page::arrows(&list));
    assert!(error(PAGE).is_ok());
    let found = error(&PAGE.replace("//!    a\n", "//!    a  <- d\n")).unwrap_err();
    assert_eq!(found, "a imports d, which does not stand above it");
    assert!(error(&PAGE.replace("//!    a\n", "//!    a\n//!    a\n")).is_err());
    assert!(error("//! Nothing.").is_err());
}

#[test]
fn the_list_that_is_printed_is_the_one_that_is_read() {
    let (source, graph) = planted(&FOUR);
    let rows = front_page::list(&front_page::arrows_of(&source, &graph));
    let rows: String = rows.lines().map(|row| format!("//! {row}\n")).collect();
    let page = format!("//! ## Who imports whom\n//!\n//! ```text\n//! all\n{rows}//! ```\n");
    assert_eq!(differences(&FOUR, &page), [""; 0]);
}
