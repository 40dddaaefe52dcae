//! The networks of the test bed's containers.
//!
//! The engine is told to leave the firewall alone: its chains have fixed names, so two engines on one machine would undo
//! each other's rules. Instead the test bed has a bridge and a block of addresses of its own, and three rules, marked as
//! its own, that let that block out. Ports are still published, by the engine's proxy.

use std::{fs, net::Ipv4Addr, path::Path};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::{exec::Cmd, layout::Layout};

/// A /16 of private addresses: the bridge has the first /24, networks made by users get theirs from the upper half.
///
/// Kept as the first two numbers of its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Block([u8; 2]);

impl Block {
    /// All of its addresses.
    pub(crate) fn all(self) -> String {
        format!("{}.{}.0.0/16", self.0[0], self.0[1])
    }

    fn gateway(self) -> String {
        format!("{}.{}.0.1/24", self.0[0], self.0[1])
    }

    /// What the engine takes for further networks, as a base to be cut into /24s.
    pub(crate) fn pool(self) -> String {
        format!("{}.{}.128.0/17", self.0[0], self.0[1])
    }
}

/// A line of the kernel's routing table.
#[derive(Debug, PartialEq, Eq)]
struct Route {
    interface: String,
    destination: u32,
    mask: u32,
}

impl Route {
    /// True if and only if it leads to an address of `block`; a default route leads nowhere in particular.
    fn overlaps(&self, block: Block) -> bool {
        let mask = self.mask & MASK_16;
        self.mask != 0 && self.destination & mask == start(block) & mask
    }

    fn is_inside(&self, block: Block) -> bool {
        self.mask & MASK_16 == MASK_16 && self.overlaps(block)
    }
}

const MASK_16: u32 = 0xffff_0000;

fn start(block: Block) -> u32 {
    Ipv4Addr::new(block.0[0], block.0[1], 0, 0).into()
}

/// The name of the test bed's bridge.
pub(crate) fn bridge(layout: &Layout) -> String {
    format!("agtb{}", layout.id)
}

/// The block to use: the one used so far, unless something else on the machine has come to use its addresses.
pub(crate) fn pick(layout: &Layout, kept: Option<Block>) -> Result<Block> {
    let seed = usize::from_str_radix(&layout.id, 16).unwrap_or_default();
    choose(&routes()?, &bridge(layout), kept, seed)
        .context("every block of private addresses is in use\nhint: `ip route` lists them; free one /16 of 10.0.0.0/8")
}

/// The block of the bridge, when it is there.
pub(crate) fn current(layout: &Layout) -> Result<Option<Block>> {
    let bridge = bridge(layout);
    let own = routes()?
        .into_iter()
        .find(|route| route.interface == bridge);
    Ok(own.map(|route| {
        let [first, second, ..] = route.destination.to_be_bytes();
        Block([first, second])
    }))
}

fn choose(routes: &[Route], bridge: &str, kept: Option<Block>, seed: usize) -> Option<Block> {
    // With the bridge there, the other routes into the block are those of our own networks.
    if let Some(kept) = kept.filter(|kept| {
        routes
            .iter()
            .any(|route| route.interface == bridge && route.overlaps(*kept))
    }) {
        return Some(kept);
    }
    let mut blocks: Vec<Block> = (64..192).map(|second| Block([10, second])).collect();
    let turn = seed % blocks.len();
    blocks.rotate_left(turn);
    let free = |block: &Block| {
        !routes
            .iter()
            .any(|route| route.interface != bridge && route.overlaps(*block))
    };
    kept.into_iter()
        .chain(blocks)
        .chain((16..32).map(|second| Block([172, second])))
        .find(free)
}

/// Makes the bridge and the rules, as far as they are not there.
pub(crate) fn ensure(layout: &Layout, block: Block) -> Result<()> {
    let bridge = bridge(layout);
    let ip = |args: &[&str]| Cmd::new("ip").args(args).run();
    if !is_bridge(&bridge) {
        ip(&["link", "add", "name", &bridge, "type", "bridge"])?;
    }
    ip(&["address", "replace", &block.gateway(), "dev", &bridge])?;
    ip(&["link", "set", "dev", &bridge, "up"])?;
    for rule in rules(layout, block) {
        if !rule.apply("--check").succeeds() {
            rule.apply("--insert").run()?;
        }
    }
    Ok(())
}

/// The largest packet that the machine's way out takes. Containers must not count on larger ones: the
/// message that one was too large often gets lost, and the connection hangs.
pub(crate) fn uplink_mtu() -> u32 {
    let is_default = |route: &Route| route.destination == 0 && route.mask == 0;
    let uplink = routes()
        .ok()
        .and_then(|routes| routes.into_iter().find(is_default));
    uplink
        .and_then(|route| {
            fs::read_to_string(format!("/sys/class/net/{}/mtu", route.interface)).ok()
        })
        .and_then(|mtu| mtu.trim().parse().ok())
        .unwrap_or(ETHERNET_MTU)
}

const ETHERNET_MTU: u32 = 1500;

