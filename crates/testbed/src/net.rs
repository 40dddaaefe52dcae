//! The networks of the test bed's containers.
//!
//! The engine leaves the firewall alone: its chains have fixed names, so two engines on one machine would undo each
//! other's rules. The test bed has a bridge and a block of addresses of its own instead, and three rules, marked as its
//! own, that let that block out. Ports are still published, by the engine's proxy. Two more rules say who may write to
//! the registry: [`writers`].

mod block;
pub(crate) mod writers;

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

pub(crate) use self::block::Block;
use self::block::{Route, choose, routes};
use crate::{exec::Cmd, layout::Layout};

/// The name of the test bed's bridge.
pub(crate) fn bridge(layout: &Layout) -> String {
    format!("agtb{}", layout.id)
}

/// The hardware address of the bridge: one of those that are given out locally.
fn mac(layout: &Layout) -> String {
    let id = &layout.id;
    let [a, b, c, d] = [0, 2, 4, 6].map(|at| &id[at..at + 2]);
    format!("02:42:{a}:{b}:{c}:{d}")
}

/// The block to use: the one used so far, unless something else on the machine uses its addresses now.
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

/// Makes the bridge and the rules that are missing.
pub(crate) fn ensure(layout: &Layout, block: Block) -> Result<()> {
    let bridge = bridge(layout);
    let ip = |args: &[&str]| Cmd::new("ip").args(args).run();
    if !is_bridge(&bridge) {
        ip(&["link", "add", "name", &bridge, "type", "bridge"])?;
    }
    // A bridge that was given none takes the lowest of its ports' addresses. It then changes with each container that
    // comes or goes, and those that run send to the old one: for half a minute and more nothing answers them.
    ip(&["link", "set", "dev", &bridge, "address", &mac(layout)])?;
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
