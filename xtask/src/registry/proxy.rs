//! Which proxy leads to a registry, as the environment says.
//!
//! As curl has it (curl's manual, "Environment", and its `lib/noproxy.c`), with what Go's
//! `golang.org/x/net/http/httpproxy`, and so docker, has besides. Where they differ:
//!
//! - `https_proxy` goes before `HTTPS_PROXY`, as in curl; Go has it the other way round.
//! - `HTTP_PROXY` counts, as in Go, except in a CGI program (`REQUEST_METHOD` is set), where a
//!   request's `Proxy` header sets it; curl never reads it.
//! - `all_proxy` is for what has no proxy of its own, as in curl; Go does not know it.
//! - `.example.com` in `NO_PROXY` has `example.com` in it, as in curl; in Go only what is below it.
//! - `*.example.com` is what is below `example.com`, a port may follow a name, and `*` may stand in a
//!   list, as in Go; curl takes them for names.
//! - This machine (`localhost`, loopback addresses) is never asked by a proxy, as in Go.
//! - A proxy without a port has its scheme's, as in Go; curl's is 1080.

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use anyhow::anyhow;
use ureq::Proxy;
use url::{Host, Url};

use crate::exec::Exec;

/// The kinds of proxies that the client can use.
const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// The proxy for requests to `url`, by its scheme, host and port; none when they go there directly.
///
/// HTTP proxies are asked to CONNECT for `http://` as well: `ureq` knows no other way.
///
/// Fails when the variable that counts does not name a proxy; the error shows no password.
pub(super) fn for_address(exec: &Exec, url: &Url) -> anyhow::Result<Option<Proxy>> {
    chosen(url, |name| exec.var(name))
}

fn chosen(url: &Url, var: impl Fn(&str) -> Option<String>) -> anyhow::Result<Option<Proxy>> {
    let first = |names: &[&'static str]| names.iter().find_map(|name| Some((*name, var(name)?)));
    let names: &[&str] = match url.scheme() {
        "https" => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        "http" if var("REQUEST_METHOD").is_some() => &["http_proxy", "all_proxy", "ALL_PROXY"],
        "http" => &["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
        _ => &[],
    };
    let (Some((name, value)), Some(host)) = (first(names), url.host()) else {
        return Ok(None);
    };
    let target = Target::new(&host, url.port_or_known_default());
    let (_, exceptions) = first(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
    if target.is_this_machine() || target.is_among(&exceptions) {
        return Ok(None);
    }
    parse(name, value.trim()).map(Some)
}

/// The proxy that the variable `name` names. Without a scheme it is an HTTP proxy.
fn parse(name: &str, value: &str) -> anyhow::Result<Proxy> {
    let wrong = |why: String| {
        anyhow!(
            "`{name}` does not name a proxy: {why}; hint: write it as `http://HOST:PORT`, and \
             special characters of a user or password as `%XX`"
        )
    };
    let url = if value.contains("://") {
        Url::parse(value)
    } else {
        Url::parse(&format!("http://{value}"))
    };
    let url = url.map_err(|why| wrong(why.to_string()))?;
    if !SCHEMES.contains(&url.scheme()) {
        return Err(wrong(format!("`{}` is no kind of proxy", url.scheme())));
    }
    // `http://me:a#b@proxy` has the host `me`.
    let has_more = url.query().is_some() || url.fragment().is_some();
    if has_more || !matches!(url.path(), "" | "/") {
        return Err(wrong("there is more than a host and a port".to_owned()));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("there is no host".to_owned()));
    }
    Proxy::new(url.as_str()).map_err(|why| wrong(why.to_string()))
}

/// What a request goes to.
struct Target {
    /// In lower case, without a dot at the end; an address has no name.
    name: String,
    ip: Option<IpAddr>,
    port: Option<u16>,
}

impl Target {
    fn new(host: &Host<&str>, port: Option<u16>) -> Target {
        let (name, ip) = match host {
            Host::Domain(name) => (name.trim_end_matches('.').to_ascii_lowercase(), None),
            Host::Ipv4(ip) => (String::new(), Some(IpAddr::V4(*ip))),
            Host::Ipv6(ip) => (String::new(), Some(IpAddr::V6(*ip).to_canonical())),
        };
        Target { name, ip, port }
    }

    fn is_this_machine(&self) -> bool {
        self.name == "localhost" || self.ip.is_some_and(|ip| ip.is_loopback())
    }

    /// Whether a `NO_PROXY` has it. What cannot be read in the list counts for nothing.
    fn is_among(&self, exceptions: &str) -> bool {
        let mut entries = exceptions.split(|c: char| c == ',' || c.is_whitespace());
        entries.any(|entry| entry == "*" || self.is_in(entry))
    }

    /// Whether one entry of the list has it.
    fn is_in(&self, entry: &str) -> bool {
        if let Some((network, bits)) = entry.split_once('/') {
            return is_in_network(self.ip, network, bits);
        }
        let (name, port) = match entry.rsplit_once(':') {
            // `::1` and `[::1]` have colons, and no port.
            Some((name, port)) if !entry.ends_with(']') && entry.parse::<IpAddr>().is_err() => {
                (name, Some(port))
            }
            _ => (entry, None),
        };
        if port.is_some_and(|port| port.parse().ok() != self.port) {
            return false;
        }
        match self.ip {
            Some(ip) => is_address(name, ip),
            None => is_domain_of(name, &self.name),
        }
    }
}

fn is_address(text: &str, ip: IpAddr) -> bool {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse::<IpAddr>();
    address.is_ok_and(|address| address.to_canonical() == ip)
}

/// Whether `ip` is in a network such as `10.0.0.0/8`.
fn is_in_network(ip: Option<IpAddr>, network: &str, bits: &str) -> bool {
    let (Some(ip), Ok(network), Ok(bits)) = (ip, network.parse(), bits.parse::<u32>()) else {
        return false;
    };
    // A shift by all bits, of `/0`, leaves nothing to compare.
    match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => 32_u32.checked_sub(bits).is_some_and(|rest| {
            let differs = ip.to_bits() ^ network.to_bits();
            differs.checked_shr(rest).unwrap_or_default() == 0
        }),
        (IpAddr::V6(ip), IpAddr::V6(network)) => 128_u32.checked_sub(bits).is_some_and(|rest| {
            let differs = ip.to_bits() ^ network.to_bits();
            differs.checked_shr(rest).unwrap_or_default() == 0
        }),
        _ => false,
    }
}

/// Whether `name` is the domain that an entry names, or below it.
fn is_domain_of(entry: &str, name: &str) -> bool {
    let below_only = entry.strip_prefix("*.");
    let domain = below_only.unwrap_or_else(|| entry.strip_prefix('.').unwrap_or(entry));
    let domain = domain.trim_end_matches('.').to_ascii_lowercase();
    if domain.is_empty() {
        return false;
    }
    match name.strip_suffix(&*domain) {
        Some("") => below_only.is_none(),
        Some(rest) => rest.ends_with('.'),
        None => false,
    }
}
