//! The effects of a plan, in order: copies, proofs, signatures, records, tags, and a look back.
//!
//! Each step is read back, and tried again only after the registry was asked anew.

mod attach;
mod context;
mod latest;
mod records;
mod tag;

use self::attach::AttachedTo;
pub(super) use self::context::Apply;
use self::records::Written;
pub(super) use self::tag::TagResult;
use self::tag::result;
use super::step::{StepKind, TagStep};
use super::target::Destination;

/// How often records are decided anew while others write them, too.
const ROUNDS: usize = 8;

/// Does what the plan says.
pub(super) fn run(apply: &Apply) -> anyhow::Result<Vec<TagResult>> {
    let plan = apply.plan();
    let mut attached = Vec::new();
    for step in apply.copies().filter(|step| step.is_write()) {
        let (target, _) = apply.target(&step.repository)?;
        attached.extend(apply.copy(target)?);
    }
    // Before any tag moves.
    let signature = apply.signature()?;
    for target in &apply.release.targets {
        attached.extend(apply.attach(target, signature.as_ref())?);
    }
    let records = apply.write_records(signature.as_ref())?;
    let results = plan.steps.iter().map(|one| step(apply, one, &records));
    let results = results.collect::<anyhow::Result<Vec<_>>>()?;
    settle(apply, attached, records, results)
}

fn step(apply: &Apply, step: &TagStep, records: &[Written]) -> anyhow::Result<TagResult> {
    let (target, published) = apply.target(&step.repository)?;
    match step.kind {
        StepKind::Copy | StepKind::Version => apply.once(step, target),
        StepKind::Latest => {
            let version = &apply.plan().version;
            let mut records = records.iter();
            let own = records.find(|one| one.is_of(&step.repository, version));
            apply.latest(target, published, own)
        }
        StepKind::Rollback => apply.rollback(step, target, published),
        StepKind::Adopt => {
            let stays = step.from.as_ref();
            Ok(result(target, &step.tag, stays, false, &step.why))
        }
    }
}

/// Looks back once everything is written: somebody who read a list before and wrote it since has lost what
/// this run wrote, and a rollback may have come between.
fn settle<'a>(
    apply: &Apply<'a>,
    attached: Vec<AttachedTo>,
    records: Vec<Written<'a>>,
    mut results: Vec<TagResult>,
) -> anyhow::Result<Vec<TagResult>> {
    for mut one in attached {
        apply.writer(one.target).settle(&mut one.attached)?;
    }
    let mut records = records;
    for _ in 0..ROUNDS {
        let (settled, again) = apply.settle_records(records)?;
        if again.is_empty() {
            return Ok(results);
        }
        records = settled;
        for target in again {
            for one in &mut results {
                if one.reference == target.repository.reference("latest") {
                    latest_again(apply, target, one)?;
                }
            }
        }
    }
    anyhow::bail!(
        "others wrote the same records again and again; hint: run this again once they are done"
    )
}

/// Moves `latest` to where it belongs after a record of this run was decided anew.
fn latest_again(apply: &Apply, target: &Destination, result: &mut TagResult) -> anyhow::Result<()> {
    let (_, published) = apply.target(&target.repository)?;
    let mut steps = apply.plan().steps.iter();
    let is_rollback =
        |step: &&TagStep| step.kind == StepKind::Rollback && step.repository == target.repository;
    if let Some(step) = steps.find(is_rollback) {
        *result = apply.rollback(step, target, published)?;
    } else if result.is_written {
        *result = apply.latest_again(target)?;
    }
    Ok(())
}
