//! The tag of a pull request: whether it has one, and why not.

use super::reasons::{COMMIT_FIRST, DIRTY};
use crate::git::Head;
use crate::github::{Ci, Origin};

const FORK: &str = "the pull request comes from another repository";
const FROM_HERE: &str = "`cargo xtask image` builds it; a branch of this repository can be pushed";
const UNKNOWN: &str = "where the pull request comes from is not known";
const FROM_ACTIONS: &str = "GitHub Actions sets GITHUB_EVENT_PATH and GITHUB_REPOSITORY";

/// The tag of the pull request that is built, or why it has none and what to do; none when none is
/// built. It moves with each run, and leads to the pull request's own commit or to its merge.
pub(crate) fn pull_request_tag(
    head: &Head,
    ci: Option<&Ci>,
) -> Option<Result<String, (String, &'static str)>> {
    let ci = ci.filter(|ci| ci.event.as_deref() == Some("pull_request"))?;
    let number = ci.pull_request()?;
    let refused = |why: &str, remedy| Some(Err((why.to_owned(), remedy)));
    let (named, own) = match &ci.origin {
        Some(Origin::Own { number, head }) => (*number, head),
        Some(Origin::Fork(name)) => return refused(&format!("{FORK} ({name})"), FROM_HERE),
        Some(Origin::Unknown(why)) => return refused(&format!("{UNKNOWN}: {why}"), FROM_ACTIONS),
        None => return refused(UNKNOWN, FROM_ACTIONS),
    };
    if named != number {
        return refused(
            "GITHUB_REF and the event's payload name different pull requests",
            FROM_ACTIONS,
        );
    }
    if !head.dirty.is_empty() {
        return refused(DIRTY, COMMIT_FIRST);
    }
    if head.revision != *own && ci.sha.as_ref() != Some(&head.revision) {
        return refused(
            "HEAD is neither the pull request's own commit nor its merge",
            "leave `ref` of actions/checkout away, or: `ref: ${{ \
             github.event.pull_request.head.sha }}`",
        );
    }
    Some(Ok(format!("pr-{number}")))
}

/// Why nothing of a pull request may be pushed, and what to do; none when something may.
pub(crate) fn pull_request_refusal(ci: Option<&Ci>) -> Option<(String, &'static str)> {
    match &ci.filter(|ci| ci.is_of_pull_request())?.origin {
        Some(Origin::Own { .. }) => None,
        Some(Origin::Fork(name)) => Some((format!("{FORK} ({name})"), FROM_HERE)),
        Some(Origin::Unknown(why)) => Some((format!("{UNKNOWN}: {why}"), FROM_ACTIONS)),
        None => Some((UNKNOWN.to_owned(), FROM_ACTIONS)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{REVISION, ci, decides, facts, question};
    use super::*;

    /// [`ci`] of pull request 7, whose branch is in this repository and ends with `own`.
    fn pull_request(event: &str, sha: &str, own: &str) -> Ci {
        Ci {
            origin: Some(Origin::Own {
                number: 7,
                head: own.to_owned(),
            }),
            ..ci(event, "refs/pull/7/merge", sha)
        }
    }

    /// A pull request's tag: `dev`, versions and `latest` never come from it. docker/metadata-action#96:
    /// under `pull_request_target` tags of the base branch were given.
    #[test]
    fn a_pull_request_of_this_repository_has_a_tag_of_its_own() {
        let other = "f".repeat(40);
        let fork = |ci: Ci| Ci {
            origin: Some(Origin::Fork("\"you/agent\"".to_owned())),
            ..ci
        };
        let unknown = |ci: Ci| Ci {
            origin: Some(Origin::Unknown("why".to_owned())),
            ..ci
        };
        for (ci, dirty, want) in [
            // The merge commit, which actions/checkout takes, and the pull request's own.
            (
                pull_request("pull_request", REVISION, &other),
                false,
                "pr-7 -sha-0123456 -dev -v1.0.0",
            ),
            (
                pull_request("pull_request", &other, REVISION),
                false,
                "sha-0123456 pr-7 -dev -v1.0.0",
            ),
            (
                pull_request("pull_request", &other, &other),
                false,
                "sha-0123456 -pr-7 -dev -v1.0.0",
            ),
            (
                pull_request("pull_request", REVISION, &other),
                true,
                "dev -sha-0123456 -pr-7 -v1.0.0",
            ),
            (
                fork(pull_request("pull_request", REVISION, &other)),
                false,
                "-sha-0123456 -pr-7 -dev -v1.0.0",
            ),
            (
                unknown(pull_request("pull_request", REVISION, &other)),
                false,
                "-sha-0123456 -pr-7 -dev -v1.0.0",
            ),
            (
                pull_request("pull_request_review", &other, REVISION),
                false,
                "sha-0123456 -dev -v1.0.0",
            ),
            (
                Ci {
                    git_ref: Some("refs/heads/main".to_owned()),
                    ..pull_request("pull_request_target", REVISION, &other)
                },
                false,
                "sha-0123456 -dev -v1.0.0",
            ),
            (
                Ci {
                    git_ref: Some("refs/pull/8/merge".to_owned()),
                    ..pull_request("pull_request", REVISION, &other)
                },
                false,
                "-sha-0123456 -pr-8 -dev -v1.0.0",
            ),
        ] {
            let mut facts = facts(&["v1.0.0"], &[]);
            facts.head.branch = None;
            facts.head.dirty = dirty.then(|| "x".to_owned()).into_iter().collect();
            let mut question = question();
            question.ci = Some(ci);
            decides(&facts, &question, want);
        }
    }
}
