//! The list of a repository's tags (distribution spec, "Listing tags").

use std::collections::BTreeSet;

use anyhow::{Context as _, anyhow, bail};
use serde::Deserialize;
use ureq::http::header::LINK;
use ureq::http::{Method, StatusCode};
use url::Url;

use super::{JSON, Puller};
use crate::printable::short;
use crate::registry::address;
use crate::registry::link;
use crate::registry::tag_list::TagList;
use crate::registry::transport::Answer;

/// How many tags a page is asked for; the most that the distribution project's registry gives.
const PAGE: &str = "1000";
/// More pages of tags than this are taken for a loop.
const PAGES: usize = 1000;

/// More pages without a new name than this, one after the other, are taken for a loop.
const BARREN: usize = 20;

impl Puller {
    /// Every tag of the repository; an empty list when the repository is absent. What cannot be a
    /// tag's name is left out, with a note: no version and no tag of ours is among that.
    pub fn tags(&self) -> anyhow::Result<Vec<String>> {
        let list = self.tag_list()?;
        if let Some(first) = list.odd.first() {
            crate::say::errln!(
                "note: `{}` lists {} that cannot be a tag, and are ignored: `{first}`",
                self.repository(),
                match list.odd.len() {
                    1 => "a name".to_owned(),
                    count => format!("{count} names"),
                }
            );
        }
        Ok(list.tags)
    }

    /// Every tag of the repository, and what else it lists.
    ///
    /// Fails unless every page to the last was read.
    pub(crate) fn tag_list(&self) -> anyhow::Result<TagList> {
        let what = format!("the tags of {}", self.repository());
        let bare = self.transport().url(&["tags", "list"], &what)?;
        let mut page = bare.clone();
        page.set_query(Some(&format!("n={PAGE}")));
        let (mut list, mut seen) = (TagList::default(), BTreeSet::new());
        let (mut asked, mut is_first, mut barren) = (BTreeSet::new(), true, 0);
        // Where a page leads back to one before, there is no last one.
        while asked.len() < PAGES && asked.insert(page.clone()) {
            let request = self.request(Method::GET, page.clone(), JSON, &what);
            let (answer, bytes) = self.fetch(&request)?;
            match answer.status {
                StatusCode::OK => {}
                // It gives fewer at a time (`PAGINATION_NUMBER_INVALID`): as many as it likes, then.
                StatusCode::BAD_REQUEST
                | StatusCode::RANGE_NOT_SATISFIABLE
                | StatusCode::UNPROCESSABLE_ENTITY
                    if is_first && page != bare =>
                {
                    page = bare.clone();
                    continue;
                }
                StatusCode::NOT_FOUND if is_first => {
                    self.document(answer, None, &what)?;
                    return Ok(TagList::default());
                }
                _ => return Err(self.refused(answer, &what)),
            }
            is_first = false;
            let next = next_page(&answer, &what)?;
            let (names, before) = (names(&answer, bytes, &what)?, seen.len());
            for name in names {
                if seen.insert(name.clone()) {
                    list.add(name);
                }
            }
            let Some(next) = next else {
                return Ok(list);
            };
            page = next;
            // Pages may overlap, and may be empty where only some of the names are shown.
            barren = if seen.len() == before { barren + 1 } else { 0 };
            if barren > BARREN {
                break;
            }
        }
        bail!(
            "`{}` lists {what} without an end; hint: ask the registry's operator",
            address::origin(&page)
        )
    }
}

/// The names on one page.
fn names(answer: &Answer, bytes: Option<Vec<u8>>, what: &str) -> anyhow::Result<Vec<String>> {
    let unknown = || {
        format!(
            "`{}` lists {what} in an unknown form; hint: check the repository's name and the proxy \
             settings",
            address::origin(&answer.url)
        )
    };
    let page = serde_json::from_slice::<Page>(&bytes.unwrap_or_default());
    Ok(page.with_context(unknown)?.tags.unwrap_or_default())
}

/// The page after the one of an answer.
pub(super) fn next_page(answer: &Answer, what: &str) -> anyhow::Result<Option<Url>> {
    let headers = answer.all(&LINK).ok_or_else(|| "it is not text".to_owned());
    let next = headers.and_then(|headers| link::next(headers, &answer.url));
    next.map_err(|why| {
        let header = answer.header(LINK).map(short).unwrap_or_default();
        anyhow!(
            "`{}` lists {what} with a `Link` to more that cannot be followed: {why} (`{header}`); \
             hint: ask the registry's operator",
            address::origin(&answer.url)
        )
    })
}

#[derive(Deserialize)]
struct Page {
    // Go writes an empty list as `null`, and an answer without one is no list.
    #[serde(deserialize_with = "Option::deserialize")]
    tags: Option<Vec<String>>,
}
