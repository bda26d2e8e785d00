//! The source of a crate, parsed: its modules without what is compiled for tests only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Item, UseTree};

/// Texts of the files below `src`, by their path in it (`slide/mod.rs`).
pub(crate) type Files = BTreeMap<String, String>;

/// A path as it stands in the source: `["crate", "slide", "open"]`.
pub(crate) type Segments = Vec<String>;

/// A name that a `use` brings into a module.
#[derive(Debug)]
pub(crate) struct Import {
    /// The name it has there; `*` for all names of a module.
    pub(crate) name: String,
    pub(crate) path: Segments,
}

/// A module, be it a file or a block in one.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// Names from the crate's root down; empty for the root.
    pub(crate) path: Segments,
    pub(crate) parent: Option<usize>,
    /// Index into [`Source::files`].
    pub(crate) file: usize,
    pub(crate) children: BTreeMap<String, usize>,
    /// Names that the module itself defines.
    pub(crate) items: BTreeSet<String>,
    pub(crate) imports: Vec<Import>,
    /// Paths of two segments or more in its code, with those inside macros.
    pub(crate) code_paths: BTreeSet<Segments>,
    /// Names of macros called in its code.
    pub(crate) macros: BTreeSet<String>,
    /// Whether a macro may define names that the parser does not see.
    pub(crate) defines_by_macro: bool,
}

/// A file of a crate.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// Path below `src`.
    pub(crate) name: String,
    /// Lines without those of items for tests.
    pub(crate) lines: usize,
}

/// A parsed crate.
#[derive(Debug, Default)]
pub(crate) struct Source {
    pub(crate) files: Vec<SourceFile>,
    /// The first is the crate's root.
    pub(crate) modules: Vec<Module>,
}

