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
    for target in apply.settle_records(records)? {
        let latest = target.repository.reference("latest");
        let mut moved = results.iter_mut();
        if let Some(moved) = moved.find(|one| one.reference == latest && one.is_written) {
            *moved = apply.latest_again(target)?;
        }
    }
    Ok(results)
}
