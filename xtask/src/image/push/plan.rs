//! What a push will do: pure decisions over what git, CI and the registry say.

use serde::Serialize;

use crate::git::Head;
use crate::github::Ci;
use crate::image::cache::slug;
use crate::image_tree::ImageTree;
use crate::oci::Digest;
use crate::platform::{self, Platform};

/// What a tag leads to in the registry.
#[derive(Debug)]
pub(crate) enum Found {
    Absent,
    /// Something that is no whole index, and why.
    Broken(String),
    There(ImageTree),
}

/// What a tag must lead to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Wanted {
    pub(crate) tag: String,
    /// With the repository.
    pub(crate) reference: String,
    pub(crate) platforms: Vec<Platform>,
    /// The full commit id.
    pub(crate) revision: String,
}

/// What becomes of the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Goal {
    /// It is published already.
    Adopt,
    Build,
    /// It is made of what is published for each platform.
    Join,
}

impl Goal {
    /// What is to be done where the image is published.
    pub(super) fn of_published(rebuild: bool) -> Goal {
        if rebuild { Goal::Build } else { Goal::Adopt }
    }
}

/// The tag that one platform's image of a commit waits under until all are joined.
pub(crate) fn part_tag(sha_tag: &str, platform: Platform) -> String {
    format!("{sha_tag}-{}", slug(platform))
}

/// The platforms of a push: all, or one that is to be joined with the others later.
pub(super) fn platforms(asked: &[Platform], all: &[Platform]) -> Result<Vec<Platform>, String> {
    let mut asked = asked.to_vec();
    asked.sort_unstable();
    asked.dedup();
    let is_all = all.iter().all(|platform| asked.contains(platform));
    match asked.as_slice() {
        [] => Ok(all.to_vec()),
        _ if is_all && asked.len() == all.len() => Ok(all.to_vec()),
        [one] if all.contains(one) => Ok(asked),
        _ => Err(format!(
            "`--push` takes all platforms of the image (`{}`) or one of them, not `{}`; hint: \
             `platforms` in Cargo.toml says what the image is for",
            platform::join(all),
            platform::join(&asked)
        )),
    }
}

/// What `tree` has that it should not have, or has not; empty when it is what is wanted.
pub(crate) fn objections(tree: &ImageTree, wanted: &Wanted) -> Vec<String> {
    let mut objections = Vec::new();
    for &platform in &wanted.platforms {
        match tree.images_for(platform).as_slice() {
            [] => objections.push(format!("it has nothing for `{platform}`")),
            [_] => {}
            several => {
                let digests = several.iter().map(|image| format!("`{}`", image.digest()));
                let digests = digests.collect::<Vec<_>>().join(", ");
                objections.push(format!("it has several images for `{platform}`: {digests}"));
            }
        }
    }
    for image in &tree.images {
        let is_wanted = |platform: &&Platform| image.is_for(**platform);
        if wanted.platforms.iter().find(is_wanted).is_none() {
            objections.push(format!("it has an image for `{}` too", image.platform));
        } else if image.revision() != Some(&wanted.revision) {
            objections.push(format!(
                "its image for `{}` is built from {}",
                image.platform,
                match image.revision() {
                    Some(revision) => format!("commit `{revision}`"),
                    None => "an unknown commit".to_owned(),
                }
            ));
        }
    }
    objections
}

/// What is to be done for the tag; or why nothing may be, and the remedy.
pub(super) fn goal(found: &Found, wanted: &Wanted, rebuild: bool) -> Result<Goal, String> {
    let tree = match found {
        Found::Absent => return Ok(Goal::Build),
        Found::Broken(why) => return Err(refusal(wanted, None, why)),
        Found::There(tree) => tree,
    };
    let objections = objections(tree, wanted);
    if !objections.is_empty() {
        return Err(refusal(wanted, Some(&tree.digest), &objections.join("; ")));
    }
    Ok(Goal::of_published(rebuild))
}

/// A published tag is never rewritten, whatever is wrong with it.
pub(crate) fn refusal(wanted: &Wanted, digest: Option<&Digest>, why: &str) -> String {
    let digest = digest.map(|digest| format!(" ({digest})"));
    format!(
        "`{}`{} is published, and is not the image of commit `{}` for `{}`: {}\n  hint: a \
         published tag is never rewritten; delete it in the registry and run this again, or make \
         another commit (`git commit --amend --no-edit --date=now` gives this one another name)",
        wanted.reference,
        digest.unwrap_or_default(),
        wanted.revision,
        platform::join(&wanted.platforms),
        why
    )
}

/// How what was built anew differs from what is published.
pub(crate) struct Difference {
    pub(crate) said: String,
    /// Whether the configurations differ alone.
    has_same_layers: bool,
}

impl Difference {
    /// What to do about it.
    pub(super) fn remedy(&self) -> &'static str {
        if self.has_same_layers {
            "what is in the images is the same; a builder of the BuildKit that made what is \
             published (`--builder NAME`) writes its configuration, too"
        } else {
            "`cargo xtask image --reproduce` names the first file that differs between two builds"
        }
    }
}

/// Why what was built anew may not replace what is published; none when both are the same images.
pub(crate) fn difference(built: &ImageTree, published: &ImageTree) -> Option<Difference> {
    let (built, published) = (built.by_platform(), published.by_platform());
    let mut has_same_layers = true;
    let lines = built.iter().filter_map(|(platform, image)| {
        let digest = image.digest();
        let published = match published.get(platform) {
            None => {
                has_same_layers = false;
                return Some(format!("`{platform}`: published nothing, built {digest}"));
            }
            Some(published) => *published,
        };
        let alike = if published.digest() == digest {
            return None;
        } else if published.layers() == image.layers() {
            " (the same layers; each version of BuildKit may write another configuration)"
        } else {
            has_same_layers = false;
            ""
        };
        let published = published.digest();
        Some(format!(
            "`{platform}`: published {published}, built {digest}{alike}"
        ))
    });
    let lines: Vec<String> = lines.collect();
    (!lines.is_empty()).then(|| Difference {
        said: lines.join("; "),
        has_same_layers,
    })
}

