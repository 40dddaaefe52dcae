//! `cargo xtask image`: builds the agent image, into the engine's store or for a registry.
//!
//! Every build is a run of `docker buildx build`; what it made is kept in `target/xtask/image.json`.

mod bases;
mod builder;
mod buildx;
mod cache;
mod command;
mod compression;
mod contents;
mod csv;
mod diagnosis;
mod docker_save;
mod export;
mod files;
mod layout;
mod local;
mod lock;
mod made;
mod merge;
mod options;
mod provenance;
mod push;
mod report;
mod reproduce;
mod request;
mod sbom;
mod sizes;
mod steps;
mod summary;

use self::options::Options;
use self::request::Request;
use crate::ctx::Ctx;

const EXAMPLES: &str = "\
Examples:
  cargo xtask image                           this machine's platform, as :dev and :sha-…
  cargo xtask --testbed image                 the same on a machine without Docker
  cargo xtask image --dry-run                 print the docker command lines, build nothing
  cargo xtask image --platform linux/arm64    another platform (needs emulation or a native node)
  cargo xtask image --node 22 --tag node22    another Node.js, under a tag of its own
  cargo xtask image --tag more --build-arg EXTRA_PACKAGES='make xz'    with more of Alpine's packages
  cargo xtask image --json | jq -r .digest    the digest alone
  cargo xtask image --push                    every platform, pushed as :sha-… (and :dev)
  cargo xtask image --push --platform linux/arm64    one platform, on a machine of its own …
  cargo xtask image --merge                   … and the index of all that were pushed so
  cargo xtask image --push --platform linux/amd64 --provenance off --sbom off
                                              one manifest without an index, as AWS Lambda takes it
  cargo xtask image --reproduce               build twice, name the first file that differs

docs/image.md describes pushes, builders, caches and sizes.";

/// Build the agent image: into the engine's store, or (`--push`) for every platform into a registry
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("mode").args(["push", "merge", "reproduce"]))]
pub struct Args {
    /// Publish the commit's index as `sha-…`; one that is published already is adopted
    #[arg(long, conflicts_with = "tag")]
    push: bool,
    /// Join what `--push --platform …` has published for each platform; builds nothing
    #[arg(long, conflicts_with_all = ["tag", "platform"])]
    merge: bool,
    /// Build twice without a cache and compare, layer by layer
    #[arg(long, conflicts_with_all = ["tag", "cache"])]
    reproduce: bool,
    #[command(flatten)]
    options: Options,
}

impl Args {
    pub(crate) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let request = &Request::observe(ctx, self.options)?;
        if self.push {
            push::run(request)
        } else if self.merge {
            merge::run(request)
        } else if self.reproduce {
            reproduce::run(request)
        } else {
            local::run(request)
        }
    }
}
