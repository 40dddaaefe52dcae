//! `cargo xtask release --status`: what is published of each version, in one repository.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::ctx::Ctx;
use crate::oci::{Digest, Document, Unclear};
use crate::platform::Platform;
use crate::reference::Repository;
use crate::registry::Puller;
use crate::verify::{Receipts, ReleaseImage};
use crate::version::Version;
use crate::{git, published, report, threads};

/// How many versions are shown, unless all are asked for.
const FEW: usize = 10;

/// What is published, as `--json` prints it.
#[derive(Serialize)]
struct ReleaseStatus {
    schema: u32,
    repository: Repository,
    latest: Option<Digest>,
    /// The highest first.
    versions: Vec<VersionRow>,
    /// How many more there are.
    left_out: usize,
}

/// A version in git or in the registry.
#[derive(Serialize)]
struct VersionRow {
    version: String,
    /// The commit of the git tag; none when the clone has no such tag.
    revision: Option<String>,
    /// None when it is not published.
    digest: Option<Digest>,
    platforms: Vec<String>,
    /// The platforms with a valid receipt here.
    proven: Vec<Platform>,
    /// What receipts may prove of it.
    #[serde(skip)]
    candidate: Option<ReleaseImage>,
    #[serde(rename = "latest")]
    is_latest: bool,
}

pub(super) fn run(ctx: &Ctx, receipts: &Receipts, all: bool) -> anyhow::Result<()> {
    let repositories = ctx.repositories();
    let of_git: BTreeSet<Version> = git::read_facts(&ctx.root)?.versions.into_iter().collect();
    let observe = |repository| observe(ctx, repository, &of_git, receipts, all);
    let found: Vec<ReleaseStatus> = repositories
        .into_iter()
        .map(observe)
        .collect::<Result<_, _>>()?;
    if ctx.json {
        return match found.as_slice() {
            [one] => report::print_json(one),
            several => report::print_json(&several),
        };
    }
    for status in &found {
        crate::say::out!("{}", status.table(found.len() > 1));
        if status.left_out > 0 {
            crate::say::errln!(
                "note: {} lower versions are left out; `--all`",
                status.left_out
            );
        }
    }
    Ok(())
}

fn observe(
    ctx: &Ctx,
    repository: &Repository,
    of_git: &BTreeSet<Version>,
    receipts: &Receipts,
    all: bool,
) -> anyhow::Result<ReleaseStatus> {
    let puller = Puller::new(&ctx.exec, repository);
    let there: BTreeSet<Version> = published::versions(&puller)?.into_iter().collect();
    let latest = published::digest(&puller, "latest")?;
    let mut known: Vec<Version> = of_git.union(&there).cloned().collect();
    known.reverse();
    let shown = if all {
        known.len()
    } else {
        FEW.min(known.len())
    };
    let root = &ctx.root;
    let mut versions = threads::each(&known[..shown], |version| {
        let revision = of_git.contains(version).then(|| git::tagged(root, version));
        let mut row = VersionRow {
            version: version.to_string(),
            revision: revision.transpose()?,
            digest: None,
            platforms: Vec::new(),
            proven: Vec::new(),
            candidate: None,
            is_latest: false,
        };
        if there.contains(version)
            && let Some((digest, bytes)) = puller.manifest(&format!("v{version}"))?
        {
            row.is_latest = latest.as_ref() == Some(&digest);
            if let Err(why) = row.read(&digest, &bytes, repository) {
                crate::say::errln!("note: `v{version}` is no image that can be proven: {why}");
            }
            row.digest = Some(digest);
        }
        Ok(row)
    })?;
    fill_proven(&mut versions, receipts)?;
    Ok(ReleaseStatus {
        schema: 1,
        repository: repository.clone(),
        latest,
        versions,
        left_out: known.len() - shown,
    })
}

impl VersionRow {
    /// Reads which platforms an index has.
    ///
    /// Fails for what could be read in two ways.
    fn read(
        &mut self,
        digest: &Digest,
        bytes: &[u8],
        repository: &Repository,
    ) -> Result<(), Unclear> {
        let Document::Index(index) = Document::parse(bytes)? else {
            return Ok(());
        };
        let entries = index.manifests.iter();
        let images = entries.filter(|entry| !entry.is_attestation());
        let mut known = Vec::new();
        for image in images {
            let Some(named) = &image.platform else {
                continue;
            };
            self.platforms.push(named.to_string());
            let platform = Platform::ALL.into_iter().find(|one| named.is(*one));
            known.extend(platform.map(|platform| (platform, image.digest.clone())));
        }
        self.candidate = self.revision.as_ref().map(|revision| ReleaseImage {
            name: repository.by_digest(digest),
            digest: digest.clone(),
            is_index: true,
            images: known,
            revision: revision.clone(),
        });
        Ok(())
    }
}

/// Writes to each version which of its platforms receipts prove.
fn fill_proven(versions: &mut [VersionRow], receipts: &Receipts) -> anyhow::Result<()> {
    // Without any receipt there is no need to compile verify.
    if !receipts.folder.is_dir() {
        return Ok(());
    }
    let (rows, candidates): (Vec<_>, Vec<_>) = versions
        .iter_mut()
        .filter_map(|row| {
            row.candidate
                .take()
                .map(|candidate| (&mut row.proven, candidate))
        })
        .unzip();
    let unproven = receipts.unproven(&candidates)?;
    for ((proven, candidate), unproven) in rows.into_iter().zip(candidates).zip(unproven) {
        let platforms = candidate.images.into_iter().map(|(platform, _)| platform);
        let is_proven = |one: &Platform| !unproven.iter().any(|(platform, _)| platform == one);
        *proven = platforms.filter(is_proven).collect();
    }
    Ok(())
}

impl ReleaseStatus {
    fn table(&self, is_named: bool) -> String {
        let mut rows =
            vec![["version", "digest", "platforms", "proven", "latest"].map(str::to_owned)];
        for row in &self.versions {
            let proven: Vec<&str> = row.proven.iter().map(|one| one.as_str()).collect();
            let digest = row.digest.as_ref().map(Digest::short);
            let mut version = format!("v{}", row.version);
            if row.revision.is_none() {
                version.push_str(" (no git tag)");
            }
            rows.push([
                version,
                digest.unwrap_or("not published").to_owned(),
                row.platforms.join(", "),
                proven.join(", "),
                if row.is_latest { "latest" } else { "" }.to_owned(),
            ]);
        }
        let name = is_named.then(|| format!("{}\n", self.repository));
        let table = report::columns(&rows);
        let stray = match &self.latest {
            None => "`latest` is absent\n".to_owned(),
            Some(latest) if !self.versions.iter().any(|row| row.is_latest) => {
                format!("`latest` is {latest}, which is not one of these versions\n")
            }
            Some(_) => String::new(),
        };
        format!("{}{table}{stray}", name.unwrap_or_default())
    }
}
