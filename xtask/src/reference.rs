//! Names of images: repository and tag, checked before any tool sees them.
//!
//! The grammar is that of the distribution project's `reference` package.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::oci::Digest;

/// A repository, with its registry unless that is Docker Hub: `agentgate/agent`,
/// `ghcr.io/me/agent`, `127.0.0.1:5000/agentgate/agent`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Repository(#[serde(deserialize_with = "parsed")] String);

const DOCKER_HUB: &str = "docker.io";

impl Repository {
    /// The full name of `tag` in this repository.
    pub(crate) fn reference(&self, tag: &str) -> String {
        format!("{self}:{tag}")
    }

    /// The full name of `digest` in this repository.
    pub(crate) fn by_digest(&self, digest: &Digest) -> String {
        format!("{self}@{digest}")
    }

    /// The full name of `version`, a tag or a digest, in this repository.
    pub(crate) fn named(&self, version: &str) -> String {
        // No tag has a colon.
        let separator = if version.contains(':') { '@' } else { ':' };
        format!("{self}{separator}{version}")
    }

    /// The registry, as `docker login` takes it.
    pub fn registry(&self) -> &str {
        split_registry(&self.0).0.unwrap_or(DOCKER_HUB)
    }

    pub(crate) fn is_on_docker_hub(&self) -> bool {
        // A host may be written either way.
        let names = [DOCKER_HUB, "index.docker.io"];
        names
            .iter()
            .any(|name| self.registry().eq_ignore_ascii_case(name))
    }

    /// The host of the registry's API.
    pub(crate) fn registry_host(&self) -> &str {
        if self.is_on_docker_hub() {
            "registry-1.docker.io"
        } else {
            self.registry()
        }
    }

    /// The name within the registry; Docker Hub's own images are under `library`.
    pub(crate) fn path(&self) -> String {
        let (_, path) = split_registry(&self.0);
        if self.is_on_docker_hub() && !path.contains('/') {
            format!("library/{path}")
        } else {
            path.to_owned()
        }
    }

    /// The one name under which proofs and release records know the repository: its registry is always
    /// written, in lower case, and Docker Hub's as `docker.io`.
    pub fn canonical(&self) -> String {
        let registry = if self.is_on_docker_hub() {
            DOCKER_HUB.to_owned()
        } else {
            self.registry().to_ascii_lowercase()
        };
        format!("{registry}/{}", self.path())
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Repository {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| Err(format!("bad repository `{text}`: {why}"));
        if text.is_empty() {
            return wrong("it is empty");
        }
        if text.contains("://") {
            return wrong("write it without a scheme, as in `ghcr.io/me/agent`");
        }
        if text.contains('@') {
            return wrong("a repository carries no digest");
        }
        let (registry, path) = split_registry(text);
        if let Some(registry) = registry
            && let Err(why) = check_registry(registry)
        {
            return wrong(&why);
        }
        if path.contains(':') {
            return wrong("a repository carries no tag: give the part before the `:`");
        }
        if path.len() > 255 {
            return wrong("it is longer than 255 characters");
        }
        match path.split('/').find(|part| !is_path_part(part)) {
            Some("") => wrong("it has an empty part between slashes"),
            Some(part) if part.chars().any(|c| c.is_ascii_uppercase()) => {
                wrong(&format!("`{part}` must be lower case"))
            }
            Some(part) => wrong(&format!(
                "`{part}` must be lower-case letters and digits, joined by one of `.`, `_`, `__` or `-`"
            )),
            None => Ok(Repository(text.to_owned())),
        }
    }
}

fn parsed<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let Repository(text) = text.parse().map_err(serde::de::Error::custom)?;
    Ok(text)
}

/// The registry is the first part when it looks like a host: a dot, a port, or `localhost`.
fn split_registry(text: &str) -> (Option<&str>, &str) {
    match text.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => {
            (Some(first), rest)
        }
        _ => (None, text),
    }
}

/// A registry's host and port; the host of `[::1]:5000` is `[::1]`.
pub(crate) fn split_port(registry: &str) -> (&str, Option<&str>) {
    match registry.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (registry, None),
    }
}

/// The address in `[::1]`.
pub(crate) fn ipv6(host: &str) -> Option<Ipv6Addr> {
    let address = host.strip_prefix('[')?.strip_suffix(']')?;
    address.parse().ok()
}

fn check_registry(registry: &str) -> Result<(), String> {
    let (host, port) = split_port(registry);
    if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
        return Err(format!("the registry `{registry}` has no valid port"));
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if ipv6(host).is_none() && !host.split('.').all(is_label) {
        return Err(format!("the registry `{registry}` is not a host name"));
    }
    Ok(())
}

fn is_path_part(part: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    part.starts_with(word)
        && part.ends_with(word)
        && part.split(word).all(|separator| {
            matches!(separator, "" | "." | "_" | "__") || separator.chars().all(|c| c == '-')
        })
}

