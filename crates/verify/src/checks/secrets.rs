//! Secrets in an image: in its configuration, in its history, in any file of any layer.

#[cfg(test)]
mod tests;
pub(super) mod words;

use std::collections::BTreeSet;

use xtask::oci::Digest;

use self::words::{in_pair, in_step};
use super::inspect::{self, Root, count};
use crate::check::Verdict;
use crate::facts::ImageFacts;
use crate::rootfs::{Entry, Image, Kind, secrets_in};

/// Files that exist to keep secrets.
const NAMES: [&str; 11] = [
    ".netrc",
    ".git-credentials",
    ".credentials.json",
    ".pgpass",
    ".pypirc",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    ".dockercfg",
    ".htpasswd",
];
const PATHS: [&str; 4] = [
    ".docker/config.json",
    ".aws/credentials",
    ".kube/config",
    ".config/gh/hosts.yml",
];
const ENDINGS: [&str; 3] = [".p12", ".pfx", ".jks"];

/// A layer with this many certificates is where the base's trusted ones come from.
const BUNDLE: usize = 20;

pub(super) fn environment(facts: &ImageFacts) -> Verdict {
    let pairs = &facts.image.config.config.env;
    let found: Vec<String> = pairs.iter().filter_map(|pair| in_pair(pair)).collect();
    if found.is_empty() {
        return Verdict::passed(format!("none in {}", count(pairs.len(), "variable")));
    }
    Verdict::none_of(&found, "no secret in a variable")
}

pub(super) fn labels(facts: &ImageFacts) -> Verdict {
    let labels = &facts.image.config.config.labels;
    let found: Vec<String> = labels
        .iter()
        .filter_map(|(name, value)| {
            let kinds = secrets_in(format!("{name}={value}").as_bytes());
            (!kinds.is_empty()).then(|| format!("{} in `{name}`", kinds.join(" and ")))
        })
        .collect();
    if found.is_empty() {
        return Verdict::passed(format!("none in {}", count(labels.len(), "label")));
    }
    Verdict::none_of(&found, "no secret in a label")
}

pub(super) fn history(facts: &ImageFacts) -> Verdict {
    let steps = &facts.image.config.history;
    let mut found = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let secrets = in_step(&step.created_by);
        if !secrets.is_empty() {
            let mut words = step.created_by.split_whitespace();
            let word = words.find(|word| word.chars().all(char::is_uppercase));
            found.push(format!(
                "{} in step {} of {} (`{} …`)",
                secrets.join(" and "),
                number + 1,
                steps.len(),
                word.unwrap_or("RUN"),
            ));
        }
    }
    if found.is_empty() {
        return Verdict::passed(format!("none in {}", count(steps.len(), "step")));
    }
    Verdict::none_of(&found, "no secret in a line of the build")
}

pub(super) fn files(facts: &ImageFacts) -> Verdict {
    let root = Root::of(facts);
    let mut found = Vec::new();
    let mut looked_at = 0;
    for (number, entry) in entries(&facts.image) {
        looked_at += 1;
        if let Some(what) = in_file(entry) {
            let name = inspect::name(&facts.image, number, &entry.path);
            let is_seen = root.files.get(entry.path.as_str());
            let is_seen = is_seen.is_some_and(|file| file.layer == number);
            let hidden = if is_seen {
                ""
            } else {
                ", which a layer above hides but does not remove"
            };
            found.push(format!("{what} in {name}{hidden}"));
        }
    }
    if found.is_empty() {
        return Verdict::passed(format!("none in {looked_at} files of all layers"));
    }
    Verdict::none_of(&found, "no secret in any file of any layer")
}

/// Every entry of every layer that has content, with the number of its layer.
fn entries(image: &Image) -> impl Iterator<Item = (usize, &Entry)> {
    let layers = image.layers.iter().enumerate();
    let entries = layers.flat_map(|(number, layer)| {
        let entries = layer.entries.iter();
        entries.map(move |entry| (number, entry))
    });
    entries.filter(|(_, entry)| entry.kind == Kind::File)
}

fn in_file(entry: &Entry) -> Option<String> {
    if !entry.secrets.is_empty() {
        return Some(entry.secrets.join(" and "));
    }
    let name = entry.path.rsplit('/').next().unwrap_or_default();
    if name == ".npmrc" {
        let text = entry.text.as_deref().unwrap_or_default();
        return text.contains("_auth").then(|| "credentials".to_owned());
    }
    let is_path = |path: &str| {
        let start = entry.path.strip_suffix(path);
        start.is_some_and(|start| start.is_empty() || start.ends_with('/'))
    };
    let is_secret = NAMES.contains(&name)
        || PATHS.iter().any(|path| is_path(path))
        || ENDINGS.iter().any(|ending| name.ends_with(ending));
    (is_secret && entry.size > 0).then(|| "a file for secrets".to_owned())
}

pub(super) fn build_ca(facts: &ImageFacts) -> Verdict {
    let ca = &facts.expected.build_ca;
    let of_base = of_base(&facts.image);
    let is_new = |one: &Digest| ca.contains(one) && !of_base.contains(one);
    let mut found = Vec::new();
    for (number, entry) in entries(&facts.image) {
        if entry.certificates.iter().any(is_new) {
            let name = inspect::name(&facts.image, number, &entry.path);
            found.push(format!("a certificate of the build in {name}"));
        }
    }
    for (number, layer) in facts.image.layers.iter().enumerate() {
        let left = layer.entries.iter().filter(|entry| is_mounted(entry));
        found.extend(left.map(|entry| inspect::name(&facts.image, number, &entry.path)));
    }
    if found.is_empty() {
        let of_build = count(ca.len(), "certificate");
        return Verdict::passed(format!(
            "none of the build's {of_build}, nothing in `/run/secrets`"
        ));
    }
    Verdict::none_of(
        &found,
        "no certificate that only the build trusts, nothing in `/run/secrets`",
    )
}

/// The certificates that the base trusts: those of the lowest layer that has a bundle.
fn of_base(image: &Image) -> BTreeSet<&Digest> {
    let layers = image.layers.iter().map(|layer| {
        let entries = layer.entries.iter();
        entries.flat_map(|entry| &entry.certificates).collect()
    });
    let mut bundles = layers.filter(|all: &BTreeSet<_>| all.len() >= BUNDLE);
    bundles.next().unwrap_or_default()
}

/// Whether a secret's mount left this behind.
fn is_mounted(entry: &Entry) -> bool {
    entry.path.starts_with("run/secrets/") && !matches!(entry.kind, Kind::Whiteout | Kind::Opaque)
}
