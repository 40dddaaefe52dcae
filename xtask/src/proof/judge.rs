//! What a statement must say to be believed. Whether its signature holds is cosign's to say.

use std::time::SystemTime;

use serde_json::Value;

use super::record::ReleaseRecord;
use super::time::future;
use super::verification::Verification;
use crate::oci::Digest;
use crate::platform::Platform;
use crate::printable;
use crate::reference::Repository;
use crate::version::Version;

/// The platform of an image that a proof must be of.
#[derive(Clone, Copy, Debug)]
pub struct ProofWanted<'a> {
    pub index: &'a Digest,
    /// The platform's manifest.
    pub manifest: &'a Digest,
    pub platform: Platform,
    /// The commit that the image is built from; none when any will do.
    pub revision: Option<&'a str>,
}

/// The version that a release record must be of.
#[derive(Clone, Copy, Debug)]
pub struct RecordWanted<'a> {
    pub version: &'a Version,
    /// Where the record was found.
    pub repository: &'a Repository,
    /// The version's index; none when any will do.
    pub digest: Option<&'a Digest>,
}

/// Every reason why a verification is not of what is wanted. The check set and the results of the checks are
/// judged by verify, which knows them.
pub(super) fn proof(
    verification: &Verification,
    wanted: &ProofWanted,
    repositories: &[String],
    now: SystemTime,
) -> Vec<String> {
    let mut reasons = Vec::new();
    if !repositories.contains(&verification.repository) {
        let repository = &verification.repository;
        reasons.push(format!(
            "it is of the repository `{repository}`, not of {}",
            list(repositories)
        ));
    }
    if verification.index != *wanted.index {
        let (of, index) = (verification.index.short(), wanted.index.short());
        reasons.push(format!("it is of the index `{of}`, not of `{index}`"));
    }
    if verification.manifest != *wanted.manifest {
        let (of, manifest) = (verification.manifest.short(), wanted.manifest.short());
        reasons.push(format!("it is of the manifest `{of}`, not of `{manifest}`"));
    }
    reasons.extend(future(&verification.time, now));
    reasons.extend(receipt(verification, wanted));
    reasons
}

