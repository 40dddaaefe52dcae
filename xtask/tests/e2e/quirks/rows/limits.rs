//! Refusals, in the registry's own words and with a hint that can help.

use super::super::http::Framing;
use super::super::row::{
    Command, Crane, Ends, Failure, LS, PUSH, ROW, Row, TAG, fails, fails_unbuilt, fails_within,
    failure,
};
use super::super::rule::{Does, When, on};

use Command::{Audit, Copy, Merge, Plan, Push, Release, Tags, Verify};
use Ends::{Fails, Works};

const BUSY: &str = "429 Too Many Requests";
const HUB: &str = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit. You may increase the limit by authenticating and upgrading"}]}"#;
const DENIED: &str =
    r#"{"errors":[{"code":"DENIED","message":"permission_denied: write_package"}]}"#;
const UNKNOWN: &str = r#"{"errors":[{"code":"NAME_UNKNOWN","message":"The repository with name 'x' does not exist in the registry with id '1234'"}]}"#;
const IMMUTABLE: &str = r#"{"errors":[{"code":"TAG_INVALID","message":"The image tag 'latest' already exists in the 'x' repository and cannot be overwritten because the repository is immutable."}]}"#;
const HARBOR: &str = r#"{"errors":[{"code":"PRECONDITION","message":"Failed to process request due to 'x:latest' configured as immutable."}]}"#;
const PROXY: &str =
    r#"{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported."}]}"#;
const CRANE_LATEST: Crane = Crane::Agrees(&["tag", "{repo}@{digest}", "latest"]);

const fn latest_stays(says: &'static [&'static str]) -> Ends {
    Fails(Failure {
        never: &["run this again"],
        changes: &["state-v2.1.0", "v2.1.0"],
        ..failure(says)
    })
}