/// Reads all Rust files below a folder.
pub(crate) fn read_files(folder: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap_or_else(|e| panic!("{}: {e}", next.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|suffix| suffix == "rs") {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

impl Source {
    /// Parses the crate whose root is `root`, and every file its modules name.
    pub(crate) fn parse(files: &Files, root: &str) -> Self {
        let mut source = Self::default();
        source.add_file(files, root, Module::default());
        source
    }

    /// Index of the file of that name.
    pub(crate) fn file(&self, name: &str) -> Option<usize> {
        self.files.iter().position(|file| file.name == name)
    }

    /// The module at the top of the crate that a file belongs to; the root to none.
    pub(crate) fn top(&self, file: usize) -> Option<&str> {
        let module = self.modules.iter().find(|module| module.file == file)?;
        module.path.first().map(String::as_str)
    }

    /// The files of a module at the top of the crate.
    pub(crate) fn files_of(&self, top: &str) -> Vec<usize> {
        (0..self.files.len()).filter(|&file| self.top(file) == Some(top)).collect()
    }

    fn add_file(&mut self, files: &Files, name: &str, module: Module) -> usize {
        let text = files.get(name).unwrap_or_else(|| panic!("no file src/{name}"));
        let mut parsed = syn::parse_file(text).unwrap_or_else(|e| panic!("src/{name}: {e}"));
        let mut tests = ForTests::default();
        tests.visit_file_mut(&mut parsed);
        let lines = text.lines().count() - tests.lines();
        self.files.push(SourceFile { name: name.to_owned(), lines });
        let module = Module { file: self.files.len() - 1, ..module };
        self.add_module(files, module, parsed.items)
    }

    fn add_module(&mut self, files: &Files, module: Module, items: Vec<Item>) -> usize {
        let index = self.modules.len();
        self.modules.push(module);
        for item in items {
            if let Item::Mod(child) = item {
                let name = child.ident.to_string();
                let module = Module {
                    path: [self.modules[index].path.as_slice(), std::slice::from_ref(&name)]
                        .concat(),
                    parent: Some(index),
                    file: self.modules[index].file,
                    ..Module::default()
                };
                let added = match child.content {
                    Some((_, items)) => self.add_module(files, module, items),
                    None => {
                        let file = self.file_of_module(files, index, &name, &child.attrs);
                        self.add_file(files, &file, module)
                    }
                };
                self.modules[index].children.insert(name, added);
            } else {
                self.modules[index].add_item(&item);
            }
        }
        index
    }

    /// File of the module `name` that the module `parent` declares.
    fn file_of_module(
        &self,
        files: &Files,
        parent: usize,
        name: &str,
        attributes: &[Attribute],
    ) -> String {
        let declared_in = &self.files[self.modules[parent].file].name;
        let (folder, file) = declared_in.rsplit_once('/').unwrap_or(("", declared_in));
        let stem = file.strip_suffix(".rs").unwrap_or(file);
        let below = match stem {
            "lib" | "main" | "mod" => folder.to_owned(),
            _ => join(folder, stem),
        };
        let stated = attributes.iter().find_map(path_attribute).map(|path| join(folder, &path));
        let usual = [join(&below, &format!("{name}.rs")), join(&below, &format!("{name}/mod.rs"))];
        let known = stated.into_iter().chain(usual).find(|file| files.contains_key(file));
        known.unwrap_or_else(|| panic!("src/{declared_in}: found no file of its module {name}"))
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// The file that `#[path = ".."]` names.
fn path_attribute(attribute: &Attribute) -> Option<String> {
    let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
    let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(value), .. }) = &pair.value else {
        return None;
    };
    pair.path.is_ident("path").then(|| value.value())
}

impl Module {
    fn add_item(&mut self, item: &Item) {
        let name = match item {
            Item::Use(item) => {
                self.add_use(&item.tree, &mut Vec::new());
                return;
            }
            Item::Macro(item) => {
                self.defines_by_macro |= item.ident.is_none();
                item.ident.as_ref()
            }
            Item::Const(item) => Some(&item.ident),
            Item::Enum(item) => Some(&item.ident),
            Item::Fn(item) => Some(&item.sig.ident),
            Item::Static(item) => Some(&item.ident),
            Item::Struct(item) => Some(&item.ident),
            Item::Trait(item) => Some(&item.ident),
            Item::TraitAlias(item) => Some(&item.ident),
            Item::Type(item) => Some(&item.ident),
            Item::Union(item) => Some(&item.ident),
            _ => None,
        };
        self.items.extend(name.map(ToString::to_string));
        InnerUses(self).visit_item(item);
        self.add_tokens(item.to_token_stream());
    }

    fn add_use(&mut self, tree: &UseTree, prefix: &mut Segments) {
        let leaf = |name: String, prefix: &Segments, last: Option<String>| {
            // `use a::b::{self}` is the module itself.
            let last = last.filter(|last| last != "self" || prefix.is_empty());
            let path: Segments = prefix.iter().cloned().chain(last).collect();
            let name = match name.as_str() {
                "self" => path.last().cloned().unwrap_or(name),
                _ => name,
            };
            Import { name, path }
        };
        match tree {
            UseTree::Path(tree) => {
                prefix.push(tree.ident.to_string());
                self.add_use(&tree.tree, prefix);
                prefix.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_use(tree, prefix);
                }
            }
            UseTree::Name(tree) => {
                let name = tree.ident.to_string();
                self.imports.push(leaf(name.clone(), prefix, Some(name)));
            }
            UseTree::Rename(tree) => {
                let last = Some(tree.ident.to_string());
                self.imports.push(leaf(tree.rename.to_string(), prefix, last));
            }
            UseTree::Glob(_) => self.imports.push(leaf("*".to_owned(), prefix, None)),
        }
    }

    /// Collects paths and macros from code. Tokens are all that macros have.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => {
                    self.add_tokens(group.stream());
                    at += 1;
                }
                TokenTree::Ident(first) => {
                    let mut path = vec![first.to_string()];
                    at += 1;
                    while colons(&tokens, at)
                        && let Some(TokenTree::Ident(next)) = tokens.get(at + 2)
                    {
                        path.push(next.to_string());
                        at += 3;
                    }
                    if is_macro_call(&tokens, at) {
                        self.macros.extend(path.last().cloned());
                    }
                    if path.len() > 1 {
                        self.code_paths.insert(path);
                    }
                }
                _ => at += 1,
            }
        }
    }
}

