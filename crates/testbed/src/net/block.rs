//! The block of addresses that the test bed uses, chosen beside the routes of the machine.

use std::{fs, net::Ipv4Addr};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// A /16 of private addresses: the bridge has the first /24, networks made by users get theirs from the upper half.
///
/// Kept as the first two numbers of its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Block(pub(super) [u8; 2]);

impl Block {
    /// All of its addresses.
    pub(crate) fn all(self) -> String {
        format!("{}.{}.0.0/16", self.0[0], self.0[1])
    }

    pub(super) fn gateway(self) -> String {
        format!("{}.{}.0.1/24", self.0[0], self.0[1])
    }

    /// What the engine takes for further networks, as a base to be cut into /24s.
    pub(crate) fn pool(self) -> String {
        format!("{}.{}.128.0/17", self.0[0], self.0[1])
    }
}

/// A line of the kernel's routing table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) interface: String,
    pub(super) destination: u32,
    pub(super) mask: u32,
}

impl Route {
    /// Whether it leads to an address of `block`; a default route does not count.
    fn overlaps(&self, block: Block) -> bool {
        let mask = self.mask & MASK_16;
        self.mask != 0 && self.destination & mask == start(block) & mask
    }

    pub(super) fn is_inside(&self, block: Block) -> bool {
        self.mask & MASK_16 == MASK_16 && self.overlaps(block)
    }
}

const MASK_16: u32 = 0xffff_0000;

fn start(block: Block) -> u32 {
    Ipv4Addr::new(block.0[0], block.0[1], 0, 0).into()
}

/// Chooses a block that no other route leads to: `kept`, or else one that `seed` selects.
pub(super) fn choose(
    routes: &[Route],
    bridge: &str,
    kept: Option<Block>,
    seed: usize,
) -> Option<Block> {
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

/// The kernel's routing table.
pub(super) fn routes() -> Result<Vec<Route>> {
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