/// A tag as registries take it: at most 128 of `[A-Za-z0-9_.-]`, not starting with `.` or `-`.
pub fn check_tag(tag: &str) -> Result<(), String> {
    let wrong = |why: &str| Err(format!("bad tag `{tag}`: {why}"));
    if tag.is_empty() {
        return wrong("it is empty");
    }
    if tag.len() > 128 {
        return wrong("it is longer than 128 characters");
    }
    if tag.starts_with(['.', '-']) {
        return wrong("it must start with a letter, a digit or `_`");
    }
    match tag
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || "_.-".contains(*c)))
    {
        Some(c) => wrong(&format!("`{c}` is not allowed in a tag")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_that_registries_take() {
        for good in [
            "agent",
            "agentgate/agent",
            "ghcr.io/me/agent",
            "localhost/agent",
            "localhost:5000/x",
            "[::1]:5000/x",
            "[2001:db8::1]/me/agent",
            // A host may be written either way, a name may not.
            "GHCR.io/me/agent",
            "127.0.0.1:5000/a/b/c",
            "a__b/c-d/e--f/g.h",
        ] {
            assert_eq!(
                good.parse::<Repository>().map(|r| r.to_string()),
                Ok(good.to_owned())
            );
        }
    }

    #[test]
    fn a_repository_knows_its_registry_and_its_name_there() {
        for (name, registry, host, path) in [
            (
                "agentgate/agent",
                "docker.io",
                "registry-1.docker.io",
                "agentgate/agent",
            ),
            ("node", "docker.io", "registry-1.docker.io", "library/node"),
            (
                "docker.io/node",
                "docker.io",
                "registry-1.docker.io",
                "library/node",
            ),
            ("ghcr.io/me/agent", "ghcr.io", "ghcr.io", "me/agent"),
            (
                "127.0.0.1:5000/agent",
                "127.0.0.1:5000",
                "127.0.0.1:5000",
                "agent",
            ),
        ] {
            let repository: Repository = name.parse().unwrap();
            let found = (
                repository.registry(),
                repository.registry_host(),
                &*repository.path(),
            );
            assert_eq!(found, (registry, host, path), "{name}");
        }
    }

    #[test]
    fn a_repository_has_one_canonical_name() {
        for (name, canonical) in [
            ("agentgate/agent", "docker.io/agentgate/agent"),
            ("docker.io/agentgate/agent", "docker.io/agentgate/agent"),
            (
                "Index.Docker.io/agentgate/agent",
                "docker.io/agentgate/agent",
            ),
            ("node", "docker.io/library/node"),
            ("GHCR.io/me/agent", "ghcr.io/me/agent"),
            ("localhost:5000/a/b", "localhost:5000/a/b"),
            ("[2001:DB8::1]:5000/x", "[2001:db8::1]:5000/x"),
        ] {
            let repository: Repository = name.parse().unwrap();
            assert_eq!(repository.canonical(), canonical, "{name}");
            let again: Repository = canonical.parse().unwrap();
            assert_eq!(again.canonical(), canonical);
        }
    }

    #[test]
    fn repositories_that_are_refused_say_why() {
        for (bad, why) in [
            ("", "empty"),
            ("https://ghcr.io/me/agent", "without a scheme"),
            ("agentgate/agent:dev", "no tag"),
            ("agentgate/agent@sha256:0", "no digest"),
            ("AgentGate/agent", "`AgentGate` must be lower case"),
            ("agentgate//agent", "empty part"),
            ("agentgate/", "empty part"),
            ("agentgate/a..b", "joined by"),
            ("agentgate/-a", "joined by"),
            ("host:99999/agent", "no valid port"),
            ("host:0/agent", "no valid port"),
            ("host:/agent", "no valid port"),
            (":5000/agent", "not a host name"),
            ("my_host.io/agent", "not a host name"),
            ("-host.io/agent", "not a host name"),
            ("::1/agent", "not a host name"),
            ("[::1/agent", "not a host name"),
            ("[::1]5000/agent", "no valid port"),
            ("[::g]:5000/agent", "not a host name"),
            ("localhost:5000", "no tag"),
            ("localhost:5000/X", "`X` must be lower case"),
        ] {
            let error = bad.parse::<Repository>().unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }

    #[test]
    fn tags_are_checked_before_docker_sees_them() {
        for good in ["dev", "sha-abc1234", "v0.2.13", "_x", &"a".repeat(128)] {
            assert_eq!(check_tag(good), Ok(()));
        }
        for (bad, why) in [
            ("", "empty"),
            (".x", "must start"),
            ("-x", "must start"),
            ("a b", "` ` is not allowed"),
            ("v1+build", "`+` is not allowed"),
            (&"a".repeat(129), "longer than 128"),
        ] {
            let error = check_tag(bad).unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }
}
