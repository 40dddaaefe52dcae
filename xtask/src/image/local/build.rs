//! The build: at once where docker is remembered, and again where it is not what it was.

use std::collections::BTreeMap;
use std::time::Instant;

use super::Plan;
use crate::ctx::Ctx;
use crate::docker::{self, Docker, Store};
use crate::exec::Exec;
use crate::image::built::rounded;
use crate::image::cache;
use crate::image::memory;
use crate::image::steps::{self, Ran, Steps};
use crate::image::{Args, Run, local};
use crate::oci::Digest;
use crate::platform::Platform;
use crate::stop::Stop;
use crate::threads;

/// A docker, and what is built with it.
pub(super) struct Known {
    docker: Docker,
    pub(super) plan: Plan,
}

/// What a local build leaves out, as nobody reads it: the provenance in the metadata file and, as
/// the image has none, what git would say in it. Each costs some hundredths of a second.
const UNUSED: [(&str, &str); 2] = [
    ("BUILDX_GIT_INFO", "false"),
    ("BUILDX_METADATA_PROVENANCE", "disabled"),
];

/// How builds are decided and run.
pub(super) struct Builds<'a, P> {
    pub(super) ctx: &'a Ctx,
    pub(super) args: &'a Args,
    /// Decides the build for a docker.
    pub(super) plan: P,
    /// What had chosen the docker before anything was looked at.
    choice: Option<Digest>,
}

impl<'a, P: Fn(&Docker) -> anyhow::Result<Plan>> Builds<'a, P> {
    pub(super) fn new(ctx: &'a Ctx, args: &'a Args, plan: P) -> Self {
        // A builder that is made first cannot be remembered.
        let choice = (!args.create_builder)
            .then(|| memory::choice(&ctx.exec, &ctx.root, args.builder()))
            .flatten();
        Builds {
            ctx,
            args,
            plan,
            choice,
        }
    }

    /// Looks at docker and decides.
    pub(super) fn observe(&self) -> anyhow::Result<Known> {
        let docker = crate::image::observe_docker(self.ctx, self.args, &self.args.platform)?;
        let plan = (self.plan)(&docker)?;
        Ok(Known { docker, plan })
    }

    /// Decides by what is remembered; none where that does not do.
    pub(super) fn remembered(&self) -> anyhow::Result<Option<Known>> {
        let docker = memory::take(self.ctx, self.choice.as_ref())?;
        // What is lacking may be there by now: that is for a look to say.
        Ok(docker.and_then(|docker| {
            let plan = (self.plan)(&docker).ok()?;
            Some(Known { docker, plan })
        }))
    }

    /// Builds as decided; seconds that it took.
    pub(super) fn run(&self, known: &Known) -> anyhow::Result<f64> {
        let (exec, plan) = (quick(&self.ctx.exec), &known.plan);
        local::remove_old(&plan.metadata_file)?;
        let (program, args) = known.docker.buildx(&plan.command);
        let run = Run { program, args };
        let start = Instant::now();
        run.start(&exec)?;
        Ok(rounded(start.elapsed()))
    }

    /// Builds by what is remembered, and looks at the builder meanwhile. Unless it is the one that is
    /// remembered and the build succeeds, all of docker is looked at, and built again if that makes
    /// a difference.
    pub(super) fn run_remembered(&self, known: Known) -> anyhow::Result<(Known, f64)> {
        let exec = self.ctx.exec.clone();
        let (docker, builder) = (&known.docker, self.args.builder());
        let look = move || docker::look(&exec, docker, builder);
        let (look, end) = threads::beside(look, || self.run(&known));
        // Whoever asked for the end gets it before anything else is said or done.
        let (look, end) = (uninterrupted(look)?, uninterrupted(end)?);
        if let (true, Ok(seconds)) = (known.looks_like(look.ok().flatten().as_ref()), &end) {
            return Ok((known, *seconds));
        }
        let now = match self.observe() {
            Err(why) if end.is_err() && !why.is::<Stop>() => {
                return Err(why.context("the build failed"));
            }
            now => now?,
        };
        if now.builds_like(&known) {
            return match (end, crate::image::check_room(self.ctx)) {
                (Err(_), Err(why)) => Err(why.context("the build failed")),
                (end, _) => Ok((now, end?)),
            };
        }
        anstream::eprintln!("note: docker has changed since the last build; building again");
        let seconds = self.run(&now)?;
        Ok((now, seconds))
    }

    /// The steps of a build that took `seconds`, for each platform.
    pub(super) fn steps(
        &self,
        known: &Known,
        seconds: f64,
    ) -> anyhow::Result<BTreeMap<Platform, Steps>> {
        let (exec, builder) = (&self.ctx.exec, self.args.builder());
        let ran = Ran {
            metadata_file: &known.plan.metadata_file,
            seconds,
            platforms: &known.plan.platforms,
            has_cache: cache::is_in(&known.plan.command),
        };
        steps::ask(exec, &known.docker, builder, &ran)
    }

