//! Where requests go, and who gets credentials there (RFC 3986, RFC 9110 15.4).

use super::super::auth::{Auth, BASIC, BEARER, Takes};
use super::super::row::{BLOB, Command, Crane, DIGEST, Ends, LS, PUSH, ROW, Row, fails};
use super::super::rule::{Does, on};
use super::super::stand::Place;

use Command::{Audit, AuditAll, Copy, Plan, Tags};
use Ends::Works;

const NAMED: Place = Place::Named("registry.test");

pub(in super::super) const ROWS: &[Row] = &[
    Row {
        name: "an upload at a path",
        source: "distribution/distribution#2862",
        rules: &[on(
            "POST",
            "/blobs/uploads/",
            Does::Set("Location", "{location}"),
        )],
        runs: &[(Copy, Works)],
        crane: PUSH,
        ..ROW
    },
    Row {
        name: "an upload beside the address of the request",
        source: "RFC 9110 10.2.2, RFC 3986 5.2",
        rules: &[on(
            "POST",
            "/blobs/uploads/",
            Does::Set("Location", "{tail}"),
        )],
        runs: &[(Copy, Works)],
        crane: PUSH,
        ..ROW
    },
    Row {
        name: "an upload at an address without a scheme",
        source: "RFC 3986 4.2",
        rules: &[on(
            "POST",
            "/blobs/uploads/",
            Does::Set("Location", "//{registry}{location}"),
        )],
        runs: &[(Copy, Works)],
        crane: PUSH,
        ..ROW
    },
    Row {
        name: "an upload at another host",
        source: "oras-project/oras-go#1152",
        rules: &[on(
            "POST",
            "/blobs/uploads/",
            Does::Set("Location", "{scheme}://{other}{location}"),
        )],
        runs: &[(Copy, Works)],
        crane: PUSH,
        ..ROW
    },
    Row {
        name: "an upload at a host whose name begins alike",
        source: "ocx-sh/ocx#272",
        place: NAMED,
        rules: &[on(
            "POST",
            "/blobs/uploads/",
            Does::Set("Location", "https://registry.test.evil.test{location}"),
        )],
        runs: &[(Copy, Works)],
        crane: PUSH,
        ..ROW
    },
    Row {
        name: "an upload at the default port, by its number",
        source: "oras-project/oras-go#1152",
        place: NAMED,
        rules: &[on(
            "POST",
            "/blobs/uploads/",
            Does::Set("Location", "https://registry.test:443{location}"),
        )],
        runs: &[(Copy, Works)],
        crane: Crane::Differs(
            &["push", "{layout}", "{repo}:v2.1.0"],
            "it compares hosts as text",
        ),
        ..ROW
    },
    Row {
        name: "a registry by its default port's number",
        source: "Azure/acr#359",
        place: Place::Named("registry.test:443"),
        rules: &[on(
            "POST",
            "/blobs/uploads/",
            Does::Set("Location", "https://registry.test{location}"),
        )],
        runs: &[(Copy, Works), (Tags, Works)],
        crane: Crane::Differs(
            &["push", "{layout}", "{repo}:v2.1.0"],
            "it compares hosts as text",
        ),
        ..ROW
    },
    Row {
        name: "a host in upper case",
        source: "MicrosoftDocs/azure-docs#58471",
        place: Place::Named("Registry.TEST"),
        rules: &[on(
            "POST",
            "/blobs/uploads/",
            Does::Set("Location", "https://registry.test{location}"),
        )],
        runs: &[(Copy, Works), (Tags, Works)],
        crane: Crane::Differs(
            &["push", "{layout}", "{repo}:v2.1.0"],
            "it compares hosts as text",
        ),
        ..ROW
    },
    Row {
        name: "an upload in the clear",
        source: "distribution/distribution#479",
        place: NAMED,
        rules: &[on(
            "POST",
            "/blobs/uploads/",
            Does::Set("Location", "http://{registry}{location}"),
        )],
        runs: &[(Copy, fails(&[]))],
        crane: Crane::Differs(
            &["push", "{layout}", "{repo}:v2.1.0"],
            "it asks the registry's host under TLS all the same",
        ),
        ..ROW
    },
    Row {
        name: "a user in the address of an upload",
        source: "RFC 9110 4.2.4",
        rules: &[on(
            "POST",
            "/blobs/uploads/",
            Does::Set("Location", "{scheme}://{registry}@{other}{location}"),
        )],
        runs: &[(Copy, fails(&["user"]))],
        crane: PUSH,
        ..ROW
    },
    Row {
        name: "an upload without an address",
        source: "moby/moby#11528",
        rules: &[on("POST", "/blobs/uploads/", Does::Drop("Location"))],
        runs: &[(Copy, fails(&["Location"]))],
        crane: PUSH,
        ..ROW
    },
    Row {
        name: "an address that is none",
        source: "distribution/distribution#794",
        rules: &[on(
            "POST",
            "/blobs/uploads/",
            Does::Set("Location", "http://[{registry}{location}"),
        )],
        runs: &[(Copy, fails(&["without an address"]))],
        crane: PUSH,
        ..ROW
    },
    Row {
        name: "blobs in another store",
        source: "renovatebot/renovate#3877, open-policy-agent/opa#6728",
        rules: &[on(
            "GET",
            "/blobs/",
            Does::Answer(
                "307 Temporary Redirect",
                &[("Location", "{scheme}://{other}{path}")],
                "",
            ),
        )],
        runs: &[(AuditAll, Works), (Plan, Works)],
        crane: BLOB,
        ..ROW
    },
    Row {
        name: "blobs in another store, for HEAD too",
        source: "oras-project/oras#1321",
        rules: &[on(
            "",
            "/blobs/sha256:",
            Does::Answer("302 Found", &[("Location", "{scheme}://{other}{path}")], ""),
        )],
        runs: &[(Audit, Works)],
        crane: BLOB,
        ..ROW
    },
    Row {
        name: "blobs in another store, with a token",
        source: "renovatebot/renovate#3877",
        auth: BEARER,
        place: NAMED,
        rules: &[on(
            "GET",
            "/blobs/",
            Does::Answer(
                "307 Temporary Redirect",
                &[("Location", "{scheme}://{other}{path}")],
                "",
            ),
        )],
        runs: &[(Audit, Works)],
        crane: BLOB,
        ..ROW
    },
    Row {
        name: "manifests in another store",
        source: "google/go-containerregistry#2333",
        rules: &[on(
            "",
            "/manifests/",
            Does::Answer(
                "307 Temporary Redirect",
                &[("Location", "{scheme}://{other}{path}")],
                "",
            ),
        )],
        runs: &[(Tags, Works), (Audit, Works)],
        crane: DIGEST,
        ..ROW
    },
    Row {
        name: "everything at another path",
        source: "RFC 9110 15.4",
        rules: &[on(
            "GET",
            "/v2/",
            Does::Answer("301 Moved Permanently", &[("Location", "/moved{path}")], ""),
        )],
        runs: &[(Audit, Works), (Tags, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "a redirect in a circle",
        source: "RFC 9110 15.4",
        rules: &[on(
            "",
            "/manifests/",
            Does::Answer("307 Temporary Redirect", &[("Location", "{path}")], ""),
        )],
        runs: &[
            (Tags, fails(&["without an end"])),
            (Audit, fails(&["without an end"])),
        ],
        crane: DIGEST,
        ..ROW
    },
    Row {
        name: "a user in a redirect",
        source: "RFC 9110 4.2.4",
        rules: &[on(
            "GET",
            "/blobs/",
            Does::Answer(
                "307 Temporary Redirect",
                &[("Location", "{scheme}://{registry}@{other}{path}")],
                "",
            ),
        )],
        runs: &[(Audit, fails(&["user"]))],
        crane: BLOB,
        ..ROW
    },
    Row {
        name: "a redirect into the clear",
        source: "oras-project/oras-go#1152",
        place: NAMED,
        rules: &[on(
            "GET",
            "/blobs/",
            Does::Answer(
                "307 Temporary Redirect",
                &[("Location", "http://{registry}{path}")],
                "",
            ),
        )],
        runs: &[(Audit, fails(&[]))],
        crane: BLOB,
        ..ROW
    },
    Row {
        name: "a user in the address of a token server",
        source: "data-accelerator/dart#8",
        auth: Auth {
            challenges: &["Bearer realm=\"{scheme}://{tokens}@{other}/token\",service=\"quirks\""],
            takes: Takes::Bearer,
            ..BASIC
        },
        runs: &[(Tags, fails(&["user"]))],
        crane: LS,
        ..ROW
    },
    Row {
        name: "a token server in the clear",
        source: "tigera/operator#5020 (CVE-2026-48978)",
        place: NAMED,
        auth: Auth {
            challenges: &["Bearer realm=\"http://{tokens}/token\",service=\"quirks\""],
            takes: Takes::Bearer,
            ..BASIC
        },
        runs: &[(Tags, fails(&["plain HTTP"]))],
        crane: LS,
        ..ROW
    },
    Row {
        name: "Docker Hub's two hosts",
        source: "docker/docs: registry/spec/auth/token",
        place: Place::Named("docker.io"),
        auth: Auth {
            challenges: &["Bearer realm=\"https://auth.docker.io/token\",\
                           service=\"registry.docker.io\",scope=\"{scope}\""],
            ..BEARER
        },
        login: super::super::auth::Login {
            file: r#"{"auths":{"https://index.docker.io/v1/":{"auth":"{basic}"}}}"#,
            variable: None,
        },
        runs: &[(Tags, Works), (Audit, Works), (Copy, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "TLS on loopback",
        source: "google/go-containerregistry#451",
        place: Place::Tls { is_trusted: true },
        runs: &[(Tags, Works), (Copy, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "a certificate that nobody trusts",
        source: "google/go-containerregistry#1246",
        place: Place::Tls { is_trusted: false },
        runs: &[
            (Tags, fails(&["certificate", "SSL_CERT_FILE"])),
            (Copy, fails(&["certificate", "SSL_CERT_FILE"])),
        ],
        crane: LS,
        ..ROW
    },
    Row {
        name: "loopback's name",
        source: "google/go-containerregistry#451",
        place: Place::Plain("localhost"),
        runs: &[(Tags, Works), (Copy, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "loopback in IPv6",
        source: "distribution/reference: grammar",
        place: Place::Plain("[::1]"),
        runs: &[(Tags, Works), (Copy, Works)],
        crane: Crane::Agrees(&["ls", "{repo}"]),
        ..ROW
    },
    Row {
        name: "a proxy that another port does without",
        source: "curl: NO_PROXY",
        place: NAMED,
        env: &[("no_proxy", "registry.test:5000,.example.test")],
        runs: &[(Tags, Works)],
        crane: Crane::None("its variables are those of Go"),
        ..ROW
    },
];
