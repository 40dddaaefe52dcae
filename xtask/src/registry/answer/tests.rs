//! The error for each answer.

use super::*;

fn said(code: &str, message: &str) -> String {
    serde_json::json!({"errors": [{"code": code, "message": message}]}).to_string()
}

/// The error for an answer about `what`, before its hint, and the hint.
fn error(access: Access, what: &str, status: u16, said: &str) -> (String, String) {
    let repository = "r.example.org/me/agent".parse().unwrap();
    let asked = Asked {
        by: "https://r.example.org".to_owned(),
        repository: &repository,
        what,
        access,
    };
    let status = StatusCode::from_u16(status).unwrap();
    let said = Said::parse(said.as_bytes());
    let error = if is_busy(status) {
        asked.busy(status, &said)
    } else {
        asked.refused(status, &said).to_string()
    };
    let (before, hint) = error.split_once("; hint: ").unwrap();
    (before.to_owned(), hint.to_owned())
}

#[test]
fn what_cannot_be_read_says_why_and_what_may_help() {
    let limit = "You have reached your pull rate limit.";
    for (status, text, words, hint) in [
        (
            401,
            said("UNAUTHORIZED", "log in"),
            "read `r:v1` (401 Unauthorized): UNAUTHORIZED: log in; some registries",
            "`docker login r.example.org`",
        ),
        (
            403,
            String::new(),
            "read `r:v1` (403 Forbidden); some registries",
            "`docker login r.example.org` with an account that may read it",
        ),
        (
            429,
            said("TOOMANYREQUESTS", limit),
            "busy or broken (429 Too Many Requests): TOOMANYREQUESTS: You have reached your pull",
            "`docker login r.example.org`",
        ),
        (
            429,
            String::new(),
            "busy or broken (429 Too Many Requests)",
            "`docker login r.example.org`",
        ),
        (
            503,
            String::new(),
            "busy or broken (503 Service Unavailable)",
            "try again later",
        ),
        (
            406,
            String::new(),
            "answers 406 Not Acceptable when asked for `r:v1`",
            "ask the registry's operator",
        ),
        (
            418,
            "short\nand stout".to_owned(),
            "when asked for `r:v1`: short and stout",
            "try again, or check the repository's name",
        ),
    ] {
        let (before, after) = error(Access::Pull, "r:v1", status, &text);
        assert!(before.contains(words), "{status}: {before}");
        assert!(after.contains(hint), "{status}: {after}");
    }
}

#[test]
fn what_is_not_taken_says_why_and_what_may_help() {
    let overwritten = "tag invalid: The image tag 'v1' already exists and cannot be overwritten \
                       because the repository is immutable.";
    let page = "<html><title>413 Request Entity Too Large</title>";
    for (what, status, text, words, hint) in [
        (
            "r:v1",
            403,
            said("DENIED", "no push"),
            "push `r:v1` (403 Forbidden): DENIED: no push",
            "an account that may push",
        ),
        (
            "r@d",
            413,
            page.to_owned(),
            "(413 Payload Too Large): 413 Request Entity Too Large",
            "client_max_body_size",
        ),
        (
            "r@d",
            404,
            said("NAME_UNKNOWN", "no such"),
            "NAME_UNKNOWN: no such",
            "create the repository `me/agent` first",
        ),
        (
            "r:v1",
            400,
            said("TAG_INVALID", overwritten),
            "cannot be overwritten",
            "a tag is written once there",
        ),
        (
            "r:v1",
            409,
            String::new(),
            "(409 Conflict): no reason given",
            "a tag is written once there",
        ),
        (
            "r:v1",
            412,
            said("PRECONDITION", "'agent:v1' is configured as immutable"),
            "configured as immutable",
            "a tag is written once there",
        ),
        (
            "r:v1",
            403,
            said("DENIED", "cannot update tag v1: tag immutability is on"),
            "does not take `r:v1` (403 Forbidden)",
            "a tag is written once there",
        ),
        (
            "r@d",
            409,
            String::new(),
            "(409 Conflict): no reason given",
            "ask the registry's operator",
        ),
        (
            "r:latest",
            409,
            String::new(),
            "(409 Conflict)",
            "`--latest never`",
        ),
        (
            "r:v1",
            400,
            said("MANIFEST_INVALID", "bad"),
            "MANIFEST_INVALID: bad",
            "ask the registry's operator",
        ),
    ] {
        let (before, after) = error(Access::Push, what, status, &text);
        assert!(before.contains(words), "{status}: {before}");
        assert!(after.contains(hint), "{status}: {after}");
        assert!(!after.contains("again"), "{status}: {after}");
    }
}

#[test]
fn what_another_run_cannot_finish_does_not_say_so() {
    let repository = "r.example.org/me/agent".parse().unwrap();
    let asked = Asked {
        by: "https://r.example.org".to_owned(),
        repository: &repository,
        what: "r:v1",
        access: Access::Push,
    };
    for (status, is_final) in [(409, true), (400, false), (413, false), (403, false)] {
        let status = StatusCode::from_u16(status).unwrap();
        let error = asked.refused(status, &Said::default()).context("deeper");
        assert_eq!(goes_on(&error).is_empty(), is_final, "{error:#}");
    }
}

#[test]
fn what_another_try_may_do_better_is_told_from_what_it_may_not() {
    for (status, expected) in [
        (429, true),
        (500, true),
        (502, true),
        (503, true),
        (504, true),
        (408, true),
        (522, true),
        (501, false),
        (505, false),
        (400, false),
        (404, false),
        (413, false),
        (200, false),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(is_busy(status), expected, "{status}");
    }
}

#[test]
fn what_is_about_one_thing_alone_leaves_the_others() {
    for (status, code, expected) in [
        (400, "MANIFEST_INVALID", true),
        (400, "X", false),
        (406, "X", true),
        (410, "X", true),
        (412, "PROJECTPOLICYVIOLATION", true),
        (451, "DENIED", true),
        (501, "UNSUPPORTED", true),
        (403, "DENIED", true),
        (401, "UNAUTHORIZED", false),
    ] {
        let repository = "r.example.org/me/agent".parse().unwrap();
        let asked = Asked {
            by: "https://r.example.org".to_owned(),
            repository: &repository,
            what: "r:v1",
            access: Access::Pull,
        };
        let status = StatusCode::from_u16(status).unwrap();
        let error = asked.refused(status, &Said::parse(said(code, "m").as_bytes()));
        assert_eq!(error.is::<Unusable>(), expected, "{status} {code}");
    }
}
