//! `cargo xtask release --status`: what a repository says of each version. Asks git and the registry alone, so
//! that a fresh clone on any machine sees the same.

mod row;
mod show;

use std::collections::BTreeSet;

use serde::Serialize;

use self::row::VersionRow;
use crate::attested::{self, Believed, Published, PublishedImage};
use crate::ctx::Ctx;
use crate::oci::Digest;
use crate::proof::{ReleaseRecord, Trust};
use crate::records::{ReadRecords, Recorded, Records};
use crate::reference::Repository;
use crate::registry::Puller;
use crate::version::{self, Version};
use crate::{git, published, report, threads};

/// How many versions are shown, unless all are asked for. What is not shown is not read.
const FEW: usize = 10;

/// What is published, as `--json` prints it.
#[derive(Serialize)]
struct ReleaseStatus {
    schema: u32,
    repository: Repository,
    latest: Option<Digest>,
    /// Whom the settings believe.
    proofs: Believed,
    /// The highest first.
    versions: Vec<VersionRow>,
    /// How many more there are.
    left_out: usize,
}

pub(super) fn run(ctx: &Ctx, all: bool) -> anyhow::Result<()> {
    let trust = Trust::of(ctx)?;
    let of_git: BTreeSet<Version> = git::read_facts(&ctx.root)?.versions.into_iter().collect();
    let mut found = Vec::new();
    for repository in ctx.repositories() {
        let observed = Observed {
            ctx,
            trust: &trust,
            repository,
            of_git: &of_git,
        };
        found.push(observed.status(all)?);
    }
    if ctx.json {
        return match found.as_slice() {
            [one] => report::print_json(one),
            several => report::print_json(&several),
        };
    }
    for status in &found {
        crate::say::out!("{}", status.text(found.len() > 1));
        if status.left_out > 0 {
            crate::say::errln!(
                "note: {} lower versions are left out; `--all`",
                status.left_out
            );
        }
    }
    Ok(())
}

/// What the rows of one repository are read with.
struct Observed<'a> {
    ctx: &'a Ctx,
    trust: &'a Trust,
    repository: &'a Repository,
    /// The versions of git's tags.
    of_git: &'a BTreeSet<Version>,
}

/// What a repository lists.
struct Listed {
    versions: BTreeSet<Version>,
    /// Those with a tag for their record.
    recorded: BTreeSet<Version>,
}

impl Listed {
    fn of(tags: &[String]) -> Listed {
        let versions = tags.iter().filter_map(|tag| version::of_tag(tag));
        let recorded = tags.iter().filter_map(|tag| ReleaseRecord::version_of(tag));
        Listed {
            versions: versions.collect(),
            recorded: recorded.collect(),
        }
    }

    /// The versions to show, the highest first.
    fn known(&self, of_git: &BTreeSet<Version>) -> Vec<Version> {
        let mut known = of_git.clone();
        known.extend(self.versions.union(&self.recorded).cloned());
        known.into_iter().rev().collect()
    }
}

impl Observed<'_> {
    fn status(&self, all: bool) -> anyhow::Result<ReleaseStatus> {
        let puller = Puller::new(&self.ctx.exec, self.repository);
        let listed = Listed::of(&puller.tags()?);
        let latest = published::digest(&puller, "latest")?;
        let mut known = listed.known(self.of_git);
        let left_out = if all {
            0
        } else {
            known.len().saturating_sub(FEW)
        };
        known.truncate(known.len() - left_out);
        let proofs = Believed::of(self.trust)?;
        let records = Records {
            repository: self.repository,
            puller: &puller,
            trust: self.trust,
        };
        // Each thread of these has one cosign at a time.
        let root = &self.ctx.root;
        let is_known = !matches!(proofs, Believed::Unknown(_));
        let mut versions = threads::each(&known, |version| {
            let is_tagged = self.of_git.contains(version);
            let revision = is_tagged.then(|| git::tagged(root, version)).transpose()?;
            let row = VersionRow::new(version, revision);
            read(row, version, &listed, is_known.then_some(&records), &puller)
        })?;
        for row in &mut versions {
            row.is_latest = latest.is_some() && row.digest == latest;
        }
        Ok(ReleaseStatus {
            schema: 2,
            repository: self.repository.clone(),
            latest,
            proofs,
            versions,
            left_out,
        })
    }
}

/// Fills a row. `records` is none where nothing that is signed can be judged.
fn read(
    mut row: VersionRow,
    version: &Version,
    listed: &Listed,
    records: Option<&Records>,
    puller: &Puller,
) -> anyhow::Result<VersionRow> {
    let has_record = listed.recorded.contains(version);
    let found = if listed.versions.contains(version) {
        puller.manifest(&format!("v{version}"))?
    } else {
        None
    };
    let Some((digest, bytes)) = found else {
        if has_record {
            row.is_recorded(&alone(version, records)?, records.is_some());
        }
        return Ok(row);
    };
    let image = PublishedImage::of(&bytes);
    let revision = row.revision.clone();
    row.is_published(&digest, &image);
    let Some(records) = records else {
        row.is_unknown();
        return Ok(row);
    };
    let attested = attested::read(
        records,
        &Published {
            version,
            digest: &digest,
            image: &image,
            has_record,
            revision: revision.as_deref(),
        },
    )?;
    row.is_recorded(&attested.records, true);
    row.are_proven(attested.proofs);
    Ok(row)
}

/// The record of a version without a tag of its own, as a killed release leaves it.
fn alone(version: &Version, records: Option<&Records>) -> anyhow::Result<ReadRecords> {
    let tagged = match records {
        Some(records) => records.tagged(version)?,
        None => Recorded::Absent,
    };
    Ok(ReadRecords {
        newest: tagged.clone(),
        tagged,
        by: None,
    })
}
