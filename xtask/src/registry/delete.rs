//! Deletes from a registry (distribution spec, "Content Management"). Registries differ in what they
//! delete, and some delete nothing.

use anyhow::anyhow;
use ureq::http::StatusCode;

use super::{Registry, says_absent, says_one_of};

/// What became of a deletion that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deletion {
    Deleted,
    /// The registry says that it has no such tag or manifest.
    Absent,
    /// The registry does not delete such a thing, with the status that says so.
    Unsupported(StatusCode),
}

impl Registry {
    /// Deletes a tag, or a manifest when `version` is a digest. A manifest takes with it every tag
    /// that leads to it.
    ///
    /// Fails when the account may not delete, and when the answer is not a registry's.
    pub(crate) fn delete(&self, version: &str) -> anyhow::Result<Deletion> {
        let separator = if version.contains(':') { '@' } else { ':' };
        let what = format!("{}{separator}{version}", self.repository);
        let url = self.url(&format!("manifests/{version}"));
        let mut answer = self.ask(|| self.agent.delete(&url), &what)?;
        let status = answer.status();
        if [StatusCode::ACCEPTED, StatusCode::OK, StatusCode::NO_CONTENT].contains(&status) {
            return Ok(Deletion::Deleted);
        }
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        match status {
            StatusCode::NOT_FOUND if says_absent(&text) => Ok(Deletion::Absent),
            StatusCode::NOT_FOUND => Err(self.unknown_answer(status, &what)),
            StatusCode::METHOD_NOT_ALLOWED => Ok(Deletion::Unsupported(status)),
            // The distribution project's registry answers so for a tag before its version 3.
            StatusCode::BAD_REQUEST if says_one_of(&text, &["UNSUPPORTED", "DIGEST_INVALID"]) => {
                Ok(Deletion::Unsupported(status))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(self.refused(status, &what)),
            _ => Err(self.undeleted(status, &what, &text)),
        }
    }

    /// The error for a deletion that the registry does not do, with the registry's own text.
    fn undeleted(&self, status: StatusCode, what: &str, said: &str) -> anyhow::Error {
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        let said: String = said.chars().take(300).collect();
        anyhow!(
            "`{}` does not delete `{what}` ({status}): {}; hint: run this again, or ask the \
             registry's operator",
            self.base,
            if said.is_empty() {
                "no reason given".to_owned()
            } else {
                said.escape_debug().to_string()
            }
        )
    }
}
