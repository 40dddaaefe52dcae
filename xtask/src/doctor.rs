//! `cargo xtask doctor`: what is here, and what a build would lack. Changes nothing.

use std::path::PathBuf;

use anyhow::bail;
use serde::Serialize;

use crate::base::Base;
use crate::ctx::Ctx;
use crate::docker::{self, Docker};
use crate::git;
use crate::preflight;
use crate::refusal::Refusal;
use crate::report;
use crate::scanner::Scanner;

/// Say what is here (git, docker, engine, builder), what `image` would lack, and the remedy
#[derive(clap::Args)]
pub struct Args {
    /// buildx builder to look at [default: the current one]
    #[arg(long, value_name = "NAME")]
    builder: Option<String>,
}

/// What the doctor found.
#[derive(Serialize)]
struct Findings {
    schema: u32,
    git: Option<git::Head>,
    git_error: Option<String>,
    docker: Docker,
    /// What signs releases, where that is asked for.
    cosign: Option<PathBuf>,
    /// What `update` asks for newer versions.
    npm: Option<PathBuf>,
    /// What `verify --scan` may use.
    trivy: Option<PathBuf>,
    grype: Option<PathBuf>,
    /// What a build for the engine's own platform lacks.
    native: Vec<Refusal>,
    /// What a build of every platform of the settings lacks.
    every_platform: Vec<Refusal>,
    /// What a push of them lacks.
    push: Vec<Refusal>,
    /// What refuses no build and may end one.
    warnings: Vec<Refusal>,
}

impl Args {
    pub(crate) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        if ctx.testbed {
            crate::testbed::enter(ctx, true)?;
        }
        let docker = docker::observe(&ctx.exec, self.builder.as_deref())?;
        let (git, git_error) = match git::read_head(&ctx.root) {
            Ok(head) => (Some(head), None),
            Err(error) => (None, Some(format!("{error:#}"))),
        };
        let findings = Findings {
            schema: 2,
            git,
            git_error,
            native: preflight::lacks(&docker, &[]),
            every_platform: preflight::lacks(&docker, &ctx.settings.platforms),
            cosign: ctx.exec.find("cosign"),
            npm: ctx.exec.find("npm"),
            trivy: Scanner::Trivy.path(&ctx.exec),
            grype: Scanner::Grype.path(&ctx.exec),
            push: preflight::lacks_to_push(&docker, &ctx.settings.platforms),
            warnings: warnings(ctx, &docker),
            docker,
        };
        if ctx.json {
            report::print_json(&findings)?;
        } else {
            crate::say::out!("{}", report::table(&findings.rows()));
        }
        if !findings.native.is_empty() || findings.git.is_none() {
            bail!("`cargo xtask image` cannot build here; what it lacks is listed above");
        }
        Ok(())
    }
}

/// What ends no build by itself. A Dockerfile that cannot be read is for the build to say.
fn warnings(ctx: &Ctx, docker: &Docker) -> Vec<Refusal> {
    let base = Base::read(&ctx.root, &ctx.settings.dockerfile, None);
    let node = base.ok().flatten().and_then(|base| base.node().ok());
    let ended = node.and_then(|node| node.end());
    let npm = ctx.exec.find("npm").is_none().then(|| {
        Refusal::new(
            "there is no `npm` on PATH: `cargo xtask update` cannot ask for newer versions",
            "install Node.js, which brings it (npm 10 or later)",
        )
    });
    let scanner = ctx
        .settings
        .fail_on
        .filter(|_| Scanner::choose(None, &ctx.exec).is_none());
    let scanner = scanner.map(|fail_on| {
        Refusal::new(
            format!("`fail-on` is `{fail_on}`, and neither `trivy` nor `grype` is on PATH: `verify --scan` cannot scan"),
            "install one of them; it fetches its database itself",
        )
    });
    let pods = preflight::too_old_for_pods(docker);
    pods.into_iter()
        .chain(ended)
        .chain(npm)
        .chain(scanner)
        .collect()
}

impl Findings {
    fn rows(&self) -> Vec<(&str, String)> {
        let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        let git = match &self.git {
            Some(head) if head.dirty.is_empty() => format!("{} (clean)", head.revision),
            Some(head) => format!("{} (dirty: {} paths)", head.revision, head.dirty.len()),
            None => or_none(&self.git_error),
        };
        let engine = self.docker.engine.as_ref().map(|engine| {
            let platform = engine
                .platform
                .map_or("another platform", |platform| platform.as_str());
            format!(
                "{}, {platform}, {} image store",
                engine.version, engine.store
            )
        });
        let builder = self.docker.builder.as_ref().map(|builder| {
            let mut about = builder.platforms.join(", ");
            if !builder.idle.is_empty() {
                let gap = if about.is_empty() { "" } else { "; " };
                let idle = builder.idle.join("`, `");
                let runs = match builder.idle.as_slice() {
                    [_] => "does not run, a build starts it",
                    _ => "do not run, a build starts them",
                };
                about = format!("{about}{gap}`{idle}` {runs}");
                if builder.is_kubernetes() {
                    about += " (buildx says the same of a cluster that does not answer)";
                }
            }
            format!("{} ({}): {about}", builder.name, builder.driver)
        });
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let tools = [
            ("cosign", &self.cosign),
            ("npm", &self.npm),
            ("trivy", &self.trivy),
            ("grype", &self.grype),
        ];
        let mut rows = vec![
            ("git", git),
            ("docker", or_none(&self.docker.client)),
            ("engine", or_none(&engine)),
            ("buildx", or_none(&self.docker.buildx)),
            ("builder", or_none(&builder)),
        ];
        rows.extend(tools.map(|(name, tool)| (name, or_none(&path(tool)))));
        rows.push(("image", verdict(&self.native)));
        if self.every_platform != self.native {
            rows.push(("image, every platform", verdict(&self.every_platform)));
        }
        if self.push != self.every_platform {
            rows.push(("image --push", verdict(&self.push)));
        }
        let mut lacks: Vec<&Refusal> = Vec::new();
        for lack in [&self.native, &self.every_platform, &self.push]
            .into_iter()
            .flatten()
        {
            if !lacks.contains(&lack) {
                lacks.push(lack);
            }
        }
        for lack in lacks {
            rows.push(("lack", lack.why.clone()));
            rows.push(("remedy", lack.remedy.clone()));
        }
        for warning in &self.warnings {
            rows.push(("warning", warning.why.clone()));
            rows.push(("remedy", warning.remedy.clone()));
        }
        rows
    }
}

fn verdict(lacks: &[Refusal]) -> String {
    match lacks.len() {
        0 => "can be built".to_owned(),
        count => format!("cannot be built, lacks {count}"),
    }
}
