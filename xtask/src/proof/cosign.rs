//! Starts cosign: the one file that does.
//!
//! With a key cosign asks nobody: no transparency log, no timestamp, no roots from elsewhere (measured with
//! cosign 3.1.1). With an identity it asks its public services, or takes the roots of a file.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use tempfile::{NamedTempFile, TempDir};

use super::policy::{Root, TrustedIdentity};
use crate::exec::{Ended, Exec};
use crate::oci::Digest;
use crate::printable;
use crate::refusal::Refusal;

/// How long cosign may take for one signature.
const LIMIT: Duration = Duration::from_mins(3);
/// Services that a signature is sent to: none.
const SERVICES: &str = r#"{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","rekorTlogConfig":{},"tsaConfig":{}}"#;
/// The file of [`ROOT`].
const NO_ROOT: &str = "no-root.json";
/// Services that are trusted: none, so that cosign fetches no list of them.
const ROOT: &str = r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#;

/// A cosign that has what is needed of it, and a folder for the files that it reads. Threads may share it.
pub(super) struct Cosign {
    exec: Mutex<Exec>,
    folder: TempDir,
}

/// Whose signature is looked for.
pub(super) enum Who<'a> {
    /// A file with a public key.
    Key(&'a Path),
    Identity {
        identity: &'a TrustedIdentity,
        /// Whether the certificate must say whose run it is of.
        names_repository: bool,
        /// The commit that the workflow was of.
        sha: Option<&'a str>,
        /// The event that started the workflow.
        trigger: &'a str,
    },
}

impl Cosign {
    /// The cosign on PATH, or why it will not do. `command` must know `flag`.
    pub(super) fn find(
        exec: &Exec,
        command: &str,
        flag: &str,
    ) -> anyhow::Result<Result<Cosign, Refusal>> {
        const REMEDY: &str = "install cosign 3 (https://docs.sigstore.dev/cosign)";
        if exec.find("cosign").is_none() {
            return Ok(Err(Refusal::new("`cosign` is not on PATH", REMEDY)));
        }
        let exec = exec.clone();
        // cosign asks for a password that is not set.
        let password = exec.var("COSIGN_PASSWORD").unwrap_or_default();
        exec.set_var("COSIGN_PASSWORD", &password);
        let folder = tempfile::tempdir().context("failed to make a temporary folder")?;
        let exec = Mutex::new(exec);
        let cosign = Cosign { exec, folder };
        // Once: another thread's cosign may read it.
        cosign.file(NO_ROOT, ROOT.as_bytes())?;
        let help = cosign.run(&[command, "--help"])?;
        if !String::from_utf8_lossy(&help.stdout).contains(flag) {
            let why = format!("`cosign` on PATH is too old: its `{command}` has no `{flag}`");
            return Ok(Err(Refusal::new(why, REMEDY)));
        }
        Ok(Ok(cosign))
    }

    pub(super) fn run(&self, args: &[impl AsRef<str>]) -> anyhow::Result<Ended> {
        // For the length of a copy: cosigns run side by side.
        let exec = self
            .exec
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        exec.within("cosign", args, LIMIT)
    }

    /// The path of a file of its folder.
    pub(super) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Writes a file into its folder; its path.
    pub(super) fn file(&self, name: &str, bytes: &[u8]) -> anyhow::Result<String> {
        let path = self.path(name);
        fs::write(&path, bytes).with_context(|| format!("failed to write `{path}`"))?;
        Ok(path)
    }

    /// A file of its own for a bundle: another may be verified at the same time.
    fn bundle(&self, bytes: &[u8]) -> anyhow::Result<NamedTempFile> {
        let file = NamedTempFile::new_in(self.folder.path());
        let mut file = file.context("failed to make a temporary file")?;
        file.write_all(bytes).context("failed to write a bundle")?;
        Ok(file)
    }

    /// The arguments that keep a signature by a key from every service.
    pub(super) fn offline(&self) -> anyhow::Result<Vec<String>> {
        let services = self.file("services.json", SERVICES.as_bytes())?;
        let root = self.path(NO_ROOT);
        let args = ["--signing-config", &services, "--trusted-root", &root];
        Ok(args.map(str::to_owned).to_vec())
    }

    /// Whether a bundle is a statement of a type about a digest, signed by `who`; if not, what cosign says.
    ///
    /// `bundle` is in the one form that [`super::bundle::Bundle`] writes: of a file that it cannot read as such
    /// cosign up to 3.1.2 believes the key in the file itself (sigstore/cosign#5040). With a root it does not.
    pub(super) fn verify(
        &self,
        bundle: &[u8],
        digest: &Digest,
        predicate_type: &str,
        who: &Who,
    ) -> anyhow::Result<Result<(), String>> {
        let no_root = self.path(NO_ROOT);
        self.verify_by(bundle, digest, predicate_type, &who.args(&no_root))
    }

    /// [`Cosign::verify`] with the arguments that say who has signed.
    pub(super) fn verify_by(
        &self,
        bundle: &[u8],
        digest: &Digest,
        predicate_type: &str,
        who: &[String],
    ) -> anyhow::Result<Result<(), String>> {
        let file = self.bundle(bundle)?;
        let bundle = file.path().display().to_string();
        let ended = self.run(&verify_args(&bundle, digest, predicate_type, who))?;
        Ok(if ended.success() {
            Ok(())
        } else {
            Err(error_line(&ended))
        })
    }

    /// The arguments that say that the owner of the public key in a file has signed.
    pub(super) fn by_key(&self, public: &str) -> Vec<String> {
        Who::Key(Path::new(public)).args(&self.path(NO_ROOT))
    }
}

