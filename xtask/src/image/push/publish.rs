//! The effects of a push, each of which says on failure what was done before it.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};

use super::dev::{self, Dev};
use super::layers::{self, BaseLayers};
use super::plan::{PushPlan, current, difference, goal};
use crate::image::export::{self, Export, Exported};
use crate::image::provenance::{self, Provenance};
use crate::image::request::Request;
use crate::image::sizes;
use crate::image_tree::{Content, ImageTree, Near, Sent, join, upload};
use crate::last_build::{BuiltPlatform, LastBuild, TagState};
use crate::oci::Digest;
use crate::published::{TagContent, inspect, objections};
use crate::registry::{self, Puller, Pusher};
use crate::stop::Stop;
use crate::{exec, github, report, threads};

/// The effects of a push.
pub(in crate::image) struct Publish<'a> {
    pub(in crate::image) request: &'a Request<'a>,
    pub(in crate::image) puller: &'a Puller,
    pub(in crate::image) pusher: &'a Pusher,
    pub(in crate::image) plan: &'a PushPlan,
}

/// What a build has made.
struct Made {
    exported: Vec<Exported>,
    tree: ImageTree,
    /// None where it cannot be asked for.
    base: Option<BaseLayers>,
}

impl Publish<'_> {
    pub(super) fn adopt(&self, published: &ImageTree) -> anyhow::Result<LastBuild> {
        let wanted = &self.plan.wanted;
        crate::say::errln!(
            "`{}` is published already ({}): nothing is built",
            wanted.reference,
            published.digest
        );
        provenance::note_published(self.request.options.provenance, published);
        self.finish(published, TagState::Present, Vec::new())
    }

    pub(super) fn build(
        &self,
        export: &Export,
        published: Option<&ImageTree>,
    ) -> anyhow::Result<LastBuild> {
        let wanted = &self.plan.wanted;
        let _lock = export.lock()?;
        let Made {
            exported,
            tree,
            base,
        } = self.make(export)?;
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
        let known = export::known(self.request.ctx);
        if let Some(published) = published {
            let sizes = sizes(&export::unpacked(&exported, known)?);
            return self.finish(published, TagState::Present, sizes);
        }
        if let Some(excess) = sizes::over_budget(&sizes(&known), &self.request.ctx.settings) {
            let unpacked = export::unpacked(&exported, known)?;
            crate::say::err!(
                "{}",
                sizes::table(&self.request.ctx.root, &sizes(&unpacked))
            );
            return Err(Stop::Refused(format!("nothing was pushed: {excess}")).into());
        }
        // The table alone needs to know how large layers are unpacked: that neither delays nor ends
        // the push.
        let count = || export::unpacked(&exported, known);
        let send = || self.send(&exported, base.as_ref());
        let (unpacked, sent) = threads::beside(count, send);
        let sent = sent?;
        let sizes = sizes(&unpacked.unwrap_or_else(|why| {
            crate::say::errln!("note: unpacked sizes are not known: {why:#}");
            BTreeMap::new()
        }));
        let (reference, size) = (&wanted.reference, report::bytes(sent.bytes));
        crate::say::errln!(
            "{} blobs ({size}) were pushed, {} were there",
            sent.blobs,
            sent.present
        );
        // Somebody else may have pushed meanwhile: theirs stands, if it is the same image.
        let found = inspect(self.puller, &wanted.tag).with_context(|| self.not_pushed())?;
        match current(found, wanted, self.plan.is_moving) {
            TagContent::Absent => {}
            found => {
                goal(&found, wanted, false).map_err(Stop::Refused)?;
                if let TagContent::There(theirs) = found {
                    crate::say::errln!("note: `{reference}` was pushed meanwhile");
                    self.compare(&tree, &theirs)?;
                    return self.finish(&theirs, TagState::Present, sizes);
                }
            }
        }
        self.tag(&tree)?;
        self.finish(&tree, TagState::Pushed, sizes)
    }

    /// Builds, and once more where the builder remembers layers that an empty one would make otherwise.
    ///
    /// Fails when even then the layers are not those.
    fn make(&self, export: &Export) -> anyhow::Result<Made> {
        let (request, wanted) = (self.request, &self.plan.wanted);
        let (exec, platforms) = (request.ctx.exec.clone(), &wanted.platforms);
        let from = export.base();
        let ask = move || from.map(|from| BaseLayers::ask(&exec, from, platforms));
        let (base, exported) = threads::beside(ask, || export.run(request.ctx));
        let mut exported = exported?;
        let base = base.transpose().unwrap_or_else(|why| {
            crate::say::errln!("note: {why:#}");
            None
        });
        let mut tree = self.whole(&exported)?;
        let faults = |tree: &ImageTree| {
            let compression = request.options.compression;
            layers::faults(tree, platforms, base.as_ref(), compression).join("; ")
        };
        let mut wrong = faults(&tree);
        // A builder that remembers nothing would do no better.
        if !wrong.is_empty() && !request.options.no_cache {
            crate::say::errln!(
                "note: the builder remembers layers of another build ({wrong}): their steps are run again"
            );
            let stages = request.bases.last_stages.as_deref();
            exported = export.anew(stages).run(request.ctx)?;
            tree = self.whole(&exported)?;
            wrong = faults(&tree);
        }
        ensure!(
            wrong.is_empty(),
            "nothing was pushed: even without its cache the builder makes other layers than it should: {wrong}; \
             hint: another builder (`--builder NAME`, `--create-builder`)"
        );
        Ok(Made {
            exported,
            tree,
            base,
        })
    }

    /// What the parts of a build are together.
    fn whole(&self, exported: &[Exported]) -> anyhow::Result<ImageTree> {
        let trees: Vec<ImageTree> = exported.iter().map(|part| part.tree.clone()).collect();
        match trees.as_slice() {
            // Who wants no index (AWS Lambda refuses each) gets none, where one manifest is all.
            [one] if !one.is_index() && self.request.options.provenance == Provenance::Off => {
                Ok(one.clone())
            }
            several => join(several),
        }
    }

    /// Gives the commit's tag to an index whose manifests the registry has.
    pub(in crate::image) fn tag(&self, tree: &ImageTree) -> anyhow::Result<()> {
        let wanted = &self.plan.wanted;
        self.give(&wanted.tag, tree).map_err(|error| {
            let goes_on = registry::goes_on(&error);
            error.context(format!(
                "whether `{}` was pushed is not known, and no other tag was given{goes_on}",
                wanted.reference
            ))
        })
    }

    /// After a signal from now on, the error says what was done before it.
    fn give(&self, tag: &str, tree: &ImageTree) -> anyhow::Result<()> {
        exec::report_signals();
        self.pusher
            .push_manifest(tag, &tree.media_type, &tree.bytes)
    }

    fn send(&self, exported: &[Exported], base: Option<&BaseLayers>) -> anyhow::Result<Sent> {
        let mut contents = Vec::new();
        for part in exported {
            contents.push(Content::read(&part.tree.bytes, &part.layout)?);
        }
        let layouts = exported.iter().map(|part| &part.layout);
        let parts: Vec<_> = layouts.zip(&contents).collect();
        let near = base.map(|base| Near {
            pusher: self.pusher.clone().copying(&base.repository),
            blobs: base.digests(),
        });
        upload(self.pusher, near.as_ref(), &parts).with_context(|| self.not_pushed())
    }

    fn not_pushed(&self) -> String {
        format!(
            "`{}` was not pushed, and no other tag was given; run this again, it goes on where it \
             ended",
            self.plan.wanted.reference
        )
    }

    /// What is published stays; what was built must be the same images.
    fn compare(&self, built: &ImageTree, published: &ImageTree) -> anyhow::Result<()> {
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
        crate::say::errln!("the same images are published as `{reference}`: nothing was changed");
        Ok(())
    }

    /// Moves `dev`, and says what was done.
    pub(in crate::image) fn finish(
        &self,
        tree: &ImageTree,
        state: TagState,
        sizes: Vec<BuiltPlatform>,
    ) -> anyhow::Result<LastBuild> {
        let wanted = &self.plan.wanted;
        let mut tags = vec![(wanted.reference.clone(), state)];
        let dev = self.request.ctx.settings.repository.reference("dev");
        let unfinished = |error: anyhow::Error| {
            let goes_on = registry::goes_on(&error);
            error.context(format!(
                "`{}` is published ({}), but no other tag may be moved to it{goes_on}",
                wanted.reference, tree.digest
            ))
        };
        match self.dev_by_now(tree).map_err(unfinished)? {
            Dev::Stays(why) => {
                let note = format!("`{dev}` stays: {why}");
                crate::say::errln!("note: {note}");
                github::write_summary(&self.request.ctx.exec, &format!("{note}\n\n"))?;
            }
            Dev::Moves { from: Some(from) } if from == tree.digest => {
                tags.push((dev, TagState::Present));
            }
            Dev::Moves { .. } => {
                self.give("dev", tree).map_err(unfinished)?;
                tags.push((dev, TagState::Pushed));
            }
        }
        tags.extend(self.move_pull_request(tree).map_err(unfinished)?);
        let sizes = if sizes.is_empty() {
            export::sizes_of(
                tree,
                &wanted.platforms,
                &export::known(self.request.ctx),
                None,
            )
        } else {
            sizes
        };
        Ok(LastBuild::published(
            tree,
            tags,
            wanted.revision.clone(),
            sizes,
        ))
    }

    /// Moves the tag of the pull request, if there is one: the last run has it.
    fn move_pull_request(&self, tree: &ImageTree) -> anyhow::Result<Option<(String, TagState)>> {
        let Some(tag) = &self.plan.pull_request else {
            return Ok(None);
        };
        let reference = self.request.settings().repository.reference(tag);
        if self.puller.digest(tag)?.as_ref() == Some(&tree.digest) {
            return Ok(Some((reference, TagState::Present)));
        }
        self.give(tag, tree)?;
        Ok(Some((reference, TagState::Pushed)))
    }

    /// What becomes of `dev`: decided anew if somebody has moved it since.
    fn dev_by_now(&self, tree: &ImageTree) -> anyhow::Result<Dev> {
        if let Dev::Moves { from } = &self.plan.dev {
            let now = self.puller.digest("dev")?;
            if now != *from {
                return dev::decide(self.request, self.puller, Some(tree));
            }
        }
        Ok(self.plan.dev.clone())
    }

    /// The image that sizes are compared with: the one that `dev` leads to.
    fn before(&self) -> anyhow::Result<Option<ImageTree>> {
        match inspect(self.puller, "dev")? {
            TagContent::There(tree) => Ok(Some(tree)),
            TagContent::Absent | TagContent::Broken(_) => Ok(None),
        }
    }
}
