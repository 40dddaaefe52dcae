//! Lists of tags, and the `Link` headers that continue them (RFC 8288, distribution specification).

use super::super::pages::{PAGES, Pages, Wrong};
use super::super::row::{Command, Crane, Ends, LS, PUSH, ROW, Row, fails};
use super::super::rule::{Does, Rule, on};

use Command::{Audit, AuditAll, Copy, Prune, Release, Status, Tags};
use Ends::Works;

const fn pages(pages: Pages) -> Rule {
    on("GET", "/tags/list", Does::Pages(pages))
}

const fn linked(link: &'static str) -> Rule {
    pages(Pages { link, ..PAGES })
}

const fn wrong(wrong: Wrong) -> Rule {
    pages(Pages { wrong, ..PAGES })
}

pub(in super::super) const ROWS: &[Row] = &[
    Row {
        name: "pages of two",
        source: "opencontainers/distribution-spec#470",
        rules: &[pages(PAGES)],
        runs: &[
            (Tags, Works),
            (Audit, Works),
            (AuditAll, Works),
            (Status, Works),
            (Prune, Works),
            (Release, Works),
        ],
        crane: LS,
        ..ROW
    },
    Row {
        name: "a next page by its whole address",
        source: "TritonDataCenter/node-docker-registry-client#12",
        rules: &[linked("<{scheme}://{registry}{next}>; rel=\"next\"")],
        runs: &[(Audit, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "a next page by its query alone",
        source: "RFC 8288 3.1, RFC 3986 5.2",
        rules: &[linked("<?{query}>; rel=\"next\"")],
        runs: &[(Audit, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "a next page by a mark of its own",
        source: "camallo/dkregistry-rs#236, keel-hq/keel#371",
        rules: &[pages(Pages {
            cursor: "next_page",
            ..PAGES
        })],
        runs: &[(Audit, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "rel without quotes",
        source: "RFC 8288 3",
        rules: &[linked("<{next}>;rel=next")],
        runs: &[(Audit, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "rel in other letters, after another parameter",
        source: "RFC 8288 3.3",
        rules: &[linked("<{next}>; title=\"the rest; of, it\"; REL=\"Next\"")],
        runs: &[(Audit, Works)],
        crane: Crane::Agrees(&["ls", "{repo}"]),
        ..ROW
    },
    Row {
        name: "several relations of one link",
        source: "RFC 8288 3.3",
        rules: &[linked("<{next}>; rel=\"last next\"")],
        runs: &[(Audit, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "several links in one header",
        source: "begriffs/angular-paginate-anything#61, RFC 8288 3.5",
        rules: &[linked("<?n=2>; rel=\"first\", <{next}>; rel=\"next\"")],
        runs: &[(Audit, Works), (Tags, Works)],
        crane: Crane::Differs(
            &["ls", "{repo}"],
            "it takes the first link, whatever its relation",
        ),
        ..ROW
    },
    Row {
        name: "a link without angle brackets",
        source: "simonw/datasette#2470",
        rules: &[linked("{next}; rel=\"next\"")],
        runs: &[
            (Tags, fails(&["Link"])),
            (Audit, fails(&["Link"])),
            (Status, fails(&["Link"])),
            (Prune, fails(&["Link"])),
        ],
        crane: LS,
        ..ROW
    },
    Row {
        name: "a link whose bracket does not close",
        source: "RFC 8288 3",
        rules: &[linked("<{next}; rel=\"next\"")],
        runs: &[(Audit, fails(&["Link"]))],
        crane: LS,
        ..ROW
    },
    Row {
        name: "a next page at another path",
        source: "sonatype/nexus-public#1011",
        rules: &[linked(
            "<{scheme}://{registry}/repository/proxy{next}>; rel=\"next\"",
        )],
        runs: &[(Tags, fails(&[])), (Audit, fails(&[])), (Prune, fails(&[]))],
        crane: LS,
        ..ROW
    },
    Row {
        name: "an absent page in the middle",
        source: "distribution/distribution#4324",
        rules: &[
            pages(PAGES),
            on(
                "GET",
                "last=",
                Does::Answer(
                    "404 Not Found",
                    &[],
                    r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}"#,
                ),
            ),
        ],
        runs: &[
            (Tags, fails(&[])),
            (Audit, fails(&[])),
            (Status, fails(&[])),
            (Prune, fails(&[])),
        ],
        crane: LS,
        ..ROW
    },
    Row {
        name: "pages that overlap",
        source: "google/go-containerregistry#984",
        rules: &[wrong(Wrong::Overlaps)],
        runs: &[(Audit, Works), (AuditAll, Works), (Status, Works)],
        crane: Crane::Differs(&["ls", "{repo}"], "it prints a tag twice"),
        ..ROW
    },
    Row {
        name: "an empty page in the middle",
        source: "opencontainers/distribution-spec#496",
        rules: &[wrong(Wrong::EmptyPage)],
        runs: &[(Audit, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "an empty page at the end",
        source: "opencontainers/distribution-spec#496",
        rules: &[wrong(Wrong::LateEnd)],
        runs: &[(Audit, Works)],
        crane: LS,
        ..ROW
    },
    Row {
        name: "the first page for ever",
        source: "cap-js-community/mtx-tool#75, cue-labs/oci#53",
        rules: &[wrong(Wrong::IgnoresCursor)],
        runs: &[
            (Tags, fails(&[])),
            (Audit, fails(&[])),
            (Status, fails(&[])),
        ],
        crane: LS,
        ..ROW
    },
    Row {
        name: "a list of null",
        source: "distribution/distribution#777",
        rules: &[on(
            "GET",
            "/tags/list",
            Does::Answer("200 OK", &[], r#"{"name":"x","tags":null}"#),
        )],
        runs: &[(Copy, Works)],
        crane: PUSH,
        ..ROW
    },
    Row {
        name: "tags that the list does not have yet",
        source: "aws/eks-distro#1505",
        rules: &[on(
            "GET",
            "/tags/list",
            Does::Answer("200 OK", &[], r#"{"name":"x","tags":["latest","v2.0.0"]}"#),
        )],
        runs: &[(Release, Works), (Tags, Works)],
        crane: Crane::None("it reads no list to tag"),
        ..ROW
    },
];
