//! Whom this project believes, with what cosign needs to verify it.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::reference::Repository;
use crate::settings::{Expression, ProofSettings};

/// The longest file that is read, in bytes. Sigstore's own list of roots has 7 kB.
const LONGEST: u64 = 1 << 20;

/// The settings, with the files that they name.
pub(super) struct Policy {
    pub(super) keys: Vec<TrustedKey>,
    /// Who signs proofs.
    pub(super) identity: Option<TrustedIdentity>,
    /// Who signs release records.
    pub(super) release_identity: Option<TrustedIdentity>,
    /// The canonical names of the repositories that a proof may be of.
    pub(super) repositories: Vec<String>,
}

/// A public key.
pub(super) struct TrustedKey {
    /// As the settings name it.
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// How cosign's bundles call it.
    pub(super) hint: String,
}

/// Anybody whose certificate matches.
#[derive(Clone)]
pub(super) struct TrustedIdentity {
    pub(super) expression: Expression,
    pub(super) issuer: String,
    /// `OWNER/NAME` on GitHub: whose runs may sign.
    pub(super) repository: String,
    /// Sigstore's public roots without one.
    pub(super) root: Option<Root>,
}

/// A file with the roots of certificates and logs, and which kinds it has. What it has not cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Root {
    pub(super) path: PathBuf,
    /// Logs of signatures.
    pub(super) has_logs: bool,
    /// Logs of certificates.
    pub(super) has_certificate_logs: bool,
    pub(super) has_timestamps: bool,
}

impl Policy {
    /// Reads the files that the settings of the workspace at `root` name. `repositories` count where the
    /// settings name none.
    pub(super) fn read(
        settings: &ProofSettings,
        root: &Path,
        repositories: &[&Repository],
    ) -> anyhow::Result<Policy> {
        let keys = settings.keys.iter().map(|key| TrustedKey::read(root, key));
        let trusted_root = settings.trusted_root.as_ref();
        let trusted_root = trusted_root.map(|path| Root::read(root.join(path)));
        let trusted_root = trusted_root.transpose()?;
        let identity = |expression: Option<&Expression>| {
            let expression = expression?.clone();
            let own = || expression.github_repository();
            Some(TrustedIdentity {
                issuer: settings.issuer.clone()?,
                repository: settings.github_repository.clone().or_else(own)?,
                expression,
                root: trusted_root.clone(),
            })
        };
        let named = settings.repositories.iter();
        let mut repositories: Vec<String> = match named.len() {
            0 => repositories.iter().map(|name| name.canonical()).collect(),
            _ => named.map(Repository::canonical).collect(),
        };
        repositories.sort_unstable();
        repositories.dedup();
        Ok(Policy {
            keys: keys.collect::<anyhow::Result<_>>()?,
            identity: identity(settings.identity.as_ref()),
            release_identity: identity(settings.release_identity.as_ref()),
            repositories,
        })
    }
}

impl TrustedKey {
    fn read(root: &Path, name: &Path) -> anyhow::Result<TrustedKey> {
        let path = root.join(name);
        let text = text(&path).with_context(|| {
            format!(
                "failed to read `{}`, which `keys` of the `proof` settings names; hint: \
                 `cosign public-key --key cosign.key` prints a public key",
                path.display()
            )
        })?;
        let hint = key_hint(&text).with_context(|| format!("bad key `{}`", path.display()))?;
        Ok(TrustedKey {
            name: name.display().to_string(),
            path,
            hint,
        })
    }
}

impl Root {
    fn read(path: PathBuf) -> anyhow::Result<Root> {
        let failed = || {
            format!(
                "failed to read `{}`, the `trusted-root` of the `proof` settings; hint: \
                 `cosign trusted-root create` writes one",
                path.display()
            )
        };
        let value: Value = text(&path)
            .and_then(|text| Ok(serde_json::from_str(&text)?))
            .with_context(failed)?;
        let has = |key: &str| value[key].as_array().is_some_and(|list| !list.is_empty());
        ensure!(
            has("certificateAuthorities"),
            "`{}` names no `certificateAuthorities`: nobody's certificate can be verified by it",
            path.display()
        );
        Ok(Root {
            has_logs: has("tlogs"),
            has_certificate_logs: has("ctlogs"),
            has_timestamps: has("timestampAuthorities"),
            path,
        })
    }
}

