//! How a plan and its results are printed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::apply::RemovalResult;
use super::plan::PrunePlan;
use super::verdict::Reason;
use crate::ctx::Ctx;
use crate::github::markdown::block;
use crate::tag_kind::short;
use crate::{github, report};

/// A plan and its results, as `--json` prints them.
#[derive(Serialize)]
struct PruneReport<'a> {
    schema: u32,
    repository: String,
    plan: &'a PrunePlan,
    /// Null when nothing was changed.
    results: Option<Vec<RemovalResult>>,
}

/// The plan, and what became of it if it was applied, to stdout and to GitHub Actions.
pub(super) fn report(
    ctx: &Ctx,
    plan: &PrunePlan,
    results: Option<Vec<RemovalResult>>,
) -> anyhow::Result<()> {
    let repository = ctx.settings.repository.to_string();
    let text = text(&repository, plan, results.as_deref());
    if ctx.json {
        report::print_json(&PruneReport {
            schema: 1,
            repository,
            plan,
            results,
        })?;
    } else {
        crate::say::out!("{text}");
    }
    github::write_summary(&ctx.exec, &format!("### Prune\n\n{}", block("", &text)))
}

fn text(repository: &str, plan: &PrunePlan, results: Option<&[RemovalResult]>) -> String {
    let mut text = format!("{repository}\n");
    let rows = match results {
        Some(results) => results.iter().flat_map(done).collect(),
        None => planned(plan),
    };
    if !rows.is_empty() {
        let head = ["tag", "digest", "", "why"].map(str::to_owned);
        let rows: Vec<[String; 4]> = [head].into_iter().chain(rows).collect();
        text.push_str(&report::columns(&rows));
    }
    text.push_str(&report::columns(&kept(plan)));
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", summary(plan, results));
    text
}

fn planned(plan: &PrunePlan) -> Vec<[String; 4]> {
    let rows = plan.remove.iter().flat_map(|removal| {
        let verb = match &removal.needed_by {
            None => "remove",
            Some(_) => "remove the tag alone",
        };
        removal.tags.iter().map(move |tag| {
            let digest = removal.digest.short().to_owned();
            [short(&tag.tag), digest, verb.to_owned(), tag.why.clone()]
        })
    });
    rows.collect()
}

fn done(result: &RemovalResult) -> impl Iterator<Item = [String; 4]> {
    let verb = if result.removed { "removed" } else { "kept" };
    result.tags.iter().map(move |tag| {
        let digest = result.digest.short().to_owned();
        [short(tag), digest, verb.to_owned(), result.why.clone()]
    })
}

/// How many tags are kept, for each reason.
fn kept(plan: &PrunePlan) -> Vec<[String; 3]> {
    let mut counts: BTreeMap<Reason, usize> = BTreeMap::new();
    for tag in &plan.keep {
        *counts.entry(tag.reason).or_default() += 1;
    }
    let row = |(reason, count): (Reason, usize)| {
        [
            "kept".to_owned(),
            count.to_string(),
            describe(reason).to_owned(),
        ]
    };
    counts.into_iter().map(row).collect()
}

fn describe(reason: Reason) -> &'static str {
    match reason {
        Reason::Root => "versions, `latest` and `dev`",
        Reason::Record => "release records",
        Reason::LedTo => "where one of those leads",
        Reason::InGit => "of a commit that has a version in git",
        Reason::Young => "younger than the limit",
        Reason::AgeUnknown => "of an unknown age (`--json` says why)",
        Reason::Signature => "signatures and proofs of what is kept",
        Reason::Foreign => "not ours",
        Reason::Nowhere => "that lead nowhere",
    }
}

/// What was done, or would be.
fn summary(plan: &PrunePlan, results: Option<&[RemovalResult]>) -> String {
    let tags = |count: usize| match count {
        1 => "1 tag".to_owned(),
        count => format!("{count} tags"),
    };
    match results {
        Some(results) => {
            let gone = results.iter().filter(|result| result.removed);
            let gone = gone.map(|result| result.tags.len()).sum();
            let deletions: usize = results.iter().map(|result| result.deletions).sum();
            format!("{} removed, in {deletions} deletions", tags(gone))
        }
        None if plan.is_empty() => "nothing to remove".to_owned(),
        None => {
            let all = plan.remove.iter().map(|removal| removal.tags.len()).sum();
            format!("{} would be removed; `--yes` removes them", tags(all))
        }
    }
}
