//! Whether a receipt is valid for an image: every reason why it is not, and what to type next.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use xtask::exec;
use xtask::oci::Digest;
use xtask::platform::Platform;
use xtask::refusal::Refusal;

use super::{Execution, Receipt};
use crate::check::Status;

/// How many ids a message names.
const SHOWN: usize = 8;

/// What a receipt must prove.
pub(crate) struct Required<'a> {
    /// The name of the image, as people type it.
    pub(crate) name: &'a str,
    /// Of the index; absent when the name leads to one manifest.
    pub(crate) index: Option<&'a Digest>,
    /// Of the platform's manifest; absent when it is unknown.
    pub(crate) manifest: Option<&'a Digest>,
    /// Absent when any platform will do.
    pub(crate) platform: Option<Platform>,
    /// The commit that the image must be built from; absent when any will do.
    pub(crate) revision: Option<&'a str>,
    /// The hash of today's checks.
    pub(crate) check_set: &'a Digest,
    /// The id of every check.
    pub(crate) checks: &'a [&'a str],
}

/// Every reason why the receipt does not prove what is wanted; none when it does.
///
/// It compares what the receipt says: it cannot recognise a forged one.
pub(crate) fn objections(receipt: &Receipt, wanted: &Required) -> Vec<Refusal> {
    let mut found = Findings {
        again: again(receipt, wanted),
        all: Vec::new(),
    };
    found.identity(receipt, wanted);
    found.results(receipt, wanted.checks);
    found.all
}

/// The reasons as a list, and below it each remedy once.
pub(crate) fn describe(objections: &[Refusal]) -> String {
    let mut text = String::new();
    for objection in objections {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  - {}", objection.why);
    }
    let mut hints: Vec<&str> = Vec::new();
    for objection in objections {
        if !hints.contains(&&*objection.remedy) {
            hints.push(&objection.remedy);
        }
    }
    for hint in hints {
        let _ = write!(text, "\n  hint: {hint}");
    }
    text
}

struct Findings {
    /// The command that writes a receipt for what is wanted.
    again: String,
    all: Vec<Refusal>,
}

impl Findings {
    fn add(&mut self, reason: String, hint: String) {
        self.all.push(Refusal::new(reason, hint));
    }

    fn add_again(&mut self, reason: String) {
        let hint = format!("`{}` writes a new one", self.again);
        self.add(reason, hint);
    }

    /// Whether it is of this image, this platform, these checks.
    fn identity(&mut self, receipt: &Receipt, wanted: &Required) {
        let name = wanted.name;
        if let Some(index) = wanted.index
            && receipt.index.as_ref() != Some(index)
        {
            self.add_again(match &receipt.index {
                Some(of) => format!(
                    "it is of another image: of the index `{of}`, and `{name}` is `{index}`"
                ),
                None => {
                    format!("it is of one manifest alone, and `{name}` is the index `{index}`")
                }
            });
        }
        match (wanted.platform, wanted.manifest, &receipt.manifest) {
            (Some(platform), ..) if platform != receipt.platform => {
                let of = receipt.platform;
                self.add_again(format!("it is for `{of}`, not for `{platform}`"));
            }
            (_, _, None) => {
                let why = "it names no manifest: the engine's classic image store keeps none, so \
                           nothing tells what is published";
                self.add(why.to_owned(), self.published());
            }
            (_, None, _) if wanted.index.is_none() => {
                let why = format!("`{name}` has no manifest here, so nothing shows what it is");
                self.add(why, self.published());
            }
            (_, Some(manifest), Some(of)) if manifest != of => {
                let platform = receipt.platform;
                self.add_again(format!(
                    "it is of another image: of the manifest `{of}`, and for `{platform}` `{name}` has \
                     `{manifest}`"
                ));
            }
            _ => {}
        }
        match (wanted.revision, &receipt.revision) {
            (Some(revision), Some(of)) if revision != of => self.add_again(format!(
                "its image is built from `{of}`, not from `{revision}`"
            )),
            (Some(revision), None) => self.add_again(format!(
                "its image does not say what it is built from; it must be `{revision}`"
            )),
            _ => {}
        }
        if receipt.check_set != *wanted.check_set {
            self.add_again(format!(
                "the checks have changed since: it was written by xtask {}, whose check set is `{}`, \
                 and this one's is `{}`",
                receipt.versions.xtask,
                receipt.check_set.short(),
                wanted.check_set.short()
            ));
        }
    }

