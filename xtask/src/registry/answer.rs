//! What a registry says when it does not give what was asked for, and the error for each answer: in
//! the registry's own words, with a hint that can help.

mod said;
#[cfg(test)]
mod tests;

use std::fmt;

use anyhow::anyhow;
use ureq::http::StatusCode;

pub(super) use self::said::Said;
use crate::reference::Repository;

/// What is done with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Pull,
    Push,
    Delete,
}

impl Access {
    /// The actions that a token must permit. Some registries refuse a token for more than the account
    /// may do.
    pub(super) fn actions(self) -> &'static [&'static str] {
        match self {
            Access::Pull => &["pull"],
            Access::Push => &["pull", "push"],
            Access::Delete => &["pull", "delete"],
        }
    }

    /// What follows "a token to".
    pub(super) fn verb(self) -> &'static str {
        match self {
            Access::Pull => "read",
            Access::Push => "push to",
            Access::Delete => "delete from",
        }
    }
}

/// What was asked for, and of whom: every error names it.
pub(super) struct Asked<'a> {
    /// Scheme, host and port of who has answered.
    pub(super) by: String,
    pub(super) repository: &'a Repository,
    /// A tag or a digest with its repository, or a description.
    pub(super) what: &'a str,
    pub(super) access: Access,
}

/// A tag is written once there: another run ends the same way.
#[derive(Debug)]
struct Final(String);

/// What follows the error of a run that was not finished, after what it says.
pub(crate) fn goes_on(error: &anyhow::Error) -> &'static str {
    if error.is::<Final>() {
        ""
    } else {
        "; run this again, it goes on where it ended"
    }
}

/// A registry does not give one thing, or in a form that is of no use: it is too long, has other bytes than
/// its digest says, or is of no kind that was asked for. The registry itself is well, and other things can be
/// read.
#[derive(Debug)]
pub(crate) struct Unusable(pub(super) String);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unusable {}

impl fmt::Display for Final {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Final {}

impl Asked<'_> {
    /// A 404 without a registry's code for an absence: it may come from anything on the way.
    pub(super) fn unknown(&self, status: StatusCode, said: &Said) -> anyhow::Error {
        anyhow!(
            "`{}` does not answer as an image registry does ({status}) when asked for `{}`{said}; \
             hint: check the repository's name and the proxy settings",
            self.by,
            self.what
        )
    }

    /// The text for a registry that is busy or broken; another try may do better.
    pub(super) fn busy(&self, status: StatusCode, said: &Said) -> String {
        let Asked { by, what, .. } = self;
        let hint = match status {
            StatusCode::TOO_MANY_REQUESTS => format!(
                "try again later; `docker login {}` raises the limit of many registries",
                self.repository.registry()
            ),
            _ => "try again later".to_owned(),
        };
        format!(
            "failed to ask `{by}` for `{what}`: it is busy or broken ({status}){said}; hint: {hint}"
        )
    }

    /// The error for an answer that is neither the thing nor its absence.
    pub(super) fn refused(&self, status: StatusCode, said: &Said) -> anyhow::Error {
        let Asked { by, what, .. } = self;
        let is_pushed = self.access == Access::Push;
        if is_forbidden(status) && !(is_pushed && says_immutable(said)) {
            let text = self.forbidden(status, said);
            // Who may list tags may be refused one of them, such as one that a scan has found wanting.
            if status == StatusCode::FORBIDDEN && self.access == Access::Pull {
                return Unusable(text).into();
            }
            return anyhow!("{text}");
        }
        if is_pushed {
            return self.not_taken(status, said);
        }
        let hint = match status {
            StatusCode::NOT_ACCEPTABLE => "ask the registry's operator",
            status if status.is_redirection() => "check the repository's name and the registry's",
            _ => "try again, or check the repository's name",
        };
        let text = format!("`{by}` answers {status} when asked for `{what}`{said}; hint: {hint}");
        if is_of_one_thing(status, said) {
            return Unusable(text).into();
        }
        anyhow!("{text}")
    }

    fn forbidden(&self, status: StatusCode, said: &Said) -> String {
        let Asked { by, what, .. } = self;
        let registry = self.repository.registry();
        match self.access {
            Access::Push => format!(
                "`{by}` does not let us push `{what}` ({status}){said}; hint: `docker login \
                 {registry}` with an account that may push to it, or `--repository` names another"
            ),
            Access::Delete => format!(
                "`{by}` does not let us delete `{what}` ({status}){said}; some registries answer \
                 so while a tag or an index leads to it; hint: `docker login {registry}` with an \
                 account that may delete, and see docs/prune.md"
            ),
            Access::Pull => format!(
                "`{by}` does not let us read `{what}` ({status}){said}; some registries answer so \
                 for a repository that they do not have; hint: `docker login {registry}`{}",
                match status {
                    StatusCode::FORBIDDEN => " with an account that may read it",
                    _ => "",
                }
            ),
        }
    }