/// Removes the rules, and every bridge inside the block: the engine leaves those of its networks behind.
pub(crate) fn remove(layout: &Layout, block: Block) -> Result<()> {
    for rule in rules(layout, block) {
        while rule.apply("--check").succeeds() {
            rule.apply("--delete").run()?;
        }
    }
    let bridges = routes()?
        .into_iter()
        .filter(|route| route.is_inside(block))
        .map(|route| route.interface);
    for name in bridges
        .chain([bridge(layout)])
        .filter(|name| is_bridge(name))
    {
        Cmd::new("ip")
            .args(["link", "delete", "dev", &name])
            .run()?;
    }
    Ok(())
}

fn is_bridge(name: &str) -> bool {
    Path::new("/sys/class/net")
        .join(name)
        .join("bridge")
        .exists()
}

/// A rule of the firewall.
#[derive(Debug)]
struct Rule {
    table: &'static str,
    chain: &'static str,
    words: Vec<String>,
}

impl Rule {
    fn apply(&self, action: &str) -> Cmd {
        Cmd::new("iptables")
            .args(["--wait", "--table", self.table, action, self.chain])
            .args(&self.words)
    }
}

/// Lets the containers out under the machine's address, even where forwarding is closed by another engine.
fn rules(layout: &Layout, block: Block) -> [Rule; 3] {
    let all = block.all();
    let rule = |table, chain, words: &[&str]| {
        let comment = format!("agentgate-testbed {}", layout.id);
        let words = words
            .iter()
            .copied()
            .chain(["--match", "comment", "--comment", &comment]);
        Rule {
            table,
            chain,
            words: words.map(str::to_owned).collect(),
        }
    };
    [
        rule(
            "nat",
            "POSTROUTING",
            &[
                "--source",
                &all,
                "!",
                "--destination",
                &all,
                "--jump",
                "MASQUERADE",
            ],
        ),
        rule("filter", "FORWARD", &["--source", &all, "--jump", "ACCEPT"]),
        rule(
            "filter",
            "FORWARD",
            &["--destination", &all, "--jump", "ACCEPT"],
        ),
    ]
}

fn routes() -> Result<Vec<Route>> {
    let text = fs::read_to_string("/proc/net/route").context("failed to read `/proc/net/route`")?;
    Ok(text.lines().skip(1).filter_map(parse_route).collect())
}

/// A line of `/proc/net/route`, whose addresses are in the machine's byte order.
fn parse_route(line: &str) -> Option<Route> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let address = |index: usize| {
        u32::from_str_radix(fields.get(index)?, 16)
            .ok()
            .map(u32::from_be)
    };
    Some(Route {
        interface: (*fields.first()?).to_owned(),
        destination: address(1)?,
        mask: address(7)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(interface: &str, destination: [u8; 4], prefix: u32) -> Route {
        let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
        Route {
            interface: interface.to_owned(),
            destination: u32::from_be_bytes(destination),
            mask,
        }
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn reads_the_kernels_table() {
        let line = "eth0\t0064400A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0";
        assert_eq!(parse_route(line), Some(route("eth0", [10, 64, 100, 0], 24)));
        assert_eq!(parse_route("eth0\t0064400A"), None);
        assert_eq!(parse_route(""), None);
    }

    #[test]
    fn picks_a_block_that_nothing_else_uses() {
        let default = || route("eth0", [0, 0, 0, 0], 0);
        let kept = Some(Block([10, 70]));
        for (case, routes, kept, expected) in [
            (
                "nothing there",
                vec![default()],
                None,
                Some(Block([10, 64])),
            ),
            (
                "taken in part",
                vec![default(), route("x", [10, 64, 9, 0], 24)],
                None,
                Some(Block([10, 65])),
            ),
            ("kept", vec![default()], kept, kept),
            (
                "kept, with a network of ours",
                vec![
                    route("br", [10, 70, 0, 0], 24),
                    route("n", [10, 70, 128, 0], 24),
                ],
                kept,
                kept,
            ),
            (
                "kept, taken by another",
                vec![route("x", [10, 70, 0, 0], 24)],
                kept,
                Some(Block([10, 64])),
            ),
            (
                "a wide route",
                vec![route("vpn", [10, 0, 0, 0], 8)],
                None,
                Some(Block([172, 16])),
            ),
            (
                "all taken",
                vec![
                    route("vpn", [10, 0, 0, 0], 8),
                    route("x", [172, 16, 0, 0], 12),
                ],
                None,
                None,
            ),
        ] {
            assert_eq!(choose(&routes, "br", kept, 128), expected, "{case}");
        }
        assert_eq!(
            choose(&[], "br", None, 130),
            Some(Block([10, 66])),
            "the seed turns the order"
        );
    }

    #[test]
    fn only_networks_inside_the_block_are_its_own() {
        let block = Block([10, 70]);
        assert!(route("br-1", [10, 70, 128, 0], 24).is_inside(block));
        assert!(!route("vpn", [10, 0, 0, 0], 8).is_inside(block));
        assert!(!route("eth0", [0, 0, 0, 0], 0).is_inside(block));
        assert!(!route("x", [10, 71, 0, 0], 24).is_inside(block));
    }
}
