//! `image --push`: the index of a commit, built once and published once.
//!
//! It is built into a folder, looked at, and only then uploaded, its tags last: every builder can
//! do that, and what is published is what was looked at.

mod plan;

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;

pub(crate) use self::plan::{Found, Wanted, objections};
use self::plan::{Goal, goal, may_be_dev, platforms};
pub(super) use self::plan::{difference, part_tag, refusal};
use super::built::{Built, TagState};
use super::export::{self, Export, Exported};
use super::sizes::{self, BuiltPlatform};
use super::{Args, Facts};
use crate::ctx::Ctx;
use crate::oci::Digest;
use crate::platform::Platform;
use crate::registry::Registry;
use crate::stop::Stop;
use crate::tree::{Broken, Content, Sent, Tree, join, upload};
use crate::{git, report, threads};

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
#[derive(Debug, Serialize)]
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
    let wanted = wanted(ctx, facts, tag, platforms);
    super::enter_testbed(ctx, args)?;
    let registry = Registry::to_push(&ctx.exec, &ctx.settings.repository);
    let mut found = look(&registry, &wanted.tag)?;
    let mut goal = goal(&found, &wanted, args.rebuild).map_err(Stop::Refused)?;
    if !is_whole && goal == Goal::Build && !args.rebuild {
        // Where all platforms are published, one needs no waiting room.
        let whole = self::wanted(ctx, facts, sha_tag, all.clone());
        if let Found::There(tree) = look(&registry, &whole.tag)?
            && objections(&tree, &whole).is_empty()
        {
            anstream::eprintln!("note: `{}` is published for all platforms", whole.reference);
            (found, goal) = (Found::There(tree), Goal::Adopt);
        }
    }
    let dev = if is_whole {
        dev(ctx, facts, &registry)?
    } else {
        Dev::Stays("it waits for all platforms: `cargo xtask image --merge`".to_owned())
    };
    let export = match goal {
        Goal::Adopt => None,
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
    match Tree::read(bytes, registry) {
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
    let theirs = tree.images.iter().find_map(|image| image.revision());
    if let Some(theirs) = theirs
        && git::descends(&ctx.root, theirs, &facts.head.revision)?
    {
        return Ok(Dev::Stays(format!(
            "it leads to `{theirs}`, a later commit"
        )));
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
                Goal::Build
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
            anstream::println!("{}", crate::exec::quoted("docker", command));
        }
        let what = match (self.goal, &self.published) {
            (Goal::Adopt, Some(digest)) => format!("is published ({digest}): nothing is built"),
            (Goal::Build, Some(digest)) => {
                format!("would be built and compared with what is published ({digest})")
            }
            (_, None) => "would be pushed".to_owned(),
        };
        anstream::println!("{} {what}", self.wanted.reference);
        match &self.dev {
            Dev::Moves { from: None } => anstream::println!("dev would be given"),
            Dev::Moves { from: Some(from) } => anstream::println!("dev would move, from {from}"),
            Dev::Stays(why) => anstream::println!("dev stays: {why}"),
        }
        Ok(())
    }
}

/// The effects of a push.
pub(super) struct Publish<'a> {
    pub(super) ctx: &'a Ctx,
    pub(super) registry: &'a Registry,
    pub(super) plan: &'a Plan,
}

