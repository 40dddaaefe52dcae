//! Registries by all kinds of names, under TLS and without, and their token servers.

use super::super::auth::{Auth, BASIC, BEARER, Login, Takes};
use super::super::row::{Command, Crane, Ends, LS, ROW, Row, fails};
use super::super::stand::Place;

use Command::{Audit, Copy, Tags};
use Ends::Works;

const NAMED: Place = Place::Named("registry.test");

pub(in super::super) const ROWS: &[Row] = &[
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
        login: Login {
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
