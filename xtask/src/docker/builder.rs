//! A builder, as `docker buildx inspect` describes it.

use serde::{Deserialize, Serialize};

use super::Store;
use crate::oci::Digest;

/// A buildx builder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Builder {
    pub(crate) name: String,
    pub(crate) driver: String,
    /// Every platform its nodes build for, emulated ones included.
    pub(crate) platforms: Vec<String>,
    /// How many machines it builds on.
    pub(crate) nodes: usize,
    /// The nodes that do not run, as after `docker buildx create` or `stop`: a build starts them.
    /// Until then buildx knows no other platforms of theirs than those that the user forced.
    pub(crate) idle: Vec<String>,
    /// The nodes that cannot be reached, and why.
    pub(crate) lost: Vec<(String, String)>,
    /// Stays as long as the builder and the engine's store do; none where buildx says too little
    /// of them to know. See [`super::look`].
    pub(crate) look: Option<Digest>,
}

impl Builder {
    /// One that is yet to be made in a container.
    pub(crate) fn in_container(name: &str) -> Builder {
        Builder {
            name: name.to_owned(),
            driver: "docker-container".to_owned(),
            platforms: Vec::new(),
            nodes: 1,
            idle: vec![format!("{name}0")],
            lost: Vec::new(),
            look: None,
        }
    }

    /// Whether buildx calls the container of one of its nodes so, which are numbered.
    pub(super) fn has_container(&self, name: &str) -> bool {
        let node = name.strip_prefix("buildx_buildkit_");
        let number = node.and_then(|node| node.strip_prefix(self.name.as_str()));
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    }
}

/// Hash of what `docker buildx inspect` says, without when the builder was last used.
pub(super) fn look(text: &str) -> Digest {
    let lines = text.lines();
    let lasting = lines.filter(|line| !line.starts_with("Last Activity:"));
    Digest::of(lasting.collect::<Vec<_>>().join("\n").as_bytes())
}

/// Whether what buildx says of a builder would change with the engine's store. The engine's own
/// builder has labels, and those of containerd are among them with that store alone; an old buildx
/// shows no labels, and other builders know nothing of the engine's store.
fn shows_store(text: &str, driver: &str, store: Store) -> bool {
    let is_containerd = text.contains("org.mobyproject.buildkit.worker.containerd.");
    driver == "docker"
        && text.lines().any(|line| line.starts_with("Labels:"))
        && is_containerd == (store == Store::Containerd)
}

/// What buildx says of a node: how it is, or why that cannot be said.
struct Node<'a> {
    name: &'a str,
    status: Option<&'a str>,
    error: Option<&'a str>,
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
            }),
            ("Status", Some(node)) => node.status = Some(value),
            ("Error", Some(node)) => node.error = Some(value),
            _ => {}
        }
    }
    nodes
}

/// Reads `docker buildx inspect`; none when it has no name or driver.
pub(super) fn parse(text: &str, store: Store) -> Option<Builder> {
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    let platforms = text
        .lines()
        .filter_map(|line| line.strip_prefix("Platforms:"))
        .flat_map(|list| list.split(','))
        // A star marks the platforms that the user forced on a node.
        .map(|platform| platform.trim().trim_end_matches('*').to_owned())
        .filter(|platform| !platform.is_empty())
        .collect();
    let driver = field("Driver")?;
    let nodes = nodes(text);
    let is_idle = |node: &&Node| node.status.is_some_and(|status| status != "running");
    let idle = nodes.iter().filter(is_idle);
    let lost = nodes
        .iter()
        .filter_map(|node| Some((node.name, node.error?)));
    Some(Builder {
        name: field("Name")?.to_owned(),
        driver: driver.to_owned(),
        platforms,
        nodes: nodes.len().max(1),
        idle: idle.map(|node| node.name.to_owned()).collect(),
        lost: lost
            .map(|(node, why)| (node.to_owned(), why.to_owned()))
            .collect(),
        look: shows_store(text, driver, store).then(|| look(text)),
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
        let builder = parse(text, Store::Containerd).unwrap();
        assert_eq!(builder.name, "farm");
        assert_eq!(builder.driver, "docker-container");
        assert_eq!(
            builder.platforms,
            ["linux/amd64", "linux/amd64/v2", "linux/arm64"]
        );
        assert_eq!(builder.nodes, 2);
        assert_eq!(builder.look, None);
        assert_eq!((builder.idle.len(), builder.lost.len()), (0, 0));
        assert_eq!(parse("nothing here", Store::Containerd), None);
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
        let builder = parse(text, Store::Containerd).unwrap();
        assert_eq!(builder.nodes, 3);
        assert_eq!(builder.idle, ["farm1"]);
        let why = "Cannot connect to the Docker daemon at unix:///x.sock.";
        assert_eq!(builder.lost, [("farm2".to_owned(), why.to_owned())]);
    }

    #[test]
    fn a_look_shows_everything_but_the_last_use() {
        let look = |text: &str, store| parse(text, store).unwrap().look;
        let said = "Name:          default\nDriver:        docker\nLast Activity: now\n\nNodes:\n\
                    Name:      default\nPlatforms: linux/amd64\nLabels:\n \
                    org.mobyproject.buildkit.worker.containerd.uuid: 1\n";
        let seen = look(said, Store::Containerd);
        assert!(seen.is_some());
        for (from, to, is_same) in [
            ("Last Activity: now", "Last Activity: then", true),
            ("Last Activity: now\n", "", true),
            ("linux/amd64", "linux/amd64, linux/arm64", false),
            ("uuid: 1", "uuid: 2", false),
        ] {
            let other = look(&said.replace(from, to), Store::Containerd);
            assert!(other.is_some());
            assert_eq!(other == seen, is_same, "{from}");
        }
        let classic = said.replace("worker.containerd.uuid", "worker.moby.host-gateway-ip");
        assert!(look(&classic, Store::Classic).is_some());
        // Where the store cannot be seen, nothing is.
        for (from, to, store) in [
            ("", "", Store::Classic),
            ("worker.containerd.", "worker.moby.", Store::Containerd),
            ("Labels:", "", Store::Containerd),
            (
                "        docker\n",
                "        docker-container\n",
                Store::Containerd,
            ),
        ] {
            assert_eq!(look(&said.replace(from, to), store), None, "{from}");
        }
    }
}