impl Publish<'_> {
    fn adopt(&self, published: &Tree) -> anyhow::Result<Built> {
        let wanted = &self.plan.wanted;
        anstream::eprintln!(
            "`{}` is published already ({}): nothing is built",
            wanted.reference,
            published.digest
        );
        self.finish(published, TagState::Present, Vec::new())
    }

    fn build(&self, export: &Export, published: Option<&Tree>) -> anyhow::Result<Built> {
        let wanted = &self.plan.wanted;
        let _lock = export.lock()?;
        let exported = export.run(self.ctx)?;
        let trees: Vec<Tree> = exported.iter().map(|part| part.tree.clone()).collect();
        let tree = match trees.as_slice() {
            [one] if one.is_index() => one.clone(),
            several => join(several)?,
        };
        let objections = objections(&tree, wanted);
        ensure!(
            objections.is_empty(),
            "what was built is not what was asked for: {}; hint: check the builder and the \
             Dockerfile's labels",
            objections.join("; ")
        );
        if let Some(published) = published {
            self.compare(&tree, published)?;
        }
        let before = self.before()?;
        let sizes = |unpacked: &BTreeMap<Digest, u64>| -> Vec<BuiltPlatform> {
            let sizes = |part: &Exported| part.sizes(&wanted.platforms, unpacked, before.as_ref());
            exported.iter().flat_map(sizes).collect()
        };
        let known = export::known(self.ctx);
        if let Some(published) = published {
            let sizes = sizes(&export::unpacked(&exported, known)?);
            return self.finish(published, TagState::Present, sizes);
        }
        if let Some(excess) = sizes::over_budget(&sizes(&known), &self.ctx.settings) {
            let unpacked = export::unpacked(&exported, known)?;
            anstream::eprint!("{}", sizes::table(&sizes(&unpacked)));
            return Err(Stop::Refused(format!("nothing was pushed: {excess}")).into());
        }
        // The table alone needs to know how large layers are unpacked: that need not delay the push.
        let count = || export::unpacked(&exported, known);
        let (unpacked, sent) = threads::beside(count, || self.send(&exported));
        let (sent, sizes) = (sent?, sizes(&unpacked?));
        let (reference, size) = (&wanted.reference, report::bytes(sent.bytes));
        anstream::eprintln!(
            "{} blobs ({size}) were pushed, {} were there",
            sent.blobs,
            sent.present
        );
        // Somebody else may have pushed meanwhile: theirs stands, if it is the same image.
        match look(self.registry, &wanted.tag)? {
            Found::Absent => {}
            found => {
                goal(&found, wanted, false).map_err(Stop::Refused)?;
                if let Found::There(theirs) = found {
                    anstream::eprintln!("note: `{reference}` was pushed meanwhile");
                    self.compare(&tree, &theirs)?;
                    return self.finish(&theirs, TagState::Present, sizes);
                }
            }
        }
        self.tag(&tree)?;
        self.finish(&tree, TagState::Pushed, sizes)
    }

    /// Gives the commit's tag to an index whose manifests the registry has.
    pub(super) fn tag(&self, tree: &Tree) -> anyhow::Result<()> {
        let wanted = &self.plan.wanted;
        let tagged = self
            .registry
            .push_manifest(&wanted.tag, &tree.media_type, &tree.bytes);
        tagged.with_context(|| {
            format!(
                "whether `{}` was pushed is not known, and no other tag was given; run this \
                 again, it goes on where it ended",
                wanted.reference
            )
        })
    }

    fn send(&self, exported: &[Exported]) -> anyhow::Result<Sent> {
        let mut contents = Vec::new();
        for part in exported {
            contents.push(Content::read(&part.tree.bytes, &part.layout)?);
        }
        let layouts = exported.iter().map(|part| &part.layout);
        let parts: Vec<_> = layouts.zip(&contents).collect();
        upload(self.registry, &parts).with_context(|| {
            format!(
                "`{}` was not pushed, and no other tag was given; run this again, it goes on \
                 where it ended",
                self.plan.wanted.reference
            )
        })
    }

    /// What is published stays; what was built must be the same images.
    fn compare(&self, built: &Tree, published: &Tree) -> anyhow::Result<()> {
        let reference = &self.plan.wanted.reference;
        if let Some(difference) = difference(built, published) {
            return Err(Stop::Refused(format!(
                "`{reference}` is published ({}) with other images than were built now: \
                 {}\n  hint: a published tag is never rewritten; {}",
                published.digest,
                difference.said,
                difference.remedy()
            ))
            .into());
        }
        anstream::eprintln!("the same images are published as `{reference}`: nothing was changed");
        Ok(())
    }

    /// Moves `dev`, and says what was done.
    pub(super) fn finish(
        &self,
        tree: &Tree,
        state: TagState,
        sizes: Vec<BuiltPlatform>,
    ) -> anyhow::Result<Built> {
        let wanted = &self.plan.wanted;
        let mut tags = vec![(wanted.reference.clone(), state)];
        let dev = self.ctx.settings.repository.reference("dev");
        match &self.plan.dev {
            Dev::Stays(why) => anstream::eprintln!("note: `{dev}` stays: {why}"),
            Dev::Moves { from: Some(from) } if *from == tree.digest => {
                tags.push((dev, TagState::Present));
            }
            Dev::Moves { .. } => {
                let moved = self
                    .registry
                    .push_manifest("dev", &tree.media_type, &tree.bytes);
                moved.with_context(|| {
                    format!(
                        "`{}` is published ({}), but `{dev}` may not be moved to it; run this \
                         again, it goes on where it ended",
                        wanted.reference, tree.digest
                    )
                })?;
                tags.push((dev, TagState::Pushed));
            }
        }
        let sizes = if sizes.is_empty() {
            export::sizes_of(tree, &wanted.platforms, &export::known(self.ctx), None)
        } else {
            sizes
        };
        Ok(Built::published(tree, tags, wanted.revision.clone(), sizes))
    }

    /// The image that sizes are compared with: the one that `dev` leads to.
    fn before(&self) -> anyhow::Result<Option<Tree>> {
        match look(self.registry, "dev")? {
            Found::There(tree) => Ok(Some(tree)),
            Found::Absent | Found::Broken(_) => Ok(None),
        }
    }
}
