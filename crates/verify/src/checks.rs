//! The catalogue of checks, one file per group of the report.

pub(crate) mod agent;
pub(crate) mod claude;
pub(crate) mod contract;
pub(crate) mod contract_files;
pub(crate) mod hardening;
pub(crate) mod hardening_files;
pub(crate) mod health;
pub(crate) mod image;
pub(crate) mod index;
pub(crate) mod inspect;
pub(crate) mod pid1;
mod secrets;
pub(crate) mod specification;

use super::check::Check;

/// The groups, in the order of the report.
pub(crate) const GROUPS: [&str; 9] = [
    // The specification's own steps. The ids `seed-…` are stable: receipts and `--only` use them.
    "seed",
    "contract",
    "agent",
    "pid1",
    "health",
    "hardening",
    "claude",
    "image",
    "index",
];

/// Every check, in the order of the report.
pub(crate) fn catalogue() -> impl Iterator<Item = &'static Check> {
    GROUPS
        .iter()
        .flat_map(|group| all().filter(move |check| check.group() == *group))
}

fn all() -> impl Iterator<Item = &'static Check> {
    [
        specification::CHECKS,
        contract::CHECKS,
        contract_files::CHECKS,
        agent::CHECKS,
        pid1::CHECKS,
        health::CHECKS,
        hardening::CHECKS,
        hardening_files::CHECKS,
        claude::CHECKS,
        claude::strict::CHECKS,
        image::CHECKS,
        index::CHECKS,
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
