//! What a document in a registry needs there: every digest that it names, and what those name.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::image_tree::{ManifestStore, is_blob};
use crate::oci::{Digest, unambiguous};

/// How deep indexes may stand in indexes. The OCI allows any depth, and nobody uses it.
const DEPTH: usize = 4;
/// How many documents are read below one.
const MOST: usize = 100;
/// The media types of documents that name no further index or manifest.
const MANIFESTS: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// Why it cannot be known what a document needs. A store that does not answer is another error.
#[derive(Debug)]
pub(super) struct Unknown(String);

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unknown {}

/// What a document needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// The entries of an index, in its order.
    pub(super) entries: Vec<Digest>,
    /// Every digest that it names anywhere, also as the subject of a signature, and every digest
    /// that indexes below it name.
    pub(super) all: BTreeSet<Digest>,
}

impl Needs {
    /// Reads what `bytes`, any JSON document, needs.
    ///
    /// Fails with [`Unknown`] when it cannot be known, so that nothing may be deleted, and with
    /// another error when `store` does not answer.
    pub(super) fn read(bytes: &[u8], store: &impl ManifestStore) -> anyhow::Result<Needs> {
        let mut reader = Reader {
            store,
            all: BTreeSet::new(),
            reads: 0,
        };
        Ok(Needs {
            entries: reader.add(bytes, 0)?,
            all: reader.all,
        })
    }
}

/// Follows indexes in indexes, and the subjects of signatures.
struct Reader<'a, S> {
    store: &'a S,
    all: BTreeSet<Digest>,
    /// How many documents were read.
    reads: usize,
}

impl<S: ManifestStore> Reader<'_, S> {
    /// Adds what a document names. Returns the entries of an index.
    fn add(&mut self, bytes: &[u8], depth: usize) -> anyhow::Result<Vec<Digest>> {
        let document = unambiguous(bytes).map_err(|why| Unknown(why.to_string()))?;
        self.all.extend(mentioned(bytes));
        let none = Vec::new();
        let entries = match document.get("manifests") {
            Some(entries) => entries
                .as_array()
                .ok_or_else(|| Unknown("its `manifests` is not a list".to_owned()))?,
            None => &none,
        };
        let entries = entries.iter().map(|entry| self.follow(entry, depth));
        let entries = entries.collect::<anyhow::Result<_>>()?;
        if let Some(subject) = document.get("subject").filter(|it| !it.is_null()) {
            self.follow(subject, depth)?;
        }
        Ok(entries)
    }

    /// Adds what a descriptor leads to. Reads it unless it says that it is a manifest or a blob: neither
    /// names a further manifest.
    fn follow(&mut self, descriptor: &Value, depth: usize) -> anyhow::Result<Digest> {
        let digest = descriptor["digest"].as_str().unwrap_or_default();
        let digest: Digest = digest
            .parse()
            .map_err(|_| Unknown("a manifest that it names has no SHA-256 digest".to_owned()))?;
        self.all.insert(digest.clone());
        let kind = descriptor["mediaType"].as_str().unwrap_or_default();
        if MANIFESTS.contains(&kind) || is_blob(kind) {
            return Ok(digest);
        }
        self.reads += 1;
        if depth == DEPTH || self.reads > MOST {
            return Err(Unknown("too many indexes are below it".to_owned()).into());
        }
        if let Some(bytes) = self.store.manifest(&digest)? {
            self.add(&bytes, depth + 1)?;
        }
        Ok(digest)
    }
}

