//! What is known of a registry's authorization so far.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::exec::Exec;
use crate::registry::challenge::Challenge;
use crate::registry::credentials::Credential;
use crate::registry::token::Tokens;

/// What is known of a registry's authorization.
pub(super) struct Authorization {
    state: Mutex<State>,
    /// Held while a token is fetched, so that of several threads one does it.
    pub(super) fetching: Mutex<()>,
    /// What it asks for at its root, once that was asked.
    pub(super) greeting: OnceLock<Option<Challenge>>,
    pub(super) credential: OnceLock<Option<Credential>>,
    /// Finds docker's configuration.
    pub(super) exec: Mutex<Exec>,
}

#[derive(Default)]
pub(super) struct State {
    /// What the registry asked for last.
    pub(super) challenge: Option<Challenge>,
    pub(super) tokens: Tokens,
}

impl Authorization {
    pub(super) fn new(exec: &Exec) -> Authorization {
        Authorization {
            state: Mutex::default(),
            fetching: Mutex::default(),
            greeting: OnceLock::new(),
            credential: OnceLock::new(),
            exec: Mutex::new(exec.clone()),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
