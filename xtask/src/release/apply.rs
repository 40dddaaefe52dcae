//! The effects of a plan, in order: copies, proofs, signatures, records, tags, and a look back.
//!
//! Each step is read back, and tried again only after the registry was asked anew.

mod attach;
mod context;
mod latest;
mod records;
mod tag;

use anyhow::Context as _;

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
    for step in &plan.attach {
        attached.push(apply.attach(step)?);
    }
    for unsigned in &plan.sign {
        let (target, _) = apply.target(&unsigned.repository)?;
        let signer = apply.release.signer.as_ref();
        let signer = signer.context("there is no key to sign with")?;
        signer.sign_images(&target.puller, &unsigned.digests)?;
    }
    let records = apply.write_records()?;
    let results = plan.steps.iter().map(|one| step(apply, one, &records));
    let results = results.collect::<anyhow::Result<Vec<_>>>()?;
    settle(apply, attached, records)?;
    Ok(results)
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
/// this run wrote.
fn settle(apply: &Apply, attached: Vec<AttachedTo>, records: Vec<Written>) -> anyhow::Result<()> {
    for mut one in attached {
        apply.writer(one.target).settle(&mut one.attached)?;
    }
    apply.settle_records(records)
}
