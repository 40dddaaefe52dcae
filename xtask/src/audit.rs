//! `cargo xtask audit`: whether what is published is whole, and is what git and the journals say.
//! Changes nothing; meant for a nightly job.

mod judge;
mod observe;

use std::fmt::Write as _;

use anyhow::bail;
use serde::Serialize;

use self::judge::{Finding, judge};
use self::observe::{AuditedRepository, AuditedTag};
use crate::ctx::Ctx;
use crate::journal;
use crate::oci::Digest;
use crate::registry::Registry;
use crate::{git, github, report};

const EXAMPLES: &str = "\
Examples:
  cargo xtask audit                              every version and `latest`
  cargo xtask audit --all                        `sha-…` and `dev` too, and whatever else is a tag
  cargo xtask audit --repository agentgate/agent --repository ghcr.io/me/agent
                                                 several, which must agree
  cargo xtask audit --json | jq .findings

Each tag must lead to manifests that are all there, with every blob in its size; a version to the
commit of git's tag; `latest` to the highest stable version, unless it was rolled back; and the
commit's own tag and the journals of releases to the same digest.
Exit codes: 0 all is well; 1 something is not, or could not be looked at.";

/// Look whether every published version is whole, and what git and the journals say
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Look at every tag, not at versions and `latest` alone
    #[arg(long)]
    all: bool,
}

/// What was looked at and found, as `--json` prints it.
#[derive(Serialize)]
struct AuditReport {
    schema: u32,
    repositories: Vec<AuditedRepository>,
    findings: Vec<Finding>,
}

impl Args {
    pub(crate) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        if ctx.testbed {
            crate::testbed::enter(ctx, true)?;
        }
        let versions = git::read_facts(&ctx.root)?.versions;
        let history = journal::history(&ctx.records().join("release"))?;
        let mut repositories = Vec::new();
        for repository in ctx.repositories() {
            anstream::eprintln!("looking at `{repository}`");
            let registry = Registry::new(&ctx.exec, repository);
            repositories.push(observe::observe(repository, &registry, self.all)?);
        }
        let of_git = observe::commits(&ctx.root, &versions, &repositories)?;
        let findings = judge(&repositories, &of_git, &history);
        let report = AuditReport {
            schema: 1,
            repositories,
            findings,
        };
        let text = report.text();
        if ctx.json {
            report::print_json(&report)?;
        } else {
            anstream::print!("{text}");
        }
        github::write_summary(&ctx.exec, &format!("### Audit\n\n```\n{text}```\n"))?;
        match report.findings.len() {
            0 => Ok(()),
            1 => bail!("1 thing is not as it should be; it stands above with its remedy"),
            count => {
                bail!("{count} things are not as they should be; they stand above with remedies")
            }
        }
    }
}

impl AuditReport {
    fn text(&self) -> String {
        let mut text = String::new();
        for facts in &self.repositories {
            let mut rows = vec![["tag", "digest", "manifests", "blobs", ""].map(str::to_owned)];
            rows.extend(facts.tags.iter().map(|tag| self.row(facts, tag)));
            // Writing to a String cannot fail.
            let _ = write!(text, "{}\n{}", facts.repository, report::columns(&rows));
        }
        for finding in &self.findings {
            let Finding {
                reference,
                why,
                remedy,
            } = finding;
            let _ = writeln!(text, "- `{reference}` {why}\n  hint: {remedy}");
        }
        text
    }

    fn row(&self, facts: &AuditedRepository, tag: &AuditedTag) -> [String; 5] {
        let reference = facts.repository.reference(&tag.name);
        let is_well = !self.findings.iter().any(|one| one.reference == reference);
        let digest = tag.digest.as_ref().map_or("none", Digest::short);
        [
            tag.name.clone(),
            digest.to_owned(),
            tag.manifests.to_string(),
            tag.blobs.to_string(),
            if is_well { "ok" } else { "not well" }.to_owned(),
        ]
    }
}
