//! `image --push`: the index of a commit, built once and published once.
//!
//! It is built into a folder, looked at, and only then uploaded, its tags last: every builder can
//! do that, and what is published is what was looked at.

mod plan;
mod publish;

use std::time::Instant;

use anyhow::bail;
use serde::Serialize;

pub(crate) use self::plan::{Found, Wanted, objections};
use self::plan::{Goal, goal, later, may_be_dev, platforms};
pub(super) use self::plan::{difference, part_tag, refusal};
pub(super) use self::publish::Publish;
use super::export::Export;
use super::{Args, Facts};
use crate::ctx::Ctx;
use crate::image_tree::{Broken, ImageTree};
use crate::oci::Digest;
use crate::platform::Platform;
use crate::registry::Registry;
use crate::stop::Stop;
use crate::{exec, git, report};

/// A push that is decided.
#[derive(Serialize)]
pub(super) struct Plan {
    wanted: Wanted,
    goal: Goal,
    /// The digest that is adopted, or that a build is compared with.
    published: Option<Digest>,
    dev: Dev,
    /// The command lines of docker; none where nothing is built.
    commands: Vec<Vec<String>>,
}

/// What becomes of `dev`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Dev {
    /// It will lead to the commit's index; with the digest that it leads to now.
    Moves { from: Option<Digest> },
    /// It stays, and why.
    Stays(String),
}

pub(super) fn run(ctx: &Ctx, args: &Args, facts: &Facts) -> anyhow::Result<()> {
    let start = Instant::now();
    let all = &ctx.settings.platforms;
    let platforms = platforms(&args.platform, all).map_err(Stop::Usage)?;
    let sha_tag = super::tags_of(facts, &ctx.settings, args).push_tag()?;
    let tag = match platforms.as_slice() {
        [one] if all.len() > 1 => part_tag(&sha_tag, *one),
        _ => sha_tag.clone(),
    };
    let is_whole = tag == sha_tag;
    let mut wanted = wanted(ctx, facts, tag, platforms);
    super::enter_testbed(ctx, args)?;
    let registry = Registry::to_push(&ctx.exec, &ctx.settings.repository);
    let mut found = look(&registry, &wanted.tag)?;
    let mut goal = goal(&found, &wanted, args.rebuild).map_err(Stop::Refused)?;
    if !is_whole {
        // Where all platforms are published, one needs no waiting room, and is not built otherwise.
        let whole = whole(ctx, facts, sha_tag);
        if let Found::There(tree) = look(&registry, &whole.tag)?
            && objections(&tree, &whole).is_empty()
        {
            anstream::eprintln!("note: `{}` is published for all platforms", whole.reference);
            found = Found::There(tree);
            goal = Goal::of_published(args.rebuild);
            (wanted.tag, wanted.reference) = (whole.tag, whole.reference);
        }
    }
    let dev = if is_whole {
        dev(ctx, facts, &registry)?
    } else {
        Dev::Stays("one platform does not move it: `cargo xtask image --merge`".to_owned())
    };
    let export = match goal {
        Goal::Adopt | Goal::Join => None,
        Goal::Build => Some(Export::plan(ctx, args, facts, &wanted.platforms)?),
    };
    let published = match &found {
        Found::There(tree) => Some(tree),
        Found::Absent | Found::Broken(_) => None,
    };
    let plan = Plan {
        goal,
        published: published.map(|tree| tree.digest.clone()),
        dev,
        commands: export.iter().flat_map(Export::commands).collect(),
        wanted,
    };
    if args.dry_run {
        return plan.print(ctx.json);
    }
    let publish = Publish {
        ctx,
        facts,
        registry: &registry,
        plan: &plan,
    };
    let mut built = match (export, published) {
        (None, Some(published)) => publish.adopt(published)?,
        (Some(export), published) => publish.build(&export, published)?,
        (None, None) => bail!("there is nothing to adopt and nothing to build"),
    };
    built.seconds = super::built::rounded(start.elapsed());
    built.report(ctx)
}

fn wanted(ctx: &Ctx, facts: &Facts, tag: String, platforms: Vec<Platform>) -> Wanted {
    Wanted {
        reference: ctx.settings.repository.reference(&tag),
        tag,
        platforms,
        revision: facts.head.revision.clone(),
    }
}

/// What the wanted image of all platforms is called.
pub(super) fn whole(ctx: &Ctx, facts: &Facts, sha_tag: String) -> Wanted {
    wanted(ctx, facts, sha_tag, ctx.settings.platforms.clone())
}

/// What `tag` leads to. A registry that gives no answer is an error, never "nothing".
pub(crate) fn look(registry: &Registry, tag: &str) -> anyhow::Result<Found> {
    let Some((_, bytes)) = registry.manifest(tag)? else {
        return Ok(Found::Absent);
    };
    match ImageTree::read(bytes, registry) {
        Ok(tree) => Ok(Found::There(tree)),
        Err(error) if error.is::<Broken>() => Ok(Found::Broken(format!("{error:#}"))),
        Err(error) => Err(error),
    }
}

/// Whether `dev` moves to the commit: from the default branch alone, and never back.
pub(super) fn dev(ctx: &Ctx, facts: &Facts, registry: &Registry) -> anyhow::Result<Dev> {
    let default_branch = match &ctx.settings.default_branch {
        Some(branch) => Some(branch.clone()),
        None => git::read_facts(&ctx.root)?.default_branch,
    };
    if let Err(why) = may_be_dev(&facts.head, facts.ci.as_ref(), default_branch.as_deref()) {
        return Ok(Dev::Stays(why));
    }
    let tree = match look(registry, "dev")? {
        Found::Absent | Found::Broken(_) => return Ok(Dev::Moves { from: None }),
        Found::There(tree) => tree,
    };
    let head = &facts.head;
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

impl Plan {
    /// A plan for what is in the registry already; `published` is the tag's digest, if it has one.
    pub(super) fn without_build(wanted: Wanted, published: Option<Digest>, dev: Dev) -> Plan {
        Plan {
            goal: if published.is_some() {
                Goal::Adopt
            } else {
                Goal::Join
            },
            wanted,
            published,
            dev,
            commands: Vec::new(),
        }
    }

    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return report::print_json(self);
        }
        for command in &self.commands {
            anstream::println!("{}", exec::quoted("docker", command));
        }
        let what = match (self.goal, &self.published) {
            (Goal::Adopt, Some(digest)) => format!("is published ({digest}): nothing is built"),
            (Goal::Build, Some(digest)) => {
                format!("would be built and compared with what is published ({digest})")
            }
            (Goal::Join, _) | (_, None) => "would be pushed".to_owned(),
        };
        anstream::println!("{} {what}", self.wanted.reference);
        match &self.dev {
            Dev::Moves { from: None } => anstream::println!("dev would be given"),
            Dev::Moves { from } if *from == self.published => {
                anstream::println!("dev leads there already");
            }
            Dev::Moves { from: Some(from) } => anstream::println!("dev would move, from {from}"),
            Dev::Stays(why) => anstream::println!("dev stays: {why}"),
        }
        Ok(())
    }
}
