//! How a finished build is reported.

use super::{sizes, summary};
use crate::ctx::Ctx;
use crate::image_tree::ImageTree;
use crate::last_build::{BuiltPlatform, LastBuild, TagState};
use crate::oci::Digest;
use crate::{github, report, testbed};

impl TagState {
    pub(super) fn describe(self) -> &'static str {
        match self {
            TagState::Pushed => "pushed",
            TagState::Present => "as before",
        }
    }
}

impl LastBuild {
    /// What a push, or a merge, has published.
    pub(super) fn published(
        tree: &ImageTree,
        tags: Vec<(String, TagState)>,
        revision: String,
        platforms: Vec<BuiltPlatform>,
    ) -> LastBuild {
        let (references, tags) = tags.into_iter().unzip();
        LastBuild {
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
            crate::say::out!("{}", report::table(&self.rows()));
            crate::say::out!("{}", sizes::table(&ctx.root, &self.platforms));
            let enter = ctx.testbed.then(|| format!("{} && ", testbed::ENTER));
            let signs = ctx.settings.signing.is_some();
            crate::say::errln!("{}", self.next(&enter.unwrap_or_default(), signs));
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
        github::write_summary(&ctx.exec, &summary::markdown(self))?;
        self.write(ctx)
    }

    /// What to type next, after `enter`; `signs` says whether the settings have a signature.
    fn next(&self, enter: &str, signs: bool) -> String {
        match self.references.first() {
            Some(reference) if self.is_pushed => {
                let sign = if signs { " --sign" } else { "" };
                format!("prove it: {enter}cargo xtask verify{sign} --pull {reference}")
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
                let state = state.map(|state| format!(" ({})", state.describe()));
                ("tag", format!("{reference}{}", state.unwrap_or_default()))
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
            let steps = built
                .steps
                .map(|steps| steps.describe())
                .unwrap_or_default();
            let parts = [built.describe(), steps].into_iter();
            let parts = parts.filter(|parts| !parts.is_empty());
            let parts: String = parts.map(|parts| format!(", {parts}")).collect();
            let manifest = manifest.unwrap_or_default();
            rows.push(("platform", format!("{}{manifest}{parts}", built.platform)));
        }
        rows.push(("time", format!("{} s", self.seconds)));
        rows
    }
}