/// Every reason why the receipt is not the one that the statement sums up.
fn receipt(verification: &Verification, wanted: &ProofWanted) -> Vec<String> {
    let execution = if verification.is_native {
        "native"
    } else {
        "emulated"
    };
    let fields = [
        ("index", Some(verification.index.as_str())),
        ("manifest", Some(verification.manifest.as_str())),
        ("check_set", Some(verification.check_set.as_str())),
        ("execution", Some(execution)),
        ("platform", Some(wanted.platform.as_str())),
        ("revision", wanted.revision),
    ];
    let unlike = |(field, value): (&str, Option<&str>)| {
        let found = &verification.receipt[field];
        let value = value.filter(|value| found.as_str() != Some(value))?;
        let found = match found {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let found = printable::short(&found);
        Some(format!(
            "its receipt's `{field}` is `{found}`, not `{value}`"
        ))
    };
    fields.into_iter().filter_map(unlike).collect()
}

/// Every reason why a record is not of what is wanted.
pub(super) fn record(
    record: &ReleaseRecord,
    wanted: &RecordWanted,
    now: SystemTime,
) -> Vec<String> {
    let mut reasons = Vec::new();
    let repository = wanted.repository.canonical();
    if record.repository != repository {
        let of = &record.repository;
        reasons.push(format!(
            "it is of the repository `{of}`, not of `{repository}`"
        ));
    }
    if record.version != *wanted.version {
        let (of, version) = (&record.version, wanted.version);
        reasons.push(format!("it is of the version {of}, not of {version}"));
    }
    if let Some(digest) = wanted.digest
        && record.digest != *digest
    {
        let (of, digest) = (record.digest.short(), digest.short());
        reasons.push(format!("it is of the image `{of}`, not of `{digest}`"));
    }
    reasons.extend(future(&record.time, now));
    reasons
}

fn list(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(" or ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::proof::record::tests::good as good_record;
    use crate::proof::verification::tests::good;

    const REVISION: &str = "1ceb56ba0b8b8c4c6882fec8ea36ba45328c3269";

    fn now() -> SystemTime {
        humantime::parse_rfc3339("2026-11-25T05:14:00Z").unwrap()
    }

    fn judged(change: impl Fn(&mut Verification)) -> String {
        let (index, manifest) = (Digest::of(b"index"), Digest::of(b"amd64"));
        let wanted = ProofWanted {
            index: &index,
            manifest: &manifest,
            platform: Platform::LinuxAmd64,
            revision: Some(REVISION),
        };
        let mut verification = good();
        change(&mut verification);
        let repositories = [
            "docker.io/agentgate/agent".to_owned(),
            "ghcr.io/me/agent".to_owned(),
        ];
        proof(&verification, &wanted, &repositories, now()).join("\n")
    }

    #[test]
    fn a_proof_of_anything_else_is_refused() {
        assert_eq!(judged(|_| {}), "");
        assert_eq!(
            judged(|one| one.repository = "ghcr.io/me/agent".to_owned()),
            ""
        );
        let other = || Digest::of(b"other");
        assert_eq!(
            judged(|one| one.repository = "docker.io/evil/agent".to_owned()),
            "it is of the repository `docker.io/evil/agent`, not of `docker.io/agentgate/agent` or \
             `ghcr.io/me/agent`"
        );
        assert!(judged(|one| one.index = other()).starts_with("it is of the index `"));
        assert!(judged(|one| one.manifest = other()).starts_with("it is of the manifest `"));
        let future = "its time `2026-11-25T06:00:00Z` is in the future";
        assert_eq!(
            judged(|one| one.time = "2026-11-25T06:00:00Z".to_owned()),
            future
        );
        // The statement says one thing and its receipt another.
        assert!(
            judged(|one| one.check_set = other()).starts_with("its receipt's `check_set` is `")
        );
        assert_eq!(
            judged(|one| one.is_native = false),
            "its receipt's `execution` is `native`, not `emulated`"
        );
        for (field, value, why) in [
            ("index", json!(other()), "its receipt's `index` is `sha256:"),
            ("index", json!(null), "its receipt's `index` is `null`"),
            (
                "manifest",
                json!(other()),
                "its receipt's `manifest` is `sha256:",
            ),
            (
                "check_set",
                json!(other()),
                "its receipt's `check_set` is `sha256:",
            ),
            (
                "execution",
                json!("static"),
                "its receipt's `execution` is `static`, not `native`",
            ),
            (
                "execution",
                json!("emulated"),
                "its receipt's `execution` is `emulated`",
            ),
            (
                "platform",
                json!("linux/arm64"),
                "its receipt's `platform` is `linux/arm64`",
            ),
            (
                "platform",
                json!(["linux/amd64"]),
                "its receipt's `platform` is `[\"linux/amd64\"]`",
            ),
            (
                "revision",
                json!("\u{1b}[2J"),
                "its receipt's `revision` is `\\u{1b}[2J`, not",
            ),
            (
                "revision",
                json!(format!("{REVISION}-dirty")),
                "its receipt's `revision` is `",
            ),
        ] {
            let judged = judged(|one| one.receipt[field] = value.clone());
            assert!(judged.starts_with(why), "{field} {value}: {judged}");
            assert_eq!(judged.lines().count(), 1, "{judged}");
        }
        let all = judged(|one| {
            one.repository = "docker.io/evil/agent".to_owned();
            one.time = "3000-01-01T00:00:00Z".to_owned();
        });
        assert_eq!(all.lines().count(), 2, "{all}");
    }

    #[test]
    fn a_record_of_anything_else_is_refused() {
        let judged = |change: fn(&mut ReleaseRecord), digest: Option<&Digest>| {
            let mut found = good_record();
            change(&mut found);
            let wanted = RecordWanted {
                version: &Version::new(0, 2, 13),
                repository: &"agentgate/agent".parse().unwrap(),
                digest,
            };
            record(&found, &wanted, now()).join("\n")
        };
        assert_eq!(judged(|_| {}, None), "");
        assert_eq!(judged(|_| {}, Some(&Digest::of(b"index"))), "");
        let image = judged(|_| {}, Some(&Digest::of(b"other")));
        assert!(image.starts_with("it is of the image `"), "{image}");
        assert_eq!(
            judged(|one| one.version = Version::new(0, 2, 12), None),
            "it is of the version 0.2.12, not of 0.2.13"
        );
        assert_eq!(
            judged(|one| one.repository = "ghcr.io/me/agent".to_owned(), None),
            "it is of the repository `ghcr.io/me/agent`, not of `docker.io/agentgate/agent`"
        );
        assert_eq!(
            judged(|one| one.time = "3000-01-01T00:00:00Z".to_owned(), None),
            "its time `3000-01-01T00:00:00Z` is in the future"
        );
    }
}
