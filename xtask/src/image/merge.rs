//! `image --merge`: one index of what several machines have pushed, each for its own platform.
//!
//! Nothing is built and no manifest is rewritten: the registry has all parts already.

use std::time::Instant;

use super::push::{Publish, PushPlan, current, decide_dev, difference, part_tag, refusal, whole};
use super::request::Request;
use crate::image_tree::{ImageTree, join};
use crate::last_build::{TagState, rounded};
use crate::published::{TagContent, Wanted, inspect, objections};
use crate::registry::Registry;
use crate::stop::Stop;

pub(super) fn run(request: &Request) -> anyhow::Result<()> {
    let start = Instant::now();
    let ctx = request.ctx;
    let tags = request.tags().push_tags()?;
    request.enter_testbed()?;
    let registry = Registry::new(&ctx.exec, &ctx.settings.repository);
    let puller = registry.puller();
    let whole = whole(request, tags.name.clone());
    let is_moving = tags.is_moving;
    let mut parts = Vec::new();
    for &platform in &whole.platforms {
        let tag = part_tag(&whole.tag, platform);
        let wanted = Wanted {
            reference: ctx.settings.repository.reference(&tag),
            platforms: vec![platform],
            revision: whole.revision.clone(),
            tag,
        };
        let found = current(inspect(&puller, &wanted.tag)?, &wanted, is_moving);
        parts.push((wanted, found));
    }
    let published = current(inspect(&puller, &whole.tag)?, &whole, is_moving);
    let joined = decide(&whole, &parts, &published).map_err(Stop::Refused)?;
    let (published, index) = match &joined {
        Joined::Published(tree) => (Some(tree.digest.clone()), tree),
        Joined::New(tree) => (None, tree),
    };
    let dev = decide_dev(request, &puller, Some(index))?;
    let plan = PushPlan::without_build(whole, published, dev, tags);
    if request.options.dry_run {
        return plan.print(ctx.json);
    }
    let publish = Publish {
        request,
        puller: &puller,
        pusher: &registry.pusher(),
        plan: &plan,
    };
    let mut built = match &joined {
        Joined::Published(tree) => publish.finish(tree, TagState::Present, Vec::new())?,
        Joined::New(tree) => {
            publish.tag(tree)?;
            publish.finish(tree, TagState::Pushed, Vec::new())?
        }
    };
    built.seconds = rounded(start.elapsed());
    built.report(ctx)
}

/// What the parts make.
#[derive(Debug)]
pub(super) enum Joined {
    /// An index that is published already, of these very parts.
    Published(ImageTree),
    New(ImageTree),
}