/// Every digest in the text, in whatever field.
fn mentioned(bytes: &[u8]) -> BTreeSet<Digest> {
    let text = String::from_utf8_lossy(bytes);
    let length = "sha256:".len() + 64;
    let digests = text.match_indices("sha256:").filter_map(|(at, _)| {
        let digest = text.get(at..at + length)?;
        digest.parse().ok()
    });
    digests.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    #[derive(Default)]
    struct Shelf(BTreeMap<Digest, Vec<u8>>);

    impl Shelf {
        fn put(&mut self, document: &Value) -> Digest {
            let bytes = document.to_string().into_bytes();
            let digest = Digest::of(&bytes);
            self.0.insert(digest.clone(), bytes);
            digest
        }

        fn needs(&self, document: &Value) -> anyhow::Result<Needs> {
            Needs::read(document.to_string().as_bytes(), self)
        }
    }

    impl ManifestStore for Shelf {
        fn manifest(&self, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
            Ok(self.0.get(digest).cloned())
        }

        fn config(&self, _: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
            Ok(None)
        }
    }

    #[test]
    fn an_index_needs_its_entries_and_what_indexes_in_it_need() {
        let mut shelf = Shelf::default();
        let (one, two, subject) = (Digest::of(b"1"), Digest::of(b"2"), Digest::of(b"s"));
        let inner = shelf.put(&json!({"manifests": [{"digest": two, "mediaType": MANIFESTS[0]}]}));
        let outer = json!({
            "manifests": [{"digest": one, "mediaType": MANIFESTS[1]}, {"digest": inner}],
            "subject": {"digest": subject},
        });
        let needs = shelf.needs(&outer).unwrap();
        assert_eq!(needs.entries, [one.clone(), inner.clone()]);
        let mut all = BTreeSet::from([one, two, inner.clone(), subject]);
        assert_eq!(needs.all, all);
        // So does a signature of the index.
        let outer = shelf.put(&outer);
        let needs = shelf.needs(&json!({"layers": [], "subject": {"digest": outer}}));
        all.insert(outer);
        assert_eq!(needs.unwrap().all, all);
    }

    #[test]
    fn a_signature_needs_its_subject() {
        let one = Digest::of(b"1");
        let signature = json!({"layers": [], "subject": {"digest": one}});
        let needs = Shelf::default().needs(&signature).unwrap();
        assert!(needs.all.contains(&one), "{needs:?}");
        assert_eq!(needs.entries, []);
    }

    #[test]
    fn what_two_programs_could_read_differently_is_an_error() {
        for text in [
            r#"{"manifests":[],"manifests":[]}"#,
            r#"{"manifests":[],"Manifests":[]}"#,
            r#"{"layers":[],"ſubject":{}}"#,
        ] {
            let error = Needs::read(text.as_bytes(), &Shelf::default()).unwrap_err();
            assert!(error.is::<Unknown>(), "{text}: {error:#}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_an_error() {
        let shelf = Shelf::default();
        for document in [
            json!({"manifests": 1}),
            json!({"manifests": [{}]}),
            json!({"manifests": [{"digest": "sha512:00"}]}),
            json!({"layers": [], "subject": 1}),
        ] {
            assert!(
                shelf.needs(&document).unwrap_err().is::<Unknown>(),
                "{document}"
            );
        }
        let html = Needs::read(b"<html>", &shelf).unwrap_err();
        assert!(html.is::<Unknown>());
        // An entry that the store lacks needs nothing.
        let lost = json!({"manifests": [{"digest": Digest::of(b"1")}]});
        assert!(shelf.needs(&lost).is_ok());
    }

    /// BuildKit's cache of a long build: docker/buildx#1007.
    #[test]
    fn the_layers_of_a_cache_are_needed_and_not_read() {
        let layer = |number: usize| {
            let digest = Digest::of(number.to_string().as_bytes());
            json!({"digest": digest, "mediaType": "application/vnd.oci.image.layer.v1.tar+zstd"})
        };
        let config = json!({
            "digest": Digest::of(b"c"), "mediaType": "application/vnd.buildkit.cacheconfig.v0",
        });
        let entries: Vec<Value> = (0..2 * MOST).map(layer).chain([config]).collect();
        let needs = Shelf::default()
            .needs(&json!({"manifests": entries}))
            .unwrap();
        assert_eq!(needs.all.len(), 2 * MOST + 1);
    }

    #[test]
    fn indexes_are_not_followed_without_end() {
        let mut shelf = Shelf::default();
        let mut deep = json!({"manifests": []});
        for _ in 0..=DEPTH {
            deep = json!({"manifests": [{"digest": shelf.put(&deep)}]});
        }
        let wide = vec![json!({"digest": Digest::of(b"1")}); MOST + 1];
        for document in [deep, json!({"manifests": wide})] {
            let error = shelf.needs(&document).unwrap_err();
            assert_eq!(error.to_string(), "too many indexes are below it");
        }
    }
}
