//! `#[test]` for tests that may find out that something they need is missing.
//!
//! Rust's own harness knows a test as passed, failed, or ignored ahead of time. Tests of
//! slidegrid need a Python, a browser or a scheduler that may not be there, which a test
//! finds out when it runs. tests/it is therefore a program with a harness of its own
//! (tests/it/common/harness.rs), and this attribute lists a function among its tests.

use proc_macro::{Delimiter, TokenStream, TokenTree};

/// Lists a function without arguments as a test. `#[ignore = "reason"]` goes below.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, function: TokenStream) -> TokenStream {
    if !arguments.is_empty() {
        return error("#[test] takes no arguments");
    }
    let (mut function, ignored) = without_ignore(function);
    let Some(name) = name(&function) else { return error("#[test] belongs on a function") };
    let ignored = ignored.map_or("None".to_owned(), |reason| format!("Some({reason})"));
    let listed = format!(
        "::inventory::submit! {{ crate::common::harness::Test {{ \
             name: concat!(module_path!(), \"::{name}\"), ignored: {ignored}, body: {name}, \
         }} }}"
    );
    function.extend(listed.parse::<TokenStream>().expect("the text above is Rust"));
    function
}

/// The function without its attribute `ignore`, and the literal that is its reason.
fn without_ignore(function: TokenStream) -> (TokenStream, Option<String>) {
    let (mut kept, mut ignored) = (Vec::new(), None);
    for token in function {
        if let Some(reason) = ignore_reason(&token) {
            ignored = Some(reason);
            // The `#` in front of it.
            kept.pop();
        } else {
            kept.push(token);
        }
    }
    (kept.into_iter().collect(), ignored)
}

/// The reason in `[ignore = "reason"]`.
fn ignore_reason(token: &TokenTree) -> Option<String> {
    let TokenTree::Group(group) = token else { return None };
    if group.delimiter() != Delimiter::Bracket {
        return None;
    }
    let mut within = group.stream().into_iter();
    let is_ignore =
        matches!(within.next()?, TokenTree::Ident(word) if word.to_string() == "ignore");
    is_ignore.then(|| within.nth(1).map_or("\"\"".to_owned(), |reason| reason.to_string()))
}

/// The word after `fn`.
fn name(function: &TokenStream) -> Option<String> {
    let mut tokens = function.clone().into_iter();
    tokens.find(|token| matches!(token, TokenTree::Ident(word) if word.to_string() == "fn"))?;
    tokens.next().map(|name| name.to_string())
}

fn error(message: &str) -> TokenStream {
    format!("compile_error!({message:?});").parse().expect("the text above is Rust")
}
