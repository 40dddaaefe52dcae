//! What an image must be, by the checkout and by what was published before.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use xtask::base::Base;
use xtask::ca_bundle;
use xtask::claude_lock;
use xtask::ctx::Ctx;
use xtask::exec::Exec;
use xtask::git;
use xtask::oci::{Digest, Document, Manifest};
use xtask::platform::Platform;
use xtask::reference::Repository;
use xtask::registry::Puller;
use xtask::settings::Settings;
use xtask::version;

use super::facts::{Commit, Expected, Release};
use super::rootfs::certificates::certificates_in;
use super::target::{Place, Subject, Target};

/// Why nobody knows what the layers weigh elsewhere.
pub(crate) const UNPACKED: &str = "the engine's classic store keeps layers unpacked";

/// What `subject` must be. `revision` names the commit that it must be built from, instead of the
/// one that is checked out.
pub(crate) fn expected(
    ctx: &Ctx,
    target: &Target,
    subject: &Subject,
    revision: Option<&str>,
) -> anyhow::Result<Expected> {
    let is_whole = target.found > 1 || target.place != Place::Engine;
    let base = base(ctx, subject.revision());
    let node = base.as_ref().map_err(|error| format!("{error:#}"));
    Ok(Expected {
        node: node.and_then(|base| Ok(base.node()?.as_str().to_owned())),
        base_digest: base.ok().and_then(|base| base.digest().cloned()),
        claude: claude_lock::version(&ctx.root, subject.platform, subject.revision())
            .map_err(|error| format!("{error:#}")),
        commit: Ok(commit(&ctx.root, revision)?),
        // A local build may be for one platform; what is published must have all of them.
        platforms: if is_whole {
            ctx.settings.platforms.clone()
        } else {
            target.platforms()
        },
        budget: budget(&ctx.settings, subject),
        growth: ctx.settings.growth_percent,
        build_ca: build_ca(&ctx.exec)?,
    })
}

/// The base that the Dockerfile of the image's commit names.
fn base(ctx: &Ctx, revision: Option<&str>) -> anyhow::Result<Base> {
    let dockerfile = &ctx.settings.dockerfile;
    Base::read(&ctx.root, dockerfile, revision)?
        .with_context(|| format!("`{}` names no base in full", dockerfile.display()))
}

fn budget(settings: &Settings, subject: &Subject) -> Result<u64, String> {
    if subject.manifest.is_none() {
        return Err(UNPACKED.to_owned());
    }
    let platform = subject.platform;
    let budget = settings.size_budget.get(&platform).copied();
    budget.ok_or_else(|| format!("`size-budget` in Cargo.toml says nothing of {platform}"))
}

fn commit(root: &Path, named: Option<&str>) -> anyhow::Result<Commit> {
    let Some(name) = named else {
        let head = git::read_head(root)?;
        return Ok(Commit {
            revision: head.revision_label(),
            created: head.created()?,
        });
    };
    let named = git::commit(root, name)?;
    Ok(Commit {
        created: git::created(&named.revision, named.epoch)?,
        revision: named.revision,
    })
}

/// The certificates that builds on this machine are made to trust.
fn build_ca(exec: &Exec) -> anyhow::Result<BTreeSet<Digest>> {
    let Some(path) = ca_bundle::find(exec, None)? else {
        return Ok(BTreeSet::new());
    };
    let text = std::fs::read(&path)
        .with_context(|| format!("failed to read the CA bundle `{}`", path.display()))?;
    Ok(certificates_in(&text).into_iter().collect())
}

/// The highest stable version that is published, and how large its layers are; or why nothing can
/// be said of one.
pub(crate) fn last_release(
    exec: &Exec,
    repository: &Repository,
    platform: Platform,
) -> Result<Release, String> {
    let registry = Puller::new(exec, repository);
    let failed = |error| format!("`{repository}` cannot be asked for releases: {error:#}");
    let tags = registry.tags().map_err(failed)?;
    let Some(version) = version::stable(&tags).into_iter().max() else {
        return Err(format!("nothing is released in `{repository}` yet"));
    };
    let tag = format!("v{version}");
    let manifest = manifest(&registry, &tag, platform).map_err(failed)?;
    let manifest = manifest.ok_or_else(|| format!("`{repository}:{tag}` is not for {platform}"))?;
    Ok(Release {
        version: tag,
        layers: manifest.layers.iter().map(|layer| layer.size).collect(),
        compressions: manifest.compressions(),
    })
}

/// `None` when the tag has no image for the platform.
fn manifest(registry: &Puller, tag: &str, platform: Platform) -> anyhow::Result<Option<Manifest>> {
    let mut name = tag.to_owned();
    // A tag leads to an index or to a manifest, and an index's entry to a manifest.
    for _ in 0..2 {
        let found = registry.manifest(&name)?;
        let (_, bytes) = found.with_context(|| format!("`{name}` is gone"))?;
        match Document::parse(&bytes)? {
            Document::Manifest(manifest) => return Ok(Some(manifest)),
            Document::Index(index) => {
                let Some(entry) = index.image_for(platform) else {
                    return Ok(None);
                };
                name = entry.digest.to_string();
            }
        }
    }
    Ok(None)
}
