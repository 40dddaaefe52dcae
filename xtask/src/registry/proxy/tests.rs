//! Tables of the environment.

use super::*;

mod real;

/// Where requests to `url` go in an environment of `NAME=VALUE` words; `direct` without a proxy.
fn way(environment: &[(&str, &str)], url: &str) -> Result<String, String> {
    let var = |name: &str| {
        let mut pairs = environment.iter();
        let found = pairs.find(|(other, _)| *other == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let found = chosen(&Url::parse(url).unwrap(), var);
    let shown = |proxy: Option<Proxy>| {
        proxy.map_or("direct".to_owned(), |proxy| {
            format!("{}:{}", proxy.host(), proxy.port())
        })
    };
    found.map(shown).map_err(|error| error.to_string())
}

#[test]
fn the_variable_that_counts() {
    const HTTPS: &str = "https://example.com/v2/";
    const HTTP: &str = "http://example.com/v2/";
    for (environment, url, want) in [
        (&[][..], HTTPS, "direct"),
        (&[("https_proxy", "http://p:1")], HTTPS, "p:1"),
        (&[("HTTPS_PROXY", "http://p:1")], HTTPS, "p:1"),
        (
            &[("https_proxy", "http://p:1"), ("HTTPS_PROXY", "http://q:2")],
            HTTPS,
            "p:1",
        ),
        (
            &[("http_proxy", "http://p:1"), ("HTTP_PROXY", "http://p:1")],
            HTTPS,
            "direct",
        ),
        (&[("https_proxy", "http://p:1")], HTTP, "direct"),
        (&[("http_proxy", "http://p:1")], HTTP, "p:1"),
        (&[("HTTP_PROXY", "http://p:1")], HTTP, "p:1"),
        (
            &[("HTTP_PROXY", "http://p:1"), ("REQUEST_METHOD", "GET")],
            HTTP,
            "direct",
        ),
        (
            &[("http_proxy", "http://p:1"), ("REQUEST_METHOD", "GET")],
            HTTP,
            "p:1",
        ),
        (
            &[("HTTPS_PROXY", "http://p:1"), ("REQUEST_METHOD", "GET")],
            HTTPS,
            "p:1",
        ),
        (&[("all_proxy", "http://p:1")], HTTPS, "p:1"),
        (&[("ALL_PROXY", "http://p:1")], HTTP, "p:1"),
        (
            &[("all_proxy", "http://p:1"), ("HTTPS_PROXY", "http://q:2")],
            HTTPS,
            "q:2",
        ),
        (
            &[
                ("https_proxy", "http://p:1"),
                ("no_proxy", "x.org"),
                ("NO_PROXY", "*"),
            ],
            HTTPS,
            "p:1",
        ),
        (
            &[("https_proxy", "http://p:1"), ("NO_PROXY", "example.com")],
            HTTPS,
            "direct",
        ),
        // Not read, for it is not needed.
        (
            &[("https_proxy", "::"), ("NO_PROXY", "example.com")],
            HTTPS,
            "direct",
        ),
    ] {
        let found = way(environment, url);
        assert_eq!(found.as_deref(), Ok(want), "{environment:?} {url}");
    }
}

#[test]
fn what_goes_there_directly() {
    let list = "foobar.com, .barbaz.net,*.wildcard.io 192.168.1.1,192.168.1.2:81,192.168.1.3:443,\
        10.0.0.0/30,2001:db8::52:0:1,[2001:db8::52:0:2]:80,[2001:db8::52:0:3]:443,[2001:db8::9],\
        2002:db8:a::45/64,Port.Example.ORG:8443,dotted.org.,.example.edu,,:1,/,1.2.3.4/99,x:y";
    for (host, is_direct) in [
        // This machine, always.
        ("localhost", true),
        ("LOCALHOST:5000", true),
        ("localhost.", true),
        ("127.0.0.1", true),
        ("127.9.9.9:5000", true),
        ("[::1]:5000", true),
        ("[::ffff:127.0.0.1]", true),
        ("[::2]", false),
        ("localhost.net", false),
        ("a.localhost", false),
        // Addresses.
        ("192.168.1.1", true),
        ("192.168.1.1:8443", true),
        ("192.168.1.2", false),
        ("192.168.1.3", true),
        ("192.168.1.4", false),
        ("192.168.1.10", false),
        ("[::ffff:192.168.1.1]", true),
        ("10.0.0.3", true),
        ("10.0.0.4", false),
        ("1.2.3.4", false),
        ("[2001:db8::52:0:1]", true),
        ("[2001:db8::52:0:2]", false),
        ("[2001:db8::52:0:3]", true),
        ("[2001:db8::9]:8443", true),
        ("[2002:db8:a::123]", true),
        ("[2002:db8:b::123]", false),
        // Names.
        ("foobar.com", true),
        ("FooBar.com.", true),
        ("www.foobar.com", true),
        ("foofoobar.com", false),
        ("foobar.com.example.net", false),
        ("barbaz.net", true),
        ("www.barbaz.net", true),
        ("barbarbaz.net", false),
        ("wildcard.io", false),
        ("a.b.wildcard.io", true),
        ("awildcard.io", false),
        ("port.example.org", false),
        ("port.example.org:8443", true),
        ("a.port.example.org:8443", true),
        ("dotted.org", true),
        ("a.dotted.org", true),
        ("www.example.edu", true),
    ] {
        let environment = [("https_proxy", "p:1"), ("no_proxy", list)];
        let found = way(&environment, &format!("https://{host}/v2/"));
        let want = if is_direct { "direct" } else { "p:1" };
        assert_eq!(found.as_deref(), Ok(want), "{host}");
    }
    for (list, want) in [
        ("*", "direct"),
        (" * ", "direct"),
        ("x.org,*", "direct"),
        ("0.0.0.0/0", "p:1"),
        ("", "p:1"),
        (".", "p:1"),
        ("*.", "p:1"),
    ] {
        let found = way(
            &[("https_proxy", "p:1"), ("no_proxy", list)],
            "https://example.com/",
        );
        assert_eq!(found.as_deref(), Ok(want), "{list}");
    }
    let all = [("https_proxy", "p:1"), ("no_proxy", "0.0.0.0/0")];
    assert_eq!(way(&all, "https://8.8.8.8/").as_deref(), Ok("direct"));
}

#[test]
fn how_a_proxy_is_written() {
    for (value, kind, place, login) in [
        ("p", "HTTP", "p:80", None),
        ("p:3128", "HTTP", "p:3128", None),
        (" http://p:3128/ ", "HTTP", "p:3128", None),
        ("HTTP://P:80", "HTTP", "p:80", None),
        ("https://p", "HTTPS", "p:443", None),
        ("me:secret@p:3128", "HTTP", "p:3128", Some("me secret")),
        (
            "http://me:s%40%23%25:x@p:3128",
            "HTTP",
            "p:3128",
            Some("me s@#%:x"),
        ),
        ("http://me:p@ss@p", "HTTP", "p:80", Some("me p@ss")),
        ("http://[::1]:3128", "HTTP", "[::1]:3128", None),
        ("socks4://p:1", "SOCKS4", "p:1", None),
        ("socks4a://p:1", "SOCKS4a", "p:1", None),
        ("socks5://p", "SOCKS5", "p:1080", None),
        (
            "socks5h://me:secret@p:1",
            "SOCKS5h",
            "p:1",
            Some("me secret"),
        ),
    ] {
        let proxy = parse("x", value.trim()).unwrap();
        let found = format!("{} {}:{}", proxy.protocol(), proxy.host(), proxy.port());
        assert_eq!(found, format!("{kind} {place}"), "{value}");
        let user = proxy
            .username()
            .map(|user| format!("{user} {}", proxy.password().unwrap()));
        assert_eq!(user.as_deref(), login, "{value}");
    }
}

#[test]
fn a_bad_proxy_is_named_without_its_password() {
    for (value, want) in [
        ("http://me:secret@p:port", "invalid port number"),
        ("http://me:se#cret@p:1", "invalid port number"),
        (
            "http://me:12#secret@p:1",
            "there is more than a host and a port",
        ),
        (
            "http://me:12/secret@p:1",
            "there is more than a host and a port",
        ),
        (
            "http://p/secret.pac",
            "there is more than a host and a port",
        ),
        ("http://p?secret", "there is more than a host and a port"),
        ("http://", "empty host"),
        ("socks5://", "there is no host"),
        ("ftp://me:secret@p", "`ftp` is no kind of proxy"),
        ("http://me:%ffsecret@p", "invalid proxy url"),
        ("a secret", "invalid international domain name"),
    ] {
        let error = way(&[("HTTPS_PROXY", value)], "https://example.com/").unwrap_err();
        let start = format!("`HTTPS_PROXY` does not name a proxy: {want}; hint: ");
        assert!(error.starts_with(&start), "{value}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}
