//! What this project believes, and why not: the settings' policy, applied by cosign and by [`super::judge`].

use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use super::bundle::{Bundle, Material};
use super::cosign::{Cosign, Who};
use super::judge::{self, ProofWanted, RecordWanted};
use super::policy::{Policy, TrustedIdentity, TrustedKey};
use super::record::ReleaseRecord;
use super::signer::Signer;
use super::statement::Statement;
use super::verification::Verification;
use crate::ctx::Ctx;
use crate::exec::Exec;
use crate::reference::Repository;
use crate::refusal::Refusal;
use crate::settings::Settings;

/// The events that may start a workflow whose signature counts: a person with write access, or a clock.
/// Not `pull_request_target` and its like, which strangers start.
const TRIGGERS: [&str; 3] = ["push", "workflow_dispatch", "schedule"];
/// The extension of a certificate with the event, 1.3.6.1.4.1.57264.1.2 in DER, up to its value (sigstore/fulcio,
/// "oid-info").
const TRIGGER: &[u8] = b"\x06\x0a\x2b\x06\x01\x04\x01\x83\xbf\x30\x01\x02\x04";
/// The one with the repository whose run it is, 1.3.6.1.4.1.57264.1.5.
const REPOSITORY: &[u8] = b"\x06\x0a\x2b\x06\x01\x04\x01\x83\xbf\x30\x01\x05";

/// Judges proofs and release records by the settings of a workspace. Threads may share it.
pub struct Trust {
    exec: Mutex<Exec>,
    policy: Option<Policy>,
    cosign: OnceLock<Result<Cosign, Refusal>>,
}

/// A proof that is believed.
#[derive(Clone, Debug, PartialEq)]
pub struct TrustedProof {
    /// Who has signed it, in words.
    pub by: String,
    pub verification: Verification,
}

/// A release record that is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedRecord {
    /// Who has signed it, in words; none where no signature is asked for.
    pub by: Option<String>,
    pub record: ReleaseRecord,
}

