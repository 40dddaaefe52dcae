//! `image --push`: the index of a commit, built once and published once.
//!
//! It is built into a folder, checked, and only then uploaded, its tags last: every builder can do
//! that, and what is published is what was checked.

mod dev;
mod plan;
mod publish;

use std::time::Instant;

use anyhow::bail;

use self::dev::Dev;
pub(super) use self::dev::decide as decide_dev;
use self::plan::{PushGoal, goal, platforms, wanted};
pub(super) use self::plan::{PushPlan, difference, part_tag, refusal, whole};
pub(super) use self::publish::Publish;
use super::export::Export;
use super::request::Request;
use crate::last_build::rounded;
use crate::published::{TagContent, inspect, objections};
use crate::registry::Registry;
use crate::stop::Stop;

pub(super) fn run(request: &Request) -> anyhow::Result<()> {
    let start = Instant::now();
    let (ctx, options) = (request.ctx, &request.options);
    let all = &ctx.settings.platforms;
    let platforms = platforms(&options.platform, all).map_err(Stop::Usage)?;
    let sha_tag = request.tags().push_tag()?;
    let tag = match platforms.as_slice() {
        [one] if all.len() > 1 => part_tag(&sha_tag, *one),
        _ => sha_tag.clone(),
    };
    let is_whole = tag == sha_tag;
    let mut wanted = wanted(request, tag, platforms);
    request.enter_testbed()?;
    let registry = Registry::to_push(&ctx.exec, &ctx.settings.repository);
    let mut found = inspect(&registry, &wanted.tag)?;
    let mut goal = goal(&found, &wanted, options.rebuild).map_err(Stop::Refused)?;
    if !is_whole {
        // Where all platforms are published, one needs no waiting room, and is not built otherwise.
        let whole = whole(request, sha_tag);
        if let TagContent::There(tree) = inspect(&registry, &whole.tag)?
            && objections(&tree, &whole).is_empty()
        {
            anstream::eprintln!("note: `{}` is published for all platforms", whole.reference);
            found = TagContent::There(tree);
            goal = PushGoal::of_published(options.rebuild);
            (wanted.tag, wanted.reference) = (whole.tag, whole.reference);
        }
    }
    let index = match &found {
        TagContent::There(tree) => Some(tree),
        TagContent::Absent | TagContent::Broken(_) => None,
    };
    let dev = if is_whole {
        decide_dev(request, &registry, index)?
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
        commands: export.iter().flat_map(Export::commands).collect(),
        wanted,
    };
    if options.dry_run {
        return plan.print(ctx.json);
    }
    let publish = Publish {
        request,
        registry: &registry,
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
