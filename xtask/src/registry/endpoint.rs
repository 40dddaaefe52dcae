//! Where a repository is: what reading, writing and deleting have in common.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::transport::Transport;
use crate::exec::Exec;
use crate::oci::Digest;
use crate::reference::Repository;
use crate::retry::Retry;

/// How long to wait for an answer.
const LIMIT: Duration = Duration::from_secs(30);
/// The shortest time to wait for an answer, however short a step may be.
const SHORTEST: Duration = Duration::from_secs(5);

/// One repository in its registry. A clone has the same connections and tokens.
#[derive(Clone)]
pub(super) struct Endpoint {
    transport: Arc<Transport>,
    /// The repository's name for other programs.
    place: Arc<str>,
    known: Arc<Known>,
}

/// What was learned of a registry, so that it is asked once.
#[derive(Default)]
pub(super) struct Known {
    /// Whether it has the referrers API (distribution-spec 1.1, "Listing Referrers").
    pub(super) has_referrers: OnceLock<bool>,
    /// Set once the repository has the empty configuration of artifacts.
    pub(super) has_empty: OnceLock<()>,
    /// Blobs that were uploaded.
    pub(super) sent: Mutex<BTreeSet<Digest>>,
}

/// The host of the registry that takes the place of a repository's own: that of the test bed, for Docker Hub; none
/// elsewhere. What it has says nothing of the images that it stands in for.
pub(crate) fn stand_in(exec: &Exec, repository: &Repository) -> Option<String> {
    let host = exec.var("TESTBED_REGISTRY")?;
    repository.is_on_docker_hub().then_some(host)
}

impl Endpoint {
    /// Each request is tried again by itself. On the test bed its registry stands for Docker Hub.
    pub(super) fn new(exec: &Exec, repository: &Repository) -> Endpoint {
        Endpoint::with(exec, repository, Retry::BRIEFLY, LIMIT)
    }

    /// No request is tried again: its sender tries whole steps again, as `steps` says. An answer comes
    /// within the time of a step.
    pub(super) fn in_steps(exec: &Exec, repository: &Repository, steps: Retry) -> Endpoint {
        let limit = steps.time.clamp(SHORTEST, LIMIT);
        Endpoint::with(exec, repository, Retry::NEVER, limit)
    }

    pub(super) fn with(
        exec: &Exec,
        repository: &Repository,
        retry: Retry,
        limit: Duration,
    ) -> Endpoint {
        let stand_in = stand_in(exec, repository);
        let place = match &stand_in {
            Some(host) => format!("{host}/{}", repository.path()),
            None => repository.to_string(),
        };
        let host = stand_in.as_deref().unwrap_or(repository.registry_host());
        Endpoint {
            transport: Arc::new(Transport::new(exec, repository, host, retry, limit)),
            place: place.into(),
            known: Arc::default(),
        }
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.transport
    }

    pub(super) fn known(&self) -> &Known {
        &self.known
    }

    /// The repository's name for other programs: on the test bed, in the test bed's registry.
    pub(super) fn place(&self) -> &str {
        &self.place
    }
}
