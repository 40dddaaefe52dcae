//! What a push will do: pure decisions over what git, CI and the registry say.

use serde::Serialize;

use super::dev::Dev;
use crate::image::cache::slug;
use crate::image::request::Request;
use crate::oci::Digest;
use crate::platform::{self, Platform};
use crate::published::{TagContent, Wanted, objections};
use crate::tags::PushTags;
use crate::{docker, report};

/// A push that is decided.
#[derive(Serialize)]
pub(in crate::image) struct PushPlan {
    pub(super) wanted: Wanted,
    pub(super) goal: PushGoal,
    /// The digest that is adopted, or that a build is compared with.
    pub(super) published: Option<Digest>,
    pub(super) dev: Dev,
    /// Whether the wanted tag is rewritten when it leads to another commit.
    #[serde(rename = "moving")]
    pub(super) is_moving: bool,
    /// The tag of the pull request that moves to the index, too.
    pub(super) pull_request: Option<String>,
    /// The command lines of docker; none when nothing is built.
    pub(super) commands: Vec<Vec<String>>,
}

/// What becomes of the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::image) enum PushGoal {
    /// It is published already.
    Adopt,
    Build,
    /// It is made of what is published for each platform.
    Join,
}

impl PushGoal {
    /// What is to be done where the image is published.
    pub(super) fn of_published(rebuild: bool) -> PushGoal {
        if rebuild {
            PushGoal::Build
        } else {
            PushGoal::Adopt
        }
    }
}

/// The tag that one platform's image of a commit waits under until all are joined.
pub(in crate::image) fn part_tag(sha_tag: &str, platform: Platform) -> String {
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

/// What a tag leads to, as far as that counts: one that moves is rewritten unless it leads to what is
/// wanted.
pub(in crate::image) fn current(found: TagContent, wanted: &Wanted, is_moving: bool) -> TagContent {
    match found {
        TagContent::Broken(_) if is_moving => TagContent::Absent,
        TagContent::There(tree) if is_moving && !objections(&tree, wanted).is_empty() => {
            TagContent::Absent
        }
        found => found,
    }
}

/// What is to be done for the tag; or why nothing may be, and the remedy.
pub(super) fn goal(found: &TagContent, wanted: &Wanted, rebuild: bool) -> Result<PushGoal, String> {
    let tree = match found {
        TagContent::Absent => return Ok(PushGoal::Build),
        TagContent::Broken(why) => return Err(refusal(wanted, None, why)),
        TagContent::There(tree) => tree,
    };
    let objections = objections(tree, wanted);
    if !objections.is_empty() {
        return Err(refusal(wanted, Some(&tree.digest), &objections.join("; ")));
    }
    Ok(PushGoal::of_published(rebuild))
}

/// A published tag is never rewritten, whatever is wrong with it.
pub(in crate::image) fn refusal(wanted: &Wanted, digest: Option<&Digest>, why: &str) -> String {
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

pub(super) fn wanted(request: &Request, tag: String, platforms: Vec<Platform>) -> Wanted {
    Wanted {
        reference: request.settings().repository.reference(&tag),
        tag,
        platforms,
        revision: request.head.revision.clone(),
    }
}

/// What the wanted image of all platforms is called.
pub(in crate::image) fn whole(request: &Request, sha_tag: String) -> Wanted {
    wanted(request, sha_tag, request.settings().platforms.clone())
}

impl PushPlan {
    /// Whether there is a build, and something is written after it. A build that is compared with what is
    /// published may write nothing.
    pub(super) fn is_build_written(&self) -> bool {
        let moves_dev = match &self.dev {
            Dev::Moves { from } => *from != self.published,
            Dev::Stays(_) => false,
        };
        self.goal == PushGoal::Build
            && (self.published.is_none() || moves_dev || self.pull_request.is_some())
    }

    /// A plan for what is in the registry already; `published` is the tag's digest, if it has one.
    pub(in crate::image) fn without_build(
        wanted: Wanted,
        published: Option<Digest>,
        dev: Dev,
        tags: PushTags,
    ) -> PushPlan {
        PushPlan {
            goal: if published.is_some() {
                PushGoal::Adopt
            } else {
                PushGoal::Join
            },
            wanted,
            published,
            dev,
            is_moving: tags.is_moving,
            pull_request: tags.pull_request,
            commands: Vec::new(),
        }
    }

    pub(in crate::image) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return report::print_json(self);
        }
        for command in &self.commands {
            crate::say::outln!("{}", docker::quoted(command));
        }
        let what = match (self.goal, &self.published) {
            (PushGoal::Adopt, Some(digest)) => format!("is published ({digest}): nothing is built"),
            (PushGoal::Build, Some(digest)) => {
                format!("would be built and compared with what is published ({digest})")
            }
            (PushGoal::Join, _) | (_, None) => "would be pushed".to_owned(),
        };
        crate::say::outln!("{} {what}", self.wanted.reference);
        match &self.dev {
            Dev::Moves { from: None } => crate::say::outln!("dev would be given"),
            Dev::Moves { from } if *from == self.published => {
                crate::say::outln!("dev leads there already");
            }
            Dev::Moves { from: Some(from) } => crate::say::outln!("dev would move, from {from}"),
            Dev::Stays(why) => crate::say::outln!("dev stays: {why}"),
        }
        if let Some(tag) = &self.pull_request {
            crate::say::outln!("{tag} would lead there, too");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