fn punct(tokens: &[TokenTree], at: usize, mark: char) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(found)) if found.as_char() == mark)
}

fn colons(tokens: &[TokenTree], at: usize) -> bool {
    punct(tokens, at, ':') && punct(tokens, at + 1, ':')
}

/// Whether `!(`, `![` or `!{` follows.
fn is_macro_call(tokens: &[TokenTree], at: usize) -> bool {
    let group = matches!(
        tokens.get(at + 1),
        Some(TokenTree::Group(group)) if group.delimiter() != Delimiter::None
    );
    punct(tokens, at, '!') && group
}

/// Takes the `use` items inside functions for those of the module.
struct InnerUses<'m>(&'m mut Module);

impl<'ast> Visit<'ast> for InnerUses<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.0.add_use(&item.tree, &mut Vec::new());
        visit::visit_item_use(self, item);
    }
}

/// Takes out what is compiled for tests only, and notes its lines.
#[derive(Default)]
struct ForTests {
    ranges: Vec<RangeInclusive<usize>>,
}

impl ForTests {
    fn lines(&self) -> usize {
        let lines: BTreeSet<usize> = self.ranges.iter().cloned().flatten().collect();
        lines.len()
    }

    /// Whether a node stays.
    fn keeps(&mut self, attributes: &[Attribute], node: &impl Spanned) -> bool {
        let for_tests = attributes.iter().any(is_cfg_test);
        if for_tests {
            let span = node.span();
            self.ranges.push(span.start().line..=span.end().line);
        }
        !for_tests
    }
}

impl VisitMut for ForTests {
    fn visit_file_mut(&mut self, file: &mut syn::File) {
        file.items.retain(|item| self.keeps(attributes(item), item));
        visit_mut::visit_file_mut(self, file);
    }

    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        if let Some((_, items)) = &mut module.content {
            items.retain(|item| self.keeps(attributes(item), item));
        }
        visit_mut::visit_item_mod_mut(self, module);
    }

    fn visit_item_impl_mut(&mut self, block: &mut syn::ItemImpl) {
        block.items.retain(|item| match item {
            syn::ImplItem::Const(inner) => self.keeps(&inner.attrs, item),
            syn::ImplItem::Fn(inner) => self.keeps(&inner.attrs, item),
            syn::ImplItem::Type(inner) => self.keeps(&inner.attrs, item),
            _ => true,
        });
        visit_mut::visit_item_impl_mut(self, block);
    }

    fn visit_block_mut(&mut self, block: &mut syn::Block) {
        block.stmts.retain(|statement| match statement {
            syn::Stmt::Local(inner) => self.keeps(&inner.attrs, statement),
            syn::Stmt::Item(inner) => self.keeps(attributes(inner), statement),
            _ => true,
        });
        visit_mut::visit_block_mut(self, block);
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether an attribute is `#[cfg(test)]` or `#[cfg(all(test, ..))]`.
fn is_cfg_test(attribute: &Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else { return false };
    let tokens: Vec<TokenTree> = list.tokens.clone().into_iter().collect();
    let is_test = |token: &TokenTree| matches!(token, TokenTree::Ident(name) if name == "test");
    list.path.is_ident("cfg")
        && match tokens.as_slice() {
            [token] => is_test(token),
            [TokenTree::Ident(all), TokenTree::Group(group)] if all == "all" => {
                group.stream().into_iter().any(|token| is_test(&token))
            }
            _ => false,
        }
}