fn verify_args(bundle: &str, digest: &Digest, predicate_type: &str, who: &[String]) -> Vec<String> {
    let common = [
        "verify-blob-attestation",
        "--bundle",
        bundle,
        "--type",
        predicate_type,
    ];
    let digest = ["--digest", digest.hex(), "--digestAlg", "sha256"];
    let common = common.into_iter().chain(digest).map(str::to_owned);
    common.chain(who.iter().cloned()).collect()
}

impl Who<'_> {
    fn args(&self, no_root: &str) -> Vec<String> {
        match self {
            Who::Key(key) => {
                let key = key.display().to_string();
                let root = ["--key", &key, "--trusted-root", no_root];
                let root = root.into_iter().map(str::to_owned);
                root.chain(asked_for(false, false, false)).collect()
            }
            Who::Identity {
                identity,
                names_repository,
                sha,
                trigger,
            } => {
                let whole = identity.expression.whole();
                let mut args = vec!["--certificate-identity-regexp", &whole];
                args.extend(["--certificate-oidc-issuer", &identity.issuer]);
                // The identity of a reusable workflow is the same whoever calls it.
                if *names_repository {
                    let repository = "--certificate-github-workflow-repository";
                    args.extend([repository, &identity.repository]);
                }
                args.extend(["--certificate-github-workflow-trigger", trigger]);
                if let Some(sha) = sha {
                    args.extend(["--certificate-github-workflow-sha", sha]);
                }
                let args = args.into_iter().map(str::to_owned);
                args.chain(roots(identity.root.as_ref())).collect()
            }
        }
    }
}

/// What a file of roots does not have is not asked for: whoever chose the file chose that. Sigstore's public
/// roots have everything.
fn roots(root: Option<&Root>) -> Vec<String> {
    let Some(root) = root else {
        return asked_for(true, true, false).to_vec();
    };
    let path = root.path.display().to_string();
    let flags = asked_for(
        root.has_logs,
        root.has_certificate_logs,
        // A log says when, as well.
        root.has_timestamps && !root.has_logs,
    );
    let root = ["--trusted-root".to_owned(), path].into_iter();
    root.chain(flags).collect()
}

/// Each flag is given: without it cosign takes the value of an environment variable, such as
/// `COSIGN_INSECURE_IGNORE_TLOG`.
fn asked_for(logs: bool, certificate_logs: bool, timestamps: bool) -> [String; 3] {
    [
        format!("--insecure-ignore-tlog={}", !logs),
        format!("--insecure-ignore-sct={}", !certificate_logs),
        format!("--use-signed-timestamps={timestamps}"),
    ]
}

/// The first line of cosign's error, which it prints twice, fit to be shown.
pub(super) fn error_line(ended: &Ended) -> String {
    if ended.status.is_none() {
        return "it did not end in time".to_owned();
    }
    let text = String::from_utf8_lossy(&ended.stderr);
    let line = text.lines().find_map(|line| line.strip_prefix("Error: "));
    let line = line.or_else(|| text.lines().find(|line| !line.trim().is_empty()));
    let line = line.unwrap_or("no reason given");
    if line.contains("only supported with --new-bundle-format") {
        // It took the file for one of its older forms.
        return "`cosign` cannot read the bundle".to_owned();
    }
    printable::short(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(root: Option<Root>) -> TrustedIdentity {
        TrustedIdentity {
            expression: "^me$".to_owned().try_into().unwrap(),
            issuer: "https://i.example".to_owned(),
            repository: "me/agent".to_owned(),
            root,
        }
    }

    #[test]
    fn cosign_is_asked_for_everything_that_it_can_judge() {
        let digest = Digest::of(b"manifest");
        let line =
            |who: &Who| verify_args("b.json", &digest, "urn:x", &who.args("no.json")).join(" ");
        let common = format!(
            "verify-blob-attestation --bundle b.json --type urn:x --digest {} --digestAlg sha256",
            digest.hex()
        );
        let asked_for = |logs: bool, certificate_logs: bool, timestamps: bool| {
            format!(
                "--insecure-ignore-tlog={} --insecure-ignore-sct={} --use-signed-timestamps={timestamps}",
                !logs, !certificate_logs
            )
        };
        assert_eq!(
            line(&Who::Key(Path::new("/a.pub"))),
            format!(
                "{common} --key /a.pub --trusted-root no.json {}",
                asked_for(false, false, false)
            )
        );
        let who = |root: Option<Root>, sha: Option<&str>| {
            line(&Who::Identity {
                identity: &identity(root),
                names_repository: true,
                sha,
                trigger: "push",
            })
        };
        let certificate = format!(
            "{common} --certificate-identity-regexp ^(?:^me$)$ --certificate-oidc-issuer https://i.example \
             --certificate-github-workflow-repository me/agent --certificate-github-workflow-trigger push"
        );
        let sha = " --certificate-github-workflow-sha 1ceb56b";
        // The public roots: nothing is ignored.
        let all = asked_for(true, true, false);
        assert_eq!(who(None, None), format!("{certificate} {all}"));
        let both = format!("{certificate}{sha} {all}");
        assert_eq!(who(None, Some("1ceb56b")), both);
        for (has, asked) in [
            ((true, true, false), (true, true, false)),
            ((true, true, true), (true, true, false)),
            ((true, false, false), (true, false, false)),
            ((false, false, true), (false, false, true)),
            ((false, false, false), (false, false, false)),
        ] {
            let root = Root {
                path: "/root.json".into(),
                has_logs: has.0,
                has_certificate_logs: has.1,
                has_timestamps: has.2,
            };
            let flags = asked_for(asked.0, asked.1, asked.2);
            let expected = format!("{certificate} --trusted-root /root.json {flags}");
            assert_eq!(who(Some(root), None), expected);
        }
    }
}
