//! Deletes from a registry (distribution spec, "Content Management"). Registries differ in what they
//! delete, and some delete nothing.

use ureq::http::{Method, StatusCode};

use super::answer::{Access, is_forbidden};
use super::endpoint::Endpoint;
use super::puller::Puller;

/// Deletes from one repository; threads may share it.
pub(crate) struct Deleter(Puller);

/// What became of a deletion that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deletion {
    Deleted,
    /// The registry says that it has no such tag or manifest.
    Absent,
    /// The registry does not delete such a thing, with the status that says so.
    Unsupported(StatusCode),
}

impl Deleter {
    pub(super) fn of(endpoint: Endpoint) -> Deleter {
        Deleter(Puller::of(endpoint, Access::Delete))
    }

    /// Reads with the permission to delete, so that one token does for both.
    pub(crate) fn puller(&self) -> &Puller {
        &self.0
    }

    /// Deletes a tag, or a manifest when `version` is a digest. A manifest takes with it every tag
    /// that leads to it.
    ///
    /// Fails when the account may not delete, and when the answer is not a registry's.
    pub(crate) fn delete(&self, version: &str) -> anyhow::Result<Deletion> {
        let transport = self.0.transport();
        let what = self.0.repository().named(version);
        let url = transport.url(&["manifests", version], &what)?;
        let request = self.0.request(Method::DELETE, url, "*/*", &what);
        let mut answer = transport.send(&request)?;
        let status = answer.status;
        if status.is_success() {
            return Ok(Deletion::Deleted);
        }
        let said = answer.said();
        let asked = transport.asked(&answer.url, &what, Access::Delete);
        match status {
            StatusCode::NOT_FOUND if said.says_absent() => Ok(Deletion::Absent),
            StatusCode::NOT_FOUND => Err(asked.unknown(status, &said)),
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                Ok(Deletion::Unsupported(status))
            }
            // The distribution project's registry answers so for a tag before its version 3.
            StatusCode::BAD_REQUEST if said.has(&["UNSUPPORTED", "DIGEST_INVALID"]) => {
                Ok(Deletion::Unsupported(status))
            }
            status if is_forbidden(status) => Err(asked.refused(status, &said)),
            _ => Err(asked.undeleted(status, &said)),
        }
    }
}
