//! What a build is asked for, and what it depends on besides docker.

use std::path::PathBuf;

use anyhow::{anyhow, ensure};

use super::cache::{self, Cache};
use super::options::Options;
use crate::base::{Base, Bases};
use crate::ca_bundle;
use crate::ctx::Ctx;
use crate::git::{self, Head};
use crate::github::Ci;
use crate::settings::Settings;
use crate::tags;
use crate::testbed;

pub(super) struct Request<'a> {
    pub(super) ctx: &'a Ctx,
    pub(super) options: Options,
    pub(super) head: Head,
    pub(super) bases: Bases,
    pub(super) ci: Option<Ci>,
    pub(super) ca_bundle: Option<PathBuf>,
    /// The cache that was asked for, if it can be used.
    pub(super) cache: Option<Cache>,
}

impl Request<'_> {
    /// Fails when there is no Dockerfile, no commit, or no CA bundle of the name that was given.
    pub(super) fn observe(ctx: &Ctx, options: Options) -> anyhow::Result<Request<'_>> {
        let dockerfile = ctx.root.join(&ctx.settings.dockerfile);
        ensure!(
            dockerfile.is_file(),
            "the Dockerfile `{}` is missing; hint: `git checkout -- {0}`, \
             or mend `dockerfile` under `[workspace.metadata.image]` in Cargo.toml",
            ctx.settings.dockerfile.display()
        );
        Ok(Request {
            ctx,
            bases: Bases::read(&ctx.root, &ctx.settings.dockerfile, None)?,
            head: git::read_head(&ctx.root)?,
            ci: Ci::of(&ctx.exec),
            ca_bundle: ca_bundle::find(&ctx.exec, options.ca_bundle.as_deref())?,
            cache: cache::usable(&ctx.exec, options.cache.as_ref()),
            options,
        })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.ctx.settings
    }

    /// The builder that is asked for.
    pub(super) fn builder(&self) -> Option<&str> {
        self.options.builder()
    }

    /// What the tags of the build depend on.
    pub(super) fn tags(&self) -> tags::TaggedBuild<'_> {
        let (settings, options) = (self.settings(), &self.options);
        tags::TaggedBuild {
            repository: &settings.repository,
            head: &self.head,
            ci: self.ci.as_ref(),
            is_changed: !options.build_arg.is_empty()
                || self.other_base().is_ok_and(|base| base.is_some()),
        }
    }

    /// The base that `--node` asks for, if it is not the Dockerfile's.
    ///
    /// Fails when the Dockerfile's base does not say its version of Node.js.
    pub(super) fn other_base(&self) -> anyhow::Result<Option<Base>> {
        let Some(asked) = &self.options.node else {
            return Ok(None);
        };
        let dockerfile = self.settings().dockerfile.display();
        let base = self.bases.base.as_ref().ok_or_else(|| {
            anyhow!(
                "`--node` needs a base that `{dockerfile}` names in full; hint: write it in FROM, \
                 without a variable"
            )
        })?;
        if base.node().is_ok_and(|node| node == *asked) {
            return Ok(None);
        }
        base.with_node(asked).map(Some).map_err(|why| {
            anyhow!("{why}; hint: leave `--node` away, and write the base in `{dockerfile}`")
        })
    }

    /// Brings up the test bed, if it is asked for.
    pub(super) fn enter_testbed(&self) -> anyhow::Result<()> {
        if self.ctx.testbed {
            testbed::enter(self.ctx, self.options.dry_run)?;
            if self.options.dry_run {
                crate::say::errln!("note: first `{}`", testbed::ENTER);
            }
        }
        Ok(())
    }
}
