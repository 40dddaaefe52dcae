//! Deletes what a plan removes, one thing at a time, each after the registry was asked anew.

use anyhow::{Context as _, bail};
use serde::Serialize;
use ureq::http::StatusCode;

use super::guard::Guard;
use super::left_over::LeftOver;
use super::observe::ObservedTag;
use super::plan::PrunePlan;
use super::removals::Removal;
use crate::exec;
use crate::oci::Digest;
use crate::reference::Repository;
use crate::refusal::Refusal;
use crate::registry::{Deleter, Deletion};
use crate::stop::Stop;

/// What became of a removal, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct RemovalResult {
    pub(super) digest: Digest,
    pub(super) tags: Vec<String>,
    pub(super) removed: bool,
    pub(super) why: String,
    /// How many tags and manifests were deleted for it, one by one.
    pub(super) deletions: usize,
}

/// The effects of a plan.
pub(super) struct Apply<'a> {
    deleter: &'a Deleter,
    repository: &'a Repository,
    guard: Guard<'a>,
    /// Whether the registry deletes a tag alone; none until it was tried.
    deletes_tags: Option<bool>,
    /// How many tags and manifests were deleted.
    deleted: usize,
}

/// What became of a tag or a manifest.
enum Outcome {
    /// It was deleted now, or by somebody else.
    Gone,
    /// It stays, and why.
    Kept(String),
}