/// A statement as the registry keeps it.
#[derive(Clone, Copy)]
pub enum Evidence<'a> {
    Signed(&'a Bundle),
    /// The statement's bytes.
    Unsigned(&'a [u8]),
}

impl Trust {
    /// The trust of the workspace. Fails for a key or a root that cannot be read.
    pub fn of(ctx: &Ctx) -> anyhow::Result<Trust> {
        Trust::read(&ctx.exec, &ctx.root, &ctx.settings, &ctx.repositories())
    }

    /// The trust of the workspace at `root`. `repositories` are believed where its settings name none.
    pub fn read(
        exec: &Exec,
        root: &Path,
        settings: &Settings,
        repositories: &[&Repository],
    ) -> anyhow::Result<Trust> {
        let proof = settings.proof.as_ref();
        let policy = proof.map(|proof| Policy::read(proof, root, repositories));
        Ok(Trust {
            exec: Mutex::new(exec.clone()),
            policy: policy.transpose()?,
            cosign: OnceLock::new(),
        })
    }

    /// Whether the settings say who is believed.
    pub fn has_policy(&self) -> bool {
        self.policy.is_some()
    }

    /// Why nothing that is signed can be verified here; none when it can, or when the settings ask for no
    /// signature.
    ///
    /// Fails as [`Trust::proof`] does.
    pub fn unable(&self) -> anyhow::Result<Option<Refusal>> {
        if self.policy.is_none() {
            return Ok(None);
        }
        Ok(self.cosign()?.as_ref().err().cloned())
    }

    /// Believes a proof, or says every reason why not. Without settings no proof is believed.
    ///
    /// The check set and the results in the receipt are for verify to judge. Fails only when cosign cannot be
    /// started, or xtask is interrupted.
    pub fn proof(
        &self,
        bundle: &Bundle,
        wanted: &ProofWanted,
    ) -> anyhow::Result<Result<TrustedProof, Vec<String>>> {
        let Some(policy) = &self.policy else {
            let why = "nobody's proof is believed: there are no `proof` settings; hint: docs/proof.md has the \
                       lines to paste";
            return Ok(Err(vec![why.to_owned()]));
        };
        let parsed = Statement::parse(bundle.payload())
            .and_then(|statement| Ok((Verification::parse(&statement)?, statement)));
        let (verification, statement) = match parsed {
            Ok(parsed) => parsed,
            Err(why) => return Ok(Err(vec![why.to_string()])),
        };
        let now = SystemTime::now();
        let reasons = judge::proof(&verification, wanted, &policy.repositories, now);
        if !reasons.is_empty() {
            return Ok(Err(reasons));
        }
        // The workflow must be of the commit that the image is of: no other commit's checks count.
        let sha = verification.receipt["revision"]
            .as_str()
            .unwrap_or_default();
        let identity = policy
            .identity
            .as_ref()
            .map(|identity| (identity, Some(sha)));
        Ok(self
            .signed_by(policy, bundle, &statement, identity)?
            .map(|by| TrustedProof { by, verification })
            .map_err(|why| vec![why]))
    }

    /// Believes a release record, or says every reason why not. Without settings a record is believed as it
    /// is: who can forge it can move `latest` as well.
    ///
    /// Fails as [`Trust::proof`] does.
    pub fn record(
        &self,
        evidence: Evidence,
        wanted: &RecordWanted,
    ) -> anyhow::Result<Result<TrustedRecord, Vec<String>>> {
        let (record, statement) = match claimed(evidence, wanted) {
            Ok(claimed) => claimed,
            Err(reasons) => return Ok(Err(reasons)),
        };
        let by = match (&self.policy, evidence) {
            (None, _) => None,
            (Some(_), Evidence::Unsigned(_)) => {
                return Ok(Err(vec!["it is not signed".to_owned()]));
            }
            (Some(policy), Evidence::Signed(bundle)) => {
                // A roll-back runs at another commit than the release.
                let identity = policy.release_identity.as_ref();
                let identity = identity.map(|identity| (identity, None));
                match self.signed_by(policy, bundle, &statement, identity)? {
                    Ok(by) => Some(by),
                    Err(why) => return Ok(Err(vec![why])),
                }
            }
        };
        Ok(Ok(TrustedRecord { by, record }))
    }

    /// What a record says, whoever has signed it; none where it is not of what is wanted.
    pub fn claim(evidence: Evidence, wanted: &RecordWanted) -> Option<ReleaseRecord> {
        claimed(evidence, wanted).ok().map(|(record, _)| record)
    }

    /// Whether the release records that the signer signs will be believed; if not, why. An identity is known
    /// only from what it has signed.
    pub fn accepts(&self, signer: &Signer) -> Result<(), Refusal> {
        let Some(policy) = &self.policy else {
            return Ok(());
        };
        let (is_accepted, what) = match &signer.hint {
            Some(hint) => (policy.keys.iter().any(|key| key.hint == *hint), "key"),
            None => (policy.release_identity.is_some(), "identity"),
        };
        if is_accepted {
            return Ok(());
        }
        Err(Refusal::new(
            format!(
                "this {what} signs, and the `proof` settings do not name it: nobody would believe it"
            ),
            match what {
                "key" => "add its public key to `keys`, or sign with a key that is there",
                _ => "add a `release-identity`, or sign with one of the `keys`",
            },
        ))
    }

    /// Who of those that are believed has signed a statement, or why none has.
    fn signed_by(
        &self,
        policy: &Policy,
        bundle: &Bundle,
        statement: &Statement,
        identity: Option<(&TrustedIdentity, Option<&str>)>,
    ) -> anyhow::Result<Result<String, String>> {
        let cosign = match self.cosign()? {
            Ok(cosign) => cosign,
            Err(Refusal { why, remedy }) => {
                return Ok(Err(format!(
                    "its signature cannot be verified: {why}; hint: {remedy}"
                )));
            }
        };
        let signed = Signed {
            cosign,
            bundle: bundle.for_cosign()?,
            statement,
        };
        match bundle.material() {
            Err(why) => Ok(Err(why.to_string())),
            Ok(Material::Key(hint)) => signed.by_key(&policy.keys, &hint),
            Ok(Material::Certificate(der)) => match identity {
                Some((identity, sha)) => signed.by_identity(identity, sha, &der),
                None => Ok(Err(
                    "it is signed by an identity, and the `proof` settings name none for it"
                        .to_owned(),
                )),
            },
        }
    }

    fn cosign(&self) -> anyhow::Result<&Result<Cosign, Refusal>> {
        // The first one looks for it, and the others wait.
        let exec = self.exec.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cosign) = self.cosign.get() {
            return Ok(cosign);
        }
        let found = Cosign::find(&exec, "verify-blob-attestation", "--digestAlg")?;
        Ok(self.cosign.get_or_init(|| found))
    }
}

/// A record of what is wanted, whoever has signed it; or every reason why it is none.
fn claimed(
    evidence: Evidence,
    wanted: &RecordWanted,
) -> Result<(ReleaseRecord, Statement), Vec<String>> {
    let payload = match evidence {
        Evidence::Signed(bundle) => bundle.payload(),
        Evidence::Unsigned(payload) => payload,
    };
    let parsed = Statement::parse(payload)
        .and_then(|statement| Ok((ReleaseRecord::parse(&statement)?, statement)));
    let (record, statement) = parsed.map_err(|why| vec![why.to_string()])?;
    let reasons = judge::record(&record, wanted, SystemTime::now());
    if reasons.is_empty() {
        Ok((record, statement))
    } else {
        Err(reasons)
    }
}

