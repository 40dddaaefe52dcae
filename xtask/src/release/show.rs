//! How a plan and a finished release are printed.

use serde::Serialize;

use super::apply::TagResult;
use super::facts::ReleaseFacts;
use super::intent::Release;
use super::notes::{GithubPlan, notes};
use super::step::ReleasePlan;
use super::summary::{self, About};
use crate::ctx::Ctx;
use crate::oci::Digest;
use crate::proof::{ReleaseRecord, ReleaseState};
use crate::reference::Repository;
use crate::{exec, github, report};

/// A plan as `--dry-run --json` prints it.
#[derive(Serialize)]
struct DryRun<'a> {
    #[serde(flatten)]
    plan: &'a ReleasePlan,
    #[serde(skip_serializing_if = "Option::is_none")]
    github_release: Option<&'a GithubPlan>,
}

/// The plan on stdout, for `--dry-run`.
pub(super) fn plan(
    plan: &ReleasePlan,
    github_release: Option<&GithubPlan>,
    json: bool,
) -> anyhow::Result<()> {
    if json {
        return report::print_json(&DryRun {
            plan,
            github_release,
        });
    }
    crate::say::out!("{}", table(plan));
    notes_of(plan);
    if let Some(GithubPlan { command, notes }) = github_release {
        crate::say::out!("{}\n\n{notes}", exec::quoted("gh", command));
    }
    Ok(())
}

/// A row for each step.
pub(super) fn table(plan: &ReleasePlan) -> String {
    let digest = |digest: Option<&Digest>| digest.map_or("none", Digest::short).to_owned();
    let mut others = plan.steps.iter().skip(1);
    let is_one = others.all(|step| step.repository == plan.steps[0].repository);
    let named = |repository: &Repository, tag: &str| {
        if is_one {
            tag.to_owned()
        } else {
            repository.reference(tag)
        }
    };
    let mut rows = vec![["step", "from", "to", "why"].map(str::to_owned)];
    for (platform, _) in &plan.verify {
        rows.push([
            format!("verify {platform}"),
            String::new(),
            String::new(),
            "nothing proves it".to_owned(),
        ]);
    }
    for step in &plan.attach {
        rows.push([
            format!("attach {}", named(&step.repository, step.platform.as_str())),
            String::new(),
            String::new(),
            format!("proven by {}", step.by),
        ]);
    }
    for unsigned in &plan.sign {
        let count = unsigned.digests.len();
        rows.push([
            format!("sign in {}", unsigned.repository),
            String::new(),
            String::new(),
            format!("{count} digests are not signed"),
        ]);
    }
    for step in &plan.records {
        let tag = ReleaseRecord::tag(&step.version);
        let from = step.from.map_or("none", ReleaseState::as_str);
        rows.push([
            format!("record {}", named(&step.repository, &tag)),
            from.to_owned(),
            step.to.to_string(),
            step.why.clone(),
        ]);
    }
    for step in &plan.steps {
        let verb = if step.is_write() { "write" } else { "keep" };
        let to = match &step.to {
            Some(to) => digest(Some(to)),
            None => "stays".to_owned(),
        };
        rows.push([
            format!("{verb} {}", named(&step.repository, &step.tag)),
            digest(step.from.as_ref()),
            to,
            step.why.clone(),
        ]);
    }
    format!(
        "version   {}\nrevision  {}\ndigest    {}\n{}",
        plan.version,
        plan.revision,
        plan.digest,
        report::columns(&rows)
    )
}

/// Says what will be done.
pub(super) fn announce(release: &Release, plan: &ReleasePlan) {
    crate::say::err!("{}", table(plan));
    notes_of(plan);
    if let Some(github) = &release.github {
        crate::say::errln!("{}", github.describe());
    }
}

fn notes_of(plan: &ReleasePlan) {
    for note in &plan.notes {
        crate::say::errln!("note: {note}");
    }
}

/// Says what was released, and makes its GitHub Release: last of all, as what is released is released
/// with a page on GitHub or without.
pub(super) fn finish(
    ctx: &Ctx,
    release: &Release,
    facts: &ReleaseFacts,
    plan: &ReleasePlan,
    results: &[TagResult],
) -> anyhow::Result<()> {
    let is_read = github::has_summary(&ctx.exec) || release.github.is_some();
    let about = is_read.then(|| About::read(release, facts, plan));
    let about = about.unwrap_or_default();
    report(
        ctx,
        plan,
        results,
        &summary::markdown(plan, results, &about),
    )?;
    let Some(github) = &release.github else {
        return Ok(());
    };
    let latest = ctx.settings.repository.reference("latest");
    let mut ours = results
        .iter()
        .filter(|one| one.digest.as_ref() == Some(&plan.digest));
    let is_latest = ours.any(|one| one.reference == latest);
    github.publish(&notes(ctx, plan, &about)?, is_latest)
}

/// A finished release, as `--json` prints it.
#[derive(Serialize)]
struct ReleaseReport<'a> {
    schema: u32,
    repository: String,
    version: String,
    revision: &'a str,
    digest: &'a Digest,
    tags: &'a [TagResult],
}

/// The result to stdout and to GitHub Actions. `summary` is empty where nobody reads one.
fn report(ctx: &Ctx, plan: &ReleasePlan, given: &[TagResult], summary: &str) -> anyhow::Result<()> {
    let repository = &ctx.settings.repository;
    let version = plan.version.to_string();
    if ctx.json {
        report::print_json(&ReleaseReport {
            schema: 1,
            repository: repository.to_string(),
            version: version.clone(),
            revision: &plan.revision,
            digest: &plan.digest,
            tags: given,
        })?;
    } else {
        crate::say::out!("{}", report::table(&rows(given)));
    }
    let ours = given
        .iter()
        .filter(|one| one.digest.as_ref() == Some(&plan.digest));
    let tags: Vec<&str> = ours.map(|one| &*one.reference).collect();
    let is_latest_moved = given
        .iter()
        .any(|one| one.tag == "latest" && one.is_written);
    github::write_outputs(
        &ctx.exec,
        &[
            ("version", version),
            ("digest", plan.digest.to_string()),
            ("tags", tags.join("\n")),
            ("latest-moved", is_latest_moved.to_string()),
        ],
    )?;
    github::write_summary(&ctx.exec, summary)
}

fn rows(given: &[TagResult]) -> Vec<(&str, String)> {
    let describe = |one: &TagResult| {
        let digest = one.digest.as_ref().map_or("absent", Digest::as_str);
        format!("{} {digest} ({})", one.reference, one.why)
    };
    given.iter().map(|one| (&*one.tag, describe(one))).collect()
}
