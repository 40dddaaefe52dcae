//! The effects of a push, each of which says on failure what was done before it.

use anyhow::{Context as _, ensure};

use super::dev::{self, Dev};
use super::difference::{Installed, difference};
use super::layers::BaseLayers;
use super::make::{self, Made};
use super::plan::{PushPlan, current, goal};
use crate::image::contents::{self, Contents};
use crate::image::export::{self, Export, Exported};
use crate::image::provenance::{self, Provenance};
use crate::image::request::Request;
use crate::image::sizes;
use crate::image_tree::{Content, ImageTree, Near, Sent, upload};
use crate::last_build::{BuiltPlatform, LastBuild, TagState};
use crate::packages;
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
        } = make::make(self.request, wanted, export)?;
        let objections = objections(&tree, wanted);
        ensure!(
            objections.is_empty(),
            "what was built is not what was asked for: {}; hint: check the builder and the \
             Dockerfile's labels",
            objections.join("; ")
        );
        let mut known = contents::known(self.request.ctx);
        if let Some(published) = published {
            known = export::contents(&exported, known)?;
            self.compare(&tree, &known, published)?;
        }
        let before = self.before()?;
        let sizes = |contents: &Contents| -> Vec<BuiltPlatform> {
            let sizes = |part: &Exported| part.sizes(&wanted.platforms, contents, before.as_ref());
            exported.iter().flat_map(sizes).collect()
        };
        if let Some(published) = published {
            return self.finish(published, TagState::Present, sizes(&known));
        }
        if let Some(excess) = sizes::over_budget(&sizes(&known), &self.request.ctx.settings) {
            let contents = export::contents(&exported, known)?;
            let table = sizes::table(&self.request.ctx.root, &sizes(&contents));
            crate::say::err!("{table}");
            return Err(Stop::Refused(format!("nothing was pushed: {excess}")).into());
        }
        // The push does not wait for the contents of the layers: they are needed after it.
        let read = || export::contents(&exported, known);
        let upload = || self.send(&exported, base.as_ref());
        let (contents, sent) = threads::beside(read, upload);
        let sent = sent?;
        let contents = contents.with_context(|| self.not_pushed())?;
        let sizes = sizes(&contents);
        let tree = self.attach_packages(tree, &sizes)?;
        let (reference, size) = (&wanted.reference, report::bytes(sent.bytes));
        crate::say::errln!(
            "{} blobs ({size}) were pushed, {} were there",
            sent.blobs,
            sent.present
        );
        if let Some(theirs) = self.pushed_meanwhile()? {
            crate::say::errln!("note: `{reference}` was pushed meanwhile");
            self.compare(&tree, &contents, &theirs)?;
            return self.finish(&theirs, TagState::Present, sizes);
        }
        self.tag(&tree)?;
        self.finish(&tree, TagState::Pushed, sizes)
    }

    /// What somebody else has pushed under the commit's tag since the plan: it stands, if it is the same image.
    ///
    /// Fails when the registry does not answer, and when the tag may not be written.
    fn pushed_meanwhile(&self) -> anyhow::Result<Option<ImageTree>> {
        let wanted = &self.plan.wanted;
        let found = inspect(self.puller, &wanted.tag).with_context(|| self.not_pushed())?;
        match current(found, wanted, self.plan.is_moving) {
            TagContent::Absent => Ok(None),
            found => {
                goal(&found, wanted, false).map_err(Stop::Refused)?;
                match found {
                    TagContent::There(theirs) => Ok(Some(theirs)),
                    TagContent::Absent | TagContent::Broken(_) => Ok(None),
                }
            }
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

    /// The index with what apk installed beside each image, unless no attestation is wanted. A lone manifest
    /// has no place for it.
    fn attach_packages(
        &self,
        tree: ImageTree,
        built: &[BuiltPlatform],
    ) -> anyhow::Result<ImageTree> {
        if !tree.is_index() || self.request.options.provenance == Provenance::Off {
            return Ok(tree);
        }
        let repository = self.request.settings().repository.canonical();
        let attached = packages::attach(&tree, &contents::by_manifest(built), &repository)?;
        let Some(attached) = attached else {
            return Ok(tree);
        };
        let parts = [(&attached.blobs, &attached.content)];
        upload(self.pusher, None, &parts).with_context(|| self.not_pushed())?;
        Ok(attached.tree)
    }

    fn not_pushed(&self) -> String {
        format!(
            "`{}` was not pushed, and no other tag was given; run this again, it goes on where it \
             ended",
            self.plan.wanted.reference
        )
    }

    /// What is published stays; what was built must be the same images.
    fn compare(
        &self,
        built: &ImageTree,
        contents: &Contents,
        published: &ImageTree,
    ) -> anyhow::Result<()> {
        let reference = &self.plan.wanted.reference;
        if let Some(difference) = difference(built, published) {
            let difference = difference.with_packages(
                &built_packages(built, contents),
                &self.published_packages(published)?,
            );
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

    /// What is installed in what is published, by platform, as far as it says so.
    ///
    /// Fails after a signal alone: the packages explain a difference, they are not one.
    fn published_packages(&self, published: &ImageTree) -> anyhow::Result<Installed> {
        let mut all = Installed::new();
        for image in &published.images {
            match packages::published(self.puller, published, image) {
                Ok(packages) => {
                    all.extend(packages.map(|packages| (image.platform.to_string(), packages)));
                }
                Err(why) if why.is::<Stop>() => return Err(why),
                Err(why) => {
                    let platform = &image.platform;
                    crate::say::errln!(
                        "note: the packages of what is published for `{platform}` are not known: {why:#}"
                    );
                }
            }
        }
        Ok(all)
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
                &contents::known(self.request.ctx),
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

/// What is installed in what was built, by platform.
fn built_packages(built: &ImageTree, contents: &Contents) -> Installed {
    let packages = built.images.iter().filter_map(|image| {
        let packages = contents::installed(image, contents)?;
        Some((image.platform.to_string(), packages))
    });
    packages.collect()
}
