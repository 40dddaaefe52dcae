//! What every connection has in common.

use std::time::Duration;

use ureq::config::{Config, ConfigBuilder};
use ureq::typestate::AgentScope;

/// Redirects are followed by the caller, who knows to whom
/// credentials may go; and nothing may be compressed on the way, since digests are of the bytes.
pub(super) fn config(connect: Duration) -> ConfigBuilder<AgentScope> {
    Config::builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .accept_encoding("identity")
        .timeout_connect(Some(connect))
        // Its own would be for every address, this machine's too.
        .proxy(None)
        .user_agent("agentgate-xtask")
}
