//! Builders in a container (buildx's docker-container driver): made, idle, killed or interrupted in a
//! build. On the test bed it is the engine's own BuildKit in that container, elsewhere the released one.

use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;
use tempfile::TempDir;

use super::held::{Held, assert_hangs_up, ended, start};
use super::{DOCKERFILE, Workspace, assert_whole, nothing_is_published};
use crate::common::{Ran, command};
use crate::world::{docker, image, inspect, root, unique_name};

/// A builder with one node, known to its test alone; it ends with the test.
pub(super) struct Builder {
    pub(super) name: String,
    config: TempDir,
}

impl Builder {
    /// One that is in the machine's network, as are the registry and what a test holds back.
    pub(super) fn create(more: &[&str]) -> Builder {
        let builder = Builder::named(unique_name());
        let create = ["create", "--driver", "docker-container"];
        let named = ["--name", &builder.name, "--driver-opt", "network=host"];
        builder
            .buildx(&[&create[..], &named, more].concat())
            .succeeded();
        builder
    }

    /// One that is not made yet.
    fn named(name: String) -> Builder {
        let config = tempfile::tempdir().unwrap();
        Builder { name, config }
    }

    fn buildx(&self, args: &[&str]) -> Ran {
        self.buildx_in(&root(), args)
    }

    pub(super) fn buildx_in(&self, folder: &Path, args: &[&str]) -> Ran {
        let mut buildx = command("docker", folder);
        buildx.env("BUILDX_CONFIG", self.config.path());
        Ran::of(buildx.arg("buildx").args(args))
    }

    /// The container that buildx makes for it.
    fn container(&self) -> String {
        format!("buildx_buildkit_{}0", self.name)
    }

    /// `docker ps` of that container, running or not.
    fn containers(&self, format: &str) -> Vec<String> {
        let name = format!("name=^{}$", self.container());
        let ps = ["ps", "--all", "--filter", &name, "--format", format];
        let listed = docker(&ps).succeeded().stdout;
        listed.lines().map(str::to_owned).collect()
    }

    /// `cargo xtask image ARGS`, where only this builder is known.
    fn image(&self, workspace: &Workspace, args: &[&str]) -> Command {
        let mut image = workspace.xtask(&["image", "--json", "--progress", "plain"]);
        image.env("BUILDX_CONFIG", self.config.path()).args(args);
        image
    }

    pub(super) fn push(&self, workspace: &Workspace, args: &[&str]) -> Command {
        let push = ["--push", "--builder", &self.name];
        self.image(workspace, &[&push[..], args].concat())
    }
}

impl Drop for Builder {
    fn drop(&mut self) {
        self.buildx(&["rm", "--force", &self.name]);
    }
}

/// What a push reports that has to succeed, and what it said. Both platforms are published.
fn pushed(workspace: &Workspace, push: &mut Command) -> (Value, String) {
    let ran = Ran::of(push).succeeded();
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let (digest, index) = workspace.published(&workspace.sha_tag()).unwrap();
    assert_eq!(report["digest"], *digest);
    assert_whole(&index);
    (report, ran.stderr)
}

/// Gives the image a step. That of [`DOCKERFILE`] is none: nothing is below what it links.
fn add_step(workspace: &Workspace) {
    let dockerfile = format!("{DOCKERFILE}COPY content/file /copy\n");
    workspace.write("docker/Dockerfile.agent", &dockerfile);
    workspace.commit("a step");
}

/// Whether a build has run that step: a builder that remembers it does not.
fn has_copied(said: &str) -> bool {
    let mut lines = said.lines();
    let step = lines.find(|line| line.ends_with("] COPY content/file /copy"));
    let number = step.and_then(|step| step.split(' ').next());
    number.is_some_and(|number| said.contains(&format!("\n{number} DONE ")))
}

