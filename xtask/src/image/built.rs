//! What a finished build is, and how it is told.

use std::fmt::Write as _;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::ctx::Ctx;
use crate::platform::Platform;
use crate::{github, report, testbed};

/// The file, among the records, that keeps the last build.
pub(super) const RECORD: &str = "image.json";

/// A finished build, as `--json` prints it and `target/xtask/image.json` keeps it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Built {
    pub(super) schema: u32,
    pub(crate) references: Vec<String>,
    /// Of the index or manifest; none where the engine's classic store keeps neither.
    pub(crate) digest: Option<String>,
    pub(super) revision: String,
    pub(super) platforms: Vec<BuiltPlatform>,
    pub(super) seconds: f64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BuiltPlatform {
    pub(super) platform: Platform,
    /// Bytes in the engine's store; none where an old client cannot say it.
    pub(super) size: Option<u64>,
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

    pub(super) fn report(&self, ctx: &Ctx) -> anyhow::Result<()> {
        let record = ctx.records().join(RECORD);
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(&record, text)
            .with_context(|| format!("failed to write `{}`", record.display()))?;
        if ctx.json {
            report::print_json(self)?;
        } else {
            anstream::print!("{}", report::table(&self.rows()));
        }
        if let (false, Some(reference)) = (ctx.json, self.references.first()) {
            let run = format!("docker run --rm -it {reference} bash");
            let enter = ctx.testbed.then(|| format!("{} && ", testbed::ENTER));
            anstream::eprintln!("try it: {}{run}", enter.unwrap_or_default());
        }
        github::write_outputs(
            &ctx.exec,
            &[
                ("digest", self.digest.clone().unwrap_or_default()),
                ("tags", self.references.join("\n")),
                ("revision", self.revision.clone()),
            ],
        )?;
        github::write_summary(&ctx.exec, &self.markdown())
    }

    fn rows(&self) -> Vec<(&str, String)> {
        let mut rows: Vec<(&str, String)> = self
            .references
            .iter()
            .map(|reference| ("tag", reference.clone()))
            .collect();
        let none = "none: the classic image store keeps no manifest";
        rows.push((
            "digest",
            self.digest.clone().unwrap_or_else(|| none.to_owned()),
        ));
        rows.push(("revision", self.revision.clone()));
        for built in &self.platforms {
            let size = built.size.map(|size| format!(", {}", report::bytes(size)));
            rows.push((
                "platform",
                format!("{}{}", built.platform, size.unwrap_or_default()),
            ));
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
