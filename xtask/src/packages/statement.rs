//! The packages of an image as an in-toto statement, which is kept beside it in its index.

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde_json::json;

use super::package::{Package, sorted};
use crate::oci::Digest;
use crate::oci::Shape::{self, Any, List, Object};
use crate::proof::Statement;

/// The type of the predicate: `{"packages": [{"name": "bash", "version": "5.3.3-r1"}, …]}`, in the order of the
/// names.
pub(super) const PACKAGES: &str = "urn:agentgate:packages:v1";
/// The longest statement, in bytes; an image's own has some 3 kB.
pub(super) const LONGEST: u64 = 1 << 20;

const PREDICATE: Shape = Object(&[("packages", List(&PACKAGE))]);
const PACKAGE: Shape = Object(&[("name", Any), ("version", Any)]);

#[derive(Deserialize)]
struct Predicate {
    packages: Vec<Package>,
}

/// The statement of what is installed in the image `digest`; `name` is its repository's canonical one.
pub(super) fn write(name: &str, digest: &Digest, packages: &[Package]) -> Vec<u8> {
    let statement = Statement {
        name: name.to_owned(),
        digest: digest.clone(),
        predicate_type: PACKAGES.to_owned(),
        predicate: json!({"packages": packages}),
    };
    statement.to_bytes()
}

/// Reads a statement of the image `digest`.
///
/// Fails for what two programs could read in different ways, and for one of another image.
pub(super) fn parse(bytes: &[u8], digest: &Digest) -> anyhow::Result<Vec<Package>> {
    let read = || -> anyhow::Result<Vec<Package>> {
        let statement = Statement::parse(bytes)?;
        ensure!(
            statement.digest == *digest,
            "it is of `{}`, not of `{digest}`",
            statement.digest
        );
        let predicate: Predicate = statement.predicate(PACKAGES, &PREDICATE)?;
        sorted(predicate.packages).map_err(anyhow::Error::msg)
    };
    read().context("the statement of its packages is bad")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_read_as_it_was_written_and_no_other() {
        let digest = Digest::of(b"manifest");
        let package = |name: &str| Package::new(name, "1.2-r0").unwrap();
        let packages = vec![package("bash"), package("jq")];
        let bytes = write("docker.io/agentgate/agent", &digest, &packages);
        assert_eq!(parse(&bytes, &digest).unwrap(), packages);
        let text = String::from_utf8(bytes.clone()).unwrap();
        for (from, to, expected) in [
            ("packages:v1", "packages:v2", "its predicate is of the type"),
            ("\"packages\":[", "\"Packages\":[", "but for case"),
            ("\"packages\":[", "\"packages\":[],\"packages\":[", "twice"),
            ("\"bash\"", "\"ba sh\"", "a bad name"),
            ("\"bash\"", "\"jq\"", "`jq` is there twice"),
            ("\"1.2-r0\"", "1", "its predicate is bad"),
            ("\"bash\"", "\"\\u001b[2J\"", "a bad name"),
        ] {
            let other = text.replace(from, to);
            assert_ne!(other, text, "{from}");
            let why = format!("{:#}", parse(other.as_bytes(), &digest).unwrap_err());
            assert!(why.contains(expected) && !why.contains('\u{1b}'), "{why}");
        }
        let why = format!("{:#}", parse(&bytes, &Digest::of(b"x")).unwrap_err());
        assert!(why.contains("not of `sha256:"), "{why}");
    }
}
