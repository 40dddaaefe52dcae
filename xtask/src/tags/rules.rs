//! Which tags a commit may carry: a pure function over facts from git, CI and the registry.

mod pull_request;
mod reasons;

pub(super) use self::pull_request::{pull_request_refusal, pull_request_tag};
use self::reasons::{COMMIT_FIRST, DIRTY};
use super::latest::{Published, higher};
use super::question::Question;
use super::set::{AppliedBy, SHALLOW, Tag, TagSet, Withheld};
use crate::git::{Facts, Head};
use crate::github::Ci;
use crate::refusal::Refusal;
use crate::version::latest::{self, obstacle};
use crate::version::{self, TagName, Version, check_taggable, is_stable};

/// The tags that the commit may carry, and those it may not, each with the reason.
pub(crate) fn tag_set(facts: &Facts, question: &Question) -> anyhow::Result<TagSet> {
    let mut decision = Decision {
        facts,
        question,
        set: TagSet::new(facts, question)?,
    };
    decision.sha();
    decision.pull_request();
    decision.dev();
    decision.version();
    decision.notes();
    decision.set.label(question.workspace_version.as_deref());
    Ok(decision.set)
}

/// The commit's own tag, or why it has none and what to do.
pub(super) fn sha_tag(head: &Head, ci: Option<&Ci>) -> Result<String, (String, &'static str)> {
    if !head.dirty.is_empty() {
        return Err((DIRTY.to_owned(), COMMIT_FIRST));
    }
    if let Some(number) = merge_of(head, ci) {
        return Err((
            format!("HEAD is the throw-away merge commit of pull request {number}"),
            "check out the pull request's own commit (for actions/checkout: `ref: ${{ \
             github.event.pull_request.head.sha }}`)",
        ));
    }
    Ok(sha_name(&head.revision))
}

/// The name of a commit's own tag, whether it may have one or not.
pub(crate) fn sha_name(revision: &str) -> String {
    format!("sha-{}", revision.get(..7).unwrap_or(revision))
}

/// The pull request that HEAD is the merge commit of. No tag names that commit: it disappears with
/// the pull request.
fn merge_of(head: &Head, ci: Option<&Ci>) -> Option<u64> {
    ci.filter(|ci| ci.is_at(head)).and_then(Ci::pull_request)
}

struct Decision<'a> {
    facts: &'a Facts,
    question: &'a Question,
    set: TagSet,
}

