//! The plan of a release, a rollback or an adoption, or every reason against it: pure functions over facts.

mod adopt;
mod finish;
mod latest;
mod record;
mod release;
mod rollback;
#[cfg(test)]
pub(super) mod tests;

pub(super) use self::adopt::adopt;
pub(super) use self::latest::{LatestPlan, latest};
pub(super) use self::release::release;
pub(super) use self::rollback::{RollbackAim, rollback};
