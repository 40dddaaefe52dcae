//! Gives the tags: each after a fresh look, journalled before and after, read back by digest.

use anyhow::Context as _;

use super::facts::{self, Published, Wish};
use super::journal::Journal;
use super::patience::Patience;
use super::plan::{Goal, Plan, latest};
use crate::ctx::Ctx;
use crate::oci::Digest;
use crate::registry::Registry;
use crate::stop::Stop;
use crate::tree;

/// Releases that overtake each other more often than this are left to another run.
const ROUNDS: usize = 8;

/// The effects of a release.
pub(super) struct Apply<'a> {
    pub(super) ctx: &'a Ctx,
    pub(super) registry: &'a Registry,
    pub(super) plan: &'a Plan,
    pub(super) wish: Wish,
    pub(super) patience: Patience,
    pub(super) journal: Journal,
}

/// A tag at the end of a release.
#[derive(Debug, serde::Serialize)]
pub(super) struct Given {
    pub(super) tag: String,
    pub(super) digest: Option<Digest>,
    #[serde(rename = "written")]
    pub(super) is_written: bool,
    pub(super) why: String,
}

impl Apply<'_> {
    pub(super) fn run(mut self) -> anyhow::Result<Vec<Given>> {
        let tag = format!("v{}", self.plan.version);
        let is_written = self.version(&tag)?;
        let version = Given {
            tag,
            digest: Some(self.plan.digest.clone()),
            is_written,
            why: (if is_written {
                "published"
            } else {
                "it was published already"
            })
            .to_owned(),
        };
        Ok(vec![version, self.latest()?])
    }

    /// Gives the version's tag, which is written once; whether it was written now.
    fn version(&mut self, tag: &str) -> anyhow::Result<bool> {
        let digest = &self.plan.digest;
        let (patience, registry) = (self.patience, self.registry);
        let mut is_begun = false;
        patience.run(|| match registry.manifest(tag)? {
            Some((found, _)) if found == *digest => {
                if is_begun {
                    self.journal.done()?;
                }
                Ok(is_begun)
            }
            Some((found, _)) => Err(Stop::Refused(format!(
                "`{tag}` was published meanwhile with another digest: it is `{found}`, and this \
                 release is `{digest}`; nothing was overwritten\n  hint: find out who released \
                 it, then release a higher version"
            ))
            .into()),
            None => {
                if !is_begun {
                    let reference = self.ctx.settings.repository.reference(tag);
                    self.journal.begin(&reference, None, digest)?;
                    is_begun = true;
                }
                write(registry, tag, digest)?;
                self.journal.done()?;
                Ok(true)
            }
        })
    }

    /// Gives `latest`, if it may move; then looks whether a higher version was published
    /// meanwhile, which it then belongs to.
    fn latest(&mut self) -> anyhow::Result<Given> {
        let (mut is_written, mut begun) = (false, None);
        for _ in 0..ROUNDS {
            let (plan, wish) = (self.plan, self.wish);
            let (registry, patience) = (self.registry, self.patience);
            let settled =
                patience.run(|| -> anyhow::Result<Option<(Option<Digest>, String)>> {
                    let published = facts::published(registry, &plan.version)?;
                    let at = at(&published);
                    if begun.is_some() && begun == at {
                        self.journal.done()?;
                        begun = None;
                        is_written = true;
                    }
                    match latest(&plan.version, &plan.digest, &published, wish) {
                        Goal::Is(why) | Goal::Stays(why) => Ok(Some((at, why))),
                        Goal::Moves(to, why) => {
                            if begun.as_ref() != Some(&to) {
                                let reference = self.ctx.settings.repository.reference("latest");
                                self.journal.begin(&reference, at.as_ref(), &to)?;
                                begun = Some(to.clone());
                            }
                            anstream::eprintln!("giving `latest` to {to}: {why}");
                            write(registry, "latest", &to)?;
                            self.journal.done()?;
                            begun = None;
                            is_written = true;
                            Ok(None)
                        }
                    }
                })?;
            if let Some((digest, why)) = settled {
                return Ok(Given {
                    tag: "latest".to_owned(),
                    digest,
                    is_written,
                    why: if is_written { "moved".to_owned() } else { why },
                });
            }
        }
        anyhow::bail!(
            "other releases moved `latest` again and again; hint: run this again once they are \
             done"
        )
    }
}

fn at(published: &Published) -> Option<Digest> {
    let latest = published.latest.as_ref();
    latest.map(|latest| latest.digest.clone())
}

/// Gives `tag` to a digest that the registry has: its very bytes, which are read from there.
fn write(registry: &Registry, tag: &str, digest: &Digest) -> anyhow::Result<()> {
    let found = registry.manifest(digest.as_str())?;
    let (_, bytes) = found.with_context(|| {
        format!(
            "`{digest}` is gone from the registry; hint: a clean-up deleted it; `cargo xtask \
             image --push` brings it back"
        )
    })?;
    let document = serde_json::from_slice(&bytes).context("it is not JSON, so no manifest")?;
    registry.push_manifest(tag, &tree::media_type(&document), &bytes)
}