impl Decision<'_> {
    fn sha(&mut self) {
        let head = &self.facts.head;
        match sha_tag(head, self.question.ci.as_ref()) {
            Ok(name) => self.give(name, AppliedBy::Image, "the tree is HEAD's commit"),
            Err((why, remedy)) => self.withhold(sha_name(&head.revision), why, remedy),
        }
    }

    fn pull_request(&mut self) {
        let ci = self.question.ci.as_ref();
        match pull_request_tag(&self.facts.head, ci) {
            None => {}
            Some(Ok(name)) => {
                let why = "CI builds this pull request of this repository; it moves with each run";
                self.give(name, AppliedBy::Image, why);
            }
            Some(Err((why, remedy))) => {
                let number = ci.and_then(Ci::pull_request).unwrap_or_default();
                self.withhold(format!("pr-{number}"), why, remedy);
            }
        }
    }

    fn dev(&mut self) {
        let head = &self.facts.head;
        let name = "dev".to_owned();
        if !head.dirty.is_empty() {
            let why = "a local build, of a dirty tree: never pushed";
            return self.give(name, AppliedBy::Image, why);
        }
        let Some(ci) = &self.question.ci else {
            return self.give(name, AppliedBy::Image, "a local build");
        };
        let Some(default) = self.set.default_branch.clone() else {
            let why = "in CI only the default branch gives it, and none is known";
            let remedy = "`git remote set-head origin --auto`, or set `default-branch` under \
                          `[workspace.metadata.image]` in Cargo.toml";
            return self.withhold(name, why, remedy);
        };
        if ci.branch(head) == Some(&default) {
            let why = format!("CI builds the default branch `{default}`");
            return self.give(name, AppliedBy::Image, why);
        }
        let why = format!("in CI only the default branch `{default}` gives it");
        self.withhold(name, why, format!("merge into `{default}`"));
    }

    /// The version at HEAD that counts, and with it `latest`.
    fn version(&mut self) {
        let (metadata, mut versions) = self.versions_at_head();
        versions.sort_unstable_by(|a, b| b.cmp(a));
        if let Some(pick) = &self.question.pick {
            if !versions.contains(pick) {
                return self.refuse_pick(pick);
            }
            for version in metadata
                .iter()
                .chain(versions.iter().filter(|v| *v != pick))
            {
                self.note(format!(
                    "`v{version}` is at HEAD too; `--version {pick}` was asked for"
                ));
            }
            return self.one_version(pick);
        }
        for version in &metadata {
            if let Err(version::Untaggable { why, instead }) = check_taggable(version) {
                let remedy = format!(
                    "tag the commit without it: `git tag -d v{version} && git tag -a v{instead}`"
                );
                self.refuse(format!("v{version}"), why, remedy);
            }
        }
        let Some((highest, others)) = versions.split_first() else {
            return;
        };
        if !others.is_empty() {
            let names: Vec<String> = others.iter().map(|v| format!("`v{v}`")).collect();
            let names = names.join(", ");
            self.note(format!(
                "HEAD carries {names} too; the highest counts, unless `--version` picks another"
            ));
        }
        self.one_version(highest);
    }

    /// The versions at HEAD: those with build metadata, and those that can be tags.
    fn versions_at_head(&self) -> (Vec<Version>, Vec<Version>) {
        let names = self.facts.at_head.iter();
        let versions = names.filter_map(|name| match version::read(name) {
            TagName::Version(version) => Some(version),
            TagName::NearMiss(_) | TagName::Other => None,
        });
        versions.partition(|version| check_taggable(version).is_err())
    }

    fn one_version(&mut self, version: &Version) {
        let name = format!("v{version}");
        let head = &self.facts.head;
        self.set.version = Some(version.clone());
        self.set.prerelease = Some(!is_stable(version));
        if !head.dirty.is_empty() {
            return self.withhold(name, DIRTY, COMMIT_FIRST);
        }
        if merge_of(head, self.question.ci.as_ref()).is_some() {
            let why = "HEAD is the throw-away merge commit of a pull request";
            return self.withhold(name, why, "release from the commit that was merged");
        }
        if self
            .question
            .ci
            .as_ref()
            .is_some_and(Ci::is_of_pull_request)
        {
            let why = "a pull request releases nothing";
            return self.withhold(name, why, "release from a push of the git tag");
        }
        if let Some(workspace) = &self.question.workspace_version
            && *workspace != version.to_string()
        {
            let why = format!("the git tag says `{version}`, Cargo.toml says `{workspace}`");
            let remedy = format!(
                "set `version = \"{version}\"` in Cargo.toml, commit and tag that commit; or \
                 `git tag -d {name} && git tag -a v{workspace}`"
            );
            return self.refuse(name, why, remedy);
        }
        let given = self.set.tags.len();
        self.give(name, AppliedBy::Release, "the git tag at HEAD");
        if self.set.tags.len() > given {
            self.latest(version);
        }
    }

    fn latest(&mut self, version: &Version) {
        let name = "latest".to_owned();
        let (highest, at) = match &self.question.published {
            Published::Known { highest, latest } => (highest.as_ref(), latest.as_ref()),
            Published::Unknown => (None, None),
        };
        if let Some(obstacle) = obstacle(version, highest, at) {
            return self.withhold(name, obstacle.to_string(), obstacle.remedy());
        }
        if self.facts.shallow {
            return self.refuse(
                name,
                "the clone is shallow: the tags of higher versions may be missing",
                "`git fetch --unshallow --tags` (`fetch-depth: 0` for actions/checkout)",
            );
        }
        let higher = higher(self.facts, version);
        self.set.higher = higher.iter().map(|v| format!("v{v}")).collect();
        if !matches!(self.question.published, Published::Unknown) {
            return self.give(name, AppliedBy::Release, latest::MOVES);
        }
        let known = higher.first().map_or_else(
            || "git has none".to_owned(),
            |highest| format!("git has {}, up to `v{highest}`", higher.len()),
        );
        let why = format!("a stable version, if no higher one is published ({known})");
        self.give(name, AppliedBy::Release, why);
        if let Some(latest) = self.set.tags.last_mut() {
            latest.is_conditional = true;
        }
    }

    fn notes(&mut self) {
        let facts = self.facts;
        for (name, kind) in &facts.no_commits {
            self.note(format!(
                "the tag `{name}` leads to a {kind}, not to a commit: ignored"
            ));
        }
        if facts.shallow {
            self.note(SHALLOW);
        }
        if !facts.head.filtered.is_empty() {
            let paths: Vec<String> = facts
                .head
                .filtered
                .iter()
                .map(|p| format!("`{p}`"))
                .collect();
            self.note(format!(
                "{} may be unchanged: only git can tell, because of a filter or an encoding in \
                 .gitattributes; hint: `git status`, then ask again",
                paths.join(", ")
            ));
        }
        if facts.top.is_none() {
            self.note("the repository is bare: there is no tree that could differ from HEAD");
        }
        if facts.replaced {
            self.note(
                "`git replace` shows HEAD as another commit here; what counts is the commit of \
                 that id, as everyone else has it",
            );
        }
    }

    fn refuse_pick(&mut self, pick: &Version) {
        let name = format!("v{pick}");
        if let Err(version::Untaggable { why, instead }) = check_taggable(pick) {
            return self.refuse(name, why, format!("`--version {instead}`"));
        }
        let remedy = if self.facts.versions.contains(pick) {
            format!("`git checkout {name}`")
        } else {
            format!("`git tag -a {name}`")
        };
        self.refuse(name, "no git tag at HEAD says so", remedy);
    }

    /// Adds a tag, if registries take its name.
    fn give(&mut self, name: String, applied_by: AppliedBy, why: impl Into<String>) {
        match Tag::new(&self.question.repository, name.clone(), applied_by, why) {
            Ok(tag) => self.set.tags.push(tag),
            Err(why) => self.refuse(name, why, "give the commit a tag with a shorter name"),
        }
    }

    fn withhold(&mut self, name: String, why: impl Into<String>, remedy: impl Into<String>) {
        self.set.withheld.push(Withheld {
            name,
            reason: Refusal::new(why, remedy),
            is_refused: false,
        });
    }

    /// [`Decision::withhold`] for what somebody asked for by a git tag or a flag.
    fn refuse(&mut self, name: String, why: impl Into<String>, remedy: impl Into<String>) {
        self.withhold(name, why, remedy);
        if let Some(withheld) = self.set.withheld.last_mut() {
            withheld.is_refused = true;
        }
    }

    fn note(&mut self, note: impl Into<String>) {
        self.set.notes.push(note.into());
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
