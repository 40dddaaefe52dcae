//! The order of the layers, and their bytes.

use std::cmp::Reverse;

use xtask::report::bytes;

use crate::check::Verdict;
use crate::checks::inspect::{Root, origin};
use crate::facts::ImageFacts;

/// How many of the largest layers are named.
const NAMED: usize = 3;

/// What the layers must bring, the lowest first: a name, and where it is found.
const ORDER: [(&str, &[&str]); 4] = [
    ("the base", &["etc/alpine-release", "etc/os-release"]),
    ("system packages", &["usr/bin/git"]),
    ("Claude Code", &["usr/local/bin/claude"]),
    ("the entrypoint", &["usr/local/bin/agent-entrypoint"]),
];

pub(super) fn order(facts: &ImageFacts) -> Verdict {
    const EXPECTED: &str =
        "base, system packages, Claude Code, entrypoint, in this order and with nothing above";
    let root = Root::of(facts);
    let layer_of = |paths: &[&str]| {
        let mut files = paths.iter().filter_map(|path| root.files.get(path));
        files.next().map(|file| file.layer)
    };
    let [base, system, claude, entrypoint] = ORDER.map(|(_, paths)| layer_of(paths));
    let (Some(base), Some(system), Some(claude), Some(entrypoint)) =
        (base, system, claude, entrypoint)
    else {
        let lacking = ORDER.iter().filter(|(_, paths)| layer_of(paths).is_none());
        let lacking = lacking.map(|(name, paths)| format!("no layer of {name} (`/{}`)", paths[0]));
        return Verdict::none_of(&lacking.collect::<Vec<_>>(), EXPECTED);
    };
    let place = |layer| origin(&facts.image, layer);
    let mut found = Vec::new();
    if base > system {
        found.push(format!(
            "the base ({}) lies above system packages",
            place(base)
        ));
    }
    if system >= claude {
        found.push(format!(
            "system packages ({}) do not lie below Claude Code",
            place(system)
        ));
    }
    if claude >= entrypoint {
        found.push(format!(
            "Claude Code ({}) does not lie below the entrypoint",
            place(claude)
        ));
    }
    let above = entrypoint + 1..facts.image.layers.len();
    found.extend(above.map(|layer| format!("{} lies above the entrypoint", place(layer))));
    if found.is_empty() {
        let places = [base, system, claude, entrypoint].map(|layer| (layer + 1).to_string());
        let (places, number) = (places.join(", "), facts.image.layers.len());
        return Verdict::passed(format!("layers {places} of {number}"));
    }
    Verdict::none_of(&found, EXPECTED)
}

/// Compressed bytes of each layer.
fn sizes(facts: &ImageFacts) -> Vec<u64> {
    let layers = facts.image.manifest.layers.iter();
    layers.map(|layer| layer.size).collect()
}

fn total(sizes: &[u64]) -> u64 {
    sizes.iter().fold(0, |sum, size| sum.saturating_add(*size))
}

pub(super) fn size(facts: &ImageFacts) -> Verdict {
    let budget = match &facts.expected.budget {
        Ok(budget) => *budget,
        Err(why) => return Verdict::NotApplicable(why.clone()),
    };
    let sizes = sizes(facts);
    let seen = total(&sizes);
    if seen <= budget {
        let layers = facts.image.layers.iter();
        let unpacked = layers.fold(0_u64, |sum, layer| sum.saturating_add(layer.unpacked));
        return Verdict::passed(format!(
            "{} of {}, {} unpacked",
            bytes(seen),
            bytes(budget),
            bytes(unpacked)
        ));
    }
    let mut largest: Vec<(usize, u64)> = sizes.into_iter().enumerate().collect();
    largest.sort_by_key(|(_, size)| Reverse(*size));
    let named = largest.iter().take(NAMED).map(|(layer, size)| {
        let origin = origin(&facts.image, *layer);
        format!("{} in {origin}", bytes(*size))
    });
    let named = named.collect::<Vec<_>>().join("; ");
    Verdict::failed(
        format!("{}: {named}", exactly(seen, budget)),
        format!("at most {}", bytes(budget)),
    )
}

pub(super) fn growth(facts: &ImageFacts) -> Verdict {
    let release = match &facts.last_release {
        Ok(release) => release,
        Err(why) => return Verdict::NotApplicable(why.clone()),
    };
    let sizes = sizes(facts);
    let (now, then) = (total(&sizes), total(&release.layers));
    let growth = facts.expected.growth;
    let allowed = u128::from(then).saturating_mul(100 + u128::from(growth)) / 100;
    let allowed = u64::try_from(allowed).unwrap_or(u64::MAX);
    let since = format!("{} in `{}`", bytes(then), release.version);
    if now <= allowed {
        return Verdict::passed(format!("{}, {since}", bytes(now)));
    }
    // zstd takes a tenth less than gzip, so that most of it may be no growth at all. A base keeps its own.
    if facts.image.manifest.compressions() != release.compressions {
        return Verdict::NotApplicable(format!(
            "{}, {since}, which is compressed otherwise: the next release can be compared",
            bytes(now)
        ));
    }
    let grew = match most_grown(&sizes, &release.layers) {
        Some((layer, by)) => {
            let origin = origin(&facts.image, layer);
            format!("; most of it, {}, in {origin}", bytes(by))
        }
        None => String::new(),
    };
    Verdict::failed(
        format!("{}, {since}{grew}", exactly(now, allowed)),
        format!("at most {}, {growth} % more than then", bytes(allowed)),
    )
}

/// In bytes too where the limit, rounded, would look the same.
fn exactly(seen: u64, limit: u64) -> String {
    if bytes(seen) == bytes(limit) {
        format!("{} ({} too many)", bytes(seen), bytes(seen - limit))
    } else {
        bytes(seen)
    }
}

/// The layer that grew most, and by how much. Layers are paired from the top: a new base may have
/// more of them or fewer.
fn most_grown(now: &[u64], then: &[u64]) -> Option<(usize, u64)> {
    let before = then.iter().rev().copied().chain(std::iter::repeat(0));
    let pairs = now.iter().enumerate().rev().zip(before);
    let grown = pairs.map(|((layer, now), then)| (layer, now.saturating_sub(then)));
    grown.max_by_key(|(_, by)| *by).filter(|(_, by)| *by > 0)
}
