//! What a push does to the tag `dev`.

use std::path::Path;

use serde::Serialize;

use crate::ctx::Ctx;
use crate::git::{self, Head};
use crate::github::Ci;
use crate::image::request::Request;
use crate::image_tree::ImageTree;
use crate::oci::Digest;
use crate::platform::Platform;
use crate::proof::Trust;
use crate::proven::Proofs;
use crate::published::{TagContent, inspect};
use crate::registry::Puller;
use crate::tags;
use crate::verify::{Receipts, ReleaseImage, Unproven};

/// What becomes of `dev`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::image) enum Dev {
    /// It will lead to the commit's index; with the digest that it leads to now.
    Moves { from: Option<Digest> },
    /// It stays, and why.
    Stays(String),
}

/// Whether `dev` moves to the commit: from the default branch alone, only to an index that receipts
/// prove for each platform, and never back. Nothing proves an index that is not built yet.
pub(in crate::image) fn decide(
    request: &Request,
    puller: &Puller,
    index: Option<&ImageTree>,
) -> anyhow::Result<Dev> {
    let ctx = request.ctx;
    let default_branch = ctx.default_branch()?;
    if let Err(why) = may_be_dev(
        &request.head,
        request.ci.as_ref(),
        default_branch.as_deref(),
    ) {
        return Ok(Dev::Stays(why));
    }
    if let Some(why) = unproven(&lacking(request, puller, index)?, &again(request)) {
        return Ok(Dev::Stays(why));
    }
    let tree = match inspect(puller, "dev")? {
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

/// The platforms that nothing proves, each with the reason.
fn lacking(
    request: &Request,
    puller: &Puller,
    index: Option<&ImageTree>,
) -> anyhow::Result<Unproven> {
    let (ctx, all) = (request.ctx, &request.ctx.settings.platforms);
    let all_lack = |why: String| all.iter().map(|&one| (one, why.clone())).collect();
    let Some(index) = index else {
        return Ok(all_lack("it is not published yet".to_owned()));
    };
    let images = all.iter().filter_map(|&platform| {
        let image = *index.images_for(platform).first()?;
        Some((platform, image.digest().clone()))
    });
    let candidate = ReleaseImage {
        name: ctx.settings.repository.by_digest(&index.digest),
        digest: index.digest.clone(),
        is_index: index.is_index(),
        images: images.collect(),
        revision: request.head.revision.clone(),
    };
    let own = ctx.records().join("receipts");
    let folder = request.options.receipt_dir.as_ref().unwrap_or(&own);
    unproven_platforms(ctx, puller, folder, candidate)
}

/// The platforms of an image that nothing proves, each with all reasons why.
///
/// With `proof` settings only signed receipts count that they believe, from the folder or from the registry.
/// Without them a plain receipt of the folder counts: for `dev` alone, which no release starts from. Who can
/// write there can push `dev` as well.
fn unproven_platforms(
    ctx: &Ctx,
    puller: &Puller,
    folder: &Path,
    image: ReleaseImage,
) -> anyhow::Result<Unproven> {
    let trust = Trust::of(ctx)?;
    if !trust.has_policy() {
        let mut unproven = Receipts { ctx, folder }.unproven(&[image])?;
        return Ok(unproven.pop().unwrap_or_default());
    }
    let proofs = Proofs {
        ctx,
        trust: &trust,
        folder,
        own: None,
        is_of_its_day: false,
    };
    Ok(proofs.of(&image, puller)?.lacking)
}

/// What to type so that `dev` moves.
fn again(request: &Request) -> String {
    let name = tags::sha_name(&request.head.revision);
    let reference = request.ctx.settings.repository.reference(&name);
    let named = request.ctx.named.first();
    let named = named.map(|repository| format!(" --repository {repository}"));
    let named = named.unwrap_or_default();
    // Without settings nobody's signature counts for more than a file.
    let sign = request
        .ctx
        .settings
        .proof
        .as_ref()
        .map_or("", |_| " --sign");
    format!(
        "`cargo xtask verify{sign} --pull {reference}`, then `cargo xtask image --merge{named}`"
    )
}

/// Why the index may not be `dev`, as far as receipts prove it.
fn unproven(lacking: &[(Platform, String)], again: &str) -> Option<String> {
    let (_, why) = lacking.first()?;
    let platforms: Vec<String> = lacking.iter().map(|(one, _)| format!("`{one}`")).collect();
    Some(format!(
        "no receipt proves {}: {why}\n  hint: {again}",
        platforms.join(" and ")
    ))
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
    fn dev_moves_only_to_what_every_platform_proves() {
        let lacks = |platforms: &[Platform]| {
            let lacking: Vec<_> = platforms
                .iter()
                .map(|&one| (one, "why".to_owned()))
                .collect();
            unproven(&lacking, "`verify`")
        };
        assert_eq!(lacks(&[]), None);
        let one = "no receipt proves `linux/arm64`: why\n  hint: `verify`";
        assert_eq!(lacks(&Platform::ALL[1..]).as_deref(), Some(one));
        let both = lacks(&Platform::ALL).unwrap();
        assert!(both.contains("`linux/amd64` and `linux/arm64`"), "{both}");
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
