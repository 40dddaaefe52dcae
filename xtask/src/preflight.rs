//! What is missing for a build: a pure judgement over what docker is and what is asked of it.

mod buildx_version;
mod engine_version;

pub(crate) use self::buildx_version::too_old_for_pods;
pub(crate) use self::engine_version::reads_no_zstd;
use crate::docker::{Docker, Store};
use crate::platform::Platform;
use crate::refusal::Refusal;

const TESTBED: &str =
    "as root on Debian or Ubuntu `cargo xtask --testbed …` brings an engine of its own";

/// Everything that keeps `docker` from building `platforms` (none: the engine's own).
pub(crate) fn lacks(docker: &Docker, platforms: &[Platform]) -> Vec<Refusal> {
    let lack = |why: String, remedy: String| Refusal { why, remedy };
    let mut lacks = Vec::from_iter(no_engine(docker));
    if docker.client.is_none() {
        return lacks;
    }
    lacks.extend(engine_version::too_old(docker));
    if docker.buildx.is_none() {
        lacks.push(lack(
            "docker has no `buildx` plugin".into(),
            "install `docker-buildx-plugin` (Docker's packages) or `docker-buildx` (Debian's, Ubuntu's)".into(),
        ));
    }
    if let Some(why) = &docker.builder_error {
        lacks.push(lack(
            format!("the builder cannot be used: {why}"),
            "`docker buildx ls` lists the builders there are; choose one with `--builder NAME`"
                .into(),
        ));
    }
    lacks.extend(platform_lacks(docker, platforms));
    lacks
}

/// Everything that keeps `docker` from building `platforms` into a folder, for a push.
///
/// What the engine's store holds is of no matter there, unless it is the store of the builder.
pub(crate) fn lacks_to_push(docker: &Docker, platforms: &[Platform]) -> Vec<Refusal> {
    let mut lacks = lacks(docker, &[]);
    // A builder that was found without an engine is not the engine's own.
    let unneeded = no_engine(docker).filter(|_| docker.builder.is_some());
    lacks.retain(|lack| lack.why != NO_PLATFORM && Some(lack) != unneeded.as_ref());
    let more = builder_lacks(docker, platforms);
    lacks.retain(|lack| !more.contains(lack));
    lacks.extend(more);
    lacks.extend(no_export(docker));
    lacks
}

/// What keeps the builder from exporting an image with its index.
fn no_export(docker: &Docker) -> Option<Refusal> {
    docker.builds_in_classic_store().then(|| Refusal {
        why: "the engine's own builder on the classic image store makes no index and no digest"
            .into(),
        remedy: format!(
            "`cargo xtask image --push --create-builder` makes a builder in a container \
             (`docker {}`) and uses it; or turn on the containerd image store \
             (`\"features\": {{\"containerd-snapshotter\": true}}` in /etc/docker/daemon.json, \
             then restart docker)",
            CREATE_BUILDER.join(" ")
        ),
    })
}

/// The name of the builder that `--create-builder` makes.
pub(crate) const BUILDER: &str = "agentgate";

/// How that builder is made: BuildKit in a container of the engine, whatever the engine's store.
pub(crate) const CREATE_BUILDER: [&str; 7] = [
    "buildx",
    "create",
    "--name",
    BUILDER,
    "--driver",
    "docker-container",
    "--bootstrap",
];

/// Everything that is lacking, with the remedies.
pub(crate) fn listed(lacks: &[Refusal]) -> String {
    let lacks = lacks.iter().map(ToString::to_string);
    lacks.collect::<Vec<_>>().join("\n")
}

/// What keeps `docker` from reaching an engine, if anything does.
pub fn no_engine(docker: &Docker) -> Option<Refusal> {
    if docker.client.is_none() {
        return Some(Refusal {
            why: "there is no `docker` on PATH".into(),
            remedy: format!(
                "install Docker Engine (https://docs.docker.com/engine/install/), or: {TESTBED}"
            ),
        });
    }
    let why = docker.engine_error.as_deref().unwrap_or("no reason given");
    docker.engine.is_none().then(|| Refusal {
        why: format!("the Docker Engine does not answer: {why}"),
        remedy: engine_remedy(why),
    })
}

fn engine_remedy(why: &str) -> String {
    if why.contains("context") {
        "`docker context use default`, or unset DOCKER_CONTEXT".into()
    } else if why.contains("permission denied") {
        "`sudo usermod -aG docker \"$USER\"` and log in again, or run as root".into()
    } else {
        format!(
            "start it (`sudo systemctl start docker`, or Docker Desktop) or point DOCKER_HOST at one; or: {TESTBED}"
        )
    }
}