impl<'a> Apply<'a> {
    pub(super) fn new(
        deleter: &'a Deleter,
        repository: &'a Repository,
        tags: &[ObservedTag],
        plan: &PrunePlan,
    ) -> Apply<'a> {
        Apply {
            deleter,
            repository,
            guard: Guard::new(deleter.puller(), repository, tags, plan),
            deletes_tags: None,
            deleted: 0,
        }
    }

    /// Deletes what the plan removes.
    ///
    /// Fails with a refusal when the registry deletes nothing; nothing was changed then.
    pub(super) fn run(
        mut self,
        plan: &PrunePlan,
        left_over: &LeftOver,
    ) -> anyhow::Result<Vec<RemovalResult>> {
        exec::report_signals();
        self.probe()?;
        left_over.write(pending(plan))?;
        let results = self.removals(plan).with_context(|| {
            format!(
                "{} tags and manifests were deleted; run this again, it goes on where it ended",
                self.deleted
            )
        })?;
        left_over.clear()?;
        Ok(results)
    }

    /// Fails when the registry says that it deletes no manifest, before a tag goes: version 3.0 of the
    /// distribution project's registry deletes tags even where deletion is off.
    fn probe(&self) -> anyhow::Result<()> {
        let absent = Digest::of(b"a manifest that no registry has, since this is not JSON");
        match self.deleter.delete(absent.as_str()) {
            Ok(Deletion::Unsupported(status)) => Err(self.unsupported(status)),
            // Registries answer this differently. What else is wrong ends the first real deletion.
            Ok(Deletion::Deleted | Deletion::Absent) | Err(_) => Ok(()),
        }
    }

    fn removals(&mut self, plan: &PrunePlan) -> anyhow::Result<Vec<RemovalResult>> {
        for digest in &plan.left_over {
            self.manifest(digest, &[])?;
        }
        let mut results = Vec::new();
        for (number, removal) in (1..).zip(&plan.remove) {
            let tags: Vec<&str> = removal.tags.iter().map(|tag| &*tag.tag).collect();
            crate::say::errln!(
                "removing {} ({}), {number} of {}",
                tags.join(", "),
                removal.digest.short(),
                plan.remove.len()
            );
            let before = self.deleted;
            let outcome = self.removal(removal, &tags)?;
            let (removed, why) = match outcome {
                Outcome::Gone => (true, removal.tags.first().map(|tag| tag.why.clone())),
                Outcome::Kept(why) => {
                    for tag in &tags {
                        self.guard.keep(tag);
                    }
                    (false, Some(why))
                }
            };
            results.push(RemovalResult {
                digest: removal.digest.clone(),
                tags: tags.into_iter().map(str::to_owned).collect(),
                removed,
                why: why.unwrap_or_default(),
                deletions: self.deleted - before,
            });
        }
        Ok(results)
    }

    fn removal(&mut self, removal: &Removal, tags: &[&str]) -> anyhow::Result<Outcome> {
        let is_alone = removal.needed_by.is_none();
        if is_alone {
            self.guard.refresh(tags)?;
            // Asked before its tags go: they are how the next run finds it.
            if let Some(by) = self.guard.needed_by(&removal.digest) {
                return Ok(Outcome::Kept(format!("`{by}` needs it by now")));
            }
        }
        let mut left = Vec::new();
        for tag in tags {
            match self.tag(tag)? {
                Outcome::Gone => {}
                Outcome::Kept(why) if self.guard.is_moved(tag) => return Ok(Outcome::Kept(why)),
                Outcome::Kept(why) => left.push((*tag, why)),
            }
        }
        if let Some(by) = &removal.needed_by {
            self.check_left(&removal.digest, by)?;
            return Ok(match left.first() {
                Some((_, why)) => Outcome::Kept(format!("`{by}` needs its digest, and {why}")),
                None => Outcome::Gone,
            });
        }
        let left: Vec<&str> = left.into_iter().map(|(tag, _)| tag).collect();
        if let Outcome::Kept(why) = self.manifest(&removal.digest, &left)? {
            return Ok(Outcome::Kept(why));
        }
        for tag in left {
            self.check_gone(tag, &removal.digest)?;
        }
        for digest in &removal.manifests {
            self.manifest(digest, &[])?;
        }
        Ok(Outcome::Gone)
    }

    /// Deletes a tag alone, where the registry does that.
    fn tag(&mut self, tag: &str) -> anyhow::Result<Outcome> {
        self.guard.refresh(&[tag])?;
        if self.guard.is_moved(tag) {
            return Ok(Outcome::Kept(format!("`{tag}` leads elsewhere by now")));
        }
        if !self.guard.is_there(tag) {
            return Ok(Outcome::Gone);
        }
        let unsupported = || Outcome::Kept("this registry does not delete a tag alone".to_owned());
        if self.deletes_tags == Some(false) {
            return Ok(unsupported());
        }
        match self.deleter.delete(tag)? {
            Deletion::Deleted => self.deleted += 1,
            Deletion::Absent => {}
            Deletion::Unsupported(_) => {
                self.deletes_tags = Some(false);
                return Ok(unsupported());
            }
        }
        self.deletes_tags = Some(true);
        self.guard.forget(tag);
        Ok(Outcome::Gone)
    }

    /// Deletes a manifest that nothing needs any more. `tags` still lead to it and go with it.
    fn manifest(&mut self, digest: &Digest, tags: &[&str]) -> anyhow::Result<Outcome> {
        self.guard.refresh(tags)?;
        if let Some(by) = self.guard.needed_by(digest) {
            return Ok(Outcome::Kept(format!("`{by}` needs it by now")));
        }
        if let Some(tag) = tags.iter().find(|tag| self.guard.is_moved(tag)) {
            return Ok(Outcome::Kept(format!("`{tag}` leads elsewhere by now")));
        }
        match self.deleter.delete(digest.as_str())? {
            Deletion::Deleted => self.deleted += 1,
            Deletion::Absent => {}
            Deletion::Unsupported(status) => return Err(self.unsupported(status)),
        }
        Ok(Outcome::Gone)
    }

    /// Fails when a tag is still there after its digest was deleted.
    fn check_gone(&mut self, tag: &str, digest: &Digest) -> anyhow::Result<()> {
        if self.deleter.puller().digest(tag)?.as_ref() == Some(digest) {
            bail!(
                "`{}` still leads to `{digest}`, which was deleted; hint: some registries do not \
                 delete the tags of a manifest, delete this one with the registry's own tools",
                self.repository.reference(tag)
            );
        }
        self.guard.forget(tag);
        Ok(())
    }

    /// Fails when a registry has deleted a manifest together with one of its tags.
    fn check_left(&self, digest: &Digest, by: &str) -> anyhow::Result<()> {
        if self.deleter.puller().digest(digest.as_str())?.is_some() {
            return Ok(());
        }
        bail!(
            "`{digest}` is gone with one of its tags, and `{}` needs it; hint: this registry \
             deletes a manifest with a tag; push or release that tag anew, and do not prune here",
            self.repository.reference(by)
        );
    }

    /// The error for a registry that deletes nothing.
    fn unsupported(&self, status: StatusCode) -> anyhow::Error {
        let registry = self.repository.registry();
        let why = format!("`{registry}` deletes nothing over the registry API ({status})");
        if self.deleted > 0 {
            return anyhow::anyhow!("{why}; hint: {}", remedy(self.repository));
        }
        let why = format!("{why}, so nothing was removed");
        Stop::from(Refusal::new(why, remedy(self.repository))).into()
    }
}

fn remedy(repository: &Repository) -> &'static str {
    match repository.registry() {
        "ghcr.io" => "GitHub deletes over its own API alone: docs/prune.md",
        _ if repository.is_on_docker_hub() => {
            "Docker Hub deletes tags over its own API alone: docs/prune.md"
        }
        _ => {
            "ask its operator to allow deletion (`storage.delete.enabled: true` for the \
             distribution project's registry), or see docs/prune.md"
        }
    }
}

/// Every manifest that the plan deletes, in its order.
fn pending(plan: &PrunePlan) -> Vec<Digest> {
    let removals = plan.remove.iter().flat_map(|removal| {
        let own = removal.needed_by.is_none().then_some(&removal.digest);
        own.into_iter().chain(&removal.manifests)
    });
    plan.left_over.iter().chain(removals).cloned().collect()
}
