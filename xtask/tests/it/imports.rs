//! Which file imports which: no file imports what imports it, at however many removes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module's path within its crate; the root's is empty.
type Module = Vec<String>;

/// The modules of a crate with their texts, without tests and comments.
fn modules(src: &Path) -> BTreeMap<Module, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![(src.to_owned(), Vec::new())];
    while let Some((folder, module)) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let is_root = module.is_empty() && ["lib", "main"].contains(&&*name);
            let below = [module.clone(), if is_root { vec![] } else { vec![name] }].concat();
            if path.is_dir() {
                folders.push((path, below));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                *found.entry(below).or_default() += code(&text).as_str();
            }
        }
    }
    found
}

/// The text up to the tests, without comments.
fn code(text: &str) -> String {
    let lines = text.lines().scan("", |before, line| {
        let is_tests = *before == "#[cfg(test)]" && line.ends_with('{');
        *before = line;
        (!is_tests).then_some(line)
    });
    let code = lines.map(|line| line.split("//").next().unwrap_or_default());
    code.collect::<Vec<_>>().join("\n")
}

/// Every path that a text writes from `crate`, `self` or `super`, the lists of a `use` taken apart.
fn paths(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for start in ["crate::", "self::", "super::"] {
        for (at, _) in text.match_indices(start) {
            let before = text[..at].chars().next_back().unwrap_or(' ');
            if before == ':' || before.is_alphanumeric() || before == '_' {
                continue;
            }
            expand("", &text[at..], &mut paths);
        }
    }
    paths
}

/// Takes apart `path::{list}`, which `text` begins with; returns what follows it.
fn expand<'a>(before: &str, text: &'a str, paths: &mut Vec<String>) -> &'a str {
    let text = text.trim_start();
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let end = text.find(|c| !is_path(c)).unwrap_or(text.len());
    let path = format!("{before}{}", &text[..end]);
    let mut rest = &text[end..];
    if !path.ends_with("::") || !rest.starts_with('{') {
        paths.push(path);
        return rest;
    }
    while let Some(item) = rest.strip_prefix(['{', ',']) {
        if item.trim_start().starts_with('}') {
            rest = item.trim_start();
            break;
        }
        rest = expand(&path, item, paths).trim_start();
    }
    rest.strip_prefix('}').unwrap_or(rest)
}

/// The module that a path written in `module` leads into.
fn target(module: &Module, path: &str, all: &BTreeMap<Module, String>) -> Module {
    let mut at = module.clone();
    for word in path.split("::") {
        match word {
            "crate" => at.clear(),
            "self" => {}
            "super" => {
                at.pop();
            }
            word => {
                at.push(word.to_owned());
                if !all.contains_key(&at) {
                    at.pop();
                    break;
                }
            }
        }
    }
    at
}

type Imports = BTreeMap<Module, BTreeSet<Module>>;

fn imports(all: &BTreeMap<Module, String>) -> Imports {
    let of = |(module, text): (&Module, &String)| {
        let targets = paths(text).into_iter();
        let targets = targets.map(|path| target(module, &path, all));
        let others = targets.filter(|target| target != module);
        (module.clone(), others.collect())
    };
    all.iter().map(of).collect()
}

/// Everything that `from` imports, at however many removes.
fn reached(from: &Module, imports: &Imports) -> BTreeSet<Module> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(module) = open.pop() {
        for other in imports.get(module).into_iter().flatten() {
            if reached.insert(other.clone()) {
                open.push(other);
            }
        }
    }
    reached
}

fn circles(all: &BTreeMap<Module, String>) -> Vec<String> {
    let imports = imports(all);
    let is_in_circle = |module: &&Module| reached(module, &imports).contains(*module);
    let found = imports.keys().filter(is_in_circle);
    found.map(|module| module.join("::")).collect()
}

#[test]
fn circles_are_found() {
    let texts = |texts: &[(&str, &str)]| {
        let module = |name: &str| name.split_terminator("::").map(str::to_owned).collect();
        let texts = texts.iter();
        texts
            .map(|(name, text)| (module(name), code(text)))
            .collect()
    };
    for (files, expected) in [
        (vec![("a", "use crate::b::B;"), ("b", "")], vec![]),
        (
            vec![("a", "use crate::b::B;"), ("b", "use super::a::A;")],
            vec!["a", "b"],
        ),
        (
            vec![("a", "crate::b::c()"), ("b", "use crate::{x, a};")],
            vec!["a", "b"],
        ),
        (
            vec![("a", "use self::b::{C, d::E};"), ("a::b", "use super::F;")],
            vec!["a", "a::b"],
        ),
        (
            vec![
                ("a", "use self::b::C;"),
                ("a::b", "use super::d::F;"),
                ("a::d", ""),
            ],
            vec![],
        ),
        (
            vec![
                ("a", "use crate::b::B;"),
                ("b", "use crate::c::{\n  D, e::{F},\n};"),
                ("c", "super::a()"),
            ],
            vec!["a", "b", "c"],
        ),
        (
            vec![
                ("a", "use crate::b;"),
                ("b", "// crate::a\n#[cfg(test)]\nmod tests {\ncrate::a"),
            ],
            vec![],
        ),
    ] {
        assert_eq!(circles(&texts(&files)), expected, "{files:?}");
    }
}

#[test]
fn no_file_imports_what_imports_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for package in [
        "xtask",
        "crates/verify",
        "crates/testbed",
        "crates/agent-entrypoint",
    ] {
        let all = modules(&root.join(package).join("src"));
        assert!(all.len() > 10, "{package}: its files were not found");
        let tests = |module: &Module| module.iter().any(|name| name == "tests");
        let all = all
            .into_iter()
            .filter(|(module, _)| !tests(module))
            .collect();
        assert_eq!(
            circles(&all),
            [""; 0],
            "{package}: move what both need to a file below them"
        );
    }
}