    /// Remembers the docker of a build that succeeded.
    pub(super) fn keep(&self, known: Known) -> Plan {
        if let Some(choice) = self.choice.clone() {
            // All it saves is time.
            if let Err(why) = memory::keep(self.ctx, choice, known.docker) {
                anstream::eprintln!("note: {why:#}");
            }
        }
        known.plan
    }
}

impl Known {
    /// True if its engine keeps manifests and layers as a registry does.
    pub(super) fn is_containerd(&self) -> bool {
        let engine = self.docker.engine.as_ref();
        engine.is_some_and(|engine| engine.store == Store::Containerd)
    }

    /// True if its builder is the one that was seen.
    fn looks_like(&self, seen: Option<&Digest>) -> bool {
        let builder = self.docker.builder.as_ref();
        let look = builder.and_then(|builder| builder.look.as_ref());
        look.is_some() && look == seen
    }

    /// True if it builds the same, with the same program, into the same kind of store.
    fn builds_like(&self, other: &Known) -> bool {
        let of = |known: &Known| {
            let store = known.docker.engine.as_ref().map(|engine| engine.store);
            (known.docker.plugin.clone(), store)
        };
        self.plan.command == other.plan.command && of(self) == of(other)
    }
}

/// The result, unless it is that of an interruption.
fn uninterrupted<T>(result: anyhow::Result<T>) -> anyhow::Result<anyhow::Result<T>> {
    let is_stop = |error: &anyhow::Error| {
        let stop = error.downcast_ref::<Stop>();
        stop.is_some_and(|stop| matches!(stop, Stop::Interrupted(_)))
    };
    match result {
        Err(error) if is_stop(&error) => Err(error),
        result => Ok(result),
    }
}

/// What starts programs without what a local build has no use for.
fn quick(exec: &Exec) -> Exec {
    let set = |exec: Exec, (name, value): &(&str, &str)| exec.with_default(name, value);
    UNUSED.iter().fold(exec.clone(), set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::Engine;

    fn known() -> Known {
        Known {
            docker: Docker {
                client: Some("/usr/bin/docker".into()),
                plugin: Some("/docker-buildx".into()),
                engine: Some(Engine {
                    version: "28.5.2".into(),
                    platform: None,
                    store: Store::Containerd,
                }),
                builder: Some(docker::Builder {
                    name: "default".into(),
                    driver: "docker".into(),
                    platforms: Vec::new(),
                    ready: Vec::new(),
                    nodes: 1,
                    idle: Vec::new(),
                    lost: Vec::new(),
                    look: Some(Digest::of(b"look")),
                }),
                ..Docker::default()
            },
            plan: Plan {
                references: Vec::new(),
                tags: Vec::new(),
                revision: String::new(),
                platforms: Vec::new(),
                command: vec!["buildx".into(), "build".into()],
                metadata_file: "metadata".into(),
                dirty: Vec::new(),
            },
        }
    }

    #[test]
    fn it_is_built_again_where_that_makes_a_difference() {
        type Change = fn(&mut Known);
        let changes: [(&str, Change, bool); 7] = [
            ("nothing", |_| {}, true),
            (
                "another version of the engine",
                |known| known.docker.engine.as_mut().unwrap().version = "29".into(),
                true,
            ),
            (
                "another version of buildx, in its place",
                |known| known.docker.buildx = Some("1".into()),
                true,
            ),
            (
                "the other store",
                |known| known.docker.engine.as_mut().unwrap().store = Store::Classic,
                false,
            ),
            (
                "another plugin",
                |known| known.docker.plugin = Some("/else/docker-buildx".into()),
                false,
            ),
            ("no plugin", |known| known.docker.plugin = None, false),
            (
                "another command line",
                |known| known.plan.command.push("--no-cache".into()),
                false,
            ),
        ];
        for (what, change, is_alike) in changes {
            let mut now = known();
            change(&mut now);
            assert_eq!(now.builds_like(&known()), is_alike, "{what}");
        }
    }

    #[test]
    fn a_builder_that_is_not_seen_is_not_the_one_remembered() {
        let known = known();
        assert!(known.looks_like(Some(&Digest::of(b"look"))));
        assert!(!known.looks_like(Some(&Digest::of(b"other"))));
        assert!(!known.looks_like(None));
        let mut blind = known;
        blind.docker.builder.as_mut().unwrap().look = None;
        assert!(!blind.looks_like(None));
    }

    #[test]
    fn an_interruption_ends_first() {
        let failed = || anyhow::Result::<()>::Err(anyhow::anyhow!("failed"));
        assert!(uninterrupted(failed()).unwrap().is_err());
        assert!(uninterrupted(Ok(())).unwrap().is_ok());
        assert!(uninterrupted::<()>(Err(Stop::Interrupted(2).into())).is_err());
        assert!(uninterrupted::<()>(Err(Stop::Refused(String::new()).into())).is_ok());
    }
}
