//! What a container sees of the layers: each lies over those below it.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::{Entry, Image, Kind, Layer, Visible};

type Files<'a> = BTreeMap<&'a str, Visible<'a>>;

impl Image {
    /// What a container sees: the topmost entry of every path, without what a layer above hides.
    pub(crate) fn files(&self) -> BTreeMap<&str, Visible<'_>> {
        let mut files = Files::new();
        for (number, layer) in self.layers.iter().enumerate() {
            // Whiteouts are about the layers below, wherever in the archive they stand.
            hide(&mut files, layer);
            for entry in &layer.entries {
                put(&mut files, number, entry);
            }
        }
        files
    }
}

fn hide(files: &mut Files<'_>, layer: &Layer) {
    for entry in &layer.entries {
        match entry.kind {
            Kind::Whiteout => {
                files.remove(entry.path.as_str());
                remove_below(files, &entry.path);
            }
            Kind::Opaque => remove_below(files, &entry.path),
            _ => {}
        }
    }
}

fn put<'a>(files: &mut Files<'a>, layer: usize, entry: &'a Entry) {
    match entry.kind {
        Kind::Whiteout | Kind::Opaque => return,
        Kind::Folder => {}
        _ => remove_below(files, &entry.path),
    }
    files.insert(&entry.path, Visible { layer, entry });
}

/// Removes what is in the folder `path`, however deep, but not the folder.
fn remove_below(files: &mut Files<'_>, path: &str) {
    if path.is_empty() {
        files.retain(|path, _| path.is_empty());
        return;
    }
    let first = format!("{path}/");
    let range = (Bound::Excluded(first.as_str()), Bound::Unbounded);
    let below = files.range::<str, _>(range).map(|(&path, _)| path);
    let below: Vec<&str> = below.take_while(|path| path.starts_with(&first)).collect();
    for path in below {
        files.remove(path);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use xtask::oci::{Config, Descriptor, Digest, Manifest};

    /// `+folder`, `@symlink`, `-whiteout`, `*opaque`; else a file.
    fn entry(text: &str) -> Entry {
        let (kind, path) = match text.split_at_checked(1) {
            Some(("+", path)) => (Kind::Folder, path),
            Some(("@", path)) => (Kind::Symlink("x".to_owned()), path),
            Some(("-", path)) => (Kind::Whiteout, path),
            Some(("*", path)) => (Kind::Opaque, path),
            _ => (Kind::File, text),
        };
        Entry::empty(path, kind, 0o644)
    }

    fn image(layers: &[&[&str]]) -> Image {
        let layer = |entries: &&[&str]| Layer {
            diff_id: Digest::of(b""),
            size: 0,
            unpacked: 0,
            entries: entries.iter().map(|text| entry(text)).collect(),
        };
        let config = Descriptor {
            media_type: String::new(),
            digest: Digest::of(b""),
            size: 0,
            platform: None,
            annotations: BTreeMap::new(),
        };
        Image {
            manifest: Manifest {
                media_type: String::new(),
                config,
                layers: Vec::new(),
                subject: None,
            },
            config: Config::default(),
            layers: layers.iter().map(layer).map(Arc::new).collect(),
        }
    }

    #[test]
    fn layers_lie_over_each_other() {
        let cases: [(&[&[&str]], &str); 12] = [
            (&[], ""),
            (&[&["+a", "a/b"], &["c"]], "a:0 a/b:0 c:1"),
            (&[&["+a", "a/b"], &["+a", "a/c"]], "a:1 a/b:0 a/c:1"),
            (&[&["a"], &["a"], &["b"]], "a:1 b:2"),
            (&[&["+a", "a/b", "a.c", "a0"], &["-a"]], "a.c:0 a0:0"),
            (&[&["+a", "+a/b", "a/b/c", "a/d"], &["*a"]], "a:0"),
            // Whatever the order, what the layer itself brings stays.
            (&[&["+a", "a/b"], &["+a", "a/c", "*a"]], "a:1 a/c:1"),
            (&[&["+a", "a/b"], &["a/b", "-a/b"]], "a:0 a/b:1"),
            (&[&["+a", "a/b"], &["@a"]], "a:1"),
            (&[&["a"], &["+a", "a/b"]], "a:1 a/b:1"),
            (&[&["a/b"], &["-a"], &["+a"]], "a:2"),
            (&[&["+", "a", "+b", "b/c"], &["*", "d"]], ":0 d:1"),
        ];
        for (layers, expected) in cases {
            let image = image(layers);
            let files = image.files().into_iter();
            let seen: Vec<_> = files
                .map(|(path, file)| format!("{path}:{}", file.layer))
                .collect();
            assert_eq!(seen.join(" "), expected, "{layers:?}");
        }
    }
}