    fn published(&self) -> String {
        format!(
            "push the image, then `{} --pull`; or use containerd's image store \
             (https://docs.docker.com/engine/storage/containerd/)",
            self.again
        )
    }

    /// Whether every check holds.
    fn results(&mut self, receipt: &Receipt, checks: &[&str]) {
        if receipt.execution == Execution::Static {
            let hint = format!(
                "`{}` on a machine that runs {}, or after `docker run --privileged --rm \
                 tonistiigi/binfmt --install all`",
                self.again, receipt.platform
            );
            let why = "nothing was executed: its files were read, no container was started";
            self.add(why.to_owned(), hint);
        }
        let known: BTreeSet<&str> = checks.iter().copied().collect();
        let given: BTreeSet<&str> = receipt.results.iter().map(|one| &*one.id).collect();
        // In the order of the catalogue.
        let absent = checks.iter().copied().filter(|id| !given.contains(id));
        let absent: Vec<&str> = absent.collect();
        if !absent.is_empty() {
            self.add_again(format!("it has no result of {}", list(&absent)));
        }
        let unknown: Vec<&str> = given.difference(&known).copied().collect();
        if !unknown.is_empty() {
            self.add_again(format!("this xtask has no check {}", list(&unknown)));
        }
        if given.len() < receipt.results.len() {
            self.add_again("it has more than one result of one check".to_owned());
        }
        for status in [
            Status::Failed,
            Status::Unproven,
            Status::NotExecuted,
            Status::Skipped,
        ] {
            let of_status = receipt.results.iter().filter(|one| one.status == status);
            let ids: Vec<&str> = of_status.map(|one| &*one.id).collect();
            // The reason above already says that nothing was executed.
            if ids.is_empty()
                || (status, receipt.execution) == (Status::NotExecuted, Execution::Static)
            {
                continue;
            }
            let ids = list(&ids);
            match status {
                Status::Failed => {
                    let hint = "fix the image as `remedy` in the receipt says; then \
                                `cargo xtask image` and verify that";
                    self.add(format!("failed: {ids}"), hint.to_owned());
                }
                status => self.add_again(format!("{}: {ids}", status.as_str())),
            }
        }
    }
}

/// The command that proves what is wanted, by its digest.
fn again(receipt: &Receipt, wanted: &Required) -> String {
    let image = match wanted.index.or(wanted.manifest) {
        Some(digest) => by_digest(wanted.name, digest),
        None => wanted.name.to_owned(),
    };
    let platform = wanted.platform.unwrap_or(receipt.platform);
    let args = ["xtask", "verify", &image, "--platform", platform.as_str()];
    exec::quoted("cargo", &args)
}

/// `NAME@DIGEST`, whatever tag or digest the name has.
fn by_digest(name: &str, digest: &Digest) -> String {
    let name = name.split('@').next().unwrap_or_default();
    let start = name.rfind('/').map_or(0, |slash| slash + 1);
    let tag = name[start..].find(':').map(|colon| start + colon);
    match name[..tag.unwrap_or(name.len())].trim() {
        // A bare digest, or an id.
        "" | "sha256" => digest.to_string(),
        repository => format!("{repository}@{digest}"),
    }
}

fn list(ids: &[&str]) -> String {
    let shown = ids.iter().take(SHOWN).map(|id| format!("`{id}`"));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match ids.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}