const NO_PLATFORM: &str = "the engine's own platform is none that the agent image is built for";

fn platform_lacks(docker: &Docker, platforms: &[Platform]) -> Vec<Refusal> {
    let mut lacks = Vec::new();
    if let Some(engine) = &docker.engine {
        if engine.platform.is_none() && platforms.is_empty() {
            lacks.push(Refusal {
                why: NO_PLATFORM.into(),
                remedy: "name one with `--platform linux/amd64` or `--platform linux/arm64`".into(),
            });
        }
        if engine.store == Store::Classic && platforms.len() > 1 {
            lacks.push(Refusal {
                why: "the engine's classic image store holds one platform of an image, and several are asked for"
                    .into(),
                remedy: "build one `--platform` at a time, or turn on the containerd image store \
                         (`\"features\": {\"containerd-snapshotter\": true}` in /etc/docker/daemon.json, \
                         then restart docker)"
                    .into(),
            });
        }
    }
    lacks.extend(builder_lacks(docker, platforms));
    lacks
}

/// The platforms that the builder has neither a node nor emulation for, and the nodes that it has
/// lost. Nothing is said against nodes that do not run: what they can build shows when they do.
fn builder_lacks(docker: &Docker, platforms: &[Platform]) -> Vec<Refusal> {
    let Some(builder) = &docker.builder else {
        return Vec::new();
    };
    let is_known = |platform: &&Platform| {
        let mut known = builder.platforms.iter();
        known.any(|known| known == platform.as_str())
    };
    let unknown: Vec<_> = platforms.iter().filter(|one| !is_known(one)).collect();
    // One platform may be another node's; several are not built without all nodes.
    let is_lost = builder.lost.len() == builder.nodes;
    if !builder.lost.is_empty() && (is_lost || platforms.len() > 1 || !unknown.is_empty()) {
        return builder
            .lost
            .iter()
            .map(|lost| lost_node(&builder.name, lost))
            .collect();
    }
    if !builder.idle.is_empty() {
        return Vec::new();
    }
    let lacks = unknown.into_iter().map(|platform| Refusal {
        why: format!("the builder `{}` cannot build `{platform}`", builder.name),
        remedy: "register its emulation (`docker run --privileged --rm tonistiigi/binfmt --install all`) \
                 or choose a builder with a native node (`--builder NAME`)"
            .into(),
    });
    lacks.collect()
}

