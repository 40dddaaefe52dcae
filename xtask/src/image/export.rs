//! A build into folders, from which it is checked, compared and pushed.
//!
//! Every kind of builder can export an OCI layout. One with several nodes exports a single platform
//! at a time (its nodes would else write into one folder), so it is asked once for each.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, ensure};

use super::bases::Sources;
use super::builder::{self, End};
use super::cache::{self, slug};
use super::command::Line;
use super::compression::Compression;
use super::contents::{self, Contents};
use super::csv::csv_field;
use super::diagnosis::Failed;
use super::files::remove_old;
use super::layout::Layout;
use super::provenance::NONE;
use super::request::Request;
use super::sizes::add_steps;
use super::steps::{self, Ran};
use super::{buildx, lock, sbom};
use crate::base::Base;
use crate::blob_folders::LAYOUTS;
use crate::ctx::Ctx;
use crate::docker::Docker;
use crate::github;
use crate::image_tree::{Content, Image, ImageTree};
use crate::last_build::{BuiltPlatform, Steps};
use crate::platform::Platform;
use crate::preflight;
use crate::threads;

/// The plan of a build into folders.
#[derive(Clone)]
pub(super) struct Export {
    /// Of all folders.
    folder: PathBuf,
    builds: Vec<Build>,
    builder: Option<String>,
    /// By its digest; none where that is not known.
    base: Option<Base>,
}

/// One run of buildx.
#[derive(Clone)]
struct Build {
    folder: PathBuf,
    platforms: Vec<Platform>,
    metadata_file: PathBuf,
    command: Vec<String>,
}

/// The result of one run of buildx.
pub(super) struct Exported {
    pub(super) layout: Layout,
    pub(super) tree: ImageTree,
    steps: BTreeMap<Platform, Steps>,
}

/// Why an image is built into a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose<'a> {
    /// With the provenance and the SBOM that are asked for.
    Push,
    /// To compare it: without a cache, and without what differs from build to build by design.
    Compare(&'a str),
}

impl Export {
    /// Decides a build of `platforms` for a push.
    pub(super) fn plan(request: &Request, platforms: &[Platform]) -> anyhow::Result<Export> {
        let sources = Sources::find(request)?;
        Export::of(request, platforms, &sources, Purpose::Push)
    }

    pub(super) fn of(
        request: &Request,
        platforms: &[Platform],
        sources: &Sources,
        purpose: Purpose,
    ) -> anyhow::Result<Export> {
        let (ctx, options) = (request.ctx, &request.options);
        let docker = builder::prepare(request, platforms, End::Folder)?;
        check(&docker, platforms)?;
        let nodes = docker.builder.as_ref().map_or(1, |builder| builder.nodes);
        let runs: Vec<&[Platform]> = if nodes > 1 {
            platforms.chunks(1).collect()
        } else {
            vec![platforms]
        };
        let folder = ctx.records().join(match purpose {
            Purpose::Push => LAYOUTS,
            Purpose::Compare(name) => name,
        });
        let sbom = match purpose {
            Purpose::Push => sbom::flag(request)?,
            Purpose::Compare(_) => NONE.to_owned(),
        };
        // Two that draw on one terminal would draw over each other.
        let progress = match options.progress.as_str() {
            "auto" if runs.len() > 1 => "plain",
            progress => progress,
        };
        let mut builds = Vec::new();
        for platforms in runs {
            let names: Vec<String> = platforms.iter().map(|platform| slug(*platform)).collect();
            let own = folder.join(names.join("_"));
            let metadata_file = own.join("build-metadata.json");
            let line = Line {
                sources,
                platforms,
                provenance: match purpose {
                    Purpose::Push => options.provenance.flag(),
                    Purpose::Compare(_) => NONE,
                },
                sbom: &sbom,
                output: output(&own, options.compression),
                metadata_file: &metadata_file,
                progress,
                no_cache: options.no_cache || purpose != Purpose::Push,
                writes_cache: true,
            };
            builds.push(Build {
                command: line.args(request)?,
                platforms: platforms.to_vec(),
                folder: own,
                metadata_file,
            });
        }
        Ok(Export {
            folder,
            builds,
            builder: request.builder().map(str::to_owned),
            base: sources.base_by_digest(request.bases.base.as_ref()),
        })
    }

    pub(super) fn commands(&self) -> impl Iterator<Item = Vec<String>> {
        self.builds.iter().map(|build| build.command.clone())
    }

    /// The base that is built upon, by its digest; none where that is not known.
    pub(super) fn base(&self) -> Option<&Base> {
        self.base.as_ref()
    }

    /// The same builds, whose last stage and what it is made from (`stages`) come from no cache; without
    /// their names no stage does.
    pub(super) fn anew(&self, stages: Option<&[String]>) -> Export {
        let more = match stages {
            Some(stages) => vec!["--no-cache-filter".to_owned(), stages.join(",")],
            None => vec!["--no-cache".to_owned()],
        };
        let mut anew = self.clone();
        for build in &mut anew.builds {
            // The context comes last.
            let end = build.command.len().saturating_sub(1);
            build.command.splice(end..end, more.clone());
        }
        anew
    }

