//! Who asks for what (RFC 9110 11.6.1, the token specification of the distribution project).

use super::super::auth::{Auth, BASIC, BEARER, Grants, LOGIN, Login, NO_LOGIN, Tokens};
use super::super::row::{Command, Crane, Ends, LS, ROW, Row, TAG, fails};
use super::super::rule::{Does, on};

use Command::{Audit, AuditAll, Copy, Merge, Plan, Prune, Push, Release, Status, Tags};
use Ends::Works;

const fn asking(challenges: &'static [&'static str], of: Auth) -> Auth {
    Auth { challenges, ..of }
}

const fn giving(tokens: Tokens) -> Auth {
    Auth { tokens, ..BEARER }
}

const REFUSED: Ends = fails(&["docker login"]);

pub(in super::super) const ROWS: &[Row] = &[
    Row {
        name: "Negotiate before Basic, in headers of their own",
        source: "google/go-containerregistry#1075",
        auth: asking(&["Negotiate", "Basic realm=\"quirks\""], BASIC),
        runs: &[(Tags, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "Negotiate before Basic, in one header",
        source: "google/go-containerregistry#1075, RFC 9110 11.6.1",
        auth: asking(&["Negotiate, Basic realm=\"quirks\""], BASIC),
        runs: &[(Tags, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "Basic before Bearer, in one header",
        source: "prowler-cloud/prowler#12691",
        auth: asking(
            &[
                "Basic realm=\"quirks\", Bearer realm=\"{scheme}://{tokens}/token\",service=\"quirks\"",
            ],
            BEARER,
        ),
        runs: &[(Tags, Works), (Copy, Works)],
        crane: Crane::Differs(
            &["ls", "{repo}"],
            "it reads the first challenge of a header",
        ),
        ..ROW
    },
    Row {
        name: "Bearer before Basic, in headers of their own",
        source: "RFC 9110 11.6.1",
        auth: asking(
            &[
                "Bearer realm=\"{scheme}://{tokens}/token\",service=\"quirks\"",
                "Basic realm=\"quirks\"",
            ],
            BEARER,
        ),
        runs: &[(Tags, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "a scheme that nobody knows",
        source: "google/go-containerregistry#1075",
        auth: asking(&["Negotiate"], BASIC),
        runs: &[(Tags, fails(&["authorization, which is unknown"]))],
        crane: Crane::Differs(&["ls", "{repo}"], "it sends user and password unasked"),
        ..ROW
    },
    Row {
        name: "a 401 without a challenge",
        source: "apple/container#1538",
        auth: asking(&[], BASIC),
        runs: &[(Tags, REFUSED)],
        crane: Crane::Differs(&["ls", "{repo}"], "it sends user and password unasked"),
        ..ROW
    },
    Row {
        name: "a realm without quotes",
        source: "greenbone/openvas-scanner#2077",
        auth: asking(&["Basic realm=Reducated"], BASIC),
        runs: &[(Tags, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "a realm with quotes and commas in it",
        source: "modelcontextprotocol/csharp-sdk#1764, RFC 9110 5.6.4",
        auth: asking(&["Basic realm=\"the \\\"registry\\\", of ada\""], BASIC),
        runs: &[(Tags, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "a scheme in other letters",
        source: "RFC 9110 11.1",
        auth: asking(
            &["BEARER Realm=\"{scheme}://{tokens}/token\" , Service=\"quirks\""],
            BEARER,
        ),
        runs: &[(Tags, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "a token server with a query of its own",
        source: "jdx/mise#11132",
        auth: asking(
            &["Bearer realm=\"{scheme}://{tokens}/token?account=a,b\",service=\"quirks\""],
            BEARER,
        ),
        runs: &[(Tags, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "a scope of a star",
        source: "go-gitea/gitea#36907",
        auth: asking(
            &["Bearer realm=\"{scheme}://{tokens}/token\",service=\"quirks\",scope=\"*\""],
            BEARER,
        ),
        runs: &[(Tags, Works), (Copy, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "a scope that only the registry knows",
        source: "google/go-containerregistry#1747",
        auth: giving(Tokens {
            needs: Some("repository:base/image:pull"),
            ..BEARER.tokens
        }),
        runs: &[(Tags, Works), (Audit, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "an access token beside an empty one",
        source: "containerd/overlaybd#35",
        auth: giving(Tokens {
            answer: "{\"token\":\"\",\"access_token\":\"{token}\"}",
            ..BEARER.tokens
        }),
        runs: &[(Tags, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "an access token alone",
        source: "containerd/overlaybd#35, quay/quay#1580",
        auth: giving(Tokens {
            answer: "{\"access_token\":\"{token}\",\"expires_in\":300}",
            ..BEARER.tokens
        }),
        runs: &[(Tags, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "an answer without a token",
        source: "entropic-dev/entropic#129",
        auth: giving(Tokens {
            answer: "{\"token\":\"\"}",
            ..BEARER.tokens
        }),
        runs: &[(Tags, fails(&["without a token"]))],
        crane: LS,
        ..ROW
    },
    Row {
        name: "tokens that soon expire",
        source: "Azure/acr#841",
        auth: giving(Tokens {
            uses: 12,
            ..BEARER.tokens
        }),
        runs: &[(Audit, Works), (Copy, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "an account that only reads: who looks",
        source: "digitalocean/action-doctl#83",
        auth: giving(Tokens {
            grants: Grants::PullOrNothing,
            ..BEARER.tokens
        }),
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
        auth: giving(Tokens {
            grants: Grants::PullOrNothing,
            ..BEARER.tokens
        }),
        runs: &[
            (Release, REFUSED),
            (Copy, REFUSED),
            (Merge, REFUSED),
            (Push, REFUSED),
        ],
        crane: TAG,
        ..ROW
    },
    Row {
        name: "a token for less than was asked for",
        source: "radius-project/radius#12572",
        auth: giving(Tokens {
            grants: Grants::Pull,
            ..BEARER.tokens
        }),
        runs: &[(Release, REFUSED), (Copy, REFUSED), (Push, REFUSED)],
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
