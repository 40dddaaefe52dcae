//! What is late, mounted, cancelled or deleted.

use super::super::row::{Command, Crane, Ends, Failure, PUSH, ROW, Row, TAG, failure};
use super::super::rule::{Does, When, on};

use Command::{Copy, Merge, Mount, Prune, PruneYes, Push, Release};
use Ends::{Fails, Works};

const UNKNOWN: &str = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
const UNSUPPORTED: &str =
    r#"{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported."}]}"#;
const CRANE_MOUNT: Crane = Crane::Agrees(&["copy", "{own}@{digest}", "{repo}:v2.1.0"]);

pub(in super::super) const ROWS: &[Row] = &[
    Row {
        name: "a tag that is seen late",
        source: "docker/github-builder#30, acorn-io/runtime#1079",
        rules: &[on(
            "",
            "/manifests/v2.1.0",
            Does::Answer("404 Not Found", &[], UNKNOWN),
        )
        .when(When::FirstAfter(2, "PUT", "/manifests/v2.1.0"))],
        runs: &[(Release, Works)],
        crane: TAG,
        ..ROW
    },
    Row {
        name: "a mount that becomes an upload",
        source: "goharbor/harbor#17097, distribution specification: mounting",
        rules: &[on("POST", "mount=", Does::NoQuery)],
        runs: &[(Mount, Works)],
        crane: CRANE_MOUNT,
        ..ROW
    },
    Row {
        name: "a mount that is refused with 403",
        source: "containerd/containerd#14086",
        rules: &[on(
            "POST",
            "mount=",
            Does::Answer(
                "403 Forbidden",
                &[],
                r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#,
            ),
        )],
        runs: &[(Mount, Works)],
        crane: CRANE_MOUNT,
        ..ROW
    },
    Row {
        name: "a mount that is refused with 404",
        source: "opencontainers/distribution-spec#204",
        rules: &[on("POST", "mount=", Does::Answer("404 Not Found", &[], ""))],
        runs: &[(Mount, Works)],
        crane: CRANE_MOUNT,
        ..ROW
    },
    Row {
        name: "a mount that is refused with 405",
        source: "opencontainers/distribution-spec#206",
        rules: &[on(
            "POST",
            "mount=",
            Does::Answer("405 Method Not Allowed", &[], UNSUPPORTED),
        )],
        runs: &[(Mount, Works)],
        crane: CRANE_MOUNT,
        ..ROW
    },
    Row {
        name: "an upload that cannot be cancelled",
        source: "radius-project/radius#12623, artipie/docker-adapter#138",
        rules: &[on(
            "DELETE",
            "/blobs/uploads/",
            Does::Answer("405 Method Not Allowed", &[], UNSUPPORTED),
        )],
        runs: &[
            (Push, Works),
            (Copy, Works),
            (Release, Works),
            (Merge, Works),
        ],
        crane: PUSH,
        ..ROW
    },
    Row {
        name: "nothing can be deleted, at GHCR",
        source: "podman-container-tools/skopeo#1880, docker/hub-feedback#2360",
        rules: &[on(
            "DELETE",
            "/manifests/",
            Does::Answer("405 Method Not Allowed", &[], UNSUPPORTED),
        )],
        runs: &[
            (
                PruneYes,
                Fails(Failure {
                    code: 3,
                    ..failure(&["405", "docs/prune.md"])
                }),
            ),
            (Prune, Works),
        ],
        crane: Crane::Agrees(&["delete", "{repo}@{digest}"]),
        ..ROW
    },
    Row {
        name: "a deletion that is answered with 200",
        source: "opencontainers/distribution-spec#86",
        rules: &[on("DELETE", "/manifests/", Does::Status("200 OK")).when(When::Always)],
        runs: &[(PruneYes, Works)],
        crane: Crane::None("which statuses crane takes is another row's"),
        ..ROW
    },
];