    /// Builds; several nodes build at the same time. The caller holds [`Export::lock`].
    pub(super) fn run(&self, ctx: &Ctx) -> anyhow::Result<Vec<Exported>> {
        let mut layouts = Vec::new();
        for build in &self.builds {
            layouts.push(Layout::prepare(&build.folder)?);
            remove_old(&build.metadata_file)?;
        }
        let start = Instant::now();
        let built = match self.builds.as_slice() {
            [only] => buildx::build(&ctx.exec, &only.command),
            _ => self.side_by_side(ctx),
        };
        built.map_err(|error| {
            let (builder, platforms) = (self.builder.as_deref(), self.platforms());
            let failed = Failed {
                builder,
                start,
                platforms: &platforms,
                has_run: true,
            };
            let error = failed.explain(ctx, error, |docker| check(docker, &platforms));
            for layout in &layouts {
                // The next build tries again, and says it.
                let _ = layout.remove_halves();
            }
            error
        })?;
        let seconds = start.elapsed().as_secs_f64();
        let mut all = Vec::new();
        for (build, layout) in self.builds.iter().zip(layouts) {
            let (exec, builder) = (&ctx.exec, self.builder.as_deref());
            let ran = Ran {
                metadata_file: &build.metadata_file,
                seconds,
                platforms: &build.platforms,
                has_cache: cache::is_in(&build.command),
            };
            let steps = steps::ask(exec, builder, &ran)?;
            all.push(exported(layout, steps)?);
        }
        Ok(all)
    }

    fn platforms(&self) -> Vec<Platform> {
        let platforms = self.builds.iter().flat_map(|build| &build.platforms);
        platforms.copied().collect()
    }

    fn side_by_side(&self, ctx: &Ctx) -> anyhow::Result<()> {
        let group = github::Group::start(&ctx.exec, "docker buildx build");
        let builds = self.builds.iter().map(|build| (build, ctx.exec.clone()));
        let ran = threads::all(
            builds.map(|(build, exec)| move || buildx::attempt(&exec, &build.command)),
        );
        group.end();
        ran.map(drop)
    }

    /// Two builds at once would write into one folder, and clean it. So the caller keeps the lock until
    /// nobody needs what was built there.
    pub(super) fn lock(&self) -> anyhow::Result<File> {
        lock::take(&self.folder.with_extension("lock"))
    }
}

fn check(docker: &Docker, platforms: &[Platform]) -> anyhow::Result<()> {
    let lacks = preflight::lacks_to_push(docker, platforms);
    ensure!(lacks.is_empty(), preflight::listed(&lacks));
    Ok(())
}

fn exported(layout: Layout, steps: BTreeMap<Platform, Steps>) -> anyhow::Result<Exported> {
    let tree = layout.tree()?;
    let content = Content::read(&tree.bytes, &layout)?;
    layout
        .prune(&tree, &content)
        .context("failed to remove what earlier builds left")?;
    Ok(Exported {
        layout,
        tree,
        steps,
    })
}

/// The exporter's `rewrite-timestamp` is not needed, as the Dockerfile dates what its steps write;
/// it would read and write all layers at every export (10 s here, cached or not).
fn output(folder: &Path, compression: Compression) -> String {
    format!(
        "type=oci,tar=false,{},{},oci-mediatypes=true",
        csv_field(&format!("dest={}", folder.display())),
        compression.options()
    )
}

/// The sizes of a tree's images for `platforms`, compared with those of `before`.
pub(super) fn sizes_of(
    tree: &ImageTree,
    platforms: &[Platform],
    contents: &Contents,
    before: Option<&ImageTree>,
) -> Vec<BuiltPlatform> {
    let sizes = platforms.iter().filter_map(|&platform| {
        let image = *tree.images_for(platform).first()?;
        let before = before.and_then(|tree| tree.images_for(platform).first().copied());
        let before = before.map(Image::layers);
        Some(BuiltPlatform::of(
            platform,
            image,
            contents,
            before.as_deref(),
        ))
    });
    sizes.collect()
}

/// What is in the layers of builds; those that are not `known` are read.
pub(super) fn contents(exported: &[Exported], known: Contents) -> anyhow::Result<Contents> {
    let parts = exported.iter().map(|part| (&part.tree, &part.layout));
    contents::read(&parts.collect::<Vec<_>>(), known)
}

impl Exported {
    /// The sizes of the images, and the steps that they came of.
    pub(super) fn sizes(
        &self,
        platforms: &[Platform],
        contents: &Contents,
        before: Option<&ImageTree>,
    ) -> Vec<BuiltPlatform> {
        let mut sizes = sizes_of(&self.tree, platforms, contents, before);
        add_steps(&mut sizes, &self.steps);
        sizes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_may_have_any_name() {
        let output = output(Path::new("/a,b"), Compression::default());
        assert!(output.starts_with("type=oci,tar=false,\"dest=/a,b\",compression=zstd"));
    }
}
