//! What is elsewhere, and who gets credentials there (RFC 9110 15.4).

use super::super::auth::BEARER;
use super::super::row::{BLOB, Command, DIGEST, Ends, LS, ROW, Row, fails};
use super::super::rule::{Does, on};
use super::super::stand::Place;

use Command::{Audit, AuditAll, Plan, Tags};
use Ends::Works;

const NAMED: Place = Place::Named("registry.test");

pub(in super::super) const ROWS: &[Row] = &[
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
                &[("Location", "http://{other}{path}")],
                "",
            ),
        )],
        runs: &[(Audit, fails(&["plain HTTP"]))],
        crane: BLOB,
        ..ROW
    },
];
