//! The annotations of an index: what the labels of all its images agree on.
//!
//! An index has no labels, and a registry that shows a description or a link to the source (GHCR)
//! reads them from what the tag leads to. They come from the images alone, neither from the clock
//! nor from git, so that the same images make the same index wherever it is composed.

use std::collections::BTreeMap;

/// The labels of an image.
type Labels = BTreeMap<String, String>;

/// The labels that become annotations, all of OCI's (image-spec 1.1, "Annotations").
const KEYS: [&str; 8] = [
    "org.opencontainers.image.created",
    "org.opencontainers.image.description",
    "org.opencontainers.image.licenses",
    "org.opencontainers.image.revision",
    "org.opencontainers.image.source",
    "org.opencontainers.image.title",
    "org.opencontainers.image.url",
    "org.opencontainers.image.version",
];
const SOURCE: &str = "org.opencontainers.image.source";
const URL: &str = "org.opencontainers.image.url";

/// The longest value in bytes. Registries limit an index to 4 MiB, and nobody reads more than this.
const LONGEST: usize = 4096;

/// What the labels of all images have in common. An empty label says nothing, and one that
/// differs between platforms is not the index's. Without a `url` the source is it, if it is a web address.
pub(super) fn of<'a>(images: &[&'a Labels]) -> BTreeMap<&'static str, &'a str> {
    let mut annotations: BTreeMap<&'static str, &str> = KEYS
        .into_iter()
        .filter_map(|key| Some((key, common(images, key)?)))
        .collect();
    if let Some(source) = annotations.get(SOURCE).copied()
        && ["https://", "http://"]
            .iter()
            .any(|start| source.starts_with(start))
    {
        annotations.entry(URL).or_insert(source);
    }
    annotations
}

fn common<'a>(images: &[&'a Labels], key: &str) -> Option<&'a str> {
    let mut values = images
        .iter()
        .map(|labels| labels.get(key).map(String::as_str));
    let first = values.next()??;
    let is_usable = !first.is_empty() && first.len() <= LONGEST;
    (is_usable && values.all(|value| value == Some(first))).then_some(first)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::join;
    use super::super::tests::Shelf;
    use super::*;

    /// The annotations of an index of one image for each set of labels.
    fn annotations(labels: &[Value]) -> Value {
        let mut shelf = Shelf::default();
        let images = labels.iter().zip(["amd64", "arm64"]);
        let entries = images.flat_map(|(labels, arch)| shelf.labelled(arch, labels, arch));
        let entries: Vec<Value> = entries.collect();
        let tree = join(&[shelf.read(&entries).unwrap()]).unwrap();
        let index: Value = serde_json::from_slice(&tree.bytes).unwrap();
        index.get("annotations").cloned().unwrap_or_default()
    }

    #[test]
    fn an_index_has_what_its_images_agree_on() {
        let label =
            |key: &str, value: &str| json!({format!("org.opencontainers.image.{key}"): value});
        let (long, fits) = ("x".repeat(LONGEST + 1), "x".repeat(LONGEST));
        for (labels, expected) in [
            (
                vec![label("title", "a"), label("title", "a")],
                label("title", "a"),
            ),
            (vec![label("title", "a"), label("title", "b")], Value::Null),
            (vec![label("title", "a"), json!({})], Value::Null),
            (vec![label("title", "a")], label("title", "a")),
            // No remote, no source: an empty label is not a link.
            (vec![label("source", ""), label("source", "")], Value::Null),
            (
                vec![json!({"io.agentgate.extra-packages": "make"})],
                Value::Null,
            ),
            (vec![label("base.name", "node:20-alpine")], Value::Null),
            (
                vec![label("description", &fits)],
                label("description", &fits),
            ),
            (vec![label("description", &long)], Value::Null),
            (
                vec![label("description", "\"},\n{|\u{1b}")],
                label("description", "\"},\n{|\u{1b}"),
            ),
            (
                vec![label("source", "git@example.org:a/b")],
                label("source", "git@example.org:a/b"),
            ),
            (vec![], Value::Null),
        ] {
            assert_eq!(annotations(&labels), expected, "{labels:?}");
        }
    }

    #[test]
    fn the_source_is_the_url_unless_there_is_one() {
        let web = "https://github.com/me/agent";
        let source = json!({SOURCE: web});
        assert_eq!(annotations(&[source]), json!({SOURCE: web, URL: web}));
        let both = json!({SOURCE: web, URL: "https://example.org"});
        assert_eq!(annotations(std::slice::from_ref(&both)), both);
    }
}
