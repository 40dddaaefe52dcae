//! The packages that the image was asked to have, and those that it has.

use std::collections::BTreeSet;

use crate::check::Verdict;
use crate::checks::inspect::{Root, count, layers_of_base};
use crate::facts::ImageFacts;

/// The label that keeps the build argument `EXTRA_PACKAGES`.
const LABEL: &str = "io.agentgate.extra-packages";

/// What apk was asked for, a name a line: dependencies are not in it.
const WORLD: &str = "etc/apk/world";

/// The packages of docker/Dockerfile.agent.
pub(super) const DEFAULT: [&str; 12] = [
    "bash",
    "coreutils",
    "curl",
    "findutils",
    "git",
    "grep",
    "jq",
    "openssh-client-default",
    "patch",
    "procps-ng",
    "python3",
    "tzdata",
];

/// The packages that were asked for beyond the default ones; none without the label.
pub(in crate::checks) fn extra_packages(facts: &ImageFacts) -> Option<Vec<&str>> {
    let label = facts.image.config.config.labels.get(LABEL)?;
    Some(label.split_whitespace().collect())
}

pub(super) fn packages(facts: &ImageFacts) -> Verdict {
    let Some(extra) = extra_packages(facts) else {
        return Verdict::failed(format!("no label `{LABEL}`"), "a label, which may be empty");
    };
    let world = match Root::of(facts).text(WORLD) {
        Ok(text) => names(text),
        Err(why) => {
            return Verdict::failed(why, "the names of the packages that apk was asked for");
        }
    };
    let below = facts.image.layers.iter().take(layers_of_base(&facts.image));
    let of_base = below.flat_map(|layer| &layer.entries);
    let mut of_base = of_base
        .filter(|entry| entry.path == WORLD)
        .filter_map(|entry| entry.text.as_deref());
    let base = of_base.next_back().map(names).unwrap_or_default();
    let wanted: BTreeSet<&str> = DEFAULT.into_iter().chain(extra.iter().copied()).collect();

    let missing = wanted.difference(&world).map(|name| format!("no `{name}`"));
    let added: BTreeSet<&str> = world.difference(&base).copied().collect();
    let surplus = added.difference(&wanted).map(|name| format!("`{name}`"));
    let found: Vec<String> = missing.chain(surplus).collect();
    if found.is_empty() {
        let packages = count(wanted.len(), "package");
        return Verdict::passed(match extra.as_slice() {
            [] => packages,
            extra => format!("{packages}, {} by EXTRA_PACKAGES", extra.join(", ")),
        });
    }
    let wanted: Vec<&str> = wanted.into_iter().collect();
    Verdict::none_of(&found, &wanted.join(", "))
}

fn names(world: &str) -> BTreeSet<&str> {
    world.split_whitespace().collect()
}
