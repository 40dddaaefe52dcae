//! The repositories that a release writes to.

use crate::ctx::Ctx;
use crate::reference::Repository;
use crate::registry::{Puller, Pusher, Registry};
use crate::retry::Retry;

/// A repository that is released to.
pub(super) struct Destination {
    pub(super) repository: Repository,
    pub(super) puller: Puller,
    pub(super) pusher: Pusher,
}

/// The repositories that get the release. The first has the image.
pub(super) fn targets(ctx: &Ctx, retry: Retry) -> Vec<Destination> {
    let first = &ctx.settings.repository;
    let target = |repository| {
        let registry = Registry::in_steps(&ctx.exec, repository, retry);
        Destination {
            puller: registry.puller(),
            pusher: registry.pusher().copying(first),
            repository: repository.clone(),
        }
    };
    ctx.repositories().into_iter().map(target).collect()
}
