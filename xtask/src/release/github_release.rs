//! The GitHub Release of a version, made by `gh` once its tags are written. One that is there already
//! is left as it is: somebody may have written its notes by hand.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::exec::{self, Ended, Exec};
use crate::github::gh::{Gh, Missing, said};
use crate::refusal::Refusal;
use crate::report;
use crate::version::{Version, is_stable};

/// What `gh` says of a release that does not exist. Its exit code is that of every error.
const ABSENT: &str = "release not found";

/// The GitHub Release of a version, looked up but not made.
pub(super) struct GithubRelease {
    gh: Gh,
    version: Version,
    /// The notes are kept there, so that a release that fails can be made by hand.
    notes: PathBuf,
    found: Option<Found>,
}

/// A release that exists.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    tag_name: String,
    is_draft: bool,
}

impl GithubRelease {
    /// Looks it up, or says why it could not be made. `source` is the web address of the git remote.
    pub(super) fn find(
        exec: &Exec,
        source: Option<&str>,
        version: &Version,
        records: &Path,
    ) -> anyhow::Result<Result<GithubRelease, Refusal>> {
        let gh = match Gh::new(exec, source) {
            Ok(gh) => gh,
            Err(Missing::Program) => {
                return Ok(Err(Refusal::new(
                    "a GitHub Release is asked for, and `gh` is not on PATH",
                    "install the GitHub CLI (https://cli.github.com), or release without \
                     `--github-release`",
                )));
            }
            Err(Missing::Place(why)) => {
                let remedy = "`git remote set-url origin https://github.com/OWNER/NAME.git`, or \
                              release without `--github-release`";
                return Ok(Err(Refusal::new(why, remedy)));
            }
        };
        let tag = format!("v{version}");
        let args = [
            "release",
            "view",
            &tag,
            "--repo",
            &gh.place,
            "--json",
            "isDraft,tagName",
        ];
        let ended = gh.run(&args)?;
        Ok(read(&ended, &tag)
            .map(|found| GithubRelease {
                gh,
                version: version.clone(),
                notes: records.join(format!("release-notes/{tag}.md")),
                found,
            })
            .map_err(|why| {
                Refusal::new(
                    format!("`gh` cannot read the releases of this repository: {why}"),
                    "`gh auth login`, or GH_TOKEN with the permission `contents: write`",
                )
            }))
    }

    pub(super) fn must_be_made(&self) -> bool {
        self.found.is_none()
    }

    /// What is done with it, in a line.
    pub(super) fn describe(&self) -> String {
        let (place, version) = (&self.gh.place, &self.version);
        match &self.found {
            None => format!("the GitHub Release `v{version}` is made in `{place}`"),
            Some(Found {
                is_draft: false, ..
            }) => {
                format!("the GitHub Release `v{version}` is there already: it stays as it is")
            }
            Some(Found { is_draft: true, .. }) => format!(
                "the GitHub Release `v{version}` is a draft: it stays as it is; hint: `gh release \
                 edit v{version} --repo {place} --draft=false` publishes it"
            ),
        }
    }

    /// The arguments of `gh`. `is_latest` is whether the image is `latest`: GitHub would otherwise
    /// give its own mark to whatever was released last (cli/cli#6963).
    pub(super) fn args(&self, is_latest: bool) -> Vec<String> {
        let tag = format!("v{}", self.version);
        let notes = self.notes.display().to_string();
        // `gh` would make a missing tag, at the default branch's newest commit.
        let mut args = vec![
            "release",
            "create",
            &tag,
            "--repo",
            &self.gh.place,
            "--verify-tag",
        ];
        args.extend(["--title", &tag, "--notes-file", &notes]);
        let is_prerelease = !is_stable(&self.version);
        args.extend(is_prerelease.then_some("--prerelease"));
        args.push(if is_latest && !is_prerelease {
            "--latest=true"
        } else {
            "--latest=false"
        });
        args.into_iter().map(str::to_owned).collect()
    }

    /// Makes it, unless it is there.
    pub(super) fn publish(&self, notes: &str, is_latest: bool) -> anyhow::Result<()> {
        if !self.must_be_made() {
            crate::say::errln!("note: {}", self.describe());
            return Ok(());
        }
        report::write_whole(&self.notes, notes)
            .with_context(|| format!("failed to write `{}`", self.notes.display()))?;
        let args = self.args(is_latest);
        let made = self.gh.run(&args)?;
        if !made.success() {
            bail!(
                "the version is published, but its GitHub Release was not made: {}\n  hint: run \
                 this again, or `{}`",
                said(&made),
                exec::quoted("gh", &args)
            );
        }
        crate::say::errln!(
            "made the GitHub Release `v{}` in `{}`",
            self.version,
            self.gh.place
        );
        Ok(())
    }
}

/// What `gh release view` says: a release, or that there is none.
fn read(ended: &Ended, tag: &str) -> Result<Option<Found>, String> {
    if !ended.success() {
        let is_absent = ended.status.is_some() && ended.stderr.trim_ascii() == ABSENT.as_bytes();
        return if is_absent {
            Ok(None)
        } else {
            Err(said(ended))
        };
    }
    match serde_json::from_slice::<Found>(&ended.stdout) {
        Ok(found) if found.tag_name == tag => Ok(Some(found)),
        Ok(_) => Err("it answers for another tag".to_owned()),
        Err(why) => Err(format!("its answer cannot be read: {why}")),
    }
}

#[cfg(test)]
mod tests;
