//! The referrers API (distribution-spec 1.1, "Listing Referrers"), which not every registry has.

use std::collections::BTreeSet;

use anyhow::{Context as _, anyhow, bail};
use ureq::http::header::CONTENT_TYPE;
use ureq::http::{Method, StatusCode};

use super::Puller;
use super::tags::next_page;
use crate::oci::{Digest, INDEX, Referrer, ReferrerIndex};
use crate::registry::address;
use crate::registry::transport::{Answer, LedAway};

/// More pages than this are taken for a loop.
const PAGES: usize = 100;
/// The most referrers of one manifest that are read from a list.
const MOST: usize = 10_000;

impl Puller {
    /// Whether the registry has the referrers API; none while nobody has asked.
    pub(crate) fn has_referrers(&self) -> Option<bool> {
        self.known().has_referrers.get().copied()
    }

    /// The registry has said that it lists referrers: it is not asked for that.
    pub(crate) fn learn_referrers(&self) {
        let _ = self.known().has_referrers.set(true);
    }

    /// What the registry lists as the referrers of `subject`; none when the registry has no such list. Asks
    /// for that once.
    pub(crate) fn referrers(&self, subject: &Digest) -> anyhow::Result<Option<Vec<Referrer>>> {
        if self.has_referrers() == Some(false) {
            return Ok(None);
        }
        let what = format!("the referrers of {}", self.repository().by_digest(subject));
        let mut page = self
            .transport()
            .url(&["referrers", subject.as_str()], &what)?;
        let (mut found, mut asked) = (Vec::new(), BTreeSet::new());
        while asked.len() < PAGES && asked.insert(page.clone()) {
            let mut request = self.request(Method::GET, page.clone(), JSON_INDEX, &what);
            // GitHub's has led from here to a page for people (artifacthub/hub#4785).
            request.stays = true;
            // Another thread may have learned meanwhile that there is none.
            let is_first = asked.len() == 1 && self.has_referrers() != Some(true);
            let fetched = match self.fetch(&request) {
                Err(error) if is_first && error.is::<LedAway>() => None,
                fetched => Some(fetched?).filter(|(answer, _)| !is_first || !is_unknown(answer)),
            };
            let Some((answer, bytes)) = fetched else {
                let _ = self.known().has_referrers.set(false);
                return Ok(None);
            };
            let Some(bytes) = bytes.filter(|_| is_index(&answer)) else {
                return Err(self.refused(answer, &what));
            };
            self.learn_referrers();
            let list = ReferrerIndex::parse(&bytes).with_context(|| {
                let by = address::origin(&answer.url);
                format!("`{by}` lists {what} in a form that is refused")
            })?;
            found.extend(list.referrers().cloned());
            if found.len() > MOST {
                bail!("{what} are more than {MOST}; hint: delete those that nobody needs");
            }
            let Some(next) = next_page(&answer, &what)? else {
                return Ok(Some(found));
            };
            page = next;
        }
        Err(anyhow!(
            "`{}` lists {what} without an end; hint: ask the registry's operator",
            address::origin(&page)
        ))
    }
}

/// What is asked for: registries without this API may answer by the type.
const JSON_INDEX: &str = "application/vnd.oci.image.index.v1+json, application/json";

/// Whether an answer is that of a registry that does not know the request. What is no index is a page for
/// people, or what a redirect led to.
fn is_unknown(answer: &Answer) -> bool {
    let statuses = [
        StatusCode::NOT_FOUND,
        StatusCode::BAD_REQUEST,
        StatusCode::METHOD_NOT_ALLOWED,
        StatusCode::NOT_ACCEPTABLE,
        StatusCode::NOT_IMPLEMENTED,
    ];
    statuses.contains(&answer.status) || (answer.status.is_success() && !is_index(answer))
}

fn is_index(answer: &Answer) -> bool {
    let kind = answer.header(CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    answer.status == StatusCode::OK && kind.eq_ignore_ascii_case(INDEX)
}