/// Whether `dev` may lead to the commit, as far as git and CI know; else why not.
pub(super) fn may_be_dev(
    head: &Head,
    ci: Option<&Ci>,
    default_branch: Option<&str>,
) -> Result<(), String> {
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
pub(super) fn later(
    descends: Option<bool>,
    theirs: Option<&str>,
    ours: &str,
) -> Option<&'static str> {
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
    use crate::image_tree::tests::Shelf;

    const BOTH: &[Platform] = &Platform::ALL;

    fn wanted(platforms: &[Platform]) -> Wanted {
        Wanted {
            tag: "sha-0123456".to_owned(),
            reference: "agentgate/agent:sha-0123456".to_owned(),
            platforms: platforms.to_vec(),
            revision: "r".to_owned(),
        }
    }

    /// What is found where the index has images of these architectures and revisions.
    fn found(images: &[(&str, &str)]) -> Found {
        let mut shelf = Shelf::default();
        let entries: Vec<_> = images
            .iter()
            .enumerate()
            .flat_map(|(number, (arch, revision))| shelf.image(arch, revision, &number.to_string()))
            .collect();
        Found::There(shelf.read(&entries).unwrap())
    }

    fn tree(images: &[(&str, &str)]) -> ImageTree {
        match found(images) {
            Found::There(tree) => tree,
            _ => unreachable!(),
        }
    }

    #[test]
    fn the_same_commits_tag_is_adopted_and_any_other_is_refused() {
        let good = [("amd64", "r"), ("arm64", "r")];
        assert_eq!(goal(&Found::Absent, &wanted(BOTH), false), Ok(Goal::Build));
        assert_eq!(goal(&found(&good), &wanted(BOTH), false), Ok(Goal::Adopt));
        assert_eq!(goal(&found(&good), &wanted(BOTH), true), Ok(Goal::Build));
        for (images, why) in [
            (
                &[("amd64", "r"), ("arm64", "other")][..],
                "its image for `linux/arm64` is built from commit `other`",
            ),
            (&[("amd64", "r")], "it has nothing for `linux/arm64`"),
            (
                &[("amd64", "r"), ("arm64", "r"), ("arm64", "r")],
                "it has several images for `linux/arm64`",
            ),
            (
                &[("amd64", "r"), ("arm64", "r"), ("riscv64", "r")],
                "it has an image for `linux/riscv64` too",
            ),
        ] {
            for rebuild in [false, true] {
                let refused = goal(&found(images), &wanted(BOTH), rebuild).unwrap_err();
                assert!(refused.contains(why), "{refused}");
                assert!(refused.contains("hint: a published tag"), "{refused}");
            }
        }
        let broken = Found::Broken("its manifest is missing".to_owned());
        let refused = goal(&broken, &wanted(BOTH), false).unwrap_err();
        assert!(refused.contains("its manifest is missing"), "{refused}");
    }

    #[test]
    fn all_platforms_are_pushed_or_one() {
        assert_eq!(platforms(&[], BOTH).unwrap(), BOTH);
        let reversed = [BOTH[1], BOTH[0], BOTH[1]];
        assert_eq!(platforms(&reversed, BOTH).unwrap(), BOTH);
        assert_eq!(platforms(&BOTH[1..], BOTH).unwrap(), BOTH[1..]);
        assert!(platforms(BOTH, &BOTH[..1]).is_err());
        assert!(platforms(&BOTH[1..], &BOTH[..1]).is_err());
    }

    #[test]
    fn equal_images_are_equal_whatever_their_attestations() {
        let built = tree(&[("amd64", "r"), ("arm64", "r")]);
        assert!(difference(&built, &built).is_none());
        let difference = |built, published| {
            let found = difference(built, published).unwrap();
            let is_of_layers = found.remedy().contains("--reproduce");
            (found.said, is_of_layers)
        };
        let other = tree(&[("amd64", "r"), ("arm64", "s")]);
        let (said, is_of_layers) = difference(&built, &other);
        assert!(!is_of_layers, "{said}");
        assert!(
            said.starts_with("`linux/arm64`: published sha256:"),
            "{said}"
        );
        assert!(!said.contains("amd64"), "{said}");
        assert!(said.contains(" (the same layers; "), "{said}");
        let swapped = tree(&[("arm64", "r"), ("amd64", "r")]);
        let (said, is_of_layers) = difference(&built, &swapped);
        assert!(is_of_layers, "{said}");
        assert!(!said.contains("same layers"), "{said}");
        let less = tree(&[("amd64", "r")]);
        let (said, _) = difference(&built, &less);
        assert!(said.contains("`linux/arm64`: published nothing"), "{said}");
    }

    #[test]
    fn a_part_has_a_tag_of_its_own() {
        assert_eq!(
            part_tag("sha-0123456", Platform::LinuxArm64),
            "sha-0123456-linux-arm64"
        );
    }

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
        };
        let push = ci("push", "refs/heads/main");
        assert!(may(None, Some(&push), Some("main")));
        let pull = ci("pull_request", "refs/heads/main");
        assert!(!may(Some("main"), Some(&pull), Some("main")));
    }
}