/// Joins the parts, or says all that is wrong with them.
fn decide(
    whole: &Wanted,
    parts: &[(Wanted, TagContent)],
    published: &TagContent,
) -> Result<Joined, String> {
    let (mut good, mut refusals) = (Vec::new(), Vec::new());
    for (wanted, found) in parts {
        match found {
            TagContent::Absent => {
                let platform = wanted.platforms.first().map(ToString::to_string);
                refusals.push(format!(
                    "`{}` is not published\n  hint: `cargo xtask image --push --platform {}`, on \
                     a machine of that platform or under emulation, at commit `{}`",
                    wanted.reference,
                    platform.unwrap_or_default(),
                    wanted.revision
                ));
            }
            TagContent::Broken(why) => refusals.push(refusal(wanted, None, why)),
            TagContent::There(tree) => match objections(tree, wanted) {
                none if none.is_empty() => good.push((wanted, tree)),
                objections => {
                    let why = objections.join("; ");
                    refusals.push(refusal(wanted, Some(&tree.digest), &why));
                }
            },
        }
    }
    let published = match published {
        TagContent::Absent => None,
        TagContent::Broken(why) => {
            refusals.push(refusal(whole, None, why));
            None
        }
        TagContent::There(tree) => {
            let objections = objections(tree, whole);
            if objections.is_empty() {
                Some(tree)
            } else {
                refusals.push(refusal(whole, Some(&tree.digest), &objections.join("; ")));
                None
            }
        }
    };
    if let Some(published) = published {
        // A part that is missing by now does no harm: what it was is in the index.
        let twice = good.iter().filter_map(|(wanted, part)| {
            let said = difference(part, published)?.said;
            Some((said, format!("`{}`", wanted.reference)))
        });
        let (said, parts): (Vec<_>, Vec<_>) = twice.unzip();
        if parts.is_empty() {
            return Ok(Joined::Published(published.clone()));
        }
        return Err(format!(
            "`{}` ({}) is published, and a platform was built twice, {}\n  hint: a published tag is \
             never rewritten; delete {} in the registry",
            whole.reference,
            published.digest,
            said.join("; "),
            parts.join(" and "),
        ));
    }
    if !refusals.is_empty() {
        return Err(refusals.join("\n"));
    }
    let trees: Vec<ImageTree> = good.into_iter().map(|(_, tree)| tree.clone()).collect();
    let joined = join(&trees).map_err(|error| format!("{error:#}"))?;
    Ok(Joined::New(joined))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::image_tree::tests::Shelf;
    use crate::platform::Platform;

    fn wanted(tag: &str, platforms: &[Platform]) -> Wanted {
        Wanted {
            tag: tag.to_owned(),
            reference: format!("agentgate/agent:{tag}"),
            platforms: platforms.to_vec(),
            revision: "r".to_owned(),
        }
    }

    fn there(shelf: &Shelf, entries: &[Value]) -> TagContent {
        TagContent::There(shelf.read(entries).unwrap())
    }

    fn parts(found: [TagContent; 2]) -> Vec<(Wanted, TagContent)> {
        let tags = ["sha-0-linux-amd64", "sha-0-linux-arm64"];
        let wanted = tags
            .iter()
            .zip(Platform::ALL)
            .map(|(tag, platform)| wanted(tag, &[platform]));
        wanted.zip(found).collect()
    }

    #[test]
    fn parts_are_joined_once() {
        let mut shelf = Shelf::default();
        let (amd64, arm64) = (
            shelf.image("amd64", "r", "a"),
            shelf.image("arm64", "r", "b"),
        );
        let whole = wanted("sha-0", &Platform::ALL);
        let found = || parts([there(&shelf, &amd64), there(&shelf, &arm64)]);
        let Joined::New(joined) = decide(&whole, &found(), &TagContent::Absent).unwrap() else {
            panic!("it is not new");
        };
        assert_eq!((joined.images.len(), joined.attestations.len()), (2, 2));
        let digest = joined.digest.clone();
        let published = TagContent::There(joined);
        let Joined::Published(again) = decide(&whole, &found(), &published).unwrap() else {
            panic!("it is new");
        };
        assert_eq!(again.digest, digest);
        // Nor does it need its parts any more.
        let gone = parts([TagContent::Absent, TagContent::Absent]);
        assert!(matches!(
            decide(&whole, &gone, &published),
            Ok(Joined::Published(_))
        ));
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let mut shelf = Shelf::default();
        let whole = wanted("sha-0", &Platform::ALL);
        let other = shelf.image("amd64", "another", "a");
        let found = parts([there(&shelf, &other), TagContent::Absent]);
        let refused = decide(&whole, &found, &TagContent::Absent).unwrap_err();
        for said in [
            "is built from commit `another`",
            "`agentgate/agent:sha-0-linux-arm64` is not published",
            "cargo xtask image --push --platform linux/arm64",
        ] {
            assert!(refused.contains(said), "{refused}");
        }
    }

    #[test]
    fn a_platform_that_was_built_twice_is_refused() {
        let mut shelf = Shelf::default();
        let amd64 = shelf.image("amd64", "r", "a");
        let (first, second) = (
            shelf.image("arm64", "r", "b"),
            shelf.image("arm64", "r", "c"),
        );
        let whole = wanted("sha-0", &Platform::ALL);
        let published = there(&shelf, &[amd64.clone(), first.clone()].concat());
        let found = parts([there(&shelf, &amd64), there(&shelf, &second)]);
        let refused = decide(&whole, &found, &published).unwrap_err();
        assert!(
            refused.contains("built twice, `linux/arm64`: published"),
            "{refused}"
        );
        // In one part, too.
        let refused = shelf.read(&[first, second].concat()).unwrap_err();
        let refused = format!("{refused:#}");
        assert!(
            refused.contains("several images for `linux/arm64`"),
            "{refused}"
        );
    }
}
