//! A builder, as `docker buildx inspect` describes it.

use serde::Serialize;

use crate::platform::Platform;

/// A buildx builder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Builder {
    pub(crate) name: String,
    pub(crate) driver: String,
    /// Every platform its nodes build for, emulated ones included.
    pub(crate) platforms: Vec<String>,
    /// Those that are built without a node that does not run.
    pub(crate) ready: Vec<String>,
    /// How many machines it builds on.
    pub(crate) nodes: usize,
    /// The nodes that do not run, as after `docker buildx create` or `stop`: a build starts them.
    /// Until then buildx knows no other platforms of theirs than those that the user forced. It
    /// says the same of pods in a cluster that does not answer.
    pub(crate) idle: Vec<String>,
    /// The nodes that cannot be reached, and why.
    pub(crate) lost: Vec<(String, String)>,
}

impl Builder {
    /// One that is yet to be made in a container.
    pub(crate) fn in_container(name: &str) -> Builder {
        Builder {
            name: name.to_owned(),
            driver: "docker-container".to_owned(),
            platforms: Vec::new(),
            ready: Vec::new(),
            nodes: 1,
            idle: vec![format!("{name}0")],
            lost: Vec::new(),
        }
    }

    /// Whether buildx calls the container of one of its nodes so, which are numbered.
    pub(super) fn has_container(&self, name: &str) -> bool {
        let node = name.strip_prefix("buildx_buildkit_");
        let number = node.and_then(|node| node.strip_prefix(self.name.as_str()));
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    }

    /// True for the engine's own builder.
    pub(crate) fn is_engine(&self) -> bool {
        self.driver == "docker"
    }

    /// True for any other. Without an engine buildx does not know the driver of the engine's own.
    pub(super) fn needs_no_engine(&self) -> bool {
        !self.is_engine() && !self.driver.is_empty()
    }

    /// True if its nodes are pods.
    pub(crate) fn is_kubernetes(&self) -> bool {
        self.driver == "kubernetes"
    }

    /// True if a build of `platforms` (none: it is not known for which) needs nodes that do not run.
    pub(crate) fn must_start(&self, platforms: &[Platform]) -> bool {
        let is_ready = |platform: &Platform| {
            let mut ready = self.ready.iter();
            ready.any(|ready| ready == platform.as_str())
        };
        !self.idle.is_empty() && (platforms.is_empty() || !platforms.iter().all(is_ready))
    }
}

/// What buildx says of a node: how it is, or why that cannot be said.
struct Node<'a> {
    name: &'a str,
    status: Option<&'a str>,
    error: Option<&'a str>,
    platforms: Vec<String>,
}

fn nodes(text: &str) -> Vec<Node<'_>> {
    let mut nodes: Vec<Node> = Vec::new();
    // The first name is the builder's own.
    let lines = text.lines().skip_while(|line| *line != "Nodes:");
    for (field, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        match (field, nodes.last_mut()) {
            ("Name", _) => nodes.push(Node {
                name: value,
                status: None,
                error: None,
                platforms: Vec::new(),
            }),
            ("Status", Some(node)) => node.status = Some(value),
            ("Error", Some(node)) => node.error = Some(value),
            ("Platforms", Some(node)) => node.platforms = platforms(value),
            _ => {}
        }
    }
    nodes
}

fn platforms(list: &str) -> Vec<String> {
    let platforms = list.split(',');
    // A star marks the platforms that the user forced on a node.
    let names = platforms.map(|platform| platform.trim().trim_end_matches('*').to_owned());
    names.filter(|platform| !platform.is_empty()).collect()
}

