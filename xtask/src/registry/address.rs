//! Addresses: parsed, resolved and compared as `url` has them (RFC 3986), never as text.

use url::{Host, Url};

/// Parses the absolute address of something that is reached over HTTP.
///
/// Fails when it is not such an address, or when it has a user's name or a password in it: what
/// looks like a host there is none (`https://ghcr.io@example.org/`).
pub(super) fn parse(text: &str) -> Result<Url, String> {
    checked(Url::parse(text).map_err(|why| why.to_string())?)
}

/// Where a registry's host may be reached: over TLS, and without.
pub(super) fn of_host(host: &str) -> Result<[Url; 2], String> {
    Ok([
        parse(&format!("https://{host}/"))?,
        parse(&format!("http://{host}/"))?,
    ])
}

/// The address that `reference` means in an answer from `base` (RFC 3986, section 5.2), if a request
/// may go there. From HTTPS to plain HTTP of the same host and port it stays HTTPS: behind a proxy some
/// registries do not know how they are reached (distribution/distribution#479).
///
/// Fails as [`parse`] does, and when it leads from HTTPS to plain HTTP elsewhere, unless that is within
/// this machine, or over plain HTTP to
/// another machine.
pub(super) fn follow(base: &Url, reference: &str) -> Result<Url, String> {
    if reference.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    let url = base.join(reference).map_err(|why| why.to_string())?;
    let mut url = checked(url)?;
    if url.scheme() == "http" && base.scheme() == "https" {
        let is_same_port = url.port() == base.port() || url.port() == base.port_or_known_default();
        let is_https = url.host() == base.host() && is_same_port && url.set_scheme("https").is_ok();
        let is_moved = is_https && url.set_port(base.port()).is_ok();
        let is_within = is_loopback(base) && is_loopback(&url);
        if !is_moved && !is_within {
            return Err("it leads from HTTPS to plain HTTP".to_owned());
        }
    }
    if !is_private(&url) {
        return Err("it leads over plain HTTP to another machine".to_owned());
    }
    Ok(url)
}

fn checked(mut url: Url) -> Result<Url, String> {
    if !["http", "https"].contains(&url.scheme()) {
        return Err(format!("`{}` is neither HTTP nor HTTPS", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it has a user's name or a password in it".to_owned());
    }
    url.set_fragment(None);
    Ok(url)
}

/// Whether both have the same scheme, host and port (RFC 6454); a default port may be left out.
pub(super) fn is_same_origin(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin()
}

/// Whether nobody on the way can read along: over TLS, or within this machine.
pub(super) fn is_private(url: &Url) -> bool {
    url.scheme() == "https" || is_loopback(url)
}

/// Whether the host is this machine, as its name or its address says.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.trim_end_matches('.') == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.to_canonical().is_loopback(),
        None => false,
    }
}

/// Scheme, host and port, for people to read; a default port is left out.
pub(super) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_may_name_an_address_in_every_form_of_rfc_3986() {
        let base = parse("https://ghcr.io/v2/me/agent/blobs/uploads/?a=b").unwrap();
        for (reference, expected) in [
            (
                "https://ghcr.io/u/1?_state=a%2Bb",
                "https://ghcr.io/u/1?_state=a%2Bb",
            ),
            ("HTTPS://GHCR.io:443/u", "https://ghcr.io/u"),
            ("//storage.example.org/u", "https://storage.example.org/u"),
            ("/u/1", "https://ghcr.io/u/1"),
            (
                "1?x=%2f",
                "https://ghcr.io/v2/me/agent/blobs/uploads/1?x=%2f",
            ),
            ("../1", "https://ghcr.io/v2/me/agent/blobs/1"),
            (
                "?_state=x",
                "https://ghcr.io/v2/me/agent/blobs/uploads/?_state=x",
            ),
            ("/u#part", "https://ghcr.io/u"),
            // It does not know that it is reached over TLS.
            ("http://ghcr.io/u", "https://ghcr.io/u"),
            ("http://GHCR.io:443/u", "https://ghcr.io/u"),
        ] {
            let found = follow(&base, reference).map(String::from);
            assert_eq!(found.as_deref(), Ok(expected), "{reference}");
        }
        // A token server or a store beside a registry of one's own.
        let near = parse("https://localhost:5000/v2/").unwrap();
        let found = follow(&near, "http://127.0.0.1:5001/token").map(String::from);
        assert_eq!(found.as_deref(), Ok("http://127.0.0.1:5001/token"));
    }

    #[test]
    fn an_address_that_would_give_something_away_is_refused() {
        let tls = "https://ghcr.io/v2/";
        let odd = "https://ghcr.io:8443/v2/";
        let plain = "http://127.0.0.1:5000/v2/";
        for (base, reference, why) in [
            (tls, "", "empty"),
            (tls, "https://me@ghcr.io/u", "user's name"),
            (tls, "https://ghcr.io@example.org/u", "user's name"),
            (tls, "//:secret@ghcr.io/u", "password"),
            (tls, "http://ghcr.io:8080/u", "from HTTPS to plain HTTP"),
            (
                tls,
                "http://ghcr.io.example.org/u",
                "from HTTPS to plain HTTP",
            ),
            (odd, "http://ghcr.io/u", "from HTTPS to plain HTTP"),
            (tls, "http://127.0.0.1/u", "from HTTPS to plain HTTP"),
            (
                plain,
                "http://example.org/u",
                "plain HTTP to another machine",
            ),
            (plain, "http://127.0.0.1@example.org/u", "user's name"),
            (tls, "ftp://ghcr.io/u", "neither HTTP nor HTTPS"),
            (tls, "file:///etc/passwd", "neither HTTP nor HTTPS"),
            (tls, "https://", "empty host"),
            (tls, "https://[::1/u", "invalid IPv6 address"),
            (tls, "https://ghcr.io:99999/u", "invalid port"),
        ] {
            let error = follow(&parse(base).unwrap(), reference).unwrap_err();
            assert!(error.contains(why), "{reference}: {error}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for (one, other, is_same) in [
            ("https://ghcr.io/a", "https://GHCR.io:443/b?c", true),
            ("http://127.0.0.1/", "http://127.0.0.1:80/", true),
            ("http://[::1]:5000/", "http://[0:0:0:0:0:0:0:1]:5000/", true),
            ("https://ghcr.io/", "http://ghcr.io/", false),
            ("https://ghcr.io/", "https://ghcr.io:80/", false),
            ("https://ghcr.io/", "https://ghcr.io.example.net/", false),
            ("http://127.0.0.1:4620/", "http://127.0.0.1:46201/", false),
            ("http://localhost:5000/", "http://127.0.0.1:5000/", false),
        ] {
            let (one, other) = (parse(one).unwrap(), parse(other).unwrap());
            assert_eq!(is_same_origin(&one, &other), is_same, "{one} {other}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_name_and_its_addresses() {
        for (host, expected) in [
            ("localhost:5000", true),
            ("LOCALHOST", true),
            ("127.9.9.9:5000", true),
            ("[::1]:5000", true),
            ("[::ffff:127.0.0.1]:5000", true),
            ("[::2]:5000", false),
            ("10.0.0.1:5000", false),
            ("127.0.0.1.example.org", false),
            ("localhost.example.org", false),
            ("0.0.0.0:5000", false),
        ] {
            let [tls, plain] = of_host(host).unwrap();
            assert_eq!(is_loopback(&tls), expected, "{host}");
            assert_eq!(is_private(&plain), expected, "{host}");
            assert!(is_private(&tls), "{host}");
        }
    }
}
