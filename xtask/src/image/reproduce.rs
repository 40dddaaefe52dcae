//! `image --reproduce`: two builds of one commit, compared down to the first file that differs.

mod diff;

use anyhow::{Context as _, bail};
use serde::Serialize;

use self::diff::first_difference;
use super::bases::Sources;
use super::contents::{self, Contents};
use super::export::{self, Export, Exported, Purpose};
use super::request::Request;
use crate::ctx::Ctx;
use crate::image_tree::Image;
use crate::oci::Digest;
use crate::packages;
use crate::platform::Platform;
use crate::{docker, files, report};

/// Where the two builds are kept until they are compared.
const FOLDERS: [&str; 2] = ["reproduce-1", "reproduce-2"];

/// Two builds that are decided; as `--dry-run --json` prints it.
#[derive(Serialize)]
struct ReproducePlan {
    revision: String,
    platforms: Vec<Platform>,
    commands: Vec<Vec<String>>,
}

/// Two builds, compared; as `--json` prints it.
#[derive(Serialize)]
struct Comparison {
    schema: u32,
    revision: String,
    platforms: Vec<Compared>,
}

#[derive(Serialize)]
struct Compared {
    platform: Platform,
    /// Of the manifests.
    digests: [Digest; 2],
    /// The first thing that differs; none when the manifests are one.
    difference: Option<String>,
    /// Which of Alpine's packages moved between the two builds.
    packages: Option<String>,
}

pub(super) fn run(request: &Request) -> anyhow::Result<()> {
    let (ctx, options) = (request.ctx, &request.options);
    request.enter_testbed()?;
    let mut platforms = options.platform.clone();
    if platforms.is_empty() {
        platforms.clone_from(&ctx.settings.platforms);
    }
    platforms.sort_unstable();
    platforms.dedup();
    let sources = Sources::find(request)?;
    let mut exports = Vec::new();
    for folder in FOLDERS {
        let purpose = Purpose::Compare(folder);
        exports.push(Export::of(request, &platforms, &sources, purpose)?);
    }
    if options.dry_run {
        let revision = request.head.revision_label();
        let commands: Vec<_> = exports.iter().flat_map(Export::commands).collect();
        if ctx.json {
            return report::print_json(&ReproducePlan {
                revision,
                platforms,
                commands,
            });
        }
        for command in commands {
            crate::say::outln!("{}", docker::quoted(&command));
        }
        return Ok(());
    }
    let locks: anyhow::Result<Vec<_>> = exports.iter().map(Export::lock).collect();
    let _locks = locks?;
    let builds: anyhow::Result<Vec<_>> = exports.iter().map(|export| export.run(ctx)).collect();
    let builds = builds.inspect_err(|_| remove(ctx))?;
    let [first, second] = builds.as_slice() else {
        bail!("there are not two builds to compare");
    };
    let comparison = Comparison {
        schema: 1,
        revision: request.head.revision_label(),
        platforms: platforms
            .into_iter()
            .map(|platform| compare(platform, first, second))
            .collect::<anyhow::Result<_>>()?,
    };
    let equal = comparison
        .platforms
        .iter()
        .all(|one| one.difference.is_none());
    if equal {
        remove(ctx);
    }
    if ctx.json {
        report::print_json(&comparison)?;
    } else {
        crate::say::out!("{}", report::table(&comparison.rows()));
    }
    if !equal {
        let folder = ctx.records().join(FOLDERS[0]);
        bail!(
            "two builds of one commit differ; both are kept for a look (`{}` and beside it)\n  hint: {}",
            folder.display(),
            comparison.remedy()
        );
    }
    Ok(())
}

/// Removes both builds, as large as an image each; where that fails they are in nobody's way.
fn remove(ctx: &Ctx) {
    for folder in FOLDERS {
        let folder = ctx.records().join(folder);
        if let Err(why) = files::remove_folder(&folder) {
            crate::say::errln!("note: failed to remove `{}`: {why}", folder.display());
        }
    }
}

fn compare(
    platform: Platform,
    first: &[Exported],
    second: &[Exported],
) -> anyhow::Result<Compared> {
    let find = |build: &'_ [Exported]| -> anyhow::Result<(usize, Image)> {
        let found = build.iter().enumerate().find_map(|(number, part)| {
            let images = part.tree.images_for(platform);
            Some((number, (*images.first()?).clone()))
        });
        found.with_context(|| format!("the build has nothing for `{platform}`"))
    };
    let ((a, one), (b, other)) = (find(first)?, find(second)?);
    let layouts = [&first[a].layout, &second[b].layout];
    let difference = first_difference([&one, &other], layouts)?;
    let mut moved = None;
    if difference.is_some() {
        // A layer that both builds have is read once.
        let contents = export::contents(first, Contents::new())?;
        let contents = export::contents(second, contents)?;
        let [one, other] = [&one, &other].map(|image| contents::installed(image, &contents));
        if let (Some(one), Some(other)) = (one, other) {
            moved = packages::changes(&one, &other);
        }
    }
    Ok(Compared {
        platform,
        digests: [one.digest().clone(), other.digest().clone()],
        difference,
        packages: moved,
    })
}

impl Comparison {
    /// What to do about a difference.
    fn remedy(&self) -> &'static str {
        if self.platforms.iter().any(|one| one.packages.is_some()) {
            "Alpine's repositories moved on between the two builds: run this again; `cargo xtask update packages` \
             makes a commit of the newer packages"
        } else {
            "what is named must depend neither on when nor on where it is built"
        }
    }

    fn rows(&self) -> Vec<(&str, String)> {
        let mut rows = vec![("revision", self.revision.clone())];
        for Compared {
            platform,
            digests: [one, other],
            difference,
            packages,
        } in &self.platforms
        {
            let said = match difference {
                None => format!("the same twice ({one})"),
                Some(difference) => {
                    let packages = packages
                        .as_ref()
                        .map(|moved| format!("; Alpine's packages: {moved}"));
                    let packages = packages.unwrap_or_default();
                    format!("{one} and {other}: {difference}{packages}")
                }
            };
            rows.push((platform.as_str(), said));
        }
        rows
    }
}
