//! Which docker command line a build is: a pure decision over what was observed.

use std::path::PathBuf;

use anyhow::bail;
use serde::Serialize;

use super::{Args, Facts};
use crate::docker::{Docker, Store};
use crate::platform::{self, Platform};
use crate::settings::Settings;
use crate::stop::Stop;
use crate::tags::{self, Tag};
use crate::{exec, preflight, report};

/// A build that is decided: everything the command line says.
#[derive(Debug, Serialize)]
pub(super) struct Plan {
    pub(super) references: Vec<String>,
    tags: Vec<Tag>,
    pub(super) revision: String,
    pub(super) platforms: Vec<Platform>,
    pub(super) command: Vec<String>,
    #[serde(skip)]
    pub(super) metadata_file: PathBuf,
    #[serde(skip)]
    pub(super) dirty: Vec<String>,
}

/// The tags of the build: those asked for, or those of git.
pub(super) fn tags(facts: &Facts, settings: &Settings, args: &Args) -> Result<Vec<Tag>, Stop> {
    let build = tags::Build {
        repository: &settings.repository,
        head: &facts.head,
        ci: facts.ci.as_ref(),
        is_changed: !args.build_arg.is_empty()
            || args
                .node
                .as_ref()
                .is_some_and(|node| *node != settings.node),
    };
    if args.tag.is_empty() {
        build.local_tags()
    } else {
        build.chosen_tags(&args.tag)
    }
}

pub(super) fn plan(
    facts: &Facts,
    docker: &Docker,
    tags: Vec<Tag>,
    settings: &Settings,
    args: &Args,
) -> anyhow::Result<Plan> {
    let mut platforms = args.platform.clone();
    platforms.sort_unstable();
    platforms.dedup();
    let lacks = preflight::lacks(docker, &platforms);
    if !lacks.is_empty() {
        bail!(
            lacks
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        );
    }
    if platforms.is_empty() {
        platforms.extend(docker.engine.as_ref().and_then(|engine| engine.platform));
    }
    let references = tags.iter().map(|tag| tag.reference.clone()).collect();
    let mut plan = Plan {
        references,
        tags,
        revision: facts.head.revision_label(),
        platforms,
        command: Vec::new(),
        metadata_file: facts.metadata_file.clone(),
        dirty: facts.head.dirty.clone(),
    };
    plan.command = plan.buildx_args(facts, docker, settings, args)?;
    Ok(plan)
}

impl Plan {
    /// The arguments of `docker`.
    ///
    /// Attestations stay off: they carry a fresh id, which would give every local build of one
    /// commit another digest.
    fn buildx_args(
        &self,
        facts: &Facts,
        docker: &Docker,
        settings: &Settings,
        args: &Args,
    ) -> anyhow::Result<Vec<String>> {
        let mut line: Vec<String> = ["buildx", "build"].map(String::from).to_vec();
        let mut flag = |name: &str, value: &str| line.extend([name.to_owned(), value.to_owned()]);
        flag("--file", &settings.dockerfile.display().to_string());
        flag("--platform", &platform::join(&self.platforms));
        for reference in &self.references {
            flag("--tag", reference);
        }
        for (name, value) in build_args(facts, settings, args)? {
            flag("--build-arg", &format!("{name}={value}"));
        }
        if let Some(path) = &facts.ca_bundle {
            let source = csv_field(&format!("src={}", path.display()));
            flag("--secret", &format!("id=ca-bundle,{source}"));
        }
        if let Some(builder) = &args.builder {
            flag("--builder", builder);
        }
        flag("--progress", &args.progress);
        flag("--metadata-file", &self.metadata_file.display().to_string());
        flag("--provenance", "false");
        flag("--sbom", "false");
        if dates_by_exporter(docker) {
            flag(
                "--output",
                &format!("type=docker,source-date-epoch={}", facts.head.epoch),
            );
        } else {
            flag(
                "--build-arg",
                &format!("SOURCE_DATE_EPOCH={}", facts.head.epoch),
            );
            flag("--output", "type=docker");
        }
        line.extend(args.no_cache.then(|| "--no-cache".to_owned()));
        line.push(".".to_owned());
        Ok(line)
    }

    pub(super) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            return report::print_json(self);
        }
        anstream::println!("{}", exec::quoted("docker", &self.command));
        Ok(())
    }
}

/// A field of the comma-separated lists that docker's flags take.
fn csv_field(text: &str) -> String {
    if text.contains([',', '"']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// True if the exporter can be told the image's time.
///
/// That beats the build argument `SOURCE_DATE_EPOCH`, which dates the folders that WORKDIR makes, so
/// that each commit would build every later step anew. Only the engine's own builder on the classic
/// store needs the argument: its exporter takes no time (both measured with Engine 28.5).
fn dates_by_exporter(docker: &Docker) -> bool {
    let classic = docker
        .engine
        .as_ref()
        .is_some_and(|engine| engine.store == Store::Classic);
    let own = docker
        .builder
        .as_ref()
        .is_some_and(|builder| builder.driver == "docker");
    !(classic && own)
}

/// The build arguments; those of the command line come last and win.
fn build_args(
    facts: &Facts,
    settings: &Settings,
    args: &Args,
) -> anyhow::Result<Vec<(String, String)>> {
    let node = args.node.as_ref().unwrap_or(&settings.node);
    let mut all = vec![
        ("NODE_VERSION", node.as_str().to_owned()),
        ("IMAGE_VERSION", settings.version.clone()),
        ("IMAGE_REVISION", facts.head.revision_label()),
        ("IMAGE_CREATED", facts.head.created()?),
    ];
    all.extend(
        facts
            .head
            .source
            .clone()
            .map(|source| ("IMAGE_SOURCE", source)),
    );
    let asked = |name: &str| args.build_arg.iter().any(|(asked, _)| asked == name);
    let ours = all
        .into_iter()
        .filter(|(name, _)| !asked(name))
        .map(|(n, v)| (n.to_owned(), v));
    Ok(ours.chain(args.build_arg.iter().cloned()).collect())
}
