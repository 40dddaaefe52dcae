//! What a tag of the repository is for, by its name.

use crate::oci::Digest;
use crate::platform::Platform;
use crate::proof::ReleaseRecord;
use crate::version;

/// What a tag is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A version, `latest` or `dev`: what people pull. Never removed.
    Root,
    /// What the registry keeps about a version, `state-v1.2.3`. Never removed.
    Record,
    /// A build's own tag: a commit's, `sha-1ceb56b`, or a pull request's, `pr-12`.
    Build,
    /// One platform of a build, `sha-1ceb56b-linux-amd64`, which waits to be merged into `whole`.
    Part { whole: String },
    /// Signatures, proofs or an SBOM of a manifest, under the name that cosign and the OCI's
    /// fallback for referrers give: `sha256-…`, `sha256-….sig`.
    Signature { of: Digest },
    /// Anything else. Never removed.
    Foreign,
}

impl Kind {
    pub(crate) fn of(name: &str) -> Kind {
        if version::of_tag(name).is_some() || ["latest", "dev"].contains(&name) {
            return Kind::Root;
        }
        if ReleaseRecord::version_of(name).is_some() {
            return Kind::Record;
        }
        if is_build(name) {
            return Kind::Build;
        }
        if let Some(whole) = whole(name) {
            return Kind::Part { whole };
        }
        signed(name).map_or(Kind::Foreign, |of| Kind::Signature { of })
    }

    /// Whether such a tag leads to an image that this project builds.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self, Kind::Root | Kind::Build | Kind::Part { .. })
    }

    /// Whether such a tag is only ever written once, so that it need not be read again.
    pub(crate) fn is_written_once(&self, name: &str) -> bool {
        match self {
            Kind::Root => version::of_tag(name).is_some(),
            // A pull request's tag moves with each push to its branch.
            Kind::Build | Kind::Part { .. } => name.starts_with("sha-"),
            // A version may be withdrawn, and restored.
            Kind::Record | Kind::Signature { .. } | Kind::Foreign => false,
        }
    }
}

/// `sha-` and seven hex digits, as [`crate::tags::sha_name`] makes it, or `pr-` and a number.
fn is_build(name: &str) -> bool {
    if let Some(number) = name.strip_prefix("pr-") {
        let is_written_so = |it: u64| it > 0 && it.to_string() == number;
        return number.parse().is_ok_and(is_written_so);
    }
    let digits = name.strip_prefix("sha-").unwrap_or_default();
    digits.len() == 7 && digits.bytes().all(is_hex)
}

/// The build's tag that a platform's tag is a part of.
fn whole(name: &str) -> Option<String> {
    let is_part = |platform: Platform| {
        let end = format!("-{}", platform.as_str().replace('/', "-"));
        name.strip_suffix(&end).filter(|whole| is_build(whole))
    };
    Platform::ALL
        .into_iter()
        .find_map(is_part)
        .map(str::to_owned)
}

/// The digest that a signature's tag is named after.
fn signed(name: &str) -> Option<Digest> {
    let rest = name.strip_prefix("sha256-")?;
    let (hex, end) = rest.split_at_checked(64)?;
    let is_whole = end.is_empty() || end.starts_with('.');
    format!("sha256:{hex}").parse().ok().filter(|_| is_whole)
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

/// A tag's name for people to read: a signature's is longer than a line.
pub(crate) fn short(tag: &str) -> String {
    match tag.split_at_checked("sha256-".len() + 64) {
        Some((start, end)) if start.starts_with("sha256-") => format!("{}…{end}", &start[..19]),
        _ => tag.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_a_tag_is_for() {
        let hex = "ab".repeat(32);
        let of = Digest::of_hash(&[0xab; 32]);
        let part = |whole: &str| Kind::Part {
            whole: whole.to_owned(),
        };
        for (name, kind) in [
            ("v1.2.3", Kind::Root),
            ("v1.2.3-rc.1", Kind::Root),
            ("latest", Kind::Root),
            ("dev", Kind::Root),
            ("state-v1.2.3", Kind::Record),
            ("state-v1.2.3-rc.1", Kind::Record),
            ("sha-1ceb56b", Kind::Build),
            (&*crate::tags::sha_name(&hex), Kind::Build),
            ("pr-12", Kind::Build),
            ("pr-12-linux-arm64", part("pr-12")),
            ("sha-1ceb56b-linux-amd64", part("sha-1ceb56b")),
            ("sha-1ceb56b-linux-arm64", part("sha-1ceb56b")),
            (&format!("sha256-{hex}"), Kind::Signature { of: of.clone() }),
            // bsherman/bos#8: a clean-up that knew the name without its end alone.
            (
                &format!("sha256-{hex}.sig"),
                Kind::Signature { of: of.clone() },
            ),
            (&format!("sha256-{hex}.att"), Kind::Signature { of }),
        ] {
            assert_eq!(Kind::of(name), kind, "{name}");
        }
    }

    #[test]
    fn a_pull_requests_tag_is_read_again_and_a_commits_is_not() {
        for (name, once) in [
            ("sha-1ceb56b", true),
            ("v1.2.3", true),
            ("pr-12", false),
            ("dev", false),
            ("state-v1.2.3", false),
        ] {
            assert_eq!(Kind::of(name).is_written_once(name), once, "{name}");
        }
    }

    #[test]
    fn every_other_name_is_somebody_elses() {
        let hex = "ab".repeat(32);
        for name in [
            "1.2.3",
            "v1.2",
            "edge",
            "state-",
            "state-1.2.3",
            "state-latest",
            "state-v1.2",
            "state-v1.2.3.sig",
            "pr-",
            "pr-0",
            "pr-07",
            "pr-+7",
            "pr-7-fix",
            "latest-arm64",
            "sha-",
            "sha-1CEB56B",
            "sha-1ceb56",
            "sha-1ceb56b0",
            "sha-1ceb56b-",
            "sha-1ceb56b-linux-riscv64",
            "sha-1ceb56b-linux-amd64-x",
            "xsha-1ceb56b",
            "sha256-",
            &format!("sha256-{}", &hex[1..]),
            &format!("sha256-{hex}0"),
            &format!("sha256-{}", hex.to_uppercase()),
        ] {
            assert_eq!(Kind::of(name), Kind::Foreign, "{name}");
        }
    }

    #[test]
    fn only_a_signatures_name_is_shortened() {
        let signature = format!("sha256-{}.sig", "ab".repeat(32));
        let long = "x".repeat(100);
        for (tag, name) in [
            (&*signature, "sha256-abababababab….sig"),
            ("sha-1ceb56b-linux-amd64", "sha-1ceb56b-linux-amd64"),
            (&long, &long),
        ] {
            assert_eq!(short(tag), name);
        }
    }
}
