//! What the paths of a parsed crate name, and who imports whom by it.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Import, Module, Segments, Source};

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// A module.
    Module(usize),
    /// Something that a module defines.
    Item(usize),
    /// Something of another crate, by its path there.
    Foreign(Segments),
}

/// Files that a file imports from, each with one path that says so.
pub(crate) type Imports = BTreeMap<usize, String>;

/// Who imports whom in a crate.
#[derive(Debug)]
pub(crate) struct Graph {
    /// For each file the files of the crate it imports from.
    pub(crate) imports: Vec<Imports>,
    /// For each file the paths into other crates, and the macros it calls.
    pub(crate) foreign: Vec<BTreeSet<String>>,
    /// Paths that begin with `crate`, `self` or `super` and name nothing that was found.
    pub(crate) unresolved: BTreeSet<String>,
}

impl Graph {
    /// Resolves all paths of a crate.
    pub(crate) fn new(source: &Source) -> Self {
        let mut graph = Self {
            imports: vec![Imports::new(); source.files.len()],
            foreign: vec![BTreeSet::new(); source.files.len()],
            unresolved: BTreeSet::new(),
        };
        for (index, module) in source.modules.iter().enumerate() {
            for import in &module.imports {
                if import.name == "*" {
                    graph.add_all_of(source, index, &import.path);
                } else {
                    graph.add(source, index, &import.path);
                }
            }
            for path in &module.code_paths {
                graph.add(source, index, path);
            }
            let calls = module.macros.iter().map(|name| format!("{name}!"));
            graph.foreign[module.file].extend(calls);
        }
        graph
    }

    fn add(&mut self, source: &Source, from: usize, path: &[String]) {
        let targets = source.resolve(from, path);
        let file = source.modules[from].file;
        let inside = matches!(path[0].as_str(), "crate" | "self" | "super");
        if inside && targets.is_empty() {
            let name = &source.files[file].name;
            self.unresolved.insert(format!("src/{name}: {}", path.join("::")));
        }
        for target in targets {
            match target {
                Target::Item(module) => self.add_edge(source, file, module, path),
                // Whoever names a module and nothing in it takes nothing from it.
                Target::Module(_) => {}
                Target::Foreign(path) => {
                    self.foreign[file].insert(path.join("::"));
                }
            }
        }
    }

    fn add_edge(&mut self, source: &Source, file: usize, module: usize, path: &[String]) {
        let target = source.modules[module].file;
        if target != file {
            self.imports[file].entry(target).or_insert_with(|| path.join("::"));
        }
    }

    /// Adds what `use path::*` brings.
    fn add_all_of(&mut self, source: &Source, from: usize, path: &[String]) {
        let file = source.modules[from].file;
        for target in source.resolve(from, path) {
            let module = match target {
                Target::Item(module) => {
                    self.add_edge(source, file, module, path);
                    continue;
                }
                Target::Foreign(path) => {
                    self.foreign[file].insert(path.join("::"));
                    continue;
                }
                Target::Module(module) => module,
            };
            if !source.modules[module].items.is_empty() {
                self.add_edge(source, file, module, path);
            }
            for import in &source.modules[module].imports {
                for target in source.resolve(module, &import.path) {
                    if let Target::Item(module) = target {
                        self.add_edge(source, file, module, path);
                    }
                }
            }
        }
    }

    /// Files that can be reached from `file` by imports, each with the file before it.
    pub(crate) fn reached(&self, file: usize) -> BTreeMap<usize, usize> {
        let mut before = BTreeMap::new();
        let mut next = vec![file];
        while let Some(file) = next.pop() {
            for &target in self.imports[file].keys() {
                before.entry(target).or_insert_with(|| {
                    next.push(target);
                    file
                });
            }
        }
        before
    }

