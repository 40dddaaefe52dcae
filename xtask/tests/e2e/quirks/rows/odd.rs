//! Tags that are no image of ours: one of them is one row, never the end.

use super::super::row::{Command, Crane, Ends, ROW, Row, fails};
use super::super::rule::{Does, Rule, on};

use Command::{Audit, AuditAll, Prune};
use Ends::{Shows, Works};

/// Each of them leaves the others as they are.
const ALL: Ends = Shows(&[
    "\"name\": \"odd\"",
    "\"name\": \"v2.0.0\"",
    "\"name\": \"sha-3333333\"",
]);

/// What the tag leads to.
const fn odd(content_type: &'static [(&'static str, &'static str)], body: &'static str) -> Rule {
    on(
        "",
        "/manifests/odd",
        Does::Answer("200 OK", content_type, body),
    )
}

const MANIFEST: &[(&str, &str)] = &[("Content-Type", "application/vnd.oci.image.manifest.v1+json")];
const INDEX: &[(&str, &str)] = &[("Content-Type", "application/vnd.oci.image.index.v1+json")];
const SCHEMA_1: &[(&str, &str)] = &[(
    "Content-Type",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
)];

pub(in super::super) const ROWS: &[Row] = &[
    Row {
        name: "an artifact whose configuration is not JSON",
        source: "opencontainers/image-spec: manifest, guidelines for artifact usage",
        rules: &[
            odd(
                MANIFEST,
                r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","artifactType":"text/plain","config":{"mediaType":"text/plain","digest":"sha256:62b8125a6f6d924ec53345b5fcd58ca3ed3f5e7d51e2e146e5f1346508acce69","size":8},"layers":[]}"#,
            ),
            on(
                "",
                "/blobs/sha256:62b8125a6f6d",
                Does::Answer("200 OK", &[], "not JSON"),
            ),
        ],
        runs: &[(AuditAll, ALL), (Audit, Works)],
        crane: Crane::Agrees(&["manifest", "{repo}:odd"]),
        ..ROW
    },
    Row {
        name: "a cache of builds",
        source: "docker/buildx#173, docker/buildx#1007",
        rules: &[odd(
            INDEX,
            r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:62b8125a6f6d924ec53345b5fcd58ca3ed3f5e7d51e2e146e5f1346508acce69","size":8},{"mediaType":"application/vnd.buildkit.cacheconfig.v0","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2}]}"#,
        )],
        runs: &[(AuditAll, ALL), (Audit, Works)],
        crane: Crane::Agrees(&["manifest", "{repo}:odd"]),
        ..ROW
    },
    Row {
        name: "a chart",
        source: "opencontainers/image-spec: manifest, guidelines for artifact usage",
        rules: &[
            odd(
                MANIFEST,
                r#"{"schemaVersion":2,"config":{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#,
            ),
            on(
                "",
                "/blobs/sha256:44136fa355b3",
                Does::Answer("200 OK", &[], "{}"),
            ),
        ],
        runs: &[(AuditAll, ALL), (Audit, Works), (Prune, Works)],
        crane: Crane::Agrees(&["manifest", "{repo}:odd"]),
        ..ROW
    },
    Row {
        name: "a manifest of docker's schema 1",
        source: "google/go-containerregistry#296, jqlang/jq#2209",
        rules: &[odd(
            SCHEMA_1,
            r#"{"schemaVersion":1,"name":"x","tag":"odd","architecture":"amd64","fsLayers":[],"history":[],"signatures":[]}"#,
        )],
        runs: &[(AuditAll, ALL), (Audit, Works), (Prune, Works)],
        crane: Crane::Agrees(&["manifest", "{repo}:odd"]),
        ..ROW
    },
    Row {
        name: "a manifest that is not JSON",
        source: "goharbor/harbor#23882",
        rules: &[odd(MANIFEST, "<html>")],
        runs: &[(AuditAll, ALL), (Audit, Works), (Prune, fails(&["odd"]))],
        crane: Crane::Agrees(&["manifest", "{repo}:odd"]),
        ..ROW
    },
    Row {
        name: "a tag that is listed and leads nowhere",
        source: "distribution/distribution#1293",
        rules: &[on(
            "",
            "/manifests/odd",
            Does::Answer(
                "404 Not Found",
                &[],
                r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#,
            ),
        )],
        runs: &[
            (AuditAll, ALL),
            (Audit, Works),
            (Prune, Shows(&["it leads nowhere"])),
        ],
        crane: Crane::None("it lists tags without reading them"),
        ..ROW
    },
    Row {
        name: "a tag that nobody may read",
        source: "fluxcd/flux#3492",
        rules: &[on(
            "",
            "/manifests/odd",
            Does::Answer(
                "403 Forbidden",
                &[],
                r#"{"errors":[{"code":"DENIED","message":"quarantined by a scan"}]}"#,
            ),
        )],
        runs: &[(AuditAll, ALL), (Audit, Works)],
        crane: Crane::None("it lists tags without reading them"),
        ..ROW
    },
];
