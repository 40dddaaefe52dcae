//! `cargo xtask test`: everything CI checks, the same at a desk.
//!
//! Runs every step even when one fails, then says which failed and which did not run. Builds
//! `agentgate/agent:dev` on the engine; a test bed that this run brought up is taken down again. The
//! tools that check workflows are installed below target/xtask/tools.

mod tools;

use std::num::NonZero;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use self::tools::Tools;
use crate::base::Base;
use crate::ctx::Ctx;
use crate::docker;
use crate::exec::Exec;
use crate::report;
use crate::stop::Stop;
use crate::testbed;

const EXAMPLES: &str = "\
Examples:
  cargo xtask test              everything; the engine is the one here, or else the test bed
  cargo xtask test --quick      only what needs no engine
  cargo xtask test --all        also what a nightly job has time for: every broken image, the test bed's faults
  cargo xtask test --keep       leave the test bed up, for the next run";

/// Check everything that CI checks: format, lints, tests, and end to end on an engine
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Leave out what needs an engine
    #[arg(long)]
    quick: bool,
    /// Run also the tests that take minutes: every image that is broken on purpose, and a test bed
    /// without network or disk
    #[arg(long, conflicts_with = "quick")]
    all: bool,
    /// Leave the test bed up when this run brought it up
    #[arg(long)]
    keep: bool,
}

/// One line of the table at the end.
struct StepResult {
    name: &'static str,
    outcome: Outcome,
    time: Duration,
}

enum Outcome {
    Passed,
    Failed,
    NotRun(String),
}

/// Where the end-to-end tests run.
enum TestEngine {
    /// The one that docker finds by itself.
    Here,
    /// The test bed, and whether it was this run that brought it up.
    Testbed {
        brought_up: bool,
    },
    None(String),
}

impl Args {
    pub(crate) fn run(self, ctx: &Ctx) -> anyhow::Result<()> {
        let mut run = Run {
            ctx,
            tools: Tools::install(ctx)?,
            steps: Vec::new(),
        };
        run.cargo("format", "fmt --all --check")?;
        run.cargo("lint", LINT)?;
        run.cargo("test", &format!("{TEST} --{}", threads()))?;
        run.workflow_steps()?;
        if self.quick {
            run.skip_engine("left out with `--quick`");
        } else {
            self.on_an_engine(&mut run)?;
        }
        run.finish()
    }

    fn on_an_engine(&self, run: &mut Run) -> anyhow::Result<()> {
        let engine = match run.find_engine()? {
            TestEngine::None(why) => {
                run.skip_engine(&why);
                return Ok(());
            }
            engine => engine,
        };
        let result = run.engine_steps(self.all);
        let TestEngine::Testbed { brought_up } = engine else {
            return result;
        };
        if brought_up && !self.keep {
            run.take_down()?;
        }
        result?;
        if self.all {
            run.cargo("test bed", FAULTS)?;
        }
        Ok(())
    }
}

const LINT: &str = "clippy --workspace --all-targets --all-features --locked -- -D warnings";
const TEST: &str = "test --workspace --locked";
/// A step of its own runs those of the workflows.
const E2E: &str = "test --locked --package xtask --features e2e --test e2e -- --skip actions::";
const ACTIONS: &str = "test --locked --package xtask --features e2e --test e2e -- actions::";
/// What `--all` adds to both.
const ALL: &str = " --include-ignored";
/// Brings up test beds of its own; only where there can be one.
const FAULTS: &str = "test --locked --package testbed --features e2e --test it faults::";
/// The steps that need an engine, in order.
const ENGINE_STEPS: [&str; 5] = ["dockerfile", "hadolint", "compose", "end to end", "actions"];

/// For tests that mostly wait for other programs, as the entrypoint's: even two CPUs run four of them. Those
/// on an engine compute, and some measure times: one for each CPU.
fn threads() -> String {
    let cpus = std::thread::available_parallelism().map_or(1, NonZero::get);
    format!(" --test-threads={}", cpus.max(4))
}

struct Run<'a> {
    ctx: &'a Ctx,
    /// What checks the workflows, or why it cannot be had.
    tools: Result<Tools, String>,
    steps: Vec<StepResult>,
}

