//! Leftovers of a build: caches, compilers, headers.

use std::collections::{BTreeMap, BTreeSet};

use xtask::report;

use super::programs;
use crate::check::Verdict;
use crate::checks::agent::extra_packages;
use crate::checks::inspect::{self, Root, count};
use crate::facts::ImageFacts;
use crate::rootfs::{Entry, Kind, Visible};

/// Folders that only ever hold what can be had again; `*` is one user's folder.
const CACHES: [&str; 9] = [
    "var/cache",
    "var/lib/apt/lists",
    "root/.npm",
    "root/.cache",
    "home/*/.npm",
    "home/*/.cache",
    "usr/local/share/.cache",
    "tmp",
    "var/tmp",
];

const TOOLS: [&str; 13] = [
    "as", "c++", "cargo", "cc", "clang", "clang++", "cmake", "g++", "gcc", "go", "ld", "make",
    "rustc",
];

const PACKAGES: [&str; 7] = [
    "binutils",
    "build-base",
    "clang",
    "cmake",
    "g++",
    "gcc",
    "make",
];

/// Files of one kind in one layer.
#[derive(Default)]
struct Heap {
    files: usize,
    bytes: u64,
}

pub(super) fn package_cache(facts: &ImageFacts) -> Verdict {
    let root = Root::of(facts);
    let mut heaps: BTreeMap<(&str, usize), Heap> = BTreeMap::new();
    for (path, file) in &root.files {
        let cache = CACHES.into_iter().find(|cache| is_in(path, cache));
        if let Some(cache) = cache.filter(|_| file.entry.kind != Kind::Folder) {
            let heap = heaps.entry((cache, file.layer)).or_default();
            heap.files += 1;
            heap.bytes += file.entry.size;
        }
    }
    let mut found: Vec<String> = heaps
        .iter()
        .map(|((cache, layer), heap)| heap.describe(cache, &inspect::origin(&facts.image, *layer)))
        .collect();
    found.extend(hidden_caches(&root));
    root.none_of(&found, "no cache of a package manager")
}

impl Heap {
    fn describe(&self, cache: &str, origin: &str) -> String {
        let files = count(self.files, "file");
        let bytes = report::bytes(self.bytes);
        format!("{files} of {bytes} in `/{cache}` ({origin})")
    }
}

/// Caches that a later layer hides, but whose bytes are pulled all the same. What the base hides is
/// not ours to free.
fn hidden_caches(root: &Root<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let layers = root.image.layers.iter().enumerate();
    for (number, layer) in layers.skip(inspect::layers_of_base(root.image)) {
        let is_visible = |entry: &Entry| {
            let file = root.files.get(entry.path.as_str());
            file.is_some_and(|file| file.layer == number)
        };
        let mut heap = Heap::default();
        let entries = layer.entries.iter();
        for entry in entries.filter(|entry| is_download(entry) && !is_visible(entry)) {
            heap.files += 1;
            heap.bytes += entry.size;
        }
        if heap.files > 0 {
            let files = count(heap.files, "file");
            let bytes = report::bytes(heap.bytes);
            let origin = inspect::origin(root.image, number);
            found.push(format!(
                "{files} of {bytes} of a cache that a layer above hides but does not remove ({origin})"
            ));
        }
    }
    found
}

fn is_download(entry: &Entry) -> bool {
    if entry.kind != Kind::File {
        return false;
    }
    if entry.path.starts_with("root/.npm/_cacache/") {
        return true;
    }
    let name = entry.path.strip_prefix("var/cache/apk/");
    name.is_some_and(|name| {
        let ending = name.rsplit('.').next().unwrap_or_default();
        name.starts_with("APKINDEX") || name.ends_with(".tar.gz") || ending == "apk"
    })
}

/// Whether `path` is below `folder`, of which one part may be `*`.
fn is_in(path: &str, folder: &str) -> bool {
    let mut parts = path.split('/');
    let is_below = folder.split('/').all(|name| {
        let part = parts.next();
        part.is_some_and(|part| name == "*" || name == part)
    });
    is_below && parts.next().is_some()
}