    /// Sets of files each of which imports, in the end, all others of its set.
    pub(crate) fn circles(&self) -> Vec<BTreeSet<usize>> {
        let reached: Vec<_> = (0..self.imports.len()).map(|file| self.reached(file)).collect();
        let mut circles = BTreeSet::new();
        for (file, before) in reached.iter().enumerate() {
            let circle: BTreeSet<usize> = before
                .keys()
                .copied()
                .filter(|&other| reached[other].contains_key(&file))
                .collect();
            if !circle.is_empty() {
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }
}

impl Source {
    /// All that `path` can name where it stands in the module `from`. A name may
    /// be a module and a function at once.
    pub(crate) fn resolve(&self, from: usize, path: &[String]) -> BTreeSet<Target> {
        self.resolve_below(from, path, &mut Vec::new())
    }

    /// `open`: look-ups that are under way, which a look-up of the same name ends.
    fn resolve_below(
        &self,
        from: usize,
        path: &[String],
        open: &mut Vec<(usize, Segments)>,
    ) -> BTreeSet<Target> {
        let ups = path.iter().take_while(|segment| *segment == "super").count();
        let (module, path) = match path.first().map(String::as_str) {
            None | Some("Self") => return BTreeSet::new(),
            Some("crate") => (0, &path[1..]),
            Some("self") => (from, &path[1..]),
            Some("super") => {
                let up = |module: usize, _| self.modules[module].parent.unwrap_or(0);
                ((0..ups).fold(from, up), &path[ups..])
            }
            Some(_) => {
                let found = self.look_up(from, path, open);
                let foreign = || BTreeSet::from([Target::Foreign(path.to_vec())]);
                return if found.is_empty() { foreign() } else { found };
            }
        };
        let found = self.look_up(module, path, open);
        if found.is_empty() { self.made_by_macro(module) } else { found }
    }

    /// The module itself, where its macros may define any name.
    fn made_by_macro(&self, module: usize) -> BTreeSet<Target> {
        let may = self.modules[module].defines_by_macro;
        may.then_some(Target::Item(module)).into_iter().collect()
    }

    /// What `path` names when the look-up begins in `module`.
    fn look_up(
        &self,
        module: usize,
        path: &[String],
        open: &mut Vec<(usize, Segments)>,
    ) -> BTreeSet<Target> {
        let Some((name, rest)) = path.split_first() else {
            return BTreeSet::from([Target::Module(module)]);
        };
        let here = (module, path.to_vec());
        if open.contains(&here) {
            return BTreeSet::new();
        }
        open.push(here);
        let Module { children, items, imports, .. } = &self.modules[module];
        let mut found = BTreeSet::new();
        // A module that has more behind it leaves its name to functions only.
        let below = children.contains_key(name) && !rest.is_empty();
        if let Some(&child) = children.get(name) {
            let mut inside = self.look_up(child, rest, open);
            if inside.is_empty() {
                inside = self.made_by_macro(child);
            }
            found.append(&mut inside);
        }
        if items.contains(name) && !below {
            found.insert(Target::Item(module));
        }
        for import in imports.iter().filter(|import| import.name == *name && !below) {
            found.append(&mut self.follow(module, import, rest, open));
        }
        if found.is_empty() {
            for import in imports.iter().filter(|import| import.name == "*") {
                for target in self.resolve_below(module, &import.path, open) {
                    if let Target::Module(all_of) = target {
                        found.append(&mut self.look_up(all_of, path, open));
                    }
                }
            }
        }
        open.pop();
        found
    }

    /// What `rest` names behind the name that an import of `module` brings.
    fn follow(
        &self,
        module: usize,
        import: &Import,
        rest: &[String],
        open: &mut Vec<(usize, Segments)>,
    ) -> BTreeSet<Target> {
        let mut found = BTreeSet::new();
        for target in self.resolve_below(module, &import.path, open) {
            match target {
                Target::Module(module) => found.append(&mut self.look_up(module, rest, open)),
                Target::Item(_) => drop(found.insert(target)),
                Target::Foreign(path) => {
                    found.insert(Target::Foreign([path.as_slice(), rest].concat()));
                }
            }
        }
        found
    }
}
