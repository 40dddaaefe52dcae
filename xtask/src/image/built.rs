//! What a finished build is, and how it is told.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::sizes::{self, BuiltPlatform};
use crate::ctx::Ctx;
use crate::image_tree::ImageTree;
use crate::oci::Digest;
use crate::{github, report, testbed};

/// The file, among the records, that keeps the last build.
pub(super) const RECORD: &str = "image.json";

/// A finished build, as `--json` prints it and `target/xtask/image.json` keeps it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Built {
    pub(super) schema: u32,
    pub(crate) references: Vec<String>,
    /// Of the index or manifest; none where the engine's classic store keeps neither.
    pub(crate) digest: Option<Digest>,
    pub(super) revision: String,
    /// Whether it is in its registry rather than in the engine's store.
    #[serde(default, rename = "pushed")]
    pub(crate) is_pushed: bool,
    /// What a push did for each tag, in the order of `references`.
    #[serde(default)]
    pub(super) tags: Vec<TagState>,
    pub(super) platforms: Vec<BuiltPlatform>,
    pub(super) seconds: f64,
}

/// What a push did for a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum TagState {
    Pushed,
    /// It led there before.
    Present,
}

/// Seconds with one decimal.
pub(super) fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

impl Built {
    /// What the last build of this workspace was; none when there was none.
    pub(crate) fn last(ctx: &Ctx) -> anyhow::Result<Option<Built>> {
        let record = ctx.records().join(RECORD);
        let text = match std::fs::read_to_string(&record) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            result => result.with_context(|| format!("failed to read `{}`", record.display()))?,
        };
        let built = serde_json::from_str(&text).with_context(|| {
            format!(
                "`{}` is no record of a build; hint: `cargo xtask image` writes it anew",
                record.display()
            )
        })?;
        Ok(Some(built))
    }

    /// What a push, or a merge, has published.
    pub(super) fn published(
        tree: &ImageTree,
        tags: Vec<(String, TagState)>,
        revision: String,
        platforms: Vec<BuiltPlatform>,
    ) -> Built {
        let (references, tags) = tags.into_iter().unzip();
        Built {
            schema: 1,
            references,
            digest: Some(tree.digest.clone()),
            revision,
            is_pushed: true,
            tags,
            platforms,
            seconds: 0.0,
        }
    }

    pub(super) fn report(&self, ctx: &Ctx) -> anyhow::Result<()> {
        if ctx.json {
            report::print_json(self)?;
        } else {
            anstream::print!("{}", report::table(&self.rows()));
            anstream::print!("{}", sizes::table(&self.platforms));
            let enter = ctx.testbed.then(|| format!("{} && ", testbed::ENTER));
            anstream::eprintln!("{}", self.next(&enter.unwrap_or_default()));
        }
        github::write_outputs(
            &ctx.exec,
            &[
                (
                    "digest",
                    self.digest
                        .as_ref()
                        .map(Digest::to_string)
                        .unwrap_or_default(),
                ),
                ("tags", self.references.join("\n")),
                ("revision", self.revision.clone()),
            ],
        )?;
        github::write_summary(&ctx.exec, &self.markdown())?;
        let record = ctx.records().join(RECORD);
        report::write_whole(&record, &serde_json::to_string_pretty(self)?)
            .with_context(|| format!("failed to write `{}`", record.display()))
    }

    /// What to type next, after `enter`.
    fn next(&self, enter: &str) -> String {
        match self.references.first() {
            Some(reference) if self.is_pushed => {
                format!("prove it: {enter}cargo xtask verify --pull {reference}")
            }
            Some(reference) => format!("try it: {enter}docker run --rm -it {reference} bash"),
            None => String::new(),
        }
    }

    fn rows(&self) -> Vec<(&str, String)> {
        let states = self.tags.iter().map(Some).chain(std::iter::repeat(None));
        let tags = self.references.iter().zip(states);
        let mut rows: Vec<(&str, String)> = tags
            .map(|(reference, state)| {
                let state = match state {
                    Some(TagState::Pushed) => " (pushed)",
                    Some(TagState::Present) => " (as before)",
                    None => "",
                };
                ("tag", format!("{reference}{state}"))
            })
            .collect();
        let none = "none: the classic image store keeps no manifest";
        rows.push((
            "digest",
            self.digest
                .as_ref()
                .map_or(none.to_owned(), Digest::to_string),
        ));
        rows.push(("revision", self.revision.clone()));
        for built in &self.platforms {
            let manifest = built.manifest.as_ref().map(|digest| format!(" {digest}"));
            let steps = built.steps.map(|steps| steps.told()).unwrap_or_default();
            let told = [built.told(), steps].into_iter();
            let told = told.filter(|told| !told.is_empty());
            let told: String = told.map(|told| format!(", {told}")).collect();
            let manifest = manifest.unwrap_or_default();
            rows.push(("platform", format!("{}{manifest}{told}", built.platform)));
        }
        rows.push(("time", format!("{} s", self.seconds)));
        rows
    }

    fn markdown(&self) -> String {
        let mut text = String::from("### Agent image\n\n| | |\n| --- | --- |\n");
        for (name, value) in self.rows() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "| {name} | `{value}` |");
        }
        text
    }
}
