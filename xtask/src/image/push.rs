//! `image --push`: the index of a commit, built once and published once.
//!
//! It is built into a folder, checked, and only then uploaded, its tags last: every builder can do
//! that, and what is published is what was checked.

mod dev;
mod difference;
mod layers;
mod make;
mod plan;
mod publish;

use std::time::Instant;

use anyhow::{Context as _, bail};

use self::dev::Dev;
pub(super) use self::dev::decide as decide_dev;
pub(super) use self::difference::difference;
use self::plan::{PushGoal, goal, platforms, wanted};
pub(super) use self::plan::{PushPlan, current, part_tag, refusal, whole};
pub(super) use self::publish::Publish;
use super::export::Export;
use super::request::Request;
use crate::last_build::rounded;
use crate::published::{TagContent, Wanted, inspect, objections};
use crate::registry::{Puller, Registry};
use crate::stop::Stop;
use crate::tags::PushTags;
use crate::write_access;

pub(super) fn run(request: &Request) -> anyhow::Result<()> {
    let start = Instant::now();
    let (ctx, options) = (request.ctx, &request.options);
    let all = &ctx.settings.platforms;
    let platforms = platforms(&options.platform, all).map_err(Stop::Usage)?;
    let tags = request.tags().push_tags()?;
    let tag = match platforms.as_slice() {
        [one] if all.len() > 1 => part_tag(&tags.name, *one),
        _ => tags.name.clone(),
    };
    let is_whole = tag == tags.name;
    let wanted = wanted(request, tag, platforms);
    request.enter_testbed()?;
    let registry = Registry::new(&ctx.exec, &ctx.settings.repository);
    let puller = registry.puller();
    let Observed {
        wanted,
        found,
        goal,
    } = observe(request, &puller, &tags, wanted)?;
    let index = match &found {
        TagContent::There(tree) => Some(tree),
        TagContent::Absent | TagContent::Broken(_) => None,
    };
    let dev = if is_whole {
        decide_dev(request, &puller, index)?
    } else {
        Dev::Stays("one platform does not move it: `cargo xtask image --merge`".to_owned())
    };
    let export = match goal {
        PushGoal::Adopt | PushGoal::Join => None,
        PushGoal::Build => Some(Export::plan(request, &wanted.platforms)?),
    };
    let plan = PushPlan {
        goal,
        published: index.map(|tree| tree.digest.clone()),
        dev,
        is_moving: tags.is_moving,
        pull_request: tags.pull_request.filter(|_| is_whole),
        commands: export.iter().flat_map(Export::commands).collect(),
        wanted,
    };
    if options.dry_run {
        return plan.print(ctx.json);
    }
    let pusher = registry.pusher();
    if plan.is_build_written() {
        let repository = &ctx.settings.repository;
        write_access::check(&pusher, repository).context("nothing was built")?;
    }
    let publish = Publish {
        request,
        puller: &puller,
        pusher: &pusher,
        plan: &plan,
    };
    let mut built = match (export, index) {
        (None, Some(published)) => publish.adopt(published)?,
        (Some(export), published) => publish.build(&export, published)?,
        (None, None) => bail!("there is nothing to adopt and nothing to build"),
    };
    built.seconds = rounded(start.elapsed());
    built.report(ctx)
}

/// What the registry has of a push, and what follows.
struct Observed {
    wanted: Wanted,
    found: TagContent,
    goal: PushGoal,
}

/// Looks the wanted tag up. One platform is that of the whole image where all are published: it then
/// needs no waiting room, and is not built otherwise.
fn observe(
    request: &Request,
    puller: &Puller,
    tags: &PushTags,
    mut wanted: Wanted,
) -> anyhow::Result<Observed> {
    let rebuild = request.options.rebuild;
    let look = |wanted: &Wanted| -> anyhow::Result<TagContent> {
        let found = inspect(puller, &wanted.tag)?;
        Ok(current(found, wanted, tags.is_moving))
    };
    let found = look(&wanted)?;
    let goal = goal(&found, &wanted, rebuild).map_err(Stop::Refused)?;
    if wanted.tag != tags.name {
        let whole = whole(request, tags.name.clone());
        if let TagContent::There(tree) = look(&whole)?
            && objections(&tree, &whole).is_empty()
        {
            crate::say::errln!("note: `{}` is published for all platforms", whole.reference);
            (wanted.tag, wanted.reference) = (whole.tag, whole.reference);
            return Ok(Observed {
                wanted,
                found: TagContent::There(tree),
                goal: PushGoal::of_published(rebuild),
            });
        }
    }
    Ok(Observed {
        wanted,
        found,
        goal,
    })
}
