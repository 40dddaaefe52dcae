//! What a registry asks for, and the tokens that it gives (RFC 9110 11.6.1, the token specification of the
//! distribution project).

use super::super::auth::{Auth, BASIC, BEARER, Tokens};
use super::super::row::{Command, Crane, Ends, LS, ROW, Row, fails};

use Command::{Audit, Copy, Tags};
use Ends::Works;

const fn asking(challenges: &'static [&'static str], of: Auth) -> Auth {
    Auth { challenges, ..of }
}

const fn giving(tokens: Tokens) -> Auth {
    Auth { tokens, ..BEARER }
}

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
        runs: &[(Tags, fails(&["docker login"]))],
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
];
