//! What a push does to the tag `dev`.

use serde::Serialize;

use crate::git::{self, Head};
use crate::github::Ci;
use crate::image::request::Request;
use crate::oci::Digest;
use crate::published::{TagContent, inspect};
use crate::registry::Registry;

/// What becomes of `dev`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::image) enum Dev {
    /// It will lead to the commit's index; with the digest that it leads to now.
    Moves { from: Option<Digest> },
    /// It stays, and why.
    Stays(String),
}

/// Whether `dev` moves to the commit: from the default branch alone, and never back.
pub(in crate::image) fn decide(request: &Request, registry: &Registry) -> anyhow::Result<Dev> {
    let ctx = request.ctx;
    let default_branch = match &ctx.settings.default_branch {
        Some(branch) => Some(branch.clone()),
        None => git::read_facts(&ctx.root)?.default_branch,
    };
    if let Err(why) = may_be_dev(
        &request.head,
        request.ci.as_ref(),
        default_branch.as_deref(),
    ) {
        return Ok(Dev::Stays(why));
    }
    let tree = match inspect(registry, "dev")? {
        TagContent::Absent | TagContent::Broken(_) => return Ok(Dev::Moves { from: None }),
        TagContent::There(tree) => tree,
    };
    let head = &request.head;
    if let Some(image) = tree.images.first()
        && let Some(theirs) = image.revision()
    {
        let order = git::descends(&ctx.root, theirs, &head.revision)?;
        if let Some(why) = later(order, image.created(), &head.created()?) {
            return Ok(Dev::Stays(format!("it leads to `{theirs}`, {why}")));
        }
    }
    Ok(Dev::Moves {
        from: Some(tree.digest),
    })
}

/// Whether `dev` may lead to the commit, as far as git and CI know; else why not.
fn may_be_dev(head: &Head, ci: Option<&Ci>, default_branch: Option<&str>) -> Result<(), String> {
    let Some(default) = default_branch else {
        return Err(
            "no default branch is known; hint: set `default-branch` under \
             `[workspace.metadata.image]` in Cargo.toml"
                .to_owned(),
        );
    };
    let branch = match ci {
        Some(ci) => ci.branch(head),
        None => head.branch.as_deref(),
    };
    match branch {
        Some(branch) if branch == default => Ok(()),
        Some(branch) => Err(format!(
            "it moves only from the default branch `{default}`, and this is `{branch}`"
        )),
        None => Err(format!(
            "it moves only from the default branch `{default}`, and HEAD is on none"
        )),
    }
}

/// Why the commit that `dev` leads to comes after the one that is pushed, if it does.
///
/// `descends` is what git knows of it, and the times are those of the commits (RFC 3339, UTC). A
/// repository that lacks the other commit may be shallow, or not have fetched it yet.
fn later(descends: Option<bool>, theirs: Option<&str>, ours: &str) -> Option<&'static str> {
    match descends {
        Some(true) => Some("a later commit"),
        None if theirs.is_some_and(|theirs| theirs > ours) => {
            Some("which is younger, and which this repository lacks; hint: `git fetch`")
        }
        Some(false) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dev_stays_where_it_leads_to_a_later_commit() {
        let (old, new) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
        for (descends, theirs, is_later) in [
            (Some(true), Some(old), true),
            (Some(false), Some(new), false),
            (None, Some(new), true),
            (None, Some(old), false),
            (None, None, false),
        ] {
            let later = later(descends, theirs, "2026-01-01T12:00:00Z");
            assert_eq!(later.is_some(), is_later, "{descends:?}, {theirs:?}");
        }
    }

    #[test]
    fn dev_moves_from_the_default_branch_alone() {
        let head = |branch: Option<&str>| Head {
            revision: "r".into(),
            branch: branch.map(str::to_owned),
            epoch: 0,
            dirty: Vec::new(),
            filtered: Vec::new(),
            source: None,
        };
        let may = |branch, ci: Option<&Ci>, default| may_be_dev(&head(branch), ci, default).is_ok();
        assert!(may(Some("main"), None, Some("main")));
        assert!(!may(Some("topic"), None, Some("main")));
        assert!(!may(None, None, Some("main")));
        assert!(!may(Some("main"), None, None));
        // CI names the branch of a detached HEAD, and a pull request may bear any name.
        let ci = |event: &str, git_ref: &str| Ci {
            event: Some(event.to_owned()),
            git_ref: Some(git_ref.to_owned()),
            sha: Some("r".to_owned()),
            ..Ci::default()
        };
        let push = ci("push", "refs/heads/main");
        assert!(may(None, Some(&push), Some("main")));
        let pull = ci("pull_request", "refs/heads/main");
        assert!(!may(Some("main"), Some(&pull), Some("main")));
    }
}