    /// The error for something that the registry does not take.
    fn not_taken(&self, status: StatusCode, said: &Said) -> anyhow::Error {
        let Asked { by, what, .. } = self;
        let why = if said.has_words() {
            said.to_string()
        } else {
            ": no reason given".to_owned()
        };
        let hint = self.remedy(status, said);
        let text = format!("`{by}` does not take `{what}` ({status}){why}; hint: {hint}");
        if self.is_immutable(status, said) {
            return Final(text).into();
        }
        anyhow!("{text}")
    }

    fn remedy(&self, status: StatusCode, said: &Said) -> String {
        // `NOT_FOUND` is Harbor's, for a project.
        let is_absent = [
            "NAME_UNKNOWN",
            "NOT_FOUND",
            "PROJECT_NOT_FOUND",
            "REPOSITORY_NOT_FOUND",
        ];
        if said.has(&is_absent) {
            return format!(
                "create the repository `{}` first, which not every registry does at the first push \
                 (Amazon's: `aws ecr create-repository --repository-name {0}`)",
                self.repository.path()
            );
        }
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => {
                "the registry, or a proxy before it, limits the size of a layer; its operator can \
                 raise that (`client_max_body_size` for nginx)"
            }
            // Registries that forbid overwriting have no common status for it.
            status if status.is_client_error() && self.what.ends_with(":latest") => {
                "where tags cannot be overwritten, let the registry make an exception of \
                 `latest`, or release with `--latest never`"
            }
            status if self.is_immutable(status, said) && is_kept_anew(self.what) => {
                "where tags cannot be overwritten, let the registry make an exception of `sha256-*`, \
                 `state-*` and `latest`"
            }
            status if self.is_immutable(status, said) => {
                "a tag is written once there: take another one, or delete it in the registry"
            }
            _ => "ask the registry's operator",
        }
        .to_owned()
    }

    /// Whether a tag was to be pushed that is written once. Some registries say so by a 409 alone.
    fn is_immutable(&self, status: StatusCode, said: &Said) -> bool {
        let is_tag = !self.what.contains('@');
        is_tag && (status == StatusCode::CONFLICT || says_immutable(said))
    }

    /// The error for a deletion that the registry does not do.
    pub(super) fn undeleted(&self, status: StatusCode, said: &Said) -> anyhow::Error {
        if is_forbidden(status) {
            return anyhow!("{}", self.forbidden(status, said));
        }
        let why = if said.has_words() {
            said.to_string()
        } else {
            ": no reason given".to_owned()
        };
        anyhow!(
            "`{}` does not delete `{}` ({status}){why}; hint: run this again, or ask the registry's \
             operator",
            self.by,
            self.what
        )
    }
}

/// Whether a tag is one that is written again with each proof or record.
fn is_kept_anew(what: &str) -> bool {
    let (_, tag) = what.rsplit_once(':').unwrap_or_default();
    tag.starts_with("sha256-") || tag.starts_with("state-")
}

pub(super) fn is_forbidden(status: StatusCode) -> bool {
    [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status)
}

/// Whether the answer is about the one thing that was asked for. A registry answers so for a manifest of an
/// old or unknown kind, which it would have to convert.
/// Harbor answers 412 where its policy keeps an image back (`PROJECTPOLICYVIOLATION`), and the distribution
/// project's registry 400 for a manifest of Docker's schema 1 (`MANIFEST_INVALID`).
fn is_of_one_thing(status: StatusCode, said: &Said) -> bool {
    let is_manifest = said.has(&["MANIFEST_INVALID", "MANIFEST_UNVERIFIED", "UNSUPPORTED"]);
    let statuses = [
        StatusCode::NOT_ACCEPTABLE,
        StatusCode::GONE,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        StatusCode::PRECONDITION_FAILED,
        StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS,
        StatusCode::UNPROCESSABLE_ENTITY,
    ];
    is_manifest || statuses.contains(&status)
}

/// Whether the registry is busy or broken, so that another try may do better.
pub(super) fn is_busy(status: StatusCode) -> bool {
    let is_busy = [
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::TOO_EARLY,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    let is_never = [
        StatusCode::NOT_IMPLEMENTED,
        StatusCode::HTTP_VERSION_NOT_SUPPORTED,
    ];
    is_busy.contains(&status) || (status.is_server_error() && !is_never.contains(&status))
}

/// Whether the registry says that what is there already cannot be overwritten (`TAG_INVALID` at
/// Amazon's: moby/buildkit#3776; other codes and other words elsewhere).
fn says_immutable(said: &Said) -> bool {
    let words = said.to_string().to_lowercase();
    let says = ["immutab", "overwrit", "already exist", "not allow updating"];
    says.iter().any(|says| words.contains(says))
}