/// Reads `docker buildx inspect`; none when it has no name or driver.
pub(super) fn parse(text: &str) -> Option<Builder> {
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    let listed = text
        .lines()
        .filter_map(|line| line.strip_prefix("Platforms:"))
        .flat_map(platforms);
    // Two nodes may build for the same, as the replicas of a pod do.
    let mut all: Vec<String> = Vec::new();
    for platform in listed {
        if !all.contains(&platform) {
            all.push(platform);
        }
    }
    let driver = field("Driver")?;
    let nodes = nodes(text);
    let is_idle = |node: &&Node| node.status.is_some_and(|status| status != "running");
    let runs = |node: &&Node| node.status == Some("running");
    // buildx takes the node that a platform was forced on, whatever others could emulate it.
    let claimed: Vec<&String> = nodes
        .iter()
        .filter(is_idle)
        .flat_map(|node| &node.platforms)
        .collect();
    let ready = nodes
        .iter()
        .filter(runs)
        .flat_map(|node| &node.platforms)
        .filter(|platform| !claimed.contains(platform));
    let idle = nodes.iter().filter(is_idle);
    let lost = nodes
        .iter()
        .filter_map(|node| Some((node.name, node.error?)));
    Some(Builder {
        name: field("Name")?.to_owned(),
        driver: driver.to_owned(),
        platforms: all,
        ready: ready.cloned().collect(),
        nodes: nodes.len().max(1),
        idle: idle.map(|node| node.name.to_owned()).collect(),
        lost: lost
            .map(|(node, why)| (node.to_owned(), why.to_owned()))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_builder_with_two_nodes() {
        let text = "Name:          farm\nDriver:        docker-container\nLast Activity: now\n\nNodes:\n\
                    Name:      farm0\nPlatforms: linux/amd64*, linux/amd64/v2\n\
                    Name:      farm1\nPlatforms: linux/arm64\n";
        let builder = parse(text).unwrap();
        assert_eq!(builder.name, "farm");
        assert_eq!(builder.driver, "docker-container");
        assert_eq!(
            builder.platforms,
            ["linux/amd64", "linux/amd64/v2", "linux/arm64"]
        );
        assert_eq!(builder.nodes, 2);
        assert_eq!((builder.idle.len(), builder.lost.len()), (0, 0));
        assert_eq!(parse("nothing here"), None);
    }

    #[test]
    fn containers_are_known_by_their_names() {
        let builder = Builder::in_container("farm");
        for (name, is_its_own) in [
            ("buildx_buildkit_farm0", true),
            ("buildx_buildkit_farm12", true),
            ("buildx_buildkit_farm", false),
            ("buildx_buildkit_farmer0", false),
            ("farm0", false),
        ] {
            assert_eq!(builder.has_container(name), is_its_own, "{name}");
        }
    }

    #[test]
    fn nodes_may_be_idle_or_lost() {
        let text = "Name:          farm\nDriver:        docker-container\n\nNodes:\n\
                    Name:                  farm0\nStatus:                running\n\
                    Platforms:             linux/amd64\nFile#buildkitd.toml:\n > [registry]\n\n\
                    Name:                  farm1\nStatus:                inactive\n\n\
                    Name:           farm2\nEndpoint:       unix:///x.sock\n\
                    Error:          Cannot connect to the Docker daemon at unix:///x.sock.\n";
        let builder = parse(text).unwrap();
        assert_eq!(builder.nodes, 3);
        assert_eq!(builder.idle, ["farm1"]);
        let why = "Cannot connect to the Docker daemon at unix:///x.sock.";
        assert_eq!(builder.lost, [("farm2".to_owned(), why.to_owned())]);
    }

    #[test]
    fn what_must_start_for_a_build() {
        // As buildx tells of one pod that runs and one that no node of the cluster can take.
        let text = "Name:          cluster\nDriver:        kubernetes\n\nNodes:\n\
                    Name:      cluster0\nStatus:    running\nPlatforms: linux/amd64*, linux/arm64\n\n\
                    Name:      cluster1\nStatus:    stopped\nPlatforms: linux/arm64*\n";
        let builder = parse(text).unwrap();
        assert!(builder.is_kubernetes());
        assert_eq!(builder.ready, ["linux/amd64"]);
        assert_eq!(builder.idle, ["cluster1"]);
        let (amd64, arm64) = (Platform::LinuxAmd64, Platform::LinuxArm64);
        for (platforms, must_start) in [
            (&[amd64][..], false),
            (&[arm64], true),
            (&[amd64, arm64], true),
            (&[], true),
        ] {
            assert_eq!(builder.must_start(platforms), must_start, "{platforms:?}");
        }
        let both = parse(&text.replace("stopped", "running")).unwrap();
        assert_eq!(both.platforms, ["linux/amd64", "linux/arm64"]);
        assert!(!both.must_start(&[]));
    }
}
