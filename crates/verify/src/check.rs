//! A check, its verdict and its outcome.

use serde::{Deserialize, Serialize};

use super::facts::{Expected, ImageFacts};
use super::sandbox::{Ran, Sandbox, Session};

/// One property of an image that verify proves.
pub(crate) struct Check {
    /// Stable and kebab-case; its first word is its group.
    pub(crate) id: &'static str,
    /// What holds when it passes.
    pub(crate) proves: &'static str,
    /// The line of the specification, the contract or the design that asks for it.
    pub(crate) source: &'static str,
    /// What to do when it fails, unless the judgement gives a better remedy.
    pub(crate) remedy: &'static str,
    pub(crate) how: How,
}

/// What a check inspects. Its judgement is a pure function over plain data.
pub(crate) enum How {
    /// The image's files, configuration and index; it needs no container.
    Files(fn(&ImageFacts) -> Verdict),
    /// A command in the shared container, which is started as AgentGate's server starts it,
    /// without a terminal and without stdin.
    Exec(&'static [&'static str], fn(&Expected, &Ran) -> Verdict),
    /// The session that is typed on a terminal (specification 6.4).
    Session(fn(&Expected, &Session) -> Verdict),
    /// Containers of its own.
    Containers(fn(&Sandbox) -> anyhow::Result<Verdict>),
    /// As `Containers`; it waits most of its time, so it has workers of its own.
    Waiting(fn(&Sandbox) -> anyhow::Result<Verdict>),
    /// As `Containers`, with nothing else running: it measures time.
    Alone(fn(&Sandbox) -> anyhow::Result<Verdict>),
}

impl How {
    pub(crate) fn needs_a_container(&self) -> bool {
        !matches!(self, How::Files(_))
    }
}

impl Check {
    /// The group that the report shows it in.
    pub(crate) fn group(&self) -> &'static str {
        self.id.split('-').next().unwrap_or(self.id)
    }
}

/// The judgement of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The text says in a few words what was seen.
    Passed(String),
    Failed(Failure),
    /// The check does not apply to this image; the text says why.
    NotApplicable(String),
}

/// Why a check failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) seen: String,
    pub(crate) expected: String,
    /// A better remedy than the check's own.
    pub(crate) remedy: Option<String>,
    /// Whether it is a matter of time: a busy machine makes it of a good image.
    pub(crate) is_slow: bool,
}

impl Verdict {
    pub(crate) fn passed(seen: impl Into<String>) -> Verdict {
        Verdict::Passed(seen.into())
    }

    pub(crate) fn failed(seen: impl Into<String>, expected: impl Into<String>) -> Verdict {
        Verdict::Failed(Failure {
            seen: seen.into(),
            expected: expected.into(),
            remedy: None,
            is_slow: false,
        })
    }

    /// Fails where time was all that was lacking. Such a check is inspected once more, alone.
    pub(crate) fn slow(seen: impl Into<String>, expected: impl Into<String>) -> Verdict {
        match Verdict::failed(seen, expected) {
            Verdict::Failed(failure) => Verdict::Failed(Failure {
                is_slow: true,
                ..failure
            }),
            other => other,
        }
    }

    /// What was seen, where time was all that was lacking.
    pub(crate) fn too_slow(&self) -> Option<&str> {
        match self {
            Verdict::Failed(failure) if failure.is_slow => Some(&failure.seen),
            _ => None,
        }
    }

    /// Replaces the remedy by one that fits what was seen.
    pub(crate) fn with_remedy(self, remedy: impl Into<String>) -> Verdict {
        match self {
            Verdict::Failed(failure) => Verdict::Failed(Failure {
                remedy: Some(remedy.into()),
                ..failure
            }),
            other => other,
        }
    }

    /// Passes when `seen` is exactly `expected`.
    pub(crate) fn equal(seen: impl Into<String>, expected: impl Into<String>) -> Verdict {
        let (seen, expected) = (seen.into(), expected.into());
        if seen == expected {
            Verdict::Passed(seen)
        } else {
            Verdict::Failed(Failure {
                seen: if seen.is_empty() {
                    "nothing".to_owned()
                } else {
                    seen
                },
                expected,
                remedy: None,
                is_slow: false,
            })
        }
    }

    /// Passes when nothing was found; else names the first findings and how many there are.
    pub(crate) fn none_of(found: &[String], expected: &str) -> Verdict {
        const SHOWN: usize = 5;
        if found.is_empty() {
            return Verdict::passed("none");
        }
        let mut seen = found
            .iter()
            .take(SHOWN)
            .cloned()
            .collect::<Vec<_>>()
            .join(", ");
        if found.len() > SHOWN {
            seen = format!("{seen} and {} more", found.len() - SHOWN);
        }
        Verdict::failed(seen, expected)
    }
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    Passed,
    Failed,
    /// The check could not run (the engine died, a time limit ran out, its container did not
    /// start). This does not count as passed.
    Unproven,
    /// Nothing runs this platform here.
    NotExecuted,
    NotApplicable,
    /// Left out with `--only` or `--skip`.
    Skipped,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Status::Passed => "passed",
            Status::Failed => "failed",
            Status::Unproven => "unproven",
            Status::NotExecuted => "not-executed",
            Status::NotApplicable => "not-applicable",
            Status::Skipped => "skipped",
        }
    }
}

/// The result of a check, as it is shown and kept in the receipt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) id: String,
    pub(crate) status: Status,
    /// What was seen, or why nothing was.
    pub(crate) seen: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expected: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
    /// Whether it is unproven because time ran out on a busy machine: nothing is wrong that is known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) busy: bool,
    pub(crate) seconds: f64,
}

impl Outcome {
    pub(crate) fn of(check: &Check, verdict: Verdict, seconds: f64) -> Outcome {
        let (status, seen, failure) = match verdict {
            Verdict::Passed(seen) => (Status::Passed, seen, None),
            Verdict::NotApplicable(why) => (Status::NotApplicable, why, None),
            Verdict::Failed(failure) => (
                Status::Failed,
                failure.seen,
                Some((failure.expected, failure.remedy)),
            ),
        };
        let (expected, remedy) = failure.unzip();
        let own = || expected.as_ref().map(|_| check.remedy.to_owned());
        Outcome {
            id: check.id.to_owned(),
            status,
            seen,
            remedy: remedy.flatten().or_else(own),
            expected,
            busy: false,
            seconds,
        }
    }

    /// For a check that could not run, or was left out.
    pub(crate) fn without_verdict(check: &Check, status: Status, why: &str) -> Outcome {
        Outcome {
            id: check.id.to_owned(),
            status,
            seen: why.to_owned(),
            expected: None,
            remedy: None,
            busy: false,
            seconds: 0.0,
        }
    }
}
