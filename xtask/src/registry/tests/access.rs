//! Who gets credentials, and which.

use super::*;

const BEARER: &str = "401 Unauthorized\r\nWWW-Authenticate: Bearer \
    realm=\"http://ADDRESS/token\",service=\"a b\",scope=\"repository:me/agent:pull\"";
const BASIC: &str = "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"";
const TOKEN: &str = "200 OK\r\n\r\n{\"token\":\"t1\"}";
const HEAD: &str = "HEAD /v2/me/agent/manifests/v1.0.0";

#[test]
fn a_token_is_fetched_when_the_registry_wants_one() {
    for token in [
        r#"{"token":"t1","access_token":"t2"}"#,
        r#"{"token":"","access_token":"t1"}"#,
        r#"{"access_token":"t1"}"#,
    ] {
        let token = format!("200 OK\r\n\r\n{token}");
        let (digest, requests) = World::new(&[BEARER, &token, OK]).digest();
        assert_eq!(digest, Ok(Some(D1.to_owned())));
        assert_eq!(
            requests,
            [
                HEAD,
                "GET /token?scope=repository%3Ame%2Fagent%3Apull&service=a+b",
                "HEAD /v2/me/agent/manifests/v1.0.0 [Bearer t1]",
            ]
        );
    }
}

#[test]
fn the_challenge_that_we_know_is_answered_wherever_it_stands() {
    for challenge in [
        "401 x\r\nWWW-Authenticate: Negotiate\r\nWWW-Authenticate: Basic realm=\"x\"",
        "401 x\r\nWWW-Authenticate: Negotiate oRM=, Basic realm=\"a, b\"",
    ] {
        let (digest, requests) = World::new(&[challenge, OK]).logged_in().digest();
        assert_eq!(digest, Ok(Some(D1.to_owned())));
        assert_eq!(requests[1], format!("{HEAD} [Basic bWU6c2VjcmV0]"));
    }
    // With a token the password goes to the token server alone; whose place may be relative.
    let both = "401 x\r\nWWW-Authenticate: Basic realm=\"x\", Bearer realm=\"/token?a=b\"";
    let (_, requests) = World::new(&[both, TOKEN, OK]).logged_in().digest();
    let token = "GET /token?a=b&scope=repository%3Ame%2Fagent%3Apull&account=me";
    assert_eq!(requests[1], format!("{token} [Basic bWU6c2VjcmV0]"));
    assert_eq!(requests[2], format!("{HEAD} [Bearer t1]"));
    let (digest, _) = World::new(&["401 x\r\nWWW-Authenticate: Negotiate"]).digest();
    let error = digest.unwrap_err();
    assert!(
        error.contains("asks for `negotiate` authorization"),
        "{error}"
    );
}