fn lost_node(builder: &str, (node, why): &(String, String)) -> Refusal {
    Refusal {
        why: format!("the node `{node}` of the builder `{builder}` cannot be used: {why}"),
        remedy: format!(
            "start what it runs on, or do without it: `docker buildx create --name {builder} \
             --leave --node {node}`, or another `--builder NAME`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::{Builder, Engine};

    const BOTH: &[Platform] = &[Platform::LinuxAmd64, Platform::LinuxArm64];

    fn whole() -> Docker {
        Docker {
            client: Some("/usr/bin/docker".into()),
            engine: Some(Engine {
                version: "28.5.2".into(),
                platform: Some(Platform::LinuxAmd64),
                store: Store::Containerd,
                root: None,
            }),
            buildx: Some("0.29.1".into()),
            builder: Some(Builder {
                name: "default".into(),
                driver: "docker".into(),
                platforms: vec!["linux/amd64".into(), "linux/arm64".into()],
                ready: Vec::new(),
                nodes: 1,
                idle: Vec::new(),
                lost: Vec::new(),
            }),
            ..Docker::default()
        }
    }

    fn whats(docker: &Docker, platforms: &[Platform]) -> Vec<String> {
        lacks(docker, platforms)
            .into_iter()
            .map(|lack| lack.why)
            .collect()
    }

    #[test]
    fn a_whole_docker_lacks_nothing() {
        assert_eq!(whats(&whole(), &[]), Vec::<String>::new());
        assert_eq!(whats(&whole(), BOTH), Vec::<String>::new());
    }

    #[test]
    fn each_lack_is_named() {
        assert_eq!(
            whats(&Docker::default(), &[]),
            ["there is no `docker` on PATH"]
        );

        let away = Docker {
            engine: None,
            builder: None,
            engine_error: Some("refused".into()),
            ..whole()
        };
        assert_eq!(
            whats(&away, &[]),
            ["the Docker Engine does not answer: refused"]
        );

        let bare = Docker {
            buildx: None,
            builder: None,
            ..whole()
        };
        assert_eq!(whats(&bare, &[]), ["docker has no `buildx` plugin"]);

        let lost = Docker {
            builder: None,
            builder_error: Some("no builder \"x\" found".into()),
            ..whole()
        };
        assert_eq!(
            whats(&lost, &[]),
            ["the builder cannot be used: no builder \"x\" found"]
        );
    }

    #[test]
    fn a_classic_store_takes_one_platform() {
        let mut docker = whole();
        docker.engine.as_mut().unwrap().store = Store::Classic;
        assert_eq!(whats(&docker, &BOTH[..1]), Vec::<String>::new());
        assert!(whats(&docker, BOTH)[0].contains("classic image store"));
    }

    #[test]
    fn a_platform_without_a_node_or_emulation_is_named() {
        let mut docker = whole();
        docker.builder.as_mut().unwrap().platforms.pop();
        assert_eq!(
            whats(&docker, BOTH),
            ["the builder `default` cannot build `linux/arm64`"]
        );
    }

    #[test]
    fn a_node_that_does_not_run_may_build_anything() {
        let mut docker = whole();
        let builder = docker.builder.as_mut().unwrap();
        builder.platforms.clear();
        builder.idle.push("default0".into());
        assert_eq!(whats(&docker, BOTH), Vec::<String>::new());
        assert_eq!(lacks_to_push(&docker, BOTH), []);
    }

    #[test]
    fn a_lost_node_is_named_where_it_is_missed() {
        let mut docker = whole();
        let builder = docker.builder.as_mut().unwrap();
        builder.nodes = 2;
        builder.lost.push(("b1".into(), "no route".into()));
        let lost = ["the node `b1` of the builder `default` cannot be used: no route"];
        assert_eq!(whats(&docker, &BOTH[..1]), Vec::<String>::new());
        assert_eq!(whats(&docker, BOTH), lost);
        docker.builder.as_mut().unwrap().platforms.pop();
        assert_eq!(whats(&docker, &BOTH[1..]), lost);
        // Without any node there is nothing to build on.
        docker.builder.as_mut().unwrap().nodes = 1;
        assert_eq!(whats(&docker, &[]), lost);
        assert_eq!(lacks_to_push(&docker, BOTH).len(), 1);
    }

    #[test]
    fn an_engine_of_no_known_platform_needs_one_named() {
        let mut docker = whole();
        docker.engine.as_mut().unwrap().platform = None;
        assert_eq!(whats(&docker, &[]).len(), 1);
        assert_eq!(whats(&docker, &BOTH[..1]), Vec::<String>::new());
    }

    #[test]
    fn a_push_needs_a_builder_that_exports() {
        let whats = |docker: &Docker| {
            let lacks = lacks_to_push(docker, BOTH).into_iter();
            lacks.map(|lack| lack.why).collect::<Vec<_>>()
        };
        let mut docker = whole();
        assert_eq!(whats(&docker), Vec::<String>::new());
        docker.engine.as_mut().unwrap().store = Store::Classic;
        assert_eq!(whats(&docker).len(), 1, "{:?}", whats(&docker));
        assert!(
            lacks_to_push(&docker, BOTH)[0]
                .remedy
                .contains("docker buildx create")
        );
        // With a builder of its own the engine's store does not matter.
        docker.builder.as_mut().unwrap().driver = "docker-container".into();
        assert_eq!(whats(&docker), Vec::<String>::new());
        docker.builder.as_mut().unwrap().platforms.pop();
        assert_eq!(whats(&docker).len(), 1);
    }

    #[test]
    fn a_push_needs_no_engine_but_for_its_own_builder() {
        let mut docker = Docker {
            engine: None,
            engine_error: Some("refused".into()),
            ..whole()
        };
        docker.builder.as_mut().unwrap().driver = "kubernetes".into();
        assert_eq!(lacks_to_push(&docker, BOTH), []);
        let refused = ["the Docker Engine does not answer: refused"];
        assert_eq!(whats(&docker, BOTH), refused);
        docker.builder.as_mut().unwrap().platforms.pop();
        assert_eq!(lacks_to_push(&docker, BOTH).len(), 1);
        docker.builder = None;
        assert_eq!(lacks_to_push(&docker, BOTH)[0].why, refused[0]);
    }

    #[test]
    fn permission_has_a_remedy_of_its_own() {
        assert!(engine_remedy("permission denied while trying to connect").contains("usermod"));
        assert!(engine_remedy("Cannot connect").contains("systemctl start docker"));
    }
}
