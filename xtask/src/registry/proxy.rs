//! Which proxy leads to a registry, as the environment says.

use ureq::Proxy;
use url::Url;

use super::address;
use crate::exec::Exec;

/// The proxy for requests to `url`; none when they go there directly.
#[expect(
    clippy::unnecessary_wraps,
    reason = "the next version of this file may fail"
)]
pub(super) fn for_address(_exec: &Exec, url: &Url) -> anyhow::Result<Option<Proxy>> {
    Ok(Proxy::try_from_env().filter(|_| !address::is_loopback(url)))
}