#[test]
fn a_builder_is_created_once_and_pushes_both_platforms() {
    if std::env::var("TESTBED_REGISTRY").is_err() {
        eprintln!("not on the test bed: the builder `agentgate` may be in use here");
        return;
    }
    let (workspace, builder) = (Workspace::new(), Builder::named("agentgate".to_owned()));
    // A run of this test that was killed has left it.
    docker(&["rm", "--force", "--volumes", &builder.container()]);
    add_step(&workspace);
    let create = |args: &[&str]| {
        let push = ["--push", "--create-builder"];
        builder.image(&workspace, &[&push[..], args].concat())
    };
    let dry = Ran::of(&mut create(&["--dry-run"])).succeeded();
    let note = "note: first `docker buildx create --name agentgate ";
    assert!(dry.stderr.contains(note), "{dry:#?}");
    assert_eq!(builder.containers("{{.ID}}"), [""; 0]);
    let (report, said) = pushed(&workspace, &mut create(&[]));
    assert!(
        said.contains("creating container") && has_copied(&said),
        "{said}"
    );
    assert_eq!(report["tags"], serde_json::json!(["pushed"]));
    // What is published is adopted; another commit is built by the same builder.
    let (again, _) = pushed(&workspace, &mut create(&[]));
    assert_eq!(again["digest"], report["digest"]);
    assert_eq!(again["tags"], serde_json::json!(["present"]));
    workspace.commit("another");
    let (_, said) = pushed(&workspace, &mut create(&[]));
    assert!(!said.contains("creating container"), "{said}");
    assert!(!has_copied(&said), "{said}");
    // The engine's own builder makes the same images.
    let rebuilt = workspace.image(&["--push", "--rebuild", "--no-cache"]);
    let said = rebuilt.succeeded().stderr;
    assert!(said.contains("the same images are published"), "{said}");
}

#[test]
fn a_builder_that_was_stopped_is_started_and_knows_what_it_built() {
    let (workspace, builder) = (Workspace::new(), Builder::create(&[]));
    add_step(&workspace);
    // Made without `--bootstrap`, it does not run yet.
    let starting = format!("starting the builder `{}`\n", builder.name);
    let (first, said) = pushed(&workspace, &mut builder.push(&workspace, &[]));
    assert!(said.contains(&starting) && has_copied(&said), "{said}");
    builder.buildx(&["stop", &builder.name]).succeeded();
    assert_eq!(builder.containers("{{.State}}"), ["exited"]);
    workspace.commit("another");
    let (second, said) = pushed(&workspace, &mut builder.push(&workspace, &[]));
    assert!(said.contains(&starting) && !has_copied(&said), "{said}");
    assert_ne!(second["digest"], first["digest"]);
    let mut push = builder.push(&workspace, &["--rebuild", "--no-cache"]);
    let (rebuilt, said) = pushed(&workspace, &mut push);
    assert!(!said.contains(&starting), "{said}");
    assert!(said.contains("the same images are published"), "{said}");
    assert_eq!(rebuilt["digest"], second["digest"]);
}

#[test]
fn a_builder_that_is_killed_in_a_build_is_named_and_the_next_push_finishes() {
    let (workspace, builder) = (Workspace::new(), Builder::create(&[]));
    let killed = |kill: &dyn Fn()| {
        let file = Held::new();
        file.commit(&workspace);
        let mut push = start(&mut builder.push(&workspace, &[]));
        let _asked = file.asked(&mut push);
        kill();
        let ran = ended(push);
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        let why = format!(
            "error: the build failed: the builder `{}` has ended\n  hint: run this again, it is \
             started anew",
            builder.name
        );
        assert!(ran.stderr.contains(&why), "{ran:#?}");
        assert_eq!(workspace.digest(&workspace.sha_tag()), None);
        file.release();
        // Until then docker is starting it.
        let inspect = ["inspect", &builder.name];
        while builder.buildx(&inspect).stdout.contains("\nError:") {}
        pushed(&workspace, &mut builder.push(&workspace, &[])).1
    };
    let said = killed(&|| drop(docker(&["kill", &builder.container()]).succeeded()));
    assert!(said.contains("starting the builder"), "{said}");
    // As by a kernel that is out of memory: docker starts it again by itself.
    killed(&|| {
        let pid = [
            "inspect",
            "--format",
            "{{.State.Pid}}",
            &builder.container(),
        ];
        let pid = docker(&pid).succeeded().stdout;
        // It is root's, and this test's user need not be root.
        let mut kill = vec!["run", "--rm", "--privileged", "--pid", "host"];
        kill.extend(["--user", "root", "--entrypoint", "kill"]);
        kill.extend([image(), "-9", pid.trim()]);
        docker(&kill).succeeded();
    });
}

