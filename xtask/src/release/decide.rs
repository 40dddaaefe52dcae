//! Reads the registries and decides, as often as is needed.

use super::facts::ReleaseFacts;
use super::intent::{Release, Task};
use super::observe::observe;
use super::plan;
use super::step::ReleasePlan;
use crate::proven::Proven;

/// What is known, and what is to be done about it.
pub(super) struct Decided {
    pub(super) facts: ReleaseFacts,
    pub(super) proven: Proven,
    pub(super) plan: ReleasePlan,
}

/// Reads the registries, and decides.
///
/// Fails with every refusal at once.
pub(super) fn decide(release: &Release) -> anyhow::Result<Decided> {
    let (facts, proven) = release.retry.run(|| observe(release))?;
    let plan = match &release.intent.task {
        Task::Release => plan::release(&facts),
        Task::Rollback(aim) => plan::rollback(&facts, aim),
        Task::Adopt => plan::adopt(&facts),
    };
    Ok(Decided {
        plan: plan.map_err(|refusals| release.intent.refused(&refusals))?,
        facts,
        proven,
    })
}