#[test]
fn dockers_credentials_are_used() {
    let (digest, requests) = World::new(&[BEARER, TOKEN, OK]).logged_in().digest();
    assert_eq!(digest, Ok(Some(D1.to_owned())));
    assert!(
        requests[1].ends_with(" [Basic bWU6c2VjcmV0]"),
        "{requests:?}"
    );

    let world = World::new(&[BASIC, OK]);
    world.docker_config(r#"{"auths":{"ADDRESS":{"username":"me","password":"secret"}}}"#);
    let (digest, requests) = world.digest();
    assert_eq!(digest, Ok(Some(D1.to_owned())));
    assert!(
        requests[1].ends_with(" [Basic bWU6c2VjcmV0]"),
        "{requests:?}"
    );

    let world = World::new(&[BEARER, TOKEN, OK]);
    world.docker_config(r#"{"auths":{"ADDRESS":{"identitytoken":"i1"}}}"#);
    let (digest, requests) = world.digest();
    assert_eq!(digest, Ok(Some(D1.to_owned())));
    assert!(requests[1].starts_with("POST /token "), "{requests:?}");
    assert!(
        requests[1].contains("refresh_token=i1&scope=repository%3Ame"),
        "{requests:?}"
    );
}

#[test]
fn what_may_not_be_read_says_how_to_log_in() {
    for (answers, status) in [
        (vec![BEARER, TOKEN, BEARER], "401 Unauthorized"),
        (vec!["403 Forbidden", "403 Forbidden"], "403 Forbidden"),
        (vec![BASIC], "401 Unauthorized"),
        (vec!["401 Unauthorized"], "401 Unauthorized"),
    ] {
        let with = match status {
            "403 Forbidden" => " with an account that may read it",
            _ => "",
        };
        let want = format!(
            "`http://ADDRESS` does not let us read `ADDRESS/me/agent:v1.0.0` ({status}); some \
             registries answer so for a repository that they do not have; hint: `docker login \
             ADDRESS`{with}"
        );
        asks(&answers, Err(&want), &[]);
    }
    asks(
        &[
            BEARER,
            "403 Forbidden\r\n\r\n{\"details\":\"wrong password\"}",
        ],
        Err(
            "`http://ADDRESS/token` gives no token to read `ADDRESS/me/agent` (403 Forbidden): \
             wrong password; hint: `docker login ADDRESS`",
        ),
        &[],
    );
    // A wrong password is sent twice at most.
    let (digest, requests) = World::new(&[BASIC, BASIC]).logged_in().digest();
    assert!(digest.unwrap_err().contains("(401 Unauthorized)"));
    assert_eq!(requests.len(), 2);
}

#[test]
fn a_token_that_has_expired_or_permits_too_little_is_renewed() {
    let second = TOKEN.replace("t1", "t2");
    let narrow = "401 x\r\nWWW-Authenticate: Bearer realm=\"http://ADDRESS/token\",\
                  scope=\"repository:me/agent:pull,meta\",error=\"insufficient_scope\"";
    let forbidden = narrow.replace("401 x", "403 Forbidden");
    // Harbor takes the password then: goharbor/harbor#18856.
    for (refused, more) in [
        (BEARER, 2),
        (narrow, 2),
        (&*forbidden, 2),
        ("401 x", 2),
        (BASIC, 1),
    ] {
        let answers = [BEARER, TOKEN, OK, refused, &second, OK];
        let answers = if more == 2 {
            &answers[..]
        } else {
            &[BEARER, TOKEN, OK, refused, OK]
        };
        let (twice, requests) = World::new(answers).logged_in().ask(|registry| {
            registry.puller().digest("v1.0.0")?;
            registry.puller().digest("v1.0.0")
        });
        assert!(twice.is_ok(), "{refused}: {twice:?}");
        assert_eq!(requests[3], format!("{HEAD} [Bearer t1]"));
        let last = if more == 2 {
            "Bearer t2"
        } else {
            "Basic bWU6c2VjcmV0"
        };
        assert_eq!(requests[3 + more], format!("{HEAD} [{last}]"), "{refused}");
        if refused.contains("insufficient") {
            let scope = "scope=repository%3Ame%2Fagent%3Apull%2Cmeta";
            assert!(requests[4].contains(scope), "{requests:?}");
        }
    }
}

#[test]
fn who_looks_asks_for_no_more_than_that() {
    let (_, requests) =
        World::new(&[BEARER, TOKEN, OK, OK, TOKEN, "202 Accepted"]).ask(|registry| {
            registry.puller().digest("v1.0.0")?;
            registry.puller().digest("v1.0.0")?;
            registry.deleter().delete(D1)
        });
    let scope = "scope=repository%3Ame%2Fagent%3Apull";
    assert!(requests[1].contains(&format!("{scope}&")), "{requests:?}");
    assert_eq!(requests[3], format!("{HEAD} [Bearer t1]"));
    assert!(
        requests[4].contains(&format!("{scope}%2Cdelete&")),
        "{requests:?}"
    );
    let (_, requests) = World::new(&[BEARER, TOKEN, "202 Accepted", OK]).ask(|registry| {
        registry.deleter().delete(D1)?;
        // What permits more will do.
        registry.puller().digest("v1.0.0")
    });
    assert_eq!(requests[3], format!("{HEAD} [Bearer t1]"));
}

#[test]
fn credentials_never_go_over_plain_http_to_another_machine() {
    for (realm, why) in [
        ("http://example.org/t", "credentials over plain HTTP"),
        ("http://ADDRESS@example.org/t", "user's name"),
        ("http://me:secret@ADDRESS/t", "user's name"),
        ("ftp://ADDRESS/t", "neither HTTP nor HTTPS"),
    ] {
        let challenge = format!("401 x\r\nWWW-Authenticate: Bearer realm=\"{realm}\"");
        let (digest, requests) = World::new(&[&challenge]).logged_in().digest();
        let error = digest.unwrap_err();
        assert!(error.contains(why), "{realm}: {error}");
        assert_eq!(requests, [HEAD]);
    }
}

#[test]
fn a_redirect_keeps_credentials_within_its_origin_alone() {
    for status in ["301 x", "302 x", "303 x", "307 x", "308 x"] {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let elsewhere = other.local_addr().unwrap();
        let other = thread::spawn(move || serve(&other, &[OK.to_owned()]));
        let near = format!("{status}\r\nLocation: ../x");
        let far = format!("{status}\r\nLocation: http://{elsewhere}/y?z=%2f");
        let world = World::new(&[BASIC, &near, &far]).logged_in();
        let (digest, requests) = world.digest();
        assert_eq!(digest, Ok(Some(D1.to_owned())));
        let authorized = "[Basic bWU6c2VjcmV0]";
        let near = format!("HEAD /v2/me/agent/x {authorized}");
        assert_eq!(requests, [HEAD, &*format!("{HEAD} {authorized}"), &*near]);
        assert_eq!(other.join().unwrap(), ["HEAD /y?z=%2f"]);
    }
}

#[test]
fn a_redirect_that_would_give_something_away_is_refused() {
    for (location, why) in [
        ("http://example.org/x", "plain HTTP to another machine"),
        ("http://ADDRESS@example.org/x", "user's name"),
        ("file:///etc/passwd", "neither HTTP nor HTTPS"),
    ] {
        let answer = format!("307 x\r\nLocation: {location}");
        let (digest, requests) = World::new(&[&answer]).digest();
        let error = digest.unwrap_err();
        assert!(
            error.contains(why) && error.contains("hint: "),
            "{location}: {error}"
        );
        assert_eq!(requests, [HEAD]);
    }
    let round = "302 x\r\nLocation: /v2/me/agent/manifests/v1.0.0";
    let (digest, requests) = World::new(&[round; 11]).digest();
    let error = digest.unwrap_err();
    assert!(error.contains("without an end"), "{error}");
    assert_eq!(requests.len(), 11);
}

#[test]
fn a_token_server_may_lead_elsewhere_and_the_password_stays() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let elsewhere = other.local_addr().unwrap();
    let other = thread::spawn(move || serve(&other, &[TOKEN.to_owned()]));
    let led = format!("302 x\r\nLocation: http://{elsewhere}/t");
    let (digest, requests) = World::new(&[BEARER, &led, OK]).logged_in().digest();
    assert_eq!(digest, Ok(Some(D1.to_owned())));
    assert!(
        requests[1].ends_with(" [Basic bWU6c2VjcmV0]"),
        "{requests:?}"
    );
    assert_eq!(other.join().unwrap(), ["GET /t"]);
}

#[test]
fn who_is_refused_without_a_question_asks_at_the_root_what_it_takes() {
    let absent = format!("404 Not Found\r\n\r\n{UNKNOWN}");
    for hiding in ["403 Forbidden", "404 Not Found", "401 Unauthorized"] {
        let (digest, requests) = World::new(&[hiding, BASIC, OK]).logged_in().digest();
        assert_eq!(digest, Ok(Some(D1.to_owned())), "{hiding}");
        assert_eq!(requests[1], "GET /v2/");
        assert_eq!(requests[2], format!("{HEAD} [Basic bWU6c2VjcmV0]"));
    }
    // It asks for nothing there either: once is enough.
    let world = World::new(&["404 Not Found", "200 OK", &absent]).logged_in();
    let (digest, requests) = world.digest();
    assert_eq!(digest, Ok(None));
    assert_eq!(requests[1], "GET /v2/");
}

#[test]
fn a_secret_in_a_form_goes_to_nobody_else() {
    let led = "307 x\r\nLocation: http://127.0.0.2:1/token";
    let world = World::new(&[BEARER, led]);
    world.docker_config(r#"{"auths":{"ADDRESS":{"identitytoken":"i1"}}}"#);
    let (digest, _) = world.digest();
    let error = digest.unwrap_err();
    assert!(
        error.contains("is refused: it is somebody else's"),
        "{error}"
    );
}

#[test]
fn a_broken_docker_configuration_is_named() {
    let world = World::new(&[BEARER]);
    world.docker_config("{");
    let path = world.home.path().join("config.json");
    let (digest, _) = world.digest();
    let error = digest.unwrap_err();
    assert!(error.contains(&path.display().to_string()), "{error}");
    assert!(error.contains("docker login ADDRESS`"), "{error}");
}
