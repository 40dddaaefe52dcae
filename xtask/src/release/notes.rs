//! The notes of a GitHub Release: what the image is, and the commits since the version before.

use std::fmt::Write as _;

use serde::Serialize;

use super::facts::ReleaseFacts;
use super::intent::Release;
use super::step::ReleasePlan;
use super::summary::About;
use crate::ctx::Ctx;
use crate::git::{self, Changes};
use crate::github::markdown::{code, text};
use crate::reference::Repository;

/// The most bytes of notes. GitHub takes 125,000 characters, and refuses the whole release above.
const LIMIT: usize = 100_000;

/// The GitHub Release that would be made, as `--dry-run` prints it.
#[derive(Serialize)]
pub(super) struct GithubPlan {
    /// The arguments of `gh`.
    pub(super) command: Vec<String>,
    pub(super) notes: String,
}

impl GithubPlan {
    /// None when none is asked for, or it is there.
    pub(super) fn of(
        ctx: &Ctx,
        release: &Release,
        facts: &ReleaseFacts,
        plan: &ReleasePlan,
    ) -> anyhow::Result<Option<GithubPlan>> {
        let Some(github) = release.github.as_ref().filter(|it| it.must_be_made()) else {
            return Ok(None);
        };
        let first = &ctx.settings.repository;
        let latest = plan
            .steps
            .iter()
            .filter(|step| step.repository == *first && step.tag == "latest");
        let mut leads_to = latest.map(|step| step.to.as_ref());
        let is_latest = leads_to.any(|to| to == Some(&plan.digest));
        Ok(Some(GithubPlan {
            command: github.args(is_latest),
            notes: notes(ctx, plan, &About::read(release, facts, plan))?,
        }))
    }
}

/// The notes of a version, with the commits since the one before.
pub(super) fn notes(ctx: &Ctx, plan: &ReleasePlan, about: &About) -> anyhow::Result<String> {
    let versions = git::read_facts(&ctx.root)?.versions;
    let changes = git::changes(&ctx.root, &plan.version, &plan.revision, &versions)?;
    Ok(markdown(plan, &ctx.settings.repository, about, &changes))
}

/// The notes as Markdown. Commits that do not fit are counted.
fn markdown(
    plan: &ReleasePlan,
    repository: &Repository,
    about: &About,
    changes: &Changes,
) -> String {
    let name = code(&repository.reference(&format!("v{}", plan.version)));
    let (digest, revision) = (code(plan.digest.as_str()), code(&plan.revision));
    let since = changes.since.as_ref();
    let since = since
        .map(|since| format!(" since v{since}"))
        .unwrap_or_default();
    let mut notes = format!(
        "{name} is {digest}, built from {revision}.\n\n{}\n## Changes{since}\n\n",
        about.markdown()
    );
    let mut more = changes.more;
    for (at, commit) in changes.commits.iter().enumerate() {
        let short = commit.id.get(..7).unwrap_or(&commit.id);
        let line = format!("- {} ({})\n", text(&commit.subject), code(short));
        if notes.len() + line.len() > LIMIT {
            more += changes.commits.len() - at;
            break;
        }
        notes.push_str(&line);
    }
    if changes.commits.is_empty() {
        notes.push_str("None.\n");
    }
    if more > 0 {
        // Writing to a String cannot fail.
        let _ = writeln!(notes, "\nand {more} more commits");
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::Change;
    use crate::oci::Digest;
    use crate::version::Version;

    fn shown(changes: &Changes) -> String {
        let plan = ReleasePlan {
            version: Version::new(1, 1, 0),
            revision: "r".to_owned(),
            digest: Digest::of(b"x"),
            verify: Vec::new(),
            attach: Vec::new(),
            sign: Vec::new(),
            records: Vec::new(),
            steps: Vec::new(),
            notes: Vec::new(),
        };
        let repository = "ghcr.io/me/agent".parse().unwrap();
        markdown(&plan, &repository, &About::default(), changes)
    }

    fn change(subject: &str) -> Change {
        Change {
            id: "0123456789abcdef".to_owned(),
            subject: subject.to_owned(),
        }
    }

    #[test]
    fn notes_have_the_digest_and_the_commits() {
        let changes = Changes {
            since: Some(Version::new(1, 0, 0)),
            commits: vec![change("Mend it, thanks @octocat"), change("# a <b>")],
            more: 3,
        };
        let text = shown(&changes);
        let start = format!(
            "`ghcr.io/me/agent:v1.1.0` is `{}`, built from `r`.\n",
            Digest::of(b"x")
        );
        assert!(text.starts_with(&start), "{text}");
        let end = "## Changes since v1.0.0\n\n- Mend it, thanks @&#8203;octocat (`0123456`)\n- \\# a \
                   &lt;b&gt; (`0123456`)\n\nand 3 more commits\n";
        assert!(text.ends_with(end), "{text}");
        let none = Changes {
            since: None,
            commits: Vec::new(),
            more: 0,
        };
        assert!(shown(&none).ends_with("## Changes\n\nNone.\n"));
    }

    /// goreleaser/goreleaser#2647, cli/cli#7705: GitHub refuses a release whose notes are too long.
    #[test]
    fn notes_are_never_too_long_for_github() {
        let commits = (0..200).map(|_| change(&"@".repeat(120))).collect();
        let text = shown(&Changes {
            since: None,
            commits,
            more: 1,
        });
        assert!(text.len() < 125_000, "{}", text.len());
        let listed = text.lines().filter(|line| line.starts_with("- ")).count();
        let rest = 201 - listed;
        assert!(
            text.ends_with(&format!("\nand {rest} more commits\n")),
            "{text}"
        );
    }
}