impl Run<'_> {
    fn cargo(&mut self, name: &'static str, line: &str) -> anyhow::Result<()> {
        let args: Vec<&str> = line.split(' ').collect();
        self.step(name, |exec| exec.watch(&testbed::cargo(), &args))
    }

    /// Runs one step; only an interruption ends the whole run.
    fn step(
        &mut self,
        name: &'static str,
        run: impl FnOnce(&Exec) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        crate::say::errln!("\n=== {name}");
        let start = Instant::now();
        let outcome = match run(&self.ctx.exec) {
            Ok(()) => Outcome::Passed,
            Err(error) if error.is::<Stop>() => return Err(error),
            Err(error) => {
                crate::say::errln!("{error:#}");
                Outcome::Failed
            }
        };
        self.steps.push(StepResult {
            name,
            outcome,
            time: start.elapsed(),
        });
        Ok(())
    }

    fn not_run(&mut self, name: &'static str, why: &str) {
        self.steps.push(StepResult {
            name,
            outcome: Outcome::NotRun(why.to_owned()),
            time: Duration::ZERO,
        });
    }

    fn skip_engine(&mut self, why: &str) {
        for name in ENGINE_STEPS {
            self.not_run(name, why);
        }
    }

    /// The engine that is here when it can have the base image, else the test bed.
    fn find_engine(&mut self) -> anyhow::Result<TestEngine> {
        let ctx = self.ctx;
        if !ctx.testbed && docker::observe_engine(&ctx.exec)?.engine.is_some() {
            let Some(base) = Base::read(&ctx.root, &ctx.settings.dockerfile, None)? else {
                return Ok(TestEngine::Here);
            };
            let base = &base.reference;
            let pulled = docker::output(&ctx.exec, &["pull", "--quiet", base])?;
            if pulled.status.success() {
                return Ok(TestEngine::Here);
            }
            crate::say::errln!("note: the engine here cannot have `{base}`; trying the test bed");
        }
        let brought_up = testbed::environment(ctx)?.is_none();
        match testbed::enter(ctx, false) {
            Ok(()) => Ok(TestEngine::Testbed { brought_up }),
            Err(error) if matches!(error.downcast_ref(), Some(Stop::Refused(_))) => {
                Ok(TestEngine::None(format!(
                    "no Docker Engine that has the base images, and {error}"
                )))
            }
            Err(error) => {
                if brought_up {
                    self.take_down()?;
                }
                Err(error)
            }
        }
    }

    fn take_down(&self) -> anyhow::Result<()> {
        let down = testbed::args(&["down"]);
        let cleaned = self.ctx.exec.clean_up(&testbed::cargo(), &down);
        cleaned.context("the test bed is still up; hint: `cargo xtask testbed down`")
    }

    /// Checks how the workflows are written; the step `actions` runs them.
    fn workflow_steps(&mut self) -> anyhow::Result<()> {
        // Without what a machine may have besides: every machine must find the same.
        let actionlint = ["-shellcheck=", "-pyflakes="];
        let zizmor = [
            "--offline",
            "--no-progress",
            "--persona",
            "auditor",
            ".github",
        ];
        self.tool("actionlint", Tools::actionlint, &actionlint)?;
        self.tool("zizmor", Tools::zizmor, &zizmor)
    }

    /// A step that runs one of the tools.
    fn tool(
        &mut self,
        name: &'static str,
        path: fn(&Tools) -> String,
        args: &[&str],
    ) -> anyhow::Result<()> {
        match &self.tools {
            Ok(tools) => {
                let program = path(tools);
                self.step(name, |exec| exec.watch(&program, args))
            }
            Err(why) => {
                let why = why.clone();
                self.not_run(name, &why);
                Ok(())
            }
        }
    }

    fn engine_steps(&mut self, all: bool) -> anyhow::Result<()> {
        let dockerfile = self.ctx.settings.dockerfile.display().to_string();
        let [check, hadolint, compose, e2e, actions] = ENGINE_STEPS;
        let line = ["buildx", "build", "--check", "--file", &dockerfile, "."];
        self.step(check, |exec| docker::watch(exec, &line))?;
        self.tool(hadolint, Tools::hadolint, &[&dockerfile])?;
        let line = ["compose", "--profile", "*", "config", "--quiet"];
        self.step(compose, |exec| docker::watch(exec, &line))?;
        let more = if all { ALL } else { "" };
        self.cargo(e2e, &format!("{E2E}{more}"))?;
        // In which actions are written, and with which the workflows' proofs are signed.
        let mut needed = ["node", "cosign"].into_iter();
        let lacking = needed.find(|name| self.ctx.exec.find(name).is_none());
        match (&self.tools, lacking) {
            (Ok(_), None) => self.cargo(actions, &format!("{ACTIONS}{more}")),
            (Err(why), _) => {
                let why = why.clone();
                self.not_run(actions, &why);
                Ok(())
            }
            (Ok(_), Some(name)) => {
                self.not_run(
                    actions,
                    &format!("`{name}` is not on PATH, which the workflows need"),
                );
                Ok(())
            }
        }
    }

    fn finish(self) -> anyhow::Result<()> {
        let rows: Vec<(&str, String)> = self
            .steps
            .iter()
            .map(|step| (step.name, step.to_string()))
            .collect();
        crate::say::errln!();
        crate::say::out!("{}", report::table(&rows));
        let count =
            |wanted: fn(&Outcome) -> bool| self.steps.iter().filter(|s| wanted(&s.outcome)).count();
        let failed = count(|outcome| matches!(outcome, Outcome::Failed));
        let not_run = count(|outcome| matches!(outcome, Outcome::NotRun(_)));
        if failed > 0 {
            bail!("{failed} of {} steps failed", self.steps.len());
        }
        if not_run > 0 {
            crate::say::errln!(
                "NOT EVERYTHING RAN: {not_run} of {} steps did not, see above",
                self.steps.len()
            );
            if self.ctx.exec.var("CI").is_some() {
                bail!("in CI a step that does not run is a failure");
            }
        }
        Ok(())
    }
}

impl std::fmt::Display for StepResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.outcome {
            Outcome::Passed => write!(f, "passed in {}", report::seconds(self.time)),
            Outcome::Failed => write!(f, "FAILED in {}", report::seconds(self.time)),
            Outcome::NotRun(why) => write!(f, "NOT RUN: {why}"),
        }
    }
}
