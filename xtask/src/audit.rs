//! `cargo xtask audit`: checks that published images are complete, and agree with git and the
//! release records. Changes nothing; meant for a nightly job.

mod age;
mod judge;
mod kept;
mod newest;
mod observe;
mod survey;
mod tag;

use std::fmt::Write as _;

use anyhow::bail;
use serde::Serialize;

use self::age::Age;
use self::judge::{Finding, Severity, judge};
use self::observe::AuditedRepository;
use self::tag::AuditedTag;
use crate::ctx::Ctx;
use crate::github::markdown::block;
use crate::oci::Digest;
use crate::proof::Trust;
use crate::records::Records;
use crate::registry::Puller;
use crate::tag_kind::short;
use crate::{git, github, printable, report};

const EXAMPLES: &str = "\
Examples:
  cargo xtask audit                              check every version, `latest` and `dev`
  cargo xtask audit --all                        check `sha-…` and every other tag too
  cargo xtask audit --max-age 30                 and that `latest` and `dev` are at most 30 days old
  cargo xtask audit --repository agentgate/agent --repository ghcr.io/me/agent
                                                 check several repositories, which must agree
  cargo xtask audit --json | jq .findings

Every manifest and blob below a tag must be there. A version must be built from the commit of its
git tag, and must have the digest of the commit's `sha-…` tag. Its release record and the proof of
each platform must be believed. `latest` must be at the highest stable version that is not
withdrawn. A tag's row says when it was built, whether its base has moved since, and whether npm has
a newer Claude Code. More: docs/audit.md.
Exit codes: 0 all is well; 1 something is wrong, or could not be checked.";

/// Check that published images are complete, and agree with git and the release records
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Check every tag, not only versions, `latest` and `dev`
    #[arg(long)]
    all: bool,
    /// Fail when `latest` or `dev` was built more than this many days ago, or does not say when
    #[arg(long, value_name = "DAYS")]
    max_age: Option<u32>,
}

/// What was read and what is wrong, as `--json` prints it.
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
        let trust = Trust::of(ctx)?;
        let mut repositories = Vec::new();
        for repository in ctx.repositories() {
            crate::say::errln!("reading `{repository}`");
            let puller = Puller::new(&ctx.exec, repository);
            let records = Records {
                repository,
                puller: &puller,
                trust: &trust,
            };
            repositories.push(observe::observe(&records, self.all)?);
        }
        let of_git = observe::commits(&ctx.root, &versions, &repositories)?;
        let notes = newest::add_ages(ctx, &mut repositories)?;
        let mut findings = judge(&repositories, &of_git, self.max_age);
        findings.extend(notes);
        let report = AuditReport {
            schema: 2,
            repositories,
            findings,
        };
        let text = report.text();
        if ctx.json {
            report::print_json(&report)?;
        } else {
            crate::say::out!("{text}");
        }
        github::write_summary(&ctx.exec, &format!("### Audit\n\n{}", block("", &text)))?;
        match report.errors().count() {
            0 => Ok(()),
            1 => bail!("1 thing is wrong; it is listed above with its remedy"),
            count => {
                bail!("{count} things are wrong; they are listed above with remedies")
            }
        }
    }
}

impl AuditReport {
    fn errors(&self) -> impl Iterator<Item = &Finding> {
        let findings = self.findings.iter();
        findings.filter(|one| one.severity == Severity::Error)
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for facts in &self.repositories {
            let head = [
                "tag",
                "digest",
                "manifests",
                "blobs",
                "built",
                "base",
                "Claude Code",
                "",
            ];
            let mut rows = vec![head.map(str::to_owned)];
            rows.extend(facts.tags.iter().map(|tag| self.row(facts, tag)));
            // Writing to a String cannot fail.
            let _ = write!(text, "{}\n{}", facts.repository, report::columns(&rows));
        }
        for finding in &self.findings {
            let Finding {
                severity,
                reference,
                why,
                remedy,
            } = finding;
            let kind = match severity {
                Severity::Error => "",
                Severity::Warning => "warning: ",
                Severity::Note => "note: ",
            };
            let why = printable::line(why);
            let _ = writeln!(text, "- {kind}`{reference}` {why}\n  hint: {remedy}");
        }
        text
    }

    fn row(&self, facts: &AuditedRepository, tag: &AuditedTag) -> [String; 8] {
        let reference = facts.repository.reference(&tag.name);
        let is_well = !self.errors().any(|one| one.reference == reference);
        let digest = tag.digest.as_ref().map_or("none", Digest::short);
        let [built, base, claude] = tag.age.as_ref().map(Age::cells).unwrap_or_default();
        [
            short(&tag.name),
            digest.to_owned(),
            tag.manifests.to_string(),
            tag.blobs.to_string(),
            built,
            base,
            claude,
            match &tag.odd {
                _ if !is_well => "wrong".to_owned(),
                _ if tag.is_gone => "deleted meanwhile".to_owned(),
                Some(odd) => format!("ok: {odd}"),
                None => "ok".to_owned(),
            },
        ]
    }
}