#[test]
fn an_interrupted_build_ends_in_the_builder_too_and_leaves_nothing() {
    let builder = Builder::create(&[]);
    for whole_group in [false, true] {
        let (workspace, file) = (Workspace::new(), Held::new());
        file.commit(&workspace);
        let temporary = tempfile::tempdir().unwrap();
        let mut push = builder.push(&workspace, &[]);
        let mut push = start(push.env("TMPDIR", temporary.path()));
        let asked = file.asked(&mut push);
        let pid = Pid::from_child(&push);
        // A terminal's Ctrl-C reaches all, another program's signal xtask alone.
        let signal = if whole_group {
            kill_process_group(pid, Signal::INT)
        } else {
            kill_process(pid, Signal::INT)
        };
        signal.unwrap();
        let ran = ended(push);
        assert_eq!(ran.code, Some(130), "{ran:#?}");
        // A docker that is signalled twice at once may die before its plugin has said its last.
        assert!(ran.stderr.contains("error: interrupted\n"), "{ran:#?}");
        assert_hangs_up(asked);
        assert_eq!(builder.containers("{{.State}}"), ["running"]);
        let left = std::fs::read_dir(temporary.path()).unwrap();
        assert_eq!(left.count(), 0, "{}", temporary.path().display());
        nothing_is_published(&workspace);
        file.release();
        pushed(&workspace, &mut builder.push(&workspace, &[]));
    }
}

#[test]
fn an_interruption_while_the_builders_image_is_pulled_is_one() {
    let (workspace, registry) = (Workspace::new(), Held::new());
    let image = format!("image={}/buildkit", registry.address());
    let builder = Builder::create(&["--driver-opt", &image]);
    let mut push = start(&mut builder.push(&workspace, &[]));
    let _asked = registry.asked(&mut push);
    kill_process(Pid::from_child(&push), Signal::INT).unwrap();
    let ran = ended(push);
    assert_eq!(ran.code, Some(130), "{ran:#?}");
    assert!(ran.stderr.ends_with("error: interrupted\n"), "{ran:#?}");
    assert_eq!(builder.containers("{{.ID}}"), [""; 0]);
}

#[test]
fn a_builder_whose_image_is_not_to_be_had_is_named() {
    let workspace = Workspace::new();
    let image = format!("image={}", workspace.repository());
    let builder = Builder::create(&["--driver-opt", &image]);
    let ran = Ran::of(&mut builder.push(&workspace, &[]));
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let name = &builder.name;
    for part in [
        format!("error: the builder `{name}` does not start: "),
        "not found\n".to_owned(),
        format!("hint: `docker buildx rm {name}` and make it anew"),
    ] {
        assert!(ran.stderr.contains(&part), "`{part}` is not in {ran:#?}");
    }
}

#[test]
fn a_local_build_comes_into_the_engine() {
    let (workspace, builder) = (Workspace::new(), Builder::create(&[]));
    let repository = unique_name();
    let args = ["--builder", &builder.name, "--repository", &repository];
    let ran = Ran::of(&mut builder.image(&workspace, &args)).succeeded();
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let image = format!("{repository}:dev");
    let loaded = inspect(&image);
    let labels = &loaded["Config"]["Labels"];
    let revision = &labels["org.opencontainers.image.revision"];
    assert_eq!(*revision, workspace.revision());
    let platform = format!("linux/{}", loaded["Architecture"].as_str().unwrap());
    assert_eq!(report["platforms"][0]["platform"], platform);
    let sha = format!("{repository}:{}", workspace.sha_tag());
    assert_eq!(inspect(&sha)["Id"], loaded["Id"]);
    docker(&["rmi", "--force", &image, &sha]).succeeded();
}

#[test]
fn a_cache_in_a_folder_outlives_the_builder() {
    let (workspace, builder) = (Workspace::new(), Builder::create(&[]));
    add_step(&workspace);
    let cache = format!("local={}", workspace.path("target/cache").display());
    let push = |args: &[&str]| pushed(&workspace, &mut builder.push(&workspace, args)).1;
    let next = |message: &str| {
        workspace.commit(message);
        let prune = ["prune", "--all", "--force", "--builder", &builder.name];
        builder.buildx(&prune).succeeded();
    };
    push(&["--cache", &cache]);
    next("without the cache");
    let said = push(&[]);
    assert!(has_copied(&said), "{said}");
    next("with the cache");
    let said = push(&["--cache", &cache]);
    assert!(!has_copied(&said), "{said}");
}
