//! Answers that are well, each in a registry's own way (distribution specification, RFC 9110, RFC 9112).

use super::super::http::Framing;
use super::super::row::{
    BLOB, Command, Crane, DIGEST, Ends, LS, MANIFEST, PUSH, ROW, Row, TAG, fails,
};
use super::super::rule::{Does, When, on};

use Command::{Audit, AuditAll, Copy, Merge, Plan, Release, Status, Tags};
use Ends::Works;

const NO_DIGEST: Does = Does::Drop("Docker-Content-Digest");

const OLD_CLIENT: &str = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"OCI index found, but accept header does not support OCI indexes"}]}"#;

pub(in super::super) const ROWS: &[Row] = &[
    Row {
        name: "200 for a blob",
        source: "opencontainers/distribution-spec#86",
        rules: &[on("PUT", "/blobs/uploads/", Does::Status("200 OK"))],
        runs: &[(Copy, Works)],
        crane: Crane::Differs(
            &["push", "{layout}", "{repo}:v2.1.0"],
            "takes 201 alone",
        ),
        ..ROW
    },
    Row {
        name: "204 for a blob",
        source: "opencontainers/distribution-spec#86",
        rules: &[on("PUT", "/blobs/uploads/", Does::Status("204 No Content"))],
        runs: &[(Copy, Works)],
        crane: Crane::Differs(
            &["push", "{layout}", "{repo}:v2.1.0"],
            "takes 201 alone",
        ),
        ..ROW
    },
    Row {
        name: "200 for a manifest",
        source: "opencontainers/distribution-spec#86",
        rules: &[on("PUT", "/manifests/", Does::Status("200 OK"))],
        runs: &[(Release, Works), (Copy, Works), (Merge, Works)],
        crane: TAG,
        ..ROW
    },
    Row {
        name: "202 for a manifest",
        source: "distribution/distribution#2364",
        rules: &[on("PUT", "/manifests/", Does::Status("202 Accepted"))],
        runs: &[(Release, Works), (Merge, Works)],
        crane: TAG,
        ..ROW
    },
    Row {
        name: "nothing said of a manifest that is stored",
        source: "distribution/distribution#3848",
        rules: &[
            on("PUT", "/manifests/", NO_DIGEST),
            on("PUT", "/manifests/", Does::Drop("Location")),
        ],
        runs: &[(Release, Works), (Copy, Works)],
        crane: TAG,
        ..ROW
    },
    Row {
        name: "HEAD without a digest",
        source: "regclient/regclient#363, distribution/distribution#2384",
        rules: &[on("HEAD", "/manifests/", NO_DIGEST)],
        runs: &[
            (Tags, Works),
            (Audit, Works),
            (Plan, Works),
            (Release, Works),
            (Merge, Works),
        ],
        crane: DIGEST,
        ..ROW
    },
    Row {
        name: "no digest in any answer",
        source: "distribution/distribution#3792",
        rules: &[on("", "/v2/", NO_DIGEST)],
        runs: &[(Tags, Works), (AuditAll, Works), (Copy, Works)],
        crane: DIGEST,
        ..ROW
    },
    Row {
        name: "HEAD is not allowed",
        source: "distribution/distribution#1485",
        rules: &[on(
            "HEAD",
            "/v2/",
            Does::Answer("405 Method Not Allowed", &[], ""),
        )],
        runs: &[(Tags, Works), (Audit, Works), (Release, Works), (Copy, Works)],
        crane: DIGEST,
        ..ROW
    },
    Row {
        name: "HEAD finds no manifest where GET does",
        source: "crazy-max/diun#1614",
        rules: &[on("HEAD", "/manifests/", Does::Answer("404 Not Found", &[], ""))],
        runs: &[(Tags, Works), (Release, Works)],
        crane: DIGEST,
        ..ROW
    },
    Row {
        name: "manifests of the type application/json",
        source: "concourse/docker-image-resource#40",
        rules: &[on(
            "",
            "/manifests/",
            Does::Set("Content-Type", "application/json"),
        )],
        runs: &[(AuditAll, Works), (Plan, Works), (Copy, Works)],
        crane: MANIFEST,
        ..ROW
    },
    Row {
        name: "an expired tag",
        source: "werf/werf#4101",
        rules: &[
            on(
                "GET",
                "/manifests/v2.1.0",
                Does::Answer(
                    "404 Not Found",
                    &[],
                    r#"{"errors":[{"code":"TAG_EXPIRED","detail":{},"message":"Tag v2.1.0 was deleted or has expired. To pull, revive via time machine"}]}"#,
                ),
            )
            .when(When::First(1)),
            on(
                "HEAD",
                "/manifests/v2.1.0",
                Does::Answer("404 Not Found", &[], ""),
            )
            .when(When::First(1)),
        ],
        runs: &[(Plan, Works), (Release, Works)],
        crane: TAG,
        ..ROW
    },
    Row {
        name: "an absent tag in Harbor's words",
        source: "goharbor/harbor#23637, containers/image#2413",
        rules: &[on(
            "GET",
            "/manifests/v2.1.0",
            Does::Answer(
                "404 Not Found",
                &[],
                r#"{"errors":[{"code":"NOT_FOUND","message":"artifact x/y:v2.1.0 not found"}]}"#,
            ),
        )
        .when(When::First(1))],
        runs: &[(Plan, Works), (Release, Works)],
        crane: TAG,
        ..ROW
    },
    Row {
        name: "404 from something on the way",
        source: "goharbor/harbor#23882",
        rules: &[on(
            "",
            "/manifests/sha-",
            Does::Answer(
                "404 Not Found",
                &[("Content-Type", "text/html")],
                "<html><h1>404 Not Found</h1><hr>nginx</html>",
            ),
        )],
        runs: &[
            (Plan, fails(&["does not answer as an image registry does"])),
            (Release, fails(&["does not answer as an image registry does"])),
        ],
        crane: Crane::Agrees(&["digest", "{repo}:sha-3333333"]),
        ..ROW
    },
    Row {
        name: "a page for people where a registry should be",
        source: "goharbor/harbor#23882",
        rules: &[on(
            "GET",
            "/v2/",
            Does::Answer(
                "200 OK",
                &[("Content-Type", "text/html")],
                "<html>Sign in to the network</html>",
            ),
        )],
        runs: &[(Audit, fails(&["unknown form"])), (Plan, fails(&[]))],
        crane: LS,
        ..ROW
    },
    Row {
        name: "406 for a list that is asked for as a manifest",
        source: "renovatebot/renovate#3078, deitch/docker_registry2#40",
        rules: &[on(
            "GET",
            "/tags/list",
            Does::Answer("406 Not Acceptable", &[], ""),
        )
        .having("accept", "manifest")],
        runs: &[(Audit, Works), (Status, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "406 for a blob that is asked for as a manifest",
        source: "dotnet/sdk-container-builds#382",
        rules: &[
            on("", "/blobs/", Does::Answer("406 Not Acceptable", &[], ""))
                .having("accept", "manifest"),
        ],
        runs: &[(Audit, Works), (Plan, Works)],
        crane: BLOB,
        ..ROW
    },
    Row {
        name: "an old manifest for who does not ask for an index",
        source: "containerd/containerd#5632",
        rules: &[
            on("GET", "/manifests/", Does::Answer("404 Not Found", &[], OLD_CLIENT))
                .lacking("accept", "application/vnd.oci.image.index.v1+json"),
            on("HEAD", "/manifests/", Does::Answer("404 Not Found", &[], ""))
                .lacking("accept", "application/vnd.oci.image.index.v1+json"),
        ],
        runs: &[(Tags, Works), (Audit, Works), (Release, Works), (Copy, Works)],
        crane: DIGEST,
        ..ROW
    },
    Row {
        name: "answers in chunks, without a length",
        source: "RFC 9112 7.1",
        rules: &[on("", "/v2/", Does::Frame(Framing::Chunked))],
        runs: &[(AuditAll, Works), (Tags, Works), (Release, Works), (Copy, Works)],
        crane: BLOB,
        ..ROW
    },
    Row {
        name: "HTTP/1.0",
        source: "RFC 9112 9.3",
        rules: &[on("", "/v2/", Does::Frame(Framing::Close))],
        runs: &[(AuditAll, Works), (Release, Works), (Copy, Works)],
        crane: PUSH,
        ..ROW
    },
    Row {
        name: "connections that close without a word",
        source: "RFC 9112 9.5",
        rules: &[on("", "/v2/", Does::Silent)],
        runs: &[(AuditAll, Works), (Release, Works), (Copy, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "compressed answers for who does not decline",
        source: "quay/quay#1310",
        rules: &[on("GET", "/v2/", Does::Gzip).lacking("accept-encoding", "identity")],
        runs: &[(AuditAll, Works), (Plan, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "a type with a parameter",
        source: "concourse/docker-image-resource#40",
        rules: &[on(
            "",
            "/manifests/v",
            Does::Set(
                "Content-Type",
                "application/vnd.oci.image.index.v1+json; charset=utf-8",
            ),
        )],
        runs: &[(Audit, Works), (Plan, Works)],
        crane: MANIFEST,
        ..ROW
    },
    Row {
        name: "an index that is said to be a manifest",
        source: "distribution-spec 1.1: clients should reject a manifest whose mediaType is not its Content-Type",
        rules: &[on(
            "",
            "/manifests/latest",
            Does::Set(
                "Content-Type",
                "application/vnd.oci.image.manifest.v1+json",
            ),
        )],
        runs: &[(
            Plan,
            fails(&["it says `application/vnd.oci.image.index.v1+json`, and its registry says"]),
        )],
        crane: Crane::Differs(&["manifest", "{repo}:latest"], "it prints whatever is there"),
        ..ROW
    },
];
