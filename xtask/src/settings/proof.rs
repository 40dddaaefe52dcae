//! Whose proofs and release records are believed: the table `proof`.

use std::path::PathBuf;

use serde::Deserialize;

use super::expression::Expression;
use crate::reference::Repository;

/// Whom this project believes. Without the table it believes nobody's proof.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ProofTable")]
pub(crate) struct ProofSettings {
    /// Files of public keys that sign proofs and release records, relative to the workspace.
    pub(crate) keys: Vec<PathBuf>,
    /// Who signs proofs with a certificate.
    pub(crate) identity: Option<Expression>,
    /// Who signs release records with a certificate.
    pub(crate) release_identity: Option<Expression>,
    /// Who says who somebody is, a URL: needed for both identities.
    pub(crate) issuer: Option<String>,
    /// The repository on GitHub, `OWNER/NAME`, whose runs may sign. Without it: the one that each identity
    /// begins with. The identity of a reusable workflow is the same whoever calls it
    /// (huggingface/kernels#652).
    pub(crate) github_repository: Option<String>,
    /// The repositories that a proof may be of. Without it: the image's.
    pub(crate) repositories: Vec<Repository>,
    /// A file with the roots of certificates and logs, relative to the workspace. Without it: sigstore's
    /// public ones.
    pub(crate) trusted_root: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ProofTable {
    #[serde(default)]
    keys: Vec<PathBuf>,
    identity: Option<Expression>,
    release_identity: Option<Expression>,
    issuer: Option<String>,
    github_repository: Option<String>,
    #[serde(default)]
    repositories: Vec<Repository>,
    trusted_root: Option<PathBuf>,
}

impl TryFrom<ProofTable> for ProofSettings {
    type Error = String;

    fn try_from(table: ProofTable) -> Result<Self, String> {
        match table.fault() {
            Some(why) => Err(format!("`proof` {why}")),
            None => Ok(ProofSettings {
                keys: table.keys,
                identity: table.identity,
                release_identity: table.release_identity,
                issuer: table.issuer,
                github_repository: table.github_repository,
                repositories: table.repositories,
                trusted_root: table.trusted_root,
            }),
        }
    }
}

impl ProofTable {
    fn fault(&self) -> Option<String> {
        let has_identity = self.identity.is_some() || self.release_identity.is_some();
        if self.keys.is_empty() && self.identity.is_none() {
            return Some("has neither `keys` nor an `identity`: nobody could sign a proof".into());
        }
        if self.keys.is_empty() && self.release_identity.is_none() {
            return Some(
                "has neither `keys` nor a `release-identity`: nobody could sign a release record"
                    .into(),
            );
        }
        if self.issuer.is_some() != has_identity {
            return Some("has an identity and no `issuer`, or no identity and one".into());
        }
        let mut identities = self.identity.iter().chain(&self.release_identity);
        if self.github_repository.is_none()
            && let Some(other) = identities.find(|one| one.github_repository().is_none())
        {
            return Some(format!(
                "does not say whose runs may sign as `{other}`; hint: begin it with \
                 `^https://github\\.com/OWNER/NAME/`, or add `github-repository = \"OWNER/NAME\"`"
            ));
        }
        if self.github_repository.is_some() && !has_identity {
            return Some("has a `github-repository` without an identity".into());
        }
        if let Some(issuer) = &self.issuer
            && !issuer.starts_with("https://")
        {
            return Some(format!(
                "has an `issuer` that is no `https://` URL: `{issuer}`"
            ));
        }
        if let Some(name) = &self.github_repository
            && !is_owner_and_name(name)
        {
            return Some(format!(
                "has a `github-repository` that is not OWNER/NAME: `{name}`"
            ));
        }
        if self.trusted_root.is_some() && !has_identity {
            return Some("has a `trusted-root` without an identity: a key needs none".into());
        }
        let mut paths = self.keys.iter().chain(&self.trusted_root);
        let odd = paths.find(|path| path.is_absolute() || path.as_os_str().is_empty())?;
        let odd = odd.display();
        Some(format!(
            "names `{odd}`; a file must be relative to the workspace"
        ))
    }
}

/// Whether it is OWNER/NAME, as GitHub has it in certificates.
fn is_owner_and_name(text: &str) -> bool {
    let is_name = |text: &str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !text.is_empty() && text.chars().all(is_part)
    };
    text.split_once('/')
        .is_some_and(|(owner, name)| is_name(owner) && is_name(name))
}