pub(super) fn build_tools(facts: &ImageFacts) -> Verdict {
    let root = Root::of(facts);
    let programs = programs(facts, &root);
    let packages = packages(&root);
    // Who asks for further packages may ask for build tools, but for what apk installs alone.
    let extra = extra_packages(facts).unwrap_or_default();
    let asked = if extra.is_empty() {
        BTreeSet::new()
    } else {
        installed(&root)
    };
    let tools = programs.iter().filter(|path| is_tool(path));
    let mut found: Vec<String> = tools
        .filter_map(|path| root.files.get(path))
        .filter(|file| !asked.contains(&file.entry.path))
        .map(|file| root.name(file))
        .collect();
    if extra.is_empty() {
        let unwanted = packages.iter().filter(|name| is_for_building(name));
        found.extend(unwanted.map(|name| format!("package `{name}`")));
    }
    let is_unasked = |file: &Visible<'_>| !asked.contains(&file.entry.path);
    found.extend(headers(&root, is_unasked));
    if found.is_empty() && !extra.is_empty() {
        let extra = extra.join(" ");
        return Verdict::passed(format!("none but what EXTRA_PACKAGES asked for: {extra}"));
    }
    if found.is_empty() {
        let programs = count(programs.len(), "program");
        let packages = count(packages.len(), "package");
        return Verdict::passed(format!("none of {programs} and {packages}"));
    }
    Verdict::none_of(&found, "no compiler, linker, header or `-dev` package")
}

/// Also `x86_64-alpine-linux-musl-gcc`.
fn is_tool(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    TOOLS.contains(&name)
        || ["-gcc", "-g++", "-c++"]
            .iter()
            .any(|end| name.ends_with(end))
}

/// The lines of apk's database.
fn database<'a>(root: &Root<'a>) -> impl Iterator<Item = &'a str> {
    ["lib/apk/db/installed", "usr/lib/apk/db/installed"]
        .into_iter()
        .find_map(|path| root.text(path).ok())
        .into_iter()
        .flat_map(str::lines)
}

/// The names of the packages that apk installed.
fn packages<'a>(root: &Root<'a>) -> Vec<&'a str> {
    let lines = database(root);
    lines.filter_map(|line| line.strip_prefix("P:")).collect()
}

/// The paths that apk installed: a line for each folder, then one for each of its files.
fn installed(root: &Root<'_>) -> BTreeSet<String> {
    let mut folder = "";
    let files = database(root).filter_map(|line| match line.split_once(':') {
        Some(("F", path)) => {
            folder = path;
            None
        }
        Some(("R", name)) => Some(format!("{folder}/{name}")),
        _ => None,
    });
    files.collect()
}

fn is_for_building(package: &str) -> bool {
    package.ends_with("-dev") || PACKAGES.contains(&package)
}

/// The folders with headers. Node.js brings its own under `/usr/local/include`, and Python reads
/// its `pyconfig.h` when it runs.
fn headers(root: &Root<'_>, is_unasked: impl Fn(&Visible<'_>) -> bool) -> Vec<String> {
    let mut folders: BTreeMap<(&str, usize), usize> = BTreeMap::new();
    for (path, file) in &root.files {
        let is_header = path.starts_with("usr/include/")
            && path.rsplit('.').next() == Some("h")
            && file.entry.kind != Kind::Folder;
        let (folder, name) = path.rsplit_once('/').unwrap_or_default();
        let is_pythons = name == "pyconfig.h" && folder.starts_with("usr/include/python");
        if is_header && !is_pythons && is_unasked(file) {
            *folders.entry((folder, file.layer)).or_default() += 1;
        }
    }
    let folders = folders.into_iter();
    folders
        .map(|((folder, layer), number)| {
            let headers = count(number, "header");
            format!("{headers} in {}", inspect::name(root.image, layer, folder))
        })
        .collect()
}