pub(in super::super) const ROWS: &[Row] = &[
    Row {
        name: "busy once, for a second",
        source: "docker/buildx#3630",
        rules: &[
            on("", "/v2/", Does::Answer(BUSY, &[("Retry-After", "1")], "")).when(When::First(1)),
        ],
        runs: &[(Tags, Works), (Copy, Works)],
        crane: Crane::Differs(&["ls", "{repo}"], "it does not wait"),
        ..ROW
    },
    Row {
        name: "busy once, for no given time",
        source: "podman-container-tools/skopeo: containers/image#618",
        rules: &[on("", "/v2/", Does::Answer(BUSY, &[], "")).when(When::First(1))],
        runs: &[(Audit, Works), (Release, Works)],
        crane: Crane::Differs(&["ls", "{repo}"], "it does not wait"),
        ..ROW
    },
    Row {
        name: "busy until a date",
        source: "open-telemetry/opamp-go#131, RFC 9110 10.2.3",
        rules: &[on(
            "",
            "/manifests/",
            Does::Answer(
                BUSY,
                &[("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT")],
                "",
            ),
        )
        .when(When::First(1))],
        runs: &[(Audit, Works)],
        crane: Crane::None("it asks once more with GET, which is let through"),
        ..ROW
    },
    Row {
        name: "busy, in lines that end with a line feed",
        source: "docker/hub-feedback#1907",
        rules: &[
            on(
                "GET",
                "/v2/",
                Does::Answer(
                    BUSY,
                    &[("Retry-After", "1")],
                    "Too Many Requests (HAP429).\n",
                ),
            )
            .when(When::First(1)),
            on("GET", "/v2/", Does::Frame(Framing::LineFeeds)).when(When::First(1)),
        ],
        runs: &[(Audit, Works)],
        crane: Crane::Differs(&["ls", "{repo}"], "it does not wait"),
        ..ROW
    },
    Row {
        name: "a limit of pulls for six hours",
        source: "ScribeMD/docker-cache#829",
        rules: &[on(
            "",
            "/v2/",
            Does::Answer(BUSY, &[("Retry-After", "21600")], HUB),
        )],
        runs: &[
            (
                Audit,
                fails_within(
                    2,
                    &["You have reached your pull rate limit", "docker login"],
                ),
            ),
            (
                Verify,
                fails(&["You have reached your pull rate limit", "docker login"]),
            ),
        ],
        crane: LS,
        ..ROW
    },
    Row {
        name: "busy for good",
        source: "bacalhau-project/bacalhau#4630",
        rules: &[on(
            "",
            "/v2/",
            Does::Answer(
                BUSY,
                &[],
                r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"Rate exceeded"}]}"#,
            ),
        )],
        runs: &[(Audit, fails(&["Rate exceeded"]))],
        crane: LS,
        ..ROW
    },
    Row {
        name: "a blob that is too large",
        source: "pulp/pulp-operator#330, Joxit/docker-registry-ui#41",
        rules: &[on(
            "PUT",
            "/blobs/uploads/",
            Does::Early(
                "413 Request Entity Too Large",
                "<html><head><title>413 Request Entity Too Large</title></head></html>",
            ),
        )],
        runs: &[(Copy, fails(&["413", "@sha256:"]))],
        crane: PUSH,
        ..ROW
    },
    Row {
        name: "a repository that must be made first",
        source: "aws-actions/amazon-ecr-login#202, zarf-dev/zarf#1938",
        rules: &[on(
            "POST",
            "/blobs/uploads/",
            Does::Answer("404 Not Found", &[], UNKNOWN),
        )],
        runs: &[
            (
                Copy,
                fails(&["does not exist in the registry", "create the repository"]),
            ),
            (
                Push,
                fails_unbuilt(&["does not exist in the registry", "create the repository"]),
            ),
        ],
        crane: PUSH,
        ..ROW
    },
    Row {
        name: "tags that cannot be overwritten, at ECR",
        source: "moby/buildkit#3776, aws/containers-roadmap#862",
        rules: &[on(
            "PUT",
            "/manifests/latest",
            Does::Answer("400 Bad Request", &[], IMMUTABLE),
        )],
        runs: &[(Release, latest_stays(&["is immutable", "--latest never"]))],
        crane: CRANE_LATEST,
        ..ROW
    },
    Row {
        name: "tags that cannot be overwritten, at Harbor",
        source: "goharbor/harbor#9427",
        rules: &[on(
            "PUT",
            "/manifests/latest",
            Does::Answer("412 Precondition Failed", &[], HARBOR),
        )],
        runs: &[(Release, latest_stays(&["as immutable", "--latest never"]))],
        crane: CRANE_LATEST,
        ..ROW
    },
    Row {
        name: "a version's tag that cannot be overwritten",
        source: "docker/build-push-action#1042",
        rules: &[on(
            "PUT",
            "/manifests/v2.1.0",
            Does::Answer("400 Bad Request", &[], IMMUTABLE),
        )],
        runs: &[(
            Release,
            Fails(Failure {
                never: &["run this again"],
                changes: &["state-v2.1.0"],
                ..failure(&["is immutable"])
            }),
        )],
        crane: TAG,
        ..ROW
    },
    Row {
        name: "a list of what is attached that cannot be overwritten",
        source: "goharbor/harbor#17332",
        rules: &[on(
            "PUT",
            "/manifests/sha256-",
            Does::Answer("412 Precondition Failed", &[], HARBOR),
        )],
        runs: &[(Release, fails(&["must exclude `sha256-*`"]))],
        crane: Crane::Differs(
            &["tag", "{repo}@{digest}", "v2.1.0"],
            "it attaches nothing and writes no record",
        ),
        ..ROW
    },
    Row {
        name: "a record that cannot be overwritten",
        source: "aws/containers-roadmap#862",
        rules: &[on(
            "PUT",
            "/manifests/state-",
            Does::Answer("400 Bad Request", &[], IMMUTABLE),
        )],
        runs: &[(Release, fails(&["must exclude `state-*`"]))],
        crane: Crane::Differs(
            &["tag", "{repo}@{digest}", "v2.1.0"],
            "it attaches nothing and writes no record",
        ),
        ..ROW
    },
    Row {
        name: "an account that may not write the package",
        source: "tuna-os/tunaOS#642, tridz-dev/huf#349",
        rules: &[
            on(
                "POST",
                "/blobs/uploads/",
                Does::Answer("403 Forbidden", &[], DENIED),
            ),
            on(
                "PUT",
                "/manifests/",
                Does::Answer("403 Forbidden", &[], DENIED),
            ),
        ],
        runs: &[
            (
                Release,
                fails(&["permission_denied: write_package", "docker login"]),
            ),
            (
                Copy,
                fails(&["permission_denied: write_package", "docker login"]),
            ),
            (
                Merge,
                fails(&["permission_denied: write_package", "docker login"]),
            ),
            (
                Push,
                fails_unbuilt(&["permission_denied: write_package", "docker login"]),
            ),
        ],
        crane: TAG,
        ..ROW
    },
    Row {
        name: "a registry that only passes on",
        source: "oras-project/oras-go#323",
        rules: &[
            on(
                "POST",
                "",
                Does::Answer("405 Method Not Allowed", &[], PROXY),
            ),
            on(
                "PUT",
                "",
                Does::Answer("405 Method Not Allowed", &[], PROXY),
            ),
        ],
        runs: &[
            (Plan, Works),
            (Release, fails(&["The operation is unsupported"])),
            (Copy, fails(&["The operation is unsupported"])),
        ],
        crane: Crane::Agrees(&["digest", "{repo}:latest"]),
        ..ROW
    },
    Row {
        name: "words with control characters in them",
        source: "house rule: nothing from outside is printed raw",
        rules: &[on(
            "PUT",
            "/manifests/",
            Does::Answer(
                "400 Bad Request",
                &[],
                r#"{"errors":[{"code":"MANIFEST_INVALID","message":"red \u001b[31m, and the line\r\nafter"}]}"#,
            ),
        )],
        runs: &[(
            Release,
            Fails(Failure {
                never: &["\u{1b}[31m"],
                ..failure(&["red "])
            }),
        )],
        crane: TAG,
        ..ROW
    },
];