fn text(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let file = File::open(path)?;
    file.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

/// How cosign's bundles call a public key: by the SHA-256 of its DER, in base64.
pub(super) fn key_hint(pem: &str) -> anyhow::Result<String> {
    const HINT: &str = "hint: `cosign public-key --key cosign.key` prints it as PEM";
    let inner = pem.trim().strip_prefix("-----BEGIN PUBLIC KEY-----");
    let inner = inner.and_then(|rest| rest.strip_suffix("-----END PUBLIC KEY-----"));
    let inner = inner.with_context(|| format!("it is not one public key; {HINT}"))?;
    let base64: String = inner.split_whitespace().collect();
    let der = STANDARD.decode(base64).ok().filter(|der| !der.is_empty());
    let der = der.with_context(|| format!("it is not one public key; {HINT}"))?;
    Ok(STANDARD.encode(Sha256::digest(der)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A key that cosign 3.1.1 has made, and the hint in a bundle that it has signed with it.
    const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEevOSNpzU5ofIGv9hL/SyvkAttzWg\n\
    e4UH1wip+EdmC941cA/fXzCxoJDseqzkLe0+ej6XY075roImWTlZ+4zkDQ==\n-----END PUBLIC KEY-----\n";
    const HINT: &str = "xjRB/aneo3a2e72UAVcLm4o1cBobm8qITs0+b8H+sd4=";

    #[test]
    fn a_key_is_called_as_cosign_calls_it() {
        assert_eq!(key_hint(KEY).unwrap(), HINT);
        let private = KEY.replace("PUBLIC", "ENCRYPTED SIGSTORE PRIVATE");
        let cut = KEY.replace("MFkw", "MFk");
        for wrong in ["", "x", &private, &KEY.repeat(2), &cut] {
            let error = key_hint(wrong).unwrap_err().to_string();
            assert!(error.contains("not one public key"), "{wrong}: {error}");
        }
    }

    fn policy(folder: &Path, more: &str) -> anyhow::Result<Policy> {
        let settings: ProofSettings = toml::from_str(more).unwrap();
        let here: Repository = "agentgate/agent".parse().unwrap();
        Policy::read(&settings, folder, &[&here])
    }

    #[test]
    fn the_files_that_the_settings_name_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let error = policy(folder, "keys = ['a.pub']").err().unwrap();
        let error = format!("{error:#}");
        assert!(
            error.contains("`keys` of the `proof` settings names; hint:"),
            "{error}"
        );
        fs::write(folder.join("a.pub"), KEY).unwrap();
        let found = policy(folder, "keys = ['a.pub']").unwrap();
        assert_eq!(
            (&*found.keys[0].name, &*found.keys[0].hint),
            ("a.pub", HINT)
        );
        assert_eq!(found.repositories, ["docker.io/agentgate/agent"]);
        assert!(found.identity.is_none() && found.release_identity.is_none());
        let named = "keys = ['a.pub']\nrepositories = ['me/b', 'ghcr.io/me/a', 'docker.io/me/b']";
        let named = policy(folder, named).unwrap().repositories;
        assert_eq!(named, ["docker.io/me/b", "ghcr.io/me/a"]);
    }

    #[test]
    fn a_root_says_what_can_be_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let settings = "identity = '^a$'\nrelease-identity = '^b$'\nissuer = 'https://i.example'\n\
                        github-repository = 'me/agent'\n\
                        trusted-root = 'root.json'";
        let root = |text: &str| {
            fs::write(folder.path().join("root.json"), text).unwrap();
            let identity = policy(folder.path(), settings)?.identity.unwrap();
            let root = identity.root.unwrap();
            anyhow::Ok((
                root.has_logs,
                root.has_certificate_logs,
                root.has_timestamps,
            ))
        };
        let with = |more: &str| root(&format!("{{\"certificateAuthorities\":[{{}}]{more}}}"));
        assert_eq!(with("").unwrap(), (false, false, false));
        assert_eq!(with(",\"tlogs\":[]").unwrap(), (false, false, false));
        assert_eq!(with(",\"tlogs\":[{}]").unwrap(), (true, false, false));
        assert_eq!(with(",\"ctlogs\":[{}]").unwrap(), (false, true, false));
        let all = ",\"tlogs\":[{}],\"ctlogs\":[{}],\"timestampAuthorities\":[{}]";
        assert_eq!(with(all).unwrap(), (true, true, true));
        for wrong in ["", "[]", "{}", "{\"certificateAuthorities\":[]}"] {
            assert!(root(wrong).is_err(), "{wrong}");
        }
        let both = policy(folder.path(), settings);
        assert!(both.is_err());
    }
}
