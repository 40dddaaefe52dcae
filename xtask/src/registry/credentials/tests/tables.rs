//! Docker's configuration in its many forms, as text.
//!
//! Docker 28.2.2 (`docker manifest inspect`) gave the same for every row of the first three tables, but
//! for four kinds. It reads nothing where base64 has no padding, or where any other entry is wrong;
//! it compares hosts by case; and tokens were not tried.

use super::*;

/// What the file alone has for a registry, without any helper installed.
fn in_file(text: &str, server: &str) -> Result<String, String> {
    let config = Config::parse(&filled(text))?;
    Ok(match source(&config, config::key(server), |_| false)? {
        Source::File(credential) => shown(credential),
        Source::Configured(name) | Source::Detected(name) => format!("ask {name}"),
    })
}

#[test]
fn the_file_in_all_its_forms() {
    for (text, want) in [
        // Nothing.
        ("", "none"),
        (" \n", "none"),
        ("null", "none"),
        ("{}", "none"),
        (
            r#"{"auths":null,"credHelpers":null,"credsStore":null}"#,
            "none",
        ),
        (
            r#"{"auths":{"other.example.org":{"auth":"b(me:secret)"}}}"#,
            "none",
        ),
        // User and password.
        (
            r#"{"auths":{"SERVER":{"auth":"b(me:secret)"}}}"#,
            "me secret",
        ),
        (r#"{"auths":{"SERVER":{"auth":"b(me:a:b:)"}}}"#, "me a:b:"),
        (
            r#"{"auths":{"SERVER":{"auth":"b(me:secretNULNUL)"}}}"#,
            "me secret",
        ),
        (
            r#"{"auths":{"SERVER":{"auth":"bWU6\nc2Vj\r\ncmV0"}}}"#,
            "me secret",
        ),
        // The last four bits say nothing.
        (
            r#"{"auths":{"SERVER":{"auth":"bWU6c2VjcmV0MR=="}}}"#,
            "me secret1",
        ),
        (
            r#"{"auths":{"SERVER":{"auth":"bWU6c2VjcmV0MQ"}}}"#,
            "me secret1",
        ),
        (
            r#"{"auths":{"SERVER":{"auth":"","username":"me","password":"p"}}}"#,
            "me p",
        ),
        (
            r#"{"auths":{"SERVER":{"username":"me","password":"p","email":1}}}"#,
            "me p",
        ),
        (
            r#"{"auths":{"SERVER":{"auth":"b(me:secret)","username":"x","password":"y"}}}"#,
            "me secret",
        ),
        (r#"{"auths":{"SERVER":{"auth":"b(me:)"}}}"#, "none"),
        (r#"{"auths":{"SERVER":{"username":"me"}}}"#, "none"),
        // Tokens.
        (
            r#"{"auths":{"SERVER":{"auth":"b(me:secret)","identitytoken":""}}}"#,
            "me secret",
        ),
        (
            r#"{"auths":{"SERVER":{"auth":"b(0000:)","identitytoken":"i1"}}}"#,
            "identity i1",
        ),
        (
            r#"{"auths":{"SERVER":{"identitytoken":"i1","registrytoken":"r1"}}}"#,
            "registry r1",
        ),
        (
            r#"{"auths":{"SERVER":{"auth":"b(me:secret)","registrytoken":""}}}"#,
            "me secret",
        ),
        (
            r#"{"auths":{"SERVER":{"auth":"b(me:secret)","identitytoken":null}}}"#,
            "me secret",
        ),
        // What is before the first value's end counts; names of fields in any case.
        (
            r#"{"Auths":{"SERVER":{"AUTH":"b(me:secret)"}}} more"#,
            "me secret",
        ),
        // What is wrong elsewhere does not count.
        (
            r#"{"auths":{"a":{"auth":"!"},"b":7,"SERVER":{"auth":"b(me:secret)"}},"HttpHeaders":7}"#,
            "me secret",
        ),
    ] {
        assert_eq!(in_file(text, SERVER).as_deref(), Ok(want), "{text}");
    }
}

#[test]
fn who_is_asked() {
    for (text, want) in [
        // google/containerregistry#144.
        (r#"{"credSstore":"x"}"#, "ask x"),
        // spotify/docker-client#1143.
        (r#"{"auths":{"SERVER":{}},"credsStore":"x"}"#, "ask x"),
        // A password beside a helper is not used.
        (
            r#"{"auths":{"SERVER":{"auth":"b(me:secret)"}},"credsStore":"x"}"#,
            "ask x",
        ),
        (
            r#"{"credsStore":"x","credHelpers":{"SERVER":"y"}}"#,
            "ask y",
        ),
        (
            r#"{"credsStore":"x","credHelpers":{"other.example.org":"y"}}"#,
            "ask x",
        ),
        (r#"{"credHelpers":{"other.example.org":"y"}}"#, "none"),
        // keirlawson/docker_credential#8.
        (
            r#"{"auths":{"SERVER":{"auth":"b(me:secret)"}},"credsStore":"x","credHelpers":{"SERVER":""}}"#,
            "me secret",
        ),
        (
            r#"{"auths":{"SERVER":{"registrytoken":"r1"}},"credsStore":"x"}"#,
            "registry r1",
        ),
    ] {
        assert_eq!(in_file(text, SERVER).as_deref(), Ok(want), "{text}");
    }
}

#[test]
fn names_of_registries() {
    let one = |key: &str| format!(r#"{{"auths":{{"{key}":{{"auth":"b(me:secret)"}}}}}}"#);
    for (key, server, is_found) in [
        ("ghcr.io", "ghcr.io", true),
        ("https://ghcr.io", "ghcr.io", true),
        // oras-project/oras#1143.
        ("https://ghcr.io/", "ghcr.io", true),
        ("http://ghcr.io/v1/", "ghcr.io", true),
        ("https://ghcr.io/v2/", "ghcr.io", true),
        ("ghcr.io/", "ghcr.io", true),
        ("ghcr.io/me", "ghcr.io", true),
        ("HTTPS://GHCR.io/v2/", "ghcr.io", true),
        ("ghcr.io", "GHCR.IO", true),
        ("https://127.0.0.1:5000/v2/", "127.0.0.1:5000", true),
        ("[::1]:5000", "[::1]:5000", true),
        ("https://[::1]:5000/v2/", "[::1]:5000", true),
        ("https://ghcr.io:443", "ghcr.io", false),
        ("ghcr.io.example.net", "ghcr.io", false),
        ("https://ghcr.io@example.net/", "ghcr.io", false),
        ("example.net", "ghcr.io", false),
        // Docker Hub has one name there.
        ("https://index.docker.io/v1/", "docker.io", true),
        ("https://index.docker.io/v1/", "index.docker.io", true),
        ("docker.io", "docker.io", false),
        ("index.docker.io", "docker.io", false),
        ("https://index.docker.io/v2/", "docker.io", false),
        ("https://index.docker.io/v1/", "registry-1.docker.io", false),
    ] {
        let want = if is_found { "me secret" } else { "none" };
        let found = in_file(&one(key), server);
        assert_eq!(found.as_deref(), Ok(want), "{key} {server}");
    }
    // An entry of the very name goes before all others; among the others an empty one counts not.
    for (text, want) in [
        (
            r#"{"auths":{"SERVER":{},"https://SERVER":{"auth":"b(me:secret)"}}}"#,
            "none",
        ),
        (
            r#"{"auths":{"https://SERVER":{},"https://SERVER/v2/":{"auth":"b(me:secret)"}}}"#,
            "me secret",
        ),
    ] {
        assert_eq!(in_file(text, SERVER).as_deref(), Ok(want), "{text}");
    }
}

#[test]
fn what_is_wrong_in_the_file_is_said_without_a_secret() {
    for (text, want) in [
        ("{", "EOF while parsing an object at line 1 column 1"),
        ("[]", "it is not an object"),
        (r#"{"auths":["secret"]}"#, "`auths` is not an object"),
        (
            r#"{"auths":{"SERVER":"secret"}}"#,
            "the registry's entry in `auths` is not an object",
        ),
        (
            r#"{"auths":{"SERVER":{"auth":"b(secret)"}}}"#,
            "the registry's `auth` has no `:` between user and password",
        ),
        (
            r#"{"auths":{"SERVER":{"auth":"b(:secret)"}}}"#,
            "the registry's `auth` has no user before its `:`",
        ),
        (
            r#"{"auths":{"SERVER":{"auth":"me:secret"}}}"#,
            "the registry's `auth` is not base64",
        ),
        (
            r#"{"auths":{"SERVER":{"auth":"bWU6/w=="}}}"#,
            "the registry's `auth` is not UTF-8",
        ),
        (
            r#"{"auths":{"SERVER":{"auth":["secret"]}}}"#,
            "`auth` is not text",
        ),
        (r#"{"credsStore":["secret"]}"#, "`credsStore` is not text"),
        (
            r#"{"credHelpers":{"SERVER":7}}"#,
            "a name in `credHelpers` is not text",
        ),
    ] {
        assert_eq!(in_file(text, SERVER), Err(want.to_owned()), "{text}");
    }
    let secret = Credential::basic("me".to_owned(), "secret".to_owned());
    assert_eq!(format!("{secret:?}"), "Some(Basic(\"me\", …))");
}

#[test]
fn the_variable_is_taken_whole_or_not_at_all() {
    let found = |text: &str| -> Result<Option<String>, String> {
        let Some(entry) = config::in_variable(&filled(text), SERVER)? else {
            return Ok(None);
        };
        Ok(Some(shown(entry.credential()?)))
    };
    for (text, want) in [
        ("", None),
        ("\n", None),
        ("{}", None),
        (
            r#"{"auths":{"other.example.org":{"auth":"b(me:secret)"}}}"#,
            None,
        ),
        // Keys are compared as they are.
        (
            r#"{"auths":{"https://SERVER":{"auth":"b(me:secret)"}}}"#,
            None,
        ),
        (
            r#"{"auths":{"SERVER":{"auth":"b(me:secret)"}}}"#,
            Some("me secret"),
        ),
        (
            r#"{"Auths":{"SERVER":{"Auth":"b(me:secret)"}}}"#,
            Some("me secret"),
        ),
        // So nobody is logged in, whatever the file says.
        (r#"{"auths":{"SERVER":{"auth":"b(me:)"}}}"#, Some("none")),
    ] {
        assert_eq!(found(text).unwrap().as_deref(), want, "{text}");
    }
    for (text, want) in [
        ("{", "EOF while parsing an object at line 1 column 1"),
        ("{} {}", "trailing characters at line 1 column 4"),
        ("7", "it is not an object"),
        (
            r#"{"credsStore":"x"}"#,
            "`credsStore` is not known there, only `auths`",
        ),
        (
            r#"{"auths":{"SERVER":{"auth":"b(me:secret)","email":"x"}}}"#,
            "`email` is not known there, only `auth`",
        ),
        (
            r#"{"auths":{"SERVER":{"auth":"b(me:secret)"},"a\u001b":{}}}"#,
            "`a\\u{1b}` has no `auth`",
        ),
        (
            r#"{"auths":{"a":{"auth":"b(secret)"}}}"#,
            "`a`'s `auth` has no `:` between user and password",
        ),
        (
            r#"{"auths":{"a":{"auth":"bWU6c2VjcmV0MQ"}}}"#,
            "`a`'s `auth` is base64 without its padding",
        ),
    ] {
        assert_eq!(found(text), Err(want.to_owned()), "{text}");
    }
}
