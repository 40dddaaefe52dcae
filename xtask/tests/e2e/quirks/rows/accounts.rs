//! What `docker login` left, and what the account may do.

use super::super::auth::{Auth, BEARER, Grants, LOGIN, Login, NO_LOGIN, Tokens};
use super::super::row::{Command, Ends, LS, ROW, Row, TAG, fails, fails_unbuilt};
use super::super::rule::{Does, on};

use Command::{Audit, AuditAll, Copy, Merge, Plan, Prune, Push, Release, Status, Tags};
use Ends::Works;

const fn granting(grants: Grants) -> Auth {
    Auth {
        tokens: Tokens {
            grants,
            ..BEARER.tokens
        },
        ..BEARER
    }
}

const REFUSED: Ends = fails(&["docker login"]);

pub(in super::super) const ROWS: &[Row] = &[
    Row {
        name: "an account that only reads: who looks",
        source: "digitalocean/action-doctl#83",
        auth: granting(Grants::PullOrNothing),
        runs: &[
            (Tags, Works),
            (Audit, Works),
            (AuditAll, Works),
            (Status, Works),
            (Plan, Works),
            (Prune, Works),
        ],
        crane: LS,
        ..ROW
    },
    Row {
        name: "an account that only reads: who writes",
        source: "docker/build-push-action#981",
        auth: granting(Grants::PullOrNothing),
        runs: &[
            (Release, REFUSED),
            (Copy, REFUSED),
            (Merge, REFUSED),
            (Push, fails_unbuilt(&["docker login"])),
        ],
        crane: TAG,
        ..ROW
    },
    Row {
        name: "a token for less than was asked for",
        source: "radius-project/radius#12572",
        auth: granting(Grants::Pull),
        runs: &[
            (Release, REFUSED),
            (Copy, REFUSED),
            (Push, fails_unbuilt(&["docker login"])),
        ],
        crane: TAG,
        ..ROW
    },
    Row {
        name: "nobody is logged in",
        source: "distribution/distribution#1984",
        login: NO_LOGIN,
        runs: &[(Tags, REFUSED), (Audit, REFUSED)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "a login that has expired",
        source: "twuni/docker-registry.helm#143",
        rules: &[on(
            "",
            "/v2/",
            Does::Answer(
                "403 Forbidden",
                &[("Content-Type", "application/json")],
                r#"{"errors":[{"code":"DENIED","message":"Your authorization token has expired. Reauthenticate and try again."}]}"#,
            ),
        )],
        runs: &[
            (
                Audit,
                fails(&["authorization token has expired", "docker login"]),
            ),
            (
                Copy,
                fails(&["authorization token has expired", "docker login"]),
            ),
        ],
        crane: LS,
        ..ROW
    },
    Row {
        name: "an identity token",
        source: "google/go-containerregistry#421",
        auth: BEARER,
        login: Login {
            file: r#"{"auths":{"{registry}":{"auth":"","identitytoken":"{identity}"}}}"#,
            ..LOGIN
        },
        runs: &[(Tags, Works), (Copy, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "an empty identity token beside a password",
        source: "docker/cli: config.json",
        auth: BEARER,
        login: Login {
            file: r#"{"auths":{"{registry}":{"auth":"{basic}","identitytoken":""}}}"#,
            ..LOGIN
        },
        runs: &[(Tags, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "an empty `auth` beside user and password",
        source: "docker/cli: config.json",
        login: Login {
            file: r#"{"auths":{"{registry}":{"auth":"","username":"{user}","password":"{password}"}}}"#,
            ..LOGIN
        },
        runs: &[(Tags, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "a login by the registry's address",
        source: "docker/cli: config.json",
        login: Login {
            file: r#"{"auths":{"http://{registry}/v1/":{"auth":"{basic}"}}}"#,
            ..LOGIN
        },
        runs: &[(Tags, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "a login in DOCKER_AUTH_CONFIG",
        source: "docker/cli: DOCKER_AUTH_CONFIG",
        login: Login {
            file: "{}",
            variable: Some(r#"{"auths":{"{registry}":{"auth":"{basic}"}}}"#),
        },
        runs: &[(Tags, Works), (Copy, Works)],
        crane: LS,
        ..ROW
    },
];
