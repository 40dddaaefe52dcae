//! What a registry of quirks saw, and who must not see credentials.

use super::auth::{IDENTITY, PASSWORD, TOKEN};

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Registry,
    /// Another origin: a store of blobs, or somebody who wants a password.
    Other,
    Tokens,
    /// The proxy, in the open.
    Proxy,
}

/// A request, as it came.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) role: Role,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) authorization: Option<String>,
}

impl Seen {
    /// Whether it has credentials that its receiver must not see.
    pub(super) fn is_leak(&self) -> bool {
        let authorization = self.authorization.as_deref();
        let is_in_address = [PASSWORD, IDENTITY, TOKEN]
            .iter()
            .any(|secret| self.target.contains(secret));
        is_in_address
            || match self.role {
                Role::Registry => false,
                Role::Tokens => authorization.is_some_and(|value| value.contains(TOKEN)),
                Role::Other | Role::Proxy => authorization.is_some(),
            }
    }
}
