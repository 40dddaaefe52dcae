//! What a build needs and an image does not: caches, compilers, headers.

use std::collections::BTreeMap;

use super::programs;
use crate::report;
use crate::verify::check::Verdict;
use crate::verify::checks::look::{self, Root, count};
use crate::verify::facts::Facts;
use crate::verify::rootfs::{Entry, Image, Kind};

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

pub(super) fn package_cache(facts: &Facts) -> Verdict {
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
        .map(|((cache, layer), heap)| heap.told(cache, &look::origin(&facts.image, *layer)))
        .collect();
    found.extend(hidden_caches(&root));
    root.none_of(&found, "no cache of a package manager")
}

impl Heap {
    fn told(&self, cache: &str, origin: &str) -> String {
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
    for (number, layer) in layers.skip(layers_of_base(root.image)) {
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
            let origin = look::origin(root.image, number);
            found.push(format!(
                "{files} of {bytes} of a cache that a layer above hides but does not remove ({origin})"
            ));
        }
    }
    found
}

/// How many of the layers, counted from below, are the base's: those below the first with Git, or
/// else those up to the one that names the distribution.
fn layers_of_base(image: &Image) -> usize {
    let first_with = |path: &str| {
        let has = |entry: &Entry| entry.path == path;
        image
            .layers
            .iter()
            .position(|layer| layer.entries.iter().any(has))
    };
    first_with("usr/bin/git")
        .or_else(|| first_with("etc/os-release").map(|layer| layer + 1))
        .unwrap_or(0)
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

pub(super) fn build_tools(facts: &Facts) -> Verdict {
    let root = Root::of(facts);
    let programs = programs(facts, &root);
    let tools = programs.iter().filter(|path| is_tool(path));
    let mut found: Vec<String> = tools
        .filter_map(|path| root.files.get(path))
        .map(|file| root.name(file))
        .collect();
    let packages = packages(&root);
    let unwanted = packages.iter().filter(|name| is_for_building(name));
    found.extend(unwanted.map(|name| format!("package `{name}`")));
    found.extend(headers(&root));
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

/// The names of the packages that apk installed, from its database.
fn packages<'a>(root: &Root<'a>) -> Vec<&'a str> {
    ["lib/apk/db/installed", "usr/lib/apk/db/installed"]
        .into_iter()
        .find_map(|path| root.text(path).ok())
        .into_iter()
        .flat_map(str::lines)
        .filter_map(|line| line.strip_prefix("P:"))
        .collect()
}

fn is_for_building(package: &str) -> bool {
    package.ends_with("-dev") || PACKAGES.contains(&package)
}

/// The folders with headers. Node.js brings its own under `/usr/local/include`, and Python reads
/// its `pyconfig.h` when it runs.
fn headers(root: &Root<'_>) -> Vec<String> {
    let mut folders: BTreeMap<(&str, usize), usize> = BTreeMap::new();
    for (path, file) in &root.files {
        let is_header = path.starts_with("usr/include/")
            && path.rsplit('.').next() == Some("h")
            && file.entry.kind != Kind::Folder;
        let (folder, name) = path.rsplit_once('/').unwrap_or_default();
        let is_pythons = name == "pyconfig.h" && folder.starts_with("usr/include/python");
        if is_header && !is_pythons {
            *folders.entry((folder, file.layer)).or_default() += 1;
        }
    }
    let folders = folders.into_iter();
    folders
        .map(|((folder, layer), number)| {
            let headers = count(number, "header");
            format!("{headers} in {}", look::name(root.image, layer, folder))
        })
        .collect()
}