/// The keys that may have signed: the one that the bundle names, or else each, since a signer calls a key
/// as it likes.
fn candidates<'a>(keys: &'a [TrustedKey], hint: &str) -> Vec<&'a TrustedKey> {
    let named: Vec<&TrustedKey> = keys.iter().filter(|key| key.hint == hint).collect();
    if named.is_empty() {
        keys.iter().collect()
    } else {
        named
    }
}

/// A statement with the bundle that it was read from.
struct Signed<'a> {
    cosign: &'a Cosign,
    /// As cosign reads it.
    bundle: Vec<u8>,
    statement: &'a Statement,
}

impl Signed<'_> {
    fn verify(&self, who: &Who) -> anyhow::Result<Result<(), String>> {
        let statement = self.statement;
        let (digest, predicate_type) = (&statement.digest, &statement.predicate_type);
        self.cosign
            .verify(&self.bundle, digest, predicate_type, who)
    }

    fn by_key(&self, keys: &[TrustedKey], hint: &str) -> anyhow::Result<Result<String, String>> {
        let mut reason = None;
        for key in candidates(keys, hint) {
            match self.verify(&Who::Key(&key.path))? {
                Ok(()) => return Ok(Ok(format!("the key `{}`", key.name))),
                Err(why) => reason = Some(why),
            }
        }
        let names: Vec<String> = keys.iter().map(|key| format!("`{}`", key.name)).collect();
        let names = names.join(" or ");
        Ok(Err(match reason {
            Some(why) => format!("it is not verified as signed by the key {names}: {why}"),
            None => "it is signed by a key, and the `proof` settings have no `keys`".to_owned(),
        }))
    }

    fn by_identity(
        &self,
        identity: &TrustedIdentity,
        sha: Option<&str>,
        certificate: &[u8],
    ) -> anyhow::Result<Result<String, String>> {
        let Some(trigger) = trigger(certificate) else {
            return Ok(Err(format!(
                "its certificate does not say that {} started its workflow",
                TRIGGERS.map(|name| format!("`{name}`")).join(" or ")
            )));
        };
        // What cosign is given empty it does not ask for.
        if sha == Some("") {
            let why =
                "its receipt names no commit, and an identity's workflow must be of the image's";
            return Ok(Err(why.to_owned()));
        }
        let expression = &identity.expression;
        // Sigstore's authority always says whose run it is; one of one's own may not.
        let mut windows = certificate.windows(REPOSITORY.len());
        let names_repository =
            identity.root.is_none() || windows.any(|window| window == REPOSITORY);
        let who = Who::Identity {
            identity,
            names_repository,
            sha,
            trigger,
        };
        Ok(match self.verify(&who)? {
            Ok(()) => Ok(format!("the identity `{expression}`")),
            Err(why) => Err(format!(
                "it is not verified as signed by the identity `{expression}`: {why}"
            )),
        })
    }
}

/// The event of ours that a certificate names. cosign is asked for that very one, and so verifies it.
fn trigger(der: &[u8]) -> Option<&'static str> {
    TRIGGERS.into_iter().find(|name| {
        let length = u8::try_from(name.len()).unwrap_or_default();
        let value = [TRIGGER, &[length], name.as_bytes()].concat();
        der.windows(value.len()).any(|window| window == value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_is_read_where_sigstore_writes_it() {
        let der = |value: &[u8]| [b"\x30\x12", TRIGGER, value, b"\x30"].concat();
        for (value, expected) in [
            (&b"\x04push"[..], Some("push")),
            (b"\x08schedule", Some("schedule")),
            (b"\x11workflow_dispatch", Some("workflow_dispatch")),
            (b"\x06pushes", None),
            (b"\x05push", None),
            (b"\x0cpull_request", None),
            (b"\x00", None),
        ] {
            assert_eq!(trigger(&der(value)), expected, "{value:?}");
        }
        // The text alone is no event, wherever it is.
        assert_eq!(trigger(b"\x04push"), None);
    }

    #[test]
    fn a_bundle_names_the_key_that_is_tried_and_cannot_rule_one_out() {
        let key = |name: &str| TrustedKey {
            name: name.to_owned(),
            path: name.into(),
            hint: name.to_owned(),
        };
        let keys = [key("a"), key("b")];
        let names = |hint: &str| {
            let keys = candidates(&keys, hint).into_iter();
            keys.map(|key| &*key.name).collect::<Vec<_>>()
        };
        assert_eq!(names("b"), ["b"]);
        assert_eq!(names(""), ["a", "b"]);
        assert_eq!(names("x"), ["a", "b"]);
    }
}
