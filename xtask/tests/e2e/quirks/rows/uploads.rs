//! Where a blob is sent, and who gets credentials there (RFC 3986, RFC 9110 10.2.2).

use super::super::row::{Command, Crane, Ends, PUSH, ROW, Row, fails};
use super::super::rule::{Does, on};
use super::super::stand::Place;

use Command::{Copy, Tags};
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
        runs: &[(Copy, Works)],
        crane: PUSH,
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
];
